"""Making the demo campus: everything is worked out first, then written with a few bulk statements."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db import connection, transaction

from accounts.keys import Secrets
from accounts.models import Account, AccountLife, Campus, Card, CardLife, Holder, Secret, SecretKind
from accounts.pinhash import hash_pin
from accounts.sealing import Place, seal
from accounts.services.holders import index_of
from ecard.demo.drift import BEFORE, DRIFTERS, ENOUGH_FEN
from ecard.demo.history import History, Line, live_through
from ecard.demo.people import Person, make_people, make_person
from ecard.demo.places import make_places, shop_of
from ecard.demo.story import CONSUMPTION_PIN, NUMBERS, QUERY_PIN, STILL_INITIAL, STORIES, Story, ending
from terminals.models import Terminal
from transactions.days import SHANGHAI, local_day
from transactions.models import Contra, EntryKind, Mode, entry_id

FIRST_NO = 20001
FIRST_UID = 0x04D00000
POSTING_TAKES = timedelta(seconds=1)
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Resident:
    """One account of the demo with everything that stands in book and card."""

    person: Person
    history: History
    limit_fen: int
    unclaimed_fen: int
    lost: bool
    serial: int

    @property
    def card_uid(self) -> bytes:
        """The UID of his card; every tenth card has the longer kind."""
        number = FIRST_UID + self.serial
        return number.to_bytes(7 if self.serial % 10 == 9 else 4, "big")


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was made, for the wallet and for whoever prints it."""

    residents: tuple[Resident, ...]
    tills: tuple[Terminal, ...]


def seed(
    count: int,
    *,
    number: int,
    now: datetime,
    secrets: Secrets,
    say: Progress,
    drift: Callable[[Seeded], None],
) -> Seeded:
    """Fill an empty database with ``count`` residents and the stories. The same number gives the same campus.

    ``drift`` plays the week of those whose card and book drift apart, while nobody else is there yet. Raises
    ``ValueError`` when there are accounts already.
    """
    if Account.objects.exists():
        raise ValueError("there are accounts already")
    chance = random.Random(number)  # noqa: S311 - the demo must repeat itself
    residents = _residents(count, now.astimezone(SHANGHAI), chance)  # meals are at noon of the campus
    say(f"{len(residents)} 位持卡人")
    early = [resident for resident in residents if resident.person.account_no in DRIFTERS]
    rest = [resident for resident in residents if resident.person.account_no not in DRIFTERS]
    with transaction.atomic():
        tills = make_places(now)
        lines = plant(early, tills, secrets=secrets, now=now - BEFORE)
    drift(Seeded(tuple(early), tuple(tills)))
    with transaction.atomic():
        lines += plant(rest, tills, secrets=secrets, now=now)
    say(f"{lines} 条流水")
    return Seeded(tuple(residents), tuple(tills))


def plant(residents: list[Resident], tills: list[Terminal], *, secrets: Secrets, now: datetime) -> int:
    """Write these residents with their past into an empty database; returns how many entries that took."""
    accounts = _write_people(residents, secrets, now)
    cards = _write_cards(residents, accounts, tills, now)
    return _write_entries(residents, accounts, cards, tills)


def _residents(count: int, now: datetime, chance: random.Random) -> list[Resident]:
    prices = [(place, shop_of(place).price_fen) for place in range(14)]
    found = [_story_resident(serial, story, now, prices, chance) for serial, story in enumerate(STORIES)]
    for person in make_people(count - len(found), first_no=FIRST_NO, chance=chance):
        end_fen = int(chance.triangular(2_00, 180_00, 40_00)) // 10 * 10
        if person.account_no in DRIFTERS:
            end_fen = max(end_fen, ENOUGH_FEN)
        history = live_through(end_fen, now=_lived_until(person.account_no, now), tills=prices, chance=chance)
        found.append(Resident(person, history, 50_00, 0, False, len(found)))
    return found


def _story_resident(
    serial: int,
    story: Story,
    now: datetime,
    prices: list[tuple[int, tuple[int, int, int]]],
    chance: random.Random,
) -> Resident:
    person = story_person(serial, story)
    lived = live_through(story.end_fen, now=_lived_until(story.number, now), tills=prices, chance=chance)
    history = ending(story, lived, now)
    return Resident(person, history, story.limit_fen, story.unclaimed_fen, story.lost, serial)


