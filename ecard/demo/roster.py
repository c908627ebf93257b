"""The roster's own past: a list of freshmen applied, one that waits with wrong lines, photos, and a batch of cards.

Everything goes through the services that the pages call; the cards of the batch are written at the desk's reader.
"""

from __future__ import annotations

import io
import random
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from django.db.models import QuerySet
from openpyxl import Workbook

from accounts import batches, rosters, wiring
from accounts.actors import Actor, Channel
from accounts.batches import ItemFacts
from accounts.checks.idnumber import check_character
from accounts.models import Campus, Holder, HolderKind, RosterFile, RosterScope, ServiceKind
from accounts.services import photos, roster, roster_apply, roster_issue
from accounts.services.operators import Officer
from accounts.services.roster import Delivery
from accounts.services.roster_issue import Choice, IssueOrder
from accounts.services.rows import By
from ecard.demo import faces
from ecard.demo.inside import Past, PastDesk
from ecard.demo.people import Person, make_person
from ecard.demo.story import NUMBERS
from purse.policy import Policy
from terminals.device.reader.model import ClassicCard
from terminals.models import JobKind
from terminals.services import jobs
from transactions.days import local_day

FRESHMEN: Final = 18
LATE: Final = 7
WRITTEN, HANDED, SPOILT = 9, 5, 3
"""Of the freshmen's cards: so many are written, so many handed over, and this one was printed badly and made again."""
AREA: Final = "370000"
"""A province, and no county of it: nobody has an identity number that begins so."""
FIRST_SERIAL: Final = 450
FIRST_UID: Final = 0x04F00000
KNOWN_TO: Final = 20_024
"""People of the crowd up to this account stand on the list, too."""
WITHOUT_PHOTO: Final = 3
HEADER: Final = (
    *("学工号 *", "姓名 *", "人员类别 *", "校区 *"),
    *("学院或部门", "班级", "离校年份", "证件类型", "证件号码"),
)
CLASSES: Final = (("海洋与大气学院", "大气2601"), ("信息科学与工程学院", "软件2602"))
Line = tuple[str, ...]


@dataclass(frozen=True)
class Office:
    """Who does all this, with which desk, and where the simulated cards are kept."""

    officer: Officer
    desk: PastDesk
    past: Past
    wallet: Path

    @property
    def by(self) -> By:
        """The clerk at this moment."""
        actor = Actor.operator(self.officer.id, role=self.officer.role, channel=Channel.COUNTER, place="demo")
        return By(actor, self.past.moment)


def make_roster(office: Office, now: datetime) -> None:
    """Live through three weeks of the roster, once."""
    if RosterFile.objects.exists():
        return
    office.past.go_to(now - timedelta(days=20))
    freshmen = _freshmen(FIRST_SERIAL, FRESHMEN)
    known = _known()
    lines = [*(_line(person) for person in freshmen), *(_known_line(holder) for holder in known)]
    file_id = _apply("2026级新生及在校名单.xlsx", _workbook(lines), office)
    _bring_photos(known, freshmen, office)
    office.past.go_to(now - timedelta(days=18))
    _make_cards(file_id, office)
    office.past.go_to(now - timedelta(hours=3))
    _bring("海洋学院补录.csv", _wrong_list(), office)


# ------------------------------------------------------------------------------------------------------ lists


def _freshmen(first: int, count: int) -> list[Person]:
    chance = random.Random(f"freshmen {first}")  # noqa: S311 - the demo must repeat itself
    return [_freshman(serial, chance) for serial in range(first, first + count)]


def _freshman(serial: int, chance: random.Random) -> Person:
    person = make_person(0, serial, chance)
    head = AREA + person.id_number[6:17] if person.id_number else ""
    return replace(
        person,
        school_no=f"20261{serial:06d}",
        kind=HolderKind.STUDENT,
        service=ServiceKind.FORMAL,
        campus="laoshan",
        id_number=head and head + check_character(head),
    )


def _known() -> list[Holder]:
    """Students and staff of the stories and of the crowd, who have their cards already."""
    people: QuerySet[Holder] = Holder.objects.select_related("campus").exclude(kind=HolderKind.OTHER)
    listed = people.filter(accounts__number__lte=KNOWN_TO, accounts__number__gt=20_000)
    return list((listed | people.filter(accounts__number__in=NUMBERS)).order_by("accounts__number"))


def _line(person: Person) -> Line:
    unit, group = CLASSES[int(person.school_no) % 2]
    document = ("居民身份证", person.id_number) if person.id_number else ("无", "")
    return (person.school_no, person.name, "学生", "崂山校区", unit, group, "2030", *document)


