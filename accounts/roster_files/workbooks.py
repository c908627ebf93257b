"""xlsx: only plain cells of one sheet, inside bounds that are checked before anything is taken apart.

A workbook is an archive of XML. Its directory is read first (size, ratio, names, macros), then the sheet is streamed
once for what must not be there (merged cells, hidden rows, too many lines), and only then openpyxl reads the cells.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, time, timedelta
from typing import Any
from xml.etree.ElementTree import ParseError, iterparse

from django.utils.translation import gettext_lazy as _
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from .sheets import MAX_COLUMNS, MAX_ROWS, Cell, Kind, Problem, Row, Table, Unreadable

UNPACKED_MAX = 48 * 1024 * 1024
RATIO_MAX = 150
"""Spreadsheets shrink five- to twentyfold; bombs a thousandfold."""
MEMBERS_MAX = 500
_ZEROS = re.compile(r"\A0{2,20}\Z")
_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_BROKEN = (
    zipfile.BadZipFile, zlib.error, InvalidFileException, ParseError, KeyError, ValueError, TypeError, IndexError,
    AttributeError, OSError, EOFError, NotImplementedError, RuntimeError,
)  # fmt: skip
"""All that the readers of archive and XML may say of a broken file, unknown compression and passwords among it.

``Unreadable`` is none of it."""
_ENTITY = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


def read_workbook(data: bytes) -> Table:
    """The table of the first sheet. Raises ``Unreadable``."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_archive(archive)
        with closing(
            load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
        ) as book:
            return _read(book)
    except _BROKEN:
        raise Unreadable(_("文件打不开：不是完整的 xlsx，请用表格软件重新另存")) from None


def _check_archive(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if len(members) > MEMBERS_MAX:
        raise Unreadable(_("文件的内部结构不正常，没有打开"))
    if sum(member.file_size for member in members) > UNPACKED_MAX:
        raise Unreadable(_("文件解开后太大，没有打开"))
    for member in members:
        if member.file_size > 1_000_000 and member.file_size > RATIO_MAX * max(1, member.compress_size):
            raise Unreadable(_("文件解开后太大，没有打开"))
        if member.flag_bits & 1:
            raise Unreadable(_("文件设了密码，请另存为不加密的 xlsx"))
        if ".." in member.filename.split("/") or member.filename.startswith(("/", "\\")):
            raise Unreadable(_("文件的内部结构不正常，没有打开"))
        if "vbaproject" in member.filename.lower():
            raise Unreadable(_("文件含有宏，请另存为不含宏的 xlsx"))
    if not any(member.filename == "[Content_Types].xml" for member in members):
        raise Unreadable(_("文件打不开：不是完整的 xlsx，请用表格软件重新另存"))
    for member in members:
        if member.filename.endswith((".xml", ".rels")):
            _check_entities(archive, member)


def _check_entities(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """No document type in any part: it is the only way to entities, and no spreadsheet program writes one."""
    with archive.open(member) as part:
        tail = b""
        while chunk := part.read(1 << 18):
            if _ENTITY.search(tail + chunk):
                raise Unreadable(_("文件的内部结构不正常，没有打开"))
            tail = chunk[-16:]


def _read(book: Any) -> Table:
    sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    if not sheets:
        raise Unreadable(_("文件里没有可见的工作表"))
    sheet, notes = sheets[0], []
    if len(book.worksheets) > 1:
        notes.append(Problem.of(_("只读取了第一张工作表：%(name)s"), name=sheet.title[:40]))
    merged = _look_over(sheet)
    sheet.reset_dimensions()
    rows = list(_rows(sheet))
    if merged and rows and _below_title(merged, rows):
        raise Unreadable(_("%(where)s 是合并的单元格，请取消合并"), where=merged[0])
    return Table(tuple(rows), tuple(notes))


def _look_over(sheet: Any) -> list[str]:
    """Stream the sheet for what may not be in it; returns the merged ranges."""
    merged: list[str] = []
    hidden: list[str] = []
    with sheet._get_source() as part:  # noqa: SLF001 - the one way to the part behind a sheet
        for _event, element in iterparse(part):  # noqa: S314 - entities are refused before
            tag = element.tag.removeprefix(_SHEET)
            if tag == "row":
                line = int(element.get("r") or 0)
                if line > MAX_ROWS + 10:
                    raise Unreadable(_("一个文件最多 %(limit)s 人，请分成几个文件"), limit=MAX_ROWS)
                if len(element) > MAX_COLUMNS:
                    raise Unreadable(
                        _("第 %(line)s 行有 %(count)s 列，太多了"), line=line, count=len(element)
                    )
                if element.get("hidden") in ("1", "true") and len(element):
                    hidden.append(str(line))
                element.clear()
            elif tag == "mergeCell":
                merged.append(element.get("ref") or "?")
    if hidden:
        raise Unreadable(
            _("有 %(count)s 行被隐藏或筛掉（第 %(lines)s 行），请全部显示后再导入"),
            count=len(hidden),
            lines="、".join(hidden[:5]) + ("…" if len(hidden) > 5 else ""),
        )
    return merged


def _below_title(merged: list[str], rows: list[Row]) -> bool:
    """Whether something is merged besides a title above the header; sorts what is wrong to the front."""
    header = next((row.line for row in rows[:6] if sum(not cell.empty for cell in row.cells) > 1), 0)
    wrong = [ref for ref in merged if int(re.sub(r"\D", "", ref.partition(":")[2]) or 0) >= header]
    merged[:] = wrong or merged
    return bool(wrong)


def _rows(sheet: Any) -> Iterator[Row]:
    for line, cells in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS), start=1):
        found = tuple(_cell(cell) for cell in cells)
        if any(not cell.empty for cell in found):
            last = max(at for at, cell in enumerate(found) if not cell.empty)
            yield Row(line, found[: last + 1])


def _cell(cell: Any) -> Cell:
    value: object = cell.value
    if value is None:
        return Cell(Kind.TEXT, "")
    if cell.data_type == "e":
        return Cell(Kind.ERROR, str(value))
    if cell.data_type == "f":
        return Cell(Kind.FORMULA, str(value)[:100])
    if isinstance(value, bool):
        return Cell(Kind.TRUTH, str(value))
    if isinstance(value, datetime | date | time | timedelta):
        return Cell(Kind.DATE, str(value))
    if isinstance(value, int | float):
        return Cell(Kind.NUMBER, _digits(value, str(cell.number_format or "")))
    return Cell(Kind.TEXT, str(value))


def _digits(value: float, number_format: str) -> str:
    """A number as the sheet shows it where that is digits: whole, and filled up with zeros by its format."""
    if isinstance(value, float) and (not math.isfinite(value) or value != int(value) or abs(value) > 1e30):
        return str(value)
    digits = str(int(value))
    return digits.zfill(len(number_format)) if _ZEROS.match(number_format) else digits