def _lived_until(number: int, now: datetime) -> datetime:
    """When somebody's invented past ends: for those whose week is played, before that week."""
    return now - BEFORE if number in DRIFTERS else now


def story_person(serial: int, story: Story) -> Person:
    """Who a story is about; the same on every day, so that documents can say his initial password."""
    chance = random.Random(story.number)  # noqa: S311 - the demo must repeat itself
    return make_person(story.number, 39 if story.named else serial + 400, chance, story.name)


def _write_people(residents: list[Resident], secrets: Secrets, now: datetime) -> list[Account]:
    campuses = {campus.code: campus for campus in Campus.objects.all()}
    holders = Holder.objects.bulk_create(
        [_holder(r.person, campuses, secrets) for r in residents], batch_size=2000
    )
    accounts = Account.objects.bulk_create(
        [_account(resident, holder, now) for resident, holder in zip(residents, holders, strict=True)],
        batch_size=2000,
    )
    Secret.objects.bulk_create(
        [
            _secret(account, kind, secrets, now)
            for account, resident in zip(accounts, residents, strict=True)
            if resident.person.id_number
            for kind in SecretKind
        ],
        batch_size=5000,
    )
    return accounts


def _secret(account: Account, kind: SecretKind, secrets: Secrets, now: datetime) -> Secret:
    """The initial password of the guide, or for the stories one that was chosen."""
    if account.number not in NUMBERS - STILL_INITIAL:
        return Secret(account=account, kind=kind, pin_hash=None, is_default=True, changed_at=now)
    pin = QUERY_PIN if kind is SecretKind.QUERY else CONSUMPTION_PIN
    pin_hash = hash_pin(pin, kind=kind, account_id=account.pk, secrets=secrets)
    return Secret(account=account, kind=kind, pin_hash=pin_hash, is_default=False, changed_at=now)


def _holder(person: Person, campuses: dict[str, Campus], secrets: Secrets) -> Holder:
    place = Place("accounts_holder", "id_number", person.uid)
    return Holder(
        uid=person.uid,
        school_no=person.school_no,
        name=person.name,
        kind=person.kind,
        campus=campuses[person.campus],
        unit=person.unit,
        document_kind=person.document,
        id_number_sealed=seal(person.id_number, place, secrets) if person.id_number else None,
        id_number_index=index_of(person.id_number, secrets) if person.id_number else None,
    )


def _account(resident: Resident, holder: Holder, now: datetime) -> Account:
    today = [line for line in resident.history.lines if line.fen < 0 and local_day(line.at) == local_day(now)]
    return Account(
        number=resident.person.account_no,
        holder=holder,
        campus=holder.campus,
        kind=resident.person.service,
        life=AccountLife.OPEN,
        daily_limit_fen=resident.limit_fen,
        book_fen=resident.history.book_fen,
        unclaimed_fen=resident.unclaimed_fen,
        entry_seq=len(resident.history.lines) + (1 if resident.unclaimed_fen else 0),
        spent_on=local_day(now),
        spent_fen=-sum(line.fen for line in today),
        opened_at=resident.history.lines[0].at,
    )


def _write_cards(
    residents: list[Resident], accounts: list[Account], tills: list[Terminal], now: datetime
) -> list[Card]:
    return Card.objects.bulk_create(
        [_card(resident, account, tills, now) for resident, account in zip(residents, accounts, strict=True)],
        batch_size=2000,
    )


def _card(resident: Resident, account: Account, tills: list[Terminal], now: datetime) -> Card:
    history = resident.history
    last = history.lines[-1]
    till = tills[last.till] if last.till is not None else None
    legs, images = _open_legs(history, tills)
    named = account.kind == "named"
    return Card(
        account=account,
        uid=resident.card_uid.hex().upper(),
        kind=account.kind,
        life=CardLife.ACTIVE,
        expires_on=local_day(now) + timedelta(days=365 if named else 1300),
        spend_seq=len(history.spent),
        spend_total_fen=-sum(line.fen for line in history.spent),
        offline_spent_fen=offline_fen(history),
        load_seq=len(history.loaded),
        load_total_fen=sum(line.fen for line in history.loaded),
        legs=legs,
        images=images,
        seen_at=last.at,
        seen_terminal=till.pk if till else None,
        seen_place=till.name_zh if till else "",
    )


def offline_fen(history: History) -> int:
    """What the card remembers as spent since its last online write."""
    return -sum(line.fen for line in history.spent if line.mode is Mode.OFFLINE)


