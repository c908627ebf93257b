"""A small campus for tests of money: one holder with a real card model, and the server half of a tap in-process.

``Counter`` plays the till's part with ``purse.procedures`` and calls the services directly; the till program and the
HTTP API have tests of their own.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.models import Account, Campus, Card, DocumentKind, Holder, HolderKind
from accounts.services.passwords import PinOutcome, PinVerdict
from purse.evidence import RingEntry, Side
from purse.keys import DESK, OFFLINE_TILL, KeyBundle, Role
from purse.link import CardLink, LinkError
from purse.policy import Policy
from purse.procedures import (
    ClassicDriver,
    Day,
    Outcome,
    Personalisation,
    RawCard,
    decode,
    load_sector,
    offline_state,
    ring_image,
    slot_write,
    spend_image,
)
from terminals.device.reader.field import Fault, Field
from terminals.device.reader.model import ClassicCard
from terminals.device.reader.tearing import Tear
from transactions import ledger
from transactions.ledger import AccountFacts, Change, NewEntry
from transactions.models import Contra, EntryKind, Merchant, Mode
from transactions.services.debit import debit
from transactions.services.offline import OfflineSale
from transactions.services.orders import BookContext, TapOrder, TapReply, Till
from transactions.services.outcomes import CardWrite, Report, report_outcomes
from transactions.services.taps import sighting
from transactions.services.void import void

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime.now(SHANGHAI).replace(hour=12, minute=0, second=0, microsecond=0)
"""Today's: the ledger's day is the database's, so on another day no sale of a test could be taken back."""
KEYS = KeyBundle.from_master(1, b"m" * 32)
POLICY = Policy()
_serial = itertools.count(1)


def right_pin(account_id: int, pin: str) -> PinVerdict:
    """A password check that knows one password."""
    return PinVerdict(PinOutcome.OK if pin == "408273" else PinOutcome.WRONG, remaining=2)


def book(now: datetime = NOON, policy: Policy = POLICY) -> BookContext:
    """What the interface would lend to the services."""
    return BookContext(policy=policy, keys=KEYS, now=now, check_pin=right_pin)


def make_campus() -> tuple[Campus, Merchant]:
    campus, _ = Campus.objects.get_or_create(
        code="laoshan", defaults={"name_zh": "崂山校区", "name_en": "Laoshan"}
    )
    merchant, _ = Merchant.objects.get_or_create(
        name_zh="示范一餐厅", campus=campus, defaults={"contract_from": NOON.date() - timedelta(days=400)}
    )
    return campus, merchant


@dataclass
class Person:
    """A holder with one account, its row, and the plastic in his hand."""

    account: Account
    card_row: Card
    plastic: ClassicCard
    field: Field = field(default_factory=Field)

    def fresh(self) -> Account:
        self.account.refresh_from_db()
        self.card_row.refresh_from_db()
        return self.account

    @property
    def card_fen(self) -> int:
        """What the plastic itself holds now, read by the centre's own keys."""
        hand = Field()
        hand.place(self.plastic)
        link = hand.select()
        assert link is not None
        return decode(ClassicDriver(link, KEYS).read_purse(), KEYS).card_fen

    @property
    def book_fen(self) -> int:
        return self.fresh().book_fen


def make_person(
    fen: int = 100_00, *, number: int | None = None, limit_fen: int = 50_00, life: str = "active"
) -> Person:
    """Open an account with money in the book and the same money on a freshly prepared card."""
    campus, _ = make_campus()
    serial = next(_serial)
    holder = Holder.objects.create(
        school_no=f"2023{serial:07d}", name="张三丰", kind=HolderKind.STUDENT, campus=campus,
        document_kind=DocumentKind.NONE,
    )  # fmt: skip
    account = Account.objects.create(
        number=number or 10000 + serial, holder=holder, campus=campus, life="open", daily_limit_fen=limit_fen
    )
    uid = (0xA0000000 + serial).to_bytes(4, "big")
    card = Card.objects.create(account=account, uid=uid.hex().upper(), life=life, load_total_fen=fen)
    if fen:
        opening(account, fen)
    plastic = ClassicCard.blank(uid)
    person = Person(account, card, plastic)
    hand = Field()
    hand.place(plastic)
    link = hand.select()
    assert link is not None
    who = Personalisation(account.number, 1, 1, 1, None, b"12345678", limit_fen, NOON.date(), fen)
    ClassicDriver(link, KEYS).prepare(who)
    person.fresh()
    return person


def opening(account: Account, fen: int) -> None:
    """Post an opening entry, as a seed does."""
    before = AccountFacts(
        account.id, account.number, "open", (), account.daily_limit_fen, 0, 0, 0, 0, None, 0
    )
    entry = NewEntry(
        1, EntryKind.OPENING, fen, 0, fen, 0, Contra.OPENING, None, uuid.uuid4(), NOON, Mode.SERVER
    )
    with transaction.atomic():
        ledger.write(Change(before, fen, 0, None, 0, (), NOON, entries=(entry,)))


@dataclass
class Sale:
    """How one tap ended at the counter."""

    key: uuid.UUID
    reply: TapReply | None
    outcome: Outcome | None
    raw: RawCard | None = None

    @property
    def refusal(self) -> str | None:
        return self.reply.refusal.value if self.reply and self.reply.refusal else None


