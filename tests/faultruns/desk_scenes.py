"""The money services of the desk and of the nightly run, set up like those of the tills."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from accounts.actors import Actor
from accounts.models import Operator, OperatorRole
from accounts.services.operators import Hand
from reconciliation.models import Case, DecisionAction
from reconciliation.services import decisions, remedies
from reconciliation.services.decisions import Wish
from tests.campus import NOON, POLICY, Counter, Person, book, make_person
from tests.faultruns.scenes import SCENES, Money, Scene, read, scene, torn, upload
from transactions.models import Contra, EntryKind, entry_id
from transactions.services.corrections import (
    AdjustOrder,
    RefundOrder,
    ReverseOrder,
    adjust,
    refund_late,
    reverse,
)
from transactions.services.credit import Credit, credit_unclaimed
from transactions.services.desk import claim_card, load_card, mark_card, read_card, set_card
from transactions.services.levelling import Holder, LevelOrder, level
from transactions.services.plan import Source

ACTOR = Actor.system("faultrun")
LATER = NOON + timedelta(days=5)
REASON = "a fault run"


def gap(fen: int = 30_00):
    """A sale at a till that stays away, and the card seen at another one."""
    away, online, person = Counter(3), Counter(8), make_person(80_00)
    record = away.sell_offline(person, fen)
    online.look(person)
    person.fresh()
    return away, person, record


def levelling(person: Person, fen: int = 30_00) -> LevelOrder:
    """The order that the nightly run would give."""
    card = person.card_row
    return LevelOrder(
        key=uuid.uuid4(),
        account_id=person.account.id,
        card_id=card.id,
        spend_seq=card.spend_seq,
        fen=fen,
        gap_since=NOON,
        holders=(Holder(3, NOON),),
    )


def levelled():
    """Such a gap after five silent days."""
    away, person, record = gap()
    level(levelling(person), actor=ACTOR, now=LATER, policy=POLICY)
    return away, person, record


def a_levelling() -> Scene:
    _, person, _ = gap()
    order = levelling(person)
    return scene(lambda: level(order, actor=ACTOR, now=LATER, policy=POLICY), (person, (50_00, 0, 2)))


def a_late_upload() -> Scene:
    away, person, record = levelled()
    return scene(lambda: upload(away, record, now=LATER), (person, (20_00, 0, 3)))


def a_refund() -> Scene:
    away, person, record = levelled()
    upload(away, record, now=LATER)
    account = person.fresh()
    order = RefundOrder(uuid.uuid4(), account.id, entry_id(account.id, account.entry_seq), REASON)
    return scene(lambda: refund_late(order, actor=ACTOR, now=LATER, policy=POLICY), (person, (50_00, 0, 4)))


def an_adjustment() -> Scene:
    _, person, _ = gap()
    order = AdjustOrder(uuid.uuid4(), person.account.id, 80_00, 50_00, REASON)
    return scene(lambda: adjust(order, actor=ACTOR, now=NOON, policy=POLICY), (person, (50_00, 0, 2)))


def a_reversed_sale() -> Scene:
    till, person = Counter(), make_person(20_00)
    till.tap(person, 3_00)
    account = person.fresh()
    order = ReverseOrder(uuid.uuid4(), account.id, entry_id(account.id, 2), REASON)
    return scene(lambda: reverse(order, actor=ACTOR, now=NOON, policy=POLICY), (person, (17_00, 3_00, 3)))


def a_reversed_torn_sale() -> Scene:
    till, person = Counter(), make_person(20_00)
    torn(till, person, 3_00)
    account = person.fresh()
    order = ReverseOrder(uuid.uuid4(), account.id, entry_id(account.id, 2), REASON)
    return scene(lambda: reverse(order, actor=ACTOR, now=NOON, policy=POLICY), (person, (17_00, 3_00, 3)))


def a_reversed_credit() -> Scene:
    person = make_person(20_00)
    credit_unclaimed(Credit(uuid.uuid4(), person.account.id, 5_00), now=NOON)
    account = person.fresh()
    order = ReverseOrder(uuid.uuid4(), account.id, entry_id(account.id, 2), REASON)
    return scene(lambda: reverse(order, actor=ACTOR, now=NOON, policy=POLICY), (person, (20_00, 0, 3)))


# ---------------------------------------------------------------------------------- with the card on a desk's reader

CASH = Source(EntryKind.TOP_UP, Contra.DRAWER)


def at_the_desk(person: Person, act: Callable[..., object], end: Money) -> Scene:
    """The order that a desk's reader gives for this card."""
    desk = Counter(2)
    order = desk.order(read(desk, person), 0)
    return scene(lambda: act(order, book=book()), (person, end))


