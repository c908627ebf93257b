"""TEAR: the card is pulled away at every operation of every tap, in every way a write can tear.

Promised (reliability.md 1.1): never card only; what is open is exactly the debit; the next tap anywhere makes card and
book one again, charges nothing twice, and never takes an honest card for a forged one.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

import pytest
from django.db import connection, transaction

from accounts.models import Account
from purse.evidence import open_items
from purse.link import LinkError
from purse.procedures import CardDamaged, ClassicDriver, ForeignCard, Outcome, Personalisation, slot_write
from purse.rules import Refusal
from terminals.device.reader.field import Fault, Field, Kind
from terminals.device.reader.model import ClassicCard
from terminals.device.reader.tearing import Tear
from tests import faults
from tests.campus import KEYS, NOON, Counter, Person, Sale, book, make_person
from tests.transactions.test_offline import sell_offline
from transactions import ledger
from transactions.models import CardFinding
from transactions.services.credit import Credit, credit_unclaimed
from transactions.services.debit import debit
from transactions.services.outcomes import CardWrite
from transactions.services.void import void

pytestmark = pytest.mark.django_db
START_FEN, PRICE_FEN = 40_00, 5_00
BEFORE_THE_WRITE = 11
PICTURES = [(tear, None) for tear in Tear if tear is not Tear.PREFIX] + [
    (Tear.PREFIX, keep) for keep in range(1, 16)
]
"""Every way to tear a write; a prefix at each of its lengths."""


@dataclass
class Scene:
    """What came before, and the tap that is torn. Each scene ends with the book at ``book_fen`` if it was answered."""

    till: Counter
    person: Person
    sale: Sale | None = None
    order: object = None
    lost_fen: int = 0
    notes: list[str] = field(default_factory=list)


def nothing(scene): ...


def a_tear_before(scene):
    scene.till.tap(scene.person, 3_00, leave_after=BEFORE_THE_WRITE, tear=Tear.BEFORE)


def a_large_tear_before(scene):
    scene.till.tap(scene.person, 38_00, leave_after=BEFORE_THE_WRITE, tear=Tear.MIX)


def unclaimed_money(scene):
    credit_unclaimed(Credit(uuid.uuid4(), scene.person.account.id, 10_00), now=NOON)


def a_freeze(scene):
    Account.objects.filter(pk=scene.person.account.pk).update(frozen_reasons=["by_hand"], frozen_at=NOON)


def a_stop_mark_and_a_release(scene):
    a_freeze(scene)
    scene.till.tap(scene.person, 1)
    release(scene)


def a_sale(scene):
    scene.sale = scene.till.tap(scene.person, 3_00)


def an_offline_sale(scene):
    sell_offline(Counter(11), scene.person, 2_00)
    scene.lost_fen = 2_00  # its till is away: on the card, not in the book


def release(scene):
    Account.objects.filter(pk=scene.person.account.pk).update(frozen_reasons=[], frozen_at=None)


def purchase(scene, fault):
    return pulled(scene, fault, lambda raw, till: debit(till(PRICE_FEN), book=book()))


def undo(scene, fault):
    return pulled(scene, fault, lambda raw, till: void(till(0), of=scene.sale.key, book=book()))


def pulled(scene, fault, ask):
    """Read, ask the book, write; the card leaves as the fault says."""
    till, person = scene.till, scene.person
    person.field.place(person.plastic, fault=fault)
    try:
        try:
            link, raw = till.read(person)
        except LinkError:
            return Sale(uuid.uuid4(), None, None)

        def ordered(fen):
            scene.order = till.order(raw, fen)
            return scene.order

        reply = ask(raw, ordered)
        return till._finish(scene.order, reply, link, raw, True)
    finally:
        person.field.lift()


SCENES = {
    "plain": (nothing, purchase),
    "after a tear": (a_tear_before, purchase),
    "with unclaimed money": (unclaimed_money, purchase),
    "refused, and healing": (a_large_tear_before, purchase),
    "frozen, and marked": (a_freeze, purchase),
    "clearing a stop mark": (a_stop_mark_and_a_release, purchase),
    "void": (a_sale, undo),
    "after an offline sale": (an_offline_sale, purchase),
    "7-byte UID": (nothing, purchase),
}
RESUMES = [
    "same till",
    "other till",
    "unreported",
    "torn again",
    "looked at twice",
    "same key",
    "resolved",
    "never",
]


# ------------------------------------------------------------------------------------------------- what comes after


def other_till(scene, sale):
    return Counter(9)


def unreported(scene, sale):
    scene.till.pending.clear()
    return Counter(9)


def torn_again(scene, sale):
    Counter(9).tap(scene.person, 1, leave_after=BEFORE_THE_WRITE, tear=Tear.WEAK)
    return Counter(8)


def looked_at_twice(scene, sale):
    for _ in range(2):
        Counter(9).look(scene.person)
    return Counter(9)


def same_key(scene, sale):
    """The holder lays the same card down again: the till asks once more and writes what it is told."""
    if sale.reply is None:
        return scene.till
    person, till = scene.person, scene.till
    person.field.place(person.plastic)
    link, raw = till.read(person)
    order = replace(scene.order, card=raw)
    again = void(order, of=scene.sale.key, book=book()) if scene.sale else debit(order, book=book())
    if not again.replay:
        scene.notes.append("the same key was answered anew")
    ended = till._finish(order, again, link, raw, True)
    if again.refusal is not sale.reply.refusal or ended.outcome not in (None, Outcome.CONFIRMED):
        scene.notes.append(f"asked again: {again.refusal} {ended.outcome}")
    person.field.lift()
    return till


def resolved(scene, sale):
    """The till finishes the write by itself; what it says must be so."""
    if sale.outcome is not Outcome.UNKNOWN or len(sale.reply.writes) != 1:
        return scene.till
    person, till, (write,) = scene.person, scene.till, sale.reply.writes
    person.field.place(person.plastic)
    link = person.field.select()
    keys = till._lent(person.plastic.uid)
    ended = ClassicDriver(link, keys).resolve(slot_write(sale.raw, write.side, write.slot, write.image))
    person.field.lift()
    held = {person.card_fen for _ in range(4)}
    if ended is not Outcome.CONFIRMED or held != {sale.reply.card_fen}:
        scene.notes.append(f"resolved {ended}, but the card holds {held}")
    till.pending.clear()
    till.report(sale, CardWrite(ended.value))
    return till


AFTER = {
    "same till": lambda scene, sale: scene.till,
    "other till": other_till,
    "unreported": unreported,
    "torn again": torn_again,
    "looked at twice": looked_at_twice,
    "same key": same_key,
    "resolved": resolved,
}


# ------------------------------------------------------------------------------------------------------ judging


def judge_torn(scene, sale, before):
    """What this single torn tap has broken, in words."""
    person = scene.person
    try:
        card_fen = person.card_fen
    except (CardDamaged, ForeignCard) as error:
        return [f"the card is lost: {error}"]
    account, broken = person.fresh(), []
    facts = ledger.read_by_card(person.card_row.id, uuid.uuid4())
    items = open_items(
        spend=facts.card.spend, load=facts.card.load, book_fen=account.book_fen, late_fen=facts.card.late_fen
    )
    if items.offline_fen not in (
        {0} if sale.reply is not None and not scene.lost_fen else {0, scene.lost_fen}
    ):
        broken.append(f"unexplained difference {items}")
    if sale.reply is None and (account.book_fen, card_fen) != before:
        broken.append("money moved without an answer")
    if sale.outcome is Outcome.CONFIRMED and sale.reply.card_fen != card_fen:
        broken.append(f"confirmed {sale.reply.card_fen} but the card holds {card_fen}")
    if sale.outcome is Outcome.NOT_WRITTEN and len(sale.reply.writes) == 1 and card_fen != before[1]:
        broken.append("reported as not written, but it is")
    return broken


def judge_healed(scene, healed):
    """After one quiet tap nothing is open, and card and book are one (but for what an absent till keeps)."""
    person, broken = scene.person, list(scene.notes)
    if healed.refusal is not None or healed.outcome is not Outcome.CONFIRMED:
        return [*broken, f"the next tap ended {healed.refusal} {healed.outcome}"]
    account = person.fresh()
    if person.card_fen != account.book_fen - scene.lost_fen:
        broken.append(f"card {person.card_fen} book {account.book_fen}")
    if person.card_row.legs or person.card_row.images:
        broken.append("something is left open")
    if CardFinding.objects.filter(account_id=account.id).exists():
        broken.append("an honest card was suspected")
    if sum(account.entries.values_list("book_change_fen", flat=True)) != account.book_fen:
        broken.append("the book is not the sum of its entries")
    if account.book_fen > START_FEN + 10_00 or account.entries.filter(kind="purchase").count() > 5:
        broken.append("charged twice")
    return broken


@contextmanager
def undone():
    """One case of many on the same account; the deferred checks of the database are part of it."""
    with transaction.atomic():
        yield
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        transaction.set_rollback(True)


class Stage:
    """The same holder and card at the beginning of every case."""

    def __init__(self, name: str) -> None:
        self.prepare, self.act = SCENES[name]
        self.person = make_person(START_FEN, limit_fen=600_00)
        if name == "7-byte UID":
            _exchange(self.person, bytes.fromhex("04A1B2C3D4E5F6"))
        self.card = self.person.plastic.to_json()
        self.till = Counter(7)

    def begin(self) -> Scene:
        plastic = ClassicCard.from_json(self.card)
        scene = Scene(self.till, Person(self.person.account, self.person.card_row, plastic, Field()))
        scene.person.fresh()
        self.prepare(scene)
        self.till.pending.clear()
        scene.person.field.log.clear()
        return scene

    def operations(self) -> list[Kind]:
        """Counted from the log of an undisturbed tap, not by hand."""
        with undone():
            scene = self.begin()
            self.act(scene, None)
            return [operation.kind for operation in scene.person.field.log]

    def case(self, fault: Fault, how: str) -> list[str]:
        with undone():
            scene = self.begin()
            before = scene.person.book_fen, scene.person.card_fen
            sale = self.act(scene, fault)
            broken = judge_torn(scene, sale, before)
            if broken or how == "never":
                return broken
            last = AFTER[how](scene, sale)
            release(scene)
            healed = last.tap(scene.person, 1)
            last.report(healed, CardWrite.WRITTEN)
            return judge_healed(scene, healed)


def _exchange(person, uid):
    """The same account with another piece of plastic."""
    person.plastic = ClassicCard.blank(uid)
    type(person.card_row).objects.filter(pk=person.card_row.pk).update(uid=uid.hex().upper())
    hand = Field()
    hand.place(person.plastic)
    who = Personalisation(person.account.number, 1, 1, 1, None, b"12345678", 600_00, NOON.date(), START_FEN)
    ClassicDriver(hand.select(), KEYS).prepare(who)


@pytest.mark.parametrize("how", RESUMES)
@pytest.mark.parametrize("name", SCENES)
def test_every_tear_of_every_tap_ends_well(name, how):
    stage = Stage(name)
    cases, violations = 0, []
    for operation, kind in enumerate(stage.operations()):
        for tear, keep in PICTURES if kind is Kind.WRITE else [(Tear.BEFORE, None)]:
            cases += 1
            if wrong := stage.case(Fault(operation, tear, keep), how):
                violations.append((name, how, operation, tear.value, keep, wrong))
    faults.report("TEAR", cases, len(violations))
    assert not violations, violations[:5]


# ---------------------------------------------------------------------------------------------------- offline


def offline_case(stage, fault, how):
    """An offline sale cut off; its till cannot say how it ended, so nothing is uploaded. Nobody may be suspected."""
    with undone():
        scene = stage.begin()
        person = scene.person
        person.field.place(person.plastic, fault=fault)
        with suppress(LinkError, AssertionError):
            sell_offline(Counter(11), Standing(person), 2_00)
        person.field.lift()
        try:
            truth = {person.card_fen for _ in range(6)}
        except (CardDamaged, ForeignCard) as error:
            return [f"the card is lost: {error}"]
        if not truth <= {START_FEN, START_FEN - 2_00}:
            return [f"the card holds {truth}"]
        last = Counter(9)
        looks = [last.look(person).refusal for _ in range(3)] if how == "looked at" else []
        looks += [last.tap(person, 90_00).reply.refusal] if how == "refused" else []
        broken = [f"{refusal}" for refusal in looks if refusal not in (None, Refusal.INSUFFICIENT)]
        for _ in range(2):
            healed = last.tap(person, 1)
            last.report(healed, CardWrite.WRITTEN)
            if (healed.refusal, healed.outcome) != (None, Outcome.CONFIRMED):
                broken.append(f"the next tap ended {healed.refusal} {healed.outcome}")
        account = person.fresh()
        if account.book_fen - person.card_fen not in (0, 2_00):
            broken.append(f"card {person.card_fen} book {account.book_fen}")
        if CardFinding.objects.filter(account_id=account.id).exists():
            broken.append("an honest card was suspected")
        return broken


class Standing:
    """A person whose card lies on the reader already; nobody lays it down again and disarms the fault."""

    def __init__(self, person: Person) -> None:
        self.plastic = person.plastic
        self.field = _Lying(person.field)


class _Lying:
    def __init__(self, field: Field) -> None:
        self._field = field

    def place(self, card) -> None: ...

    def select(self):
        return self._field.select()

    def lift(self) -> None:
        self._field.lift()


@pytest.mark.parametrize("how", ["tapped", "looked at", "refused"])
def test_an_offline_sale_cut_off_anywhere_between_ring_and_slot_leaves_an_honest_card(how):
    stage = Stage("plain")
    with undone():
        scene = stage.begin()
        sell_offline(Counter(11), scene.person, 2_00)
        kinds = [operation.kind for operation in scene.person.field.log]
    assert kinds.count(Kind.WRITE) == 2  # ring, then slot
    cases, violations = 0, []
    for operation, kind in enumerate(kinds):
        for tear, keep in PICTURES if kind is Kind.WRITE else [(Tear.BEFORE, None)]:
            for turn in range(3):  # weak cells choose anew
                cases += 1
                if wrong := offline_case(stage, Fault(operation, tear, keep), how):
                    violations.append((how, operation, tear.value, keep, turn, wrong))
    faults.report("TEAR", cases, len(violations))
    assert not violations, violations[:5]