class Counter:
    """An online till boiled down to the protocol: read, ask the book, write in order, remember the outcome."""

    def __init__(self, terminal: int = 7, *, may_claim: bool = True, keys: KeyBundle | None = None) -> None:
        _, merchant = make_campus()
        self.till = Till(terminal, merchant.id, f"{terminal}号机", may_claim)
        self.journal_seq = 0
        self.keys = keys or KEYS.only({Role.READ, Role.SPEND})
        self.pending: list[Report] = []
        self.now = NOON

    def order(self, raw: RawCard, fen: int, pin: str | None = None, key: uuid.UUID | None = None) -> TapOrder:
        self.journal_seq += 1
        confirmed = tuple(report.key for report in self.pending if report.outcome is CardWrite.WRITTEN)
        self.pending.clear()
        asked = sha256(f"{raw.uid.hex()}|{fen}".encode()).digest()
        return TapOrder(
            key or uuid.uuid4(), self.journal_seq, asked, raw, fen, self.now, self.till, pin, confirmed
        )

    def read(self, person: Person) -> tuple[CardLink, RawCard]:
        link = person.field.select()
        if link is None:
            raise LinkError("no card")
        return link, ClassicDriver(link, self.keys).read_purse()

    def tap(
        self,
        person: Person,
        fen: int,
        *,
        pin: str | None = None,
        leave_after: int | None = None,
        tear: Tear = Tear.BEFORE,
        report: bool = True,
        policy: Policy = POLICY,
    ) -> Sale:
        """One purchase. The card is pulled after ``leave_after`` operations, a write being torn as ``tear`` says."""
        person.field.place(person.plastic, fault=None if leave_after is None else Fault(leave_after, tear))
        try:
            try:
                link, raw = self.read(person)
            except LinkError:
                return Sale(uuid.uuid4(), None, None)
            order = self.order(raw, fen, pin)
            reply = debit(order, book=book(self.now, policy))
            return self._finish(order, reply, link, raw, report)
        finally:
            person.field.lift()

    def look(self, person: Person) -> TapReply:
        """An empty tap."""
        person.field.place(person.plastic)
        try:
            _, raw = self.read(person)
            return sighting(self.order(raw, 0), book=book(self.now))
        finally:
            person.field.lift()

    def sell_offline(
        self,
        person: Person,
        fen: int,
        *,
        key: uuid.UUID | None = None,
        journal_seq: int | None = None,
        asked: bytes = b"offline",
    ) -> OfflineSale:
        """What a till without the network does to the card; returns the record that it would upload."""
        person.field.place(person.plastic)
        link = person.field.select()
        assert link is not None
        keys = KEYS.only(OFFLINE_TILL)
        driver = ClassicDriver(link, keys)
        raw = driver.read_purse(with_ring=True)
        purse = decode(raw, keys)
        state = offline_state(purse, fen)
        self.journal_seq += 1
        seq = journal_seq or self.journal_seq
        entry = RingEntry(state.seq, self.till.id, seq, fen)
        driver.remember_offline(raw.uid, ring_image(raw.uid, purse.ident.account_no, entry, keys), state.seq)
        day = Day(self.now.date(), purse.spent_on(self.now.date()) + fen)
        image = spend_image(raw.uid, purse.ident.account_no, state, day, keys)
        assert driver.commit(slot_write(raw, Side.SPEND, state.slot, image), raw.uid) is Outcome.CONFIRMED
        person.field.lift()
        totals = state.seq, state.total_fen, state.offline_fen
        return OfflineSale(key or uuid.uuid4(), seq, asked, raw.uid, fen, self.now, *totals, certain=True)

    def void(self, person: Person, sale: Sale) -> Sale:
        """Take back a sale of this till, with the card on the reader."""
        person.field.place(person.plastic)
        try:
            link, raw = self.read(person)
            order = self.order(raw, 0)
            return self._finish(order, void(order, of=sale.key, book=book(self.now)), link, raw, True)
        finally:
            person.field.lift()

    def report(self, sale: Sale, outcome: CardWrite) -> None:
        report_outcomes([Report(sale.key, outcome)], till=self.till, now=self.now)

    def _finish(self, order: TapOrder, reply: TapReply, link: CardLink, raw: RawCard, report: bool) -> Sale:
        outcome = Outcome.CONFIRMED if reply.writes else None
        for write in reply.writes:
            driver = ClassicDriver(link, self._lent(raw.uid) if write.side is Side.LOAD else self.keys)
            outcome = driver.commit(slot_write(raw, write.side, write.slot, write.image), raw.uid)
            if outcome is not Outcome.CONFIRMED:
                break
        if report and outcome is not None:
            self.pending.append(Report(order.key, CardWrite(outcome.value)))
        return Sale(order.key, reply, outcome, raw)

    def _lent(self, uid: bytes) -> KeyBundle:
        return self.keys.with_sector_key(
            uid, load_sector(), Role.LOAD, KEYS.sector_key(uid, load_sector(), Role.LOAD)
        )


__all__ = [
    "DESK",
    "KEYS",
    "NOON",
    "OFFLINE_TILL",
    "POLICY",
    "Counter",
    "Person",
    "Sale",
    "book",
    "make_person",
]