def _open_legs(history: History, tills: list[Terminal]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Legs and told images of torn purchases, as ``transactions.mirror`` keeps them."""
    if not history.torn:
        return {}, {}
    online = [line for line in history.spent if line.mode is not Mode.OFFLINE]
    seq, total = len(online), -sum(line.fen for line in online)
    legs, told = [], []
    for number, line in enumerate(history.torn, start=1):
        total -= line.fen
        entry = history.lines.index(line) + 1
        terminal = tills[line.till].pk if line.till is not None else None
        legs.append([entry, seq + number, -line.fen, terminal, 9000 + entry, False])
        told.append([seq + number, total, False])
    if offline_fen(history):
        return {
            "spend": legs
        }, {}  # the offline sale took their numbers: none of those images can come any more
    return {"spend": legs}, {
        "spend": {"floor": [seq, -sum(line.fen for line in online), 0, False], "told": told}
    }


def _write_entries(
    residents: list[Resident], accounts: list[Account], cards: list[Card], tills: list[Terminal]
) -> int:
    rows = [
        row
        for resident, account, card in zip(residents, accounts, cards, strict=True)
        for row in _entry_rows(resident, account, card, tills)
    ]
    _copy("transactions_entry", ENTRY_COLUMNS, (row[: len(ENTRY_COLUMNS)] for row in rows))
    _copy("transactions_answer", ANSWER_COLUMNS, (_answer_row(row) for row in rows))
    return len(rows)


ENTRY_COLUMNS = (
    *("id", "account_id", "seq", "kind", "book_change_fen", "unclaimed_change_fen", "book_after_fen"),
    *("unclaimed_after_fen", "contra", "contra_ref", "source_key", "card_id", "purse_side", "purse_seq"),
    *("occurred_at", "posted_at", "day", "terminal_id", "mode"),
)
ANSWER_COLUMNS = (
    "key",
    "op",
    "asked",
    "account_id",
    "card_id",
    "entry_seq",
    "terminal_id",
    "reply",
    "answered_at",
)


def _entry_rows(
    resident: Resident, account: Account, card: Card, tills: list[Terminal]
) -> Iterable[tuple[Any, ...]]:
    book_fen, loads, spends = 0, 0, 0
    lines = resident.history.lines
    for seq, line in enumerate(lines, start=1):
        book_fen += line.fen
        side = "load" if line.fen > 0 else "spend"
        loads, spends = loads + (line.fen > 0), spends + (line.fen < 0)
        yield _row(
            account,
            card,
            seq,
            line,
            tills,
            (line.fen, 0, book_fen, 0),
            (side, loads if line.fen > 0 else spends),
        )
    if resident.unclaimed_fen:
        fen = resident.unclaimed_fen
        line = Line(
            lines[-1].at + timedelta(hours=1), EntryKind.SUBSIDY, fen, Contra.SUBSIDY, None, Mode.SERVER
        )
        yield _row(account, card, len(lines) + 1, line, tills, (0, fen, book_fen, fen), (None, None))


def _row(
    account: Account,
    card: Card,
    seq: int,
    line: Line,
    tills: list[Terminal],
    money: tuple[int, int, int, int],
    purse: tuple[str | None, int | None],
) -> tuple[Any, ...]:
    till = tills[line.till] if line.till is not None else None
    posted_at = line.at + POSTING_TAKES
    key = uuid.UUID(bytes=sha256(f"demo|{account.number}|{seq}".encode()).digest()[:16])
    contra_ref = till.merchant_id if till else None
    return (
        *(
            entry_id(account.pk, seq),
            account.pk,
            seq,
            line.kind.value,
            *money,
            line.contra.value,
            contra_ref,
            key,
        ),
        *(card.pk if purse[0] else None, *purse, line.at, posted_at, local_day(posted_at)),
        *(till.pk if till else None, line.mode.value),
    )


def _answer_row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    entry = dict(zip(ENTRY_COLUMNS, row, strict=True))
    op = {"purchase": "debit", "offline_sale": "offline_sale"}.get(entry["kind"], "credit")
    return (
        *(entry["source_key"], op, b"demo", entry["account_id"], entry["card_id"], entry["seq"]),
        *(entry["terminal_id"], json.dumps({"demo": True}), entry["posted_at"]),
    )


def _copy(table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)


__all__ = ["NUMBERS", "Resident", "Seeded", "offline_fen", "plant", "seed"]
