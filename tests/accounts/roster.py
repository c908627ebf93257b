"""Files of the roster for tests: made-up people with valid numbers, as xlsx and as CSV."""

from __future__ import annotations

import io
import uuid
from datetime import date

from openpyxl import Workbook

from accounts.actors import Actor, Channel
from accounts.checks.idnumber import check_character
from accounts.models import Campus, Operator, OperatorRole, RosterFile, RosterScope
from accounts.roster_files.persons import Rules
from accounts.services import roster, roster_apply
from accounts.services.operators import officer_of
from accounts.services.roster import Delivery
from accounts.services.rows import By
from tests.accounts.conftest import NOW, SECRETS

HEADER = ("学工号", "姓名", "人员类别", "校区", "学院或部门", "班级", "离校年份", "证件类型", "证件号码")
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴", "海洋明德勤学博爱思齐远志"


def id_number(serial: int) -> str:
    """A number with a valid check character, another one for each serial up to 300,000."""
    month, day, seq = serial // 900 // 28 % 12 + 1, serial // 900 % 28 + 1, serial % 900 + 1
    head = f"3702022005{month:02d}{day:02d}{seq:03d}"
    return head + check_character(head)


def person(serial: int, **other: object) -> tuple[object, ...]:
    """One row in the order of ``HEADER``."""
    row = {
        "school_no": f"2026{serial:07d}",
        "name": SURNAMES[serial % 10] + GIVEN[serial % 12] + GIVEN[serial // 12 % 12],
        "kind": "学生",
        "campus": "崂山校区",
        "unit": f"示范学院{serial % 7 + 1}",
        "group": f"2026级{serial % 7 + 1}-{serial // 7 % 4 + 1}班",
        "year": "2030",
        "document_kind": "居民身份证",
        "id_number": id_number(serial),
    } | other
    return tuple(row.values())


def xlsx(*rows, header=HEADER, edit=None) -> bytes:
    book = Workbook()
    sheet = book.worksheets[0]
    for row in (header, *rows):
        sheet.append(list(row))
    if edit:
        edit(book, sheet)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def csv(*rows, header=HEADER, encoding="utf-8-sig", comma=",") -> bytes:
    lines = [comma.join("" if cell is None else str(cell) for cell in row) for row in (header, *rows)]
    return ("\r\n".join(lines) + "\r\n").encode(encoding)


class Office:
    """Somebody who brings files, with what the interface lends to the services."""

    def __init__(self, campus: Campus, name: str = "office", *, role=OperatorRole.CLERK, holder=None) -> None:
        self.campus = campus
        self.operator = Operator.objects.create(username=name, role=role, campus=campus, holder=holder)
        self.officer = officer_of(self.operator)
        self.by = By(Actor.operator(self.operator.pk, role=role, channel=Channel.COUNTER), NOW)

    @property
    def rules(self) -> Rules:
        return Rules({each.name_zh: each.pk for each in Campus.objects.all()}, date(2026, 11, 23))

    def bring(
        self, data: bytes, name: str = "名册.xlsx", *, scope=RosterScope.ADDITIONS, key=None
    ) -> RosterFile:
        delivery = Delivery(key or uuid.uuid4(), name, data, scope)
        return roster.take_in(delivery, officer=self.officer, by=self.by, secrets=SECRETS).file

    def run(self, file: RosterFile) -> RosterFile:
        """Have every slice done."""
        while not roster.advance(file.pk, rules=self.rules, secrets=SECRETS).over:
            pass
        file.refresh_from_db()
        return file

    def preview(self, data: bytes, name: str = "名册.xlsx", **other) -> RosterFile:
        return self.run(self.bring(data, name, **other))

    def apply(self, file: RosterFile, revision: int | None = None) -> RosterFile:
        wanted = file.revision if revision is None else revision
        return roster_apply.apply(file.pk, wanted, officer=self.officer, by=self.by)

    def take(self, data: bytes, name: str = "名册.xlsx", **other) -> RosterFile:
        return self.apply(self.preview(data, name, **other))
