"""The money services of the desk and of the nightly run, set up like those of the tills."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

from accounts.actors import Actor
from tests.campus import NOON, POLICY, Counter, Person, make_person
from tests.faultruns.scenes import SCENES, Scene, scene, torn, upload
from transactions.models import entry_id
from transactions.services.corrections import (
    AdjustOrder,
    RefundOrder,
    ReverseOrder,
    adjust,
    refund_late,
    reverse,
)
from transactions.services.credit import Credit, credit_unclaimed
from transactions.services.levelling import Holder, LevelOrder, level

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


DESK_SCENES: list[Callable[[], Scene]] = [
    a_levelling,
    a_late_upload,
    a_refund,
    an_adjustment,
    a_reversed_sale,
    a_reversed_torn_sale,
    a_reversed_credit,
]
ALL_SCENES = SCENES + DESK_SCENES