def a_card_set_to_its_book() -> Scene:
    person = make_person(20_00)
    torn(Counter(), person, 3_00)
    return at_the_desk(person, partial(set_card, despite_finding=False), (17_00, 0, 2))


def a_top_up() -> Scene:
    return at_the_desk(
        make_person(20_00), lambda order, book: load_card(order, 10_00, CASH, book=book), (30_00, 0, 2)
    )


def a_claim_at_the_desk() -> Scene:
    person = make_person(20_00)
    credit_unclaimed(Credit(uuid.uuid4(), person.account.id, 5_00), now=NOON)
    return at_the_desk(person, claim_card, (25_00, 0, 3))


def a_stop_mark() -> Scene:
    return at_the_desk(make_person(20_00), partial(mark_card, on=True), (20_00, 0, 1))


def a_look_at_the_desk() -> Scene:
    person = make_person(20_00)
    torn(Counter(), person, 3_00)
    return at_the_desk(person, partial(read_card, heal=True), (17_00, 0, 2))


# ------------------------------------------------------------------------------------------------------- decisions


def a_double_deduction(fen: int):
    """A case about a late record, and the form that asks for its refund."""
    away, online, person = Counter(3), Counter(8), make_person(180_00, limit_fen=600_00)
    record = away.sell_offline(person, fen)
    online.look(person)
    person.fresh()
    level(levelling(person, fen), actor=ACTOR, now=LATER, policy=POLICY)
    upload(away, record, now=LATER)
    account = person.fresh()
    case = Case.objects.create(
        account=account, card=person.card_row, campus=account.campus, mismatch="DOUBLE", at_risk_fen=fen,
        evidence={}, proposal="refund_late", opened_at=LATER, changed_at=LATER,
    )  # fmt: skip
    digest = remedies.make(DecisionAction.REFUND, remedies.Target(account.id, None)).digest
    return person, Wish(uuid.uuid4(), case.pk, DecisionAction.REFUND, digest, REASON)


def supervisor() -> Hand:
    number = Operator.objects.count()
    person = Operator.objects.create(username=f"s{number}", role=OperatorRole.SUPERVISOR, display_name="S")
    return Hand(person.pk, "10.0.0.7", LATER)


def a_decision() -> Scene:
    """Below the bound: the refund is in the same transaction."""
    person, wish = a_double_deduction(30_00)
    hand = supervisor()
    return scene(
        lambda: decisions.decide(wish, hand=hand, now=LATER, policy=POLICY), (person, (150_00, 0, 4))
    )


def an_approval() -> Scene:
    """Above it: the second person's word carries it out."""
    person, wish = a_double_deduction(60_00)
    proposed = decisions.decide(wish, hand=supervisor(), now=LATER, policy=POLICY)
    second = supervisor()
    return scene(
        lambda: decisions.approve(proposed.pk, wish.digest, hand=second, now=LATER, policy=POLICY),
        (person, (120_00, 0, 4)),
    )


DESK_SCENES: list[Callable[[], Scene]] = [
    a_levelling,
    a_late_upload,
    a_refund,
    an_adjustment,
    a_reversed_sale,
    a_reversed_torn_sale,
    a_reversed_credit,
    a_card_set_to_its_book,
    a_top_up,
    a_claim_at_the_desk,
    a_stop_mark,
    a_look_at_the_desk,
    a_decision,
    an_approval,
]
ALL_SCENES = SCENES + DESK_SCENES