def _known_line(holder: Holder) -> Line:
    kind = "教职工" if holder.kind == HolderKind.STAFF else "学生"
    moved = holder.pk % 9 == 0  # some have changed their college
    return (
        *(holder.school_no, holder.name, kind, holder.campus.name_zh),
        *("未来海洋学院" if moved else holder.unit, "", "", "", ""),
    )


def _wrong_list() -> bytes:
    """Typed in haste: one number that a spreadsheet has spoilt, one wrong digit, one campus that does not exist."""
    people = _freshmen(FIRST_SERIAL + FRESHMEN, LATE)
    lines = [[*_line(person)] for person in people]
    lines[1][-2:] = ["居民身份证", "3.70000200404E+17"]
    right = check_character(f"{AREA}20040401123")
    lines[3][-2:] = ["居民身份证", f"{AREA}20040401123{'0' if right != '0' else '1'}"]
    lines[5][3] = "黄岛校区"
    text = "\r\n".join(",".join(line) for line in [[name.strip(" *") for name in HEADER], *lines])
    return b"\xef\xbb\xbf" + text.encode()


def _workbook(lines: Iterable[Line]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("名册")
    for line in (HEADER, *lines):
        sheet.append(line)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def _bring(name: str, data: bytes, office: Office) -> RosterFile:
    delivery = Delivery(_key(name), name, data, RosterScope.ADDITIONS)
    taken = roster.take_in(delivery, officer=office.officer, by=office.by, secrets=wiring.secrets())
    rules = rosters.rules(local_day(office.past.moment))
    while not roster.advance(taken.file.pk, rules=rules, secrets=wiring.secrets()).over:
        pass
    taken.file.refresh_from_db()
    return taken.file


def _apply(name: str, data: bytes, office: Office) -> uuid.UUID:
    file = _bring(name, data, office)
    roster_apply.apply(file.pk, file.revision, officer=office.officer, by=office.by)
    return file.pk


def _bring_photos(known: Sequence[Holder], freshmen: Sequence[Person], office: Office) -> None:
    """The photographer's archive: three faces are missing, one name is wrong, one picture is lying on its side."""
    names = [*(holder.school_no for holder in known), *(p.school_no for p in freshmen[:-WITHOUT_PHOTO])]
    wrong = {"IMG_0412.png": faces.face("?"), f"{freshmen[-1].school_no}.png": faces.lying("?")}
    archive = faces.archive(names, others=wrong)
    upload = photos.take_in(
        _key("photos"), "2026级新生照片.zip", archive, officer=office.officer, by=office.by
    )
    while not photos.advance(upload.pk, now=office.past.moment).over:
        pass


# ------------------------------------------------------------------------------------------------------ cards


def _make_cards(file_id: uuid.UUID, office: Office) -> None:
    """A batch for the freshmen: printed, most of them written, some handed over, one spoilt and made again."""
    campus = Campus.objects.get(code="laoshan")
    order = IssueOrder(
        _key("batch"),
        "2026级新生（崂山）",
        Choice(campus.pk, file_id),
        date(local_day(office.past.moment).year + 4, 7, 31),
    )
    batch = roster_issue.open_batch(
        order, officer=office.officer, by=office.by, policy=Policy(), secrets=wiring.secrets()
    )
    roster_issue.note_printed(batch.pk, range(1, WRITTEN + 1), by=office.by)
    spoilt = batches.items(batch.pk)[SPOILT]
    roster_issue.make_again(spoilt.id, spoilt.card_id, by=replace(office.by, reason="卡面打印错位"))
    roster_issue.note_printed(batch.pk, range(SPOILT + 1, SPOILT + 2), by=office.by)
    written = batches.items(batch.pk)[:WRITTEN]
    for item in written:
        _write(item, office)
    office.past.go_to(office.past.moment + timedelta(days=1))
    handed = [item.id for item in written[:HANDED]]
    roster_issue.hand_over(batch.pk, handed, officer=office.officer, by=office.by)


def _write(item: ItemFacts, office: Office) -> None:
    card = ClassicCard.blank((FIRST_UID + item.place).to_bytes(4, "big"))
    (office.wallet / f"{item.number}.json").write_text(card.to_json())
    key = _key(f"card {item.place}")
    order = jobs.JobOrder(key, JobKind.PREPARE, office.desk.id, item.account_id, item.card_id)
    jobs.order_job(order, actor=office.by.actor, now=office.past.moment)
    office.desk.do(key, str(item.number))


def _key(name: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"demo-roster-{name}")
