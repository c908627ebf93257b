"""Which column is which: by its header, in Chinese or English, in any order. A column nobody asked for is not read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .sheets import EMPTY, Cell, Problem, Row, Table, Unreadable

HEADER_WITHIN = 6
"""The header stands among the first lines; above it there may be a title."""
_TOTALS = re.compile(r"\A(?:合计|总计|共计|小计|总人数|total)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the form: its names, and whether a file must have it."""

    key: str
    zh: str
    en: str
    also: tuple[str, ...] = ()
    required: bool = False
    label: str | Promise = field(default="", compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that a header may say."""
        return (self.zh, self.en, *self.also)


COLUMNS = (
    Column(
        "school_no",
        "学工号",
        "School number",
        ("学号", "工号", "Student number", "Staff number"),
        required=True,
    ),
    Column("name", "姓名", "Name", ("学生姓名", "Full name"), required=True),
    Column("kind", "人员类别", "Kind", ("类别", "身份", "人员类型"), required=True),
    Column("campus", "校区", "Campus", ("所在校区",), required=True),
    Column(
        "unit",
        "学院或部门",
        "College or department",
        ("学院", "单位", "部门", "院系", "College", "Unit"),
    ),
    Column("group", "班级", "Class", ("班级名称", "科室", "Group")),
    Column("year", "离校年份", "Year of leaving", ("预计毕业年份", "毕业年份", "Graduation year")),
    Column("document_kind", "证件类型", "Document", ("证件种类", "Document type")),
    Column("id_number", "证件号码", "Document number", ("身份证号", "身份证号码", "证件号", "ID number")),
)
NUMBER_ONLY = (COLUMNS[0],)
"""For lists of people who are known already."""


def _folded(text: str) -> str:
    """A header as it is compared: width, case, spaces, stars and remarks in brackets do not count."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"\(.*?\)|[\s*:_]", "", text)


_BY_NAME: Mapping[str, Column] = {_folded(name): column for column in COLUMNS for name in column.names}


def known_headers(cells: Iterable[str]) -> list[str]:
    """Those of these cells that name a column."""
    return [cell for cell in cells if _folded(cell) in _BY_NAME]


@dataclass(frozen=True, slots=True)
class Found:
    """Where the columns are, the lines below them, and what was left out."""

    places: Mapping[str, int]
    width: int
    rows: tuple[Row, ...]
    notes: tuple[Problem, ...]

    def cells(self, row: Row) -> dict[str, Cell]:
        """The cells of a row by their column."""
        return {key: row.cells[at] if at < len(row.cells) else EMPTY for key, at in self.places.items()}


def find_columns(table: Table, *, wanted: Sequence[Column] = COLUMNS) -> Found:
    """Find the header and its columns. Raises ``Unreadable``, naming what is missing or stands there twice."""
    header, places = _header(table, wanted)
    missing = [column.zh for column in wanted if column.required and column.key not in places]
    if missing:
        raise Unreadable(_("缺少这些列：%(names)s"), names="、".join(missing))
    rows = [row for row in table.rows if row.line > header.line]
    notes = list(table.notes)
    others = [
        cell.text.strip()
        for at, cell in enumerate(header.cells)
        if not cell.empty and at not in places.values()
    ]
    if others:
        notes.append(
            Problem.of(_("这些列没有读取：%(names)s"), names="、".join(name[:20] for name in others))
        )
    if rows and _is_totals(rows[-1]):
        notes.append(Problem.of(_("第 %(line)s 行是合计，没有读取"), line=rows.pop().line))
    if not rows:
        raise Unreadable(_("文件里只有表头，没有人员"))
    width = max(at for at, cell in enumerate(header.cells) if not cell.empty) + 1
    return Found(places, width, tuple(rows), tuple(notes))


def _header(table: Table, wanted: Sequence[Column]) -> tuple[Row, dict[str, int]]:
    """The first line that names a required column."""
    keys = {column.key for column in wanted}
    needed = {column.key for column in wanted if column.required}
    for row in table.rows[:HEADER_WITHIN]:
        named = [(at, _BY_NAME.get(_folded(cell.text))) for at, cell in enumerate(row.cells)]
        here = [(at, column) for at, column in named if column is not None and column.key in keys]
        if not needed & {column.key for _at, column in here}:
            continue
        places: dict[str, int] = {}
        for at, column in here:
            if column.key in places:
                raise Unreadable(_("有两列都是%(name)s，请只留一列"), name=column.zh)
            places[column.key] = at
        return row, places
    raise Unreadable(
        _("没有找到表头；第一行应有 %(names)s"), names="、".join(c.zh for c in wanted if c.required)
    )


def _is_totals(row: Row) -> bool:
    return any(_TOTALS.match(cell.text.strip()) for cell in row.cells[:3])
