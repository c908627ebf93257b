"""KILL-CARD: a worker killed at moments of a replacement, a closing, a release: whole or nothing, and once (R010)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounts.actors import Actor
from accounts.models import AccountLife, AuditEvent, Card, CardLife, CounterDeed, OperatorRole
from accounts.services import approvals
from accounts.services.operators import Hand
from reconciliation.services import closing
from reconciliation.services.closing import CardBack, PayAsk, PayOrder, Way
from tests import faults
from tests.campus import NOON, POLICY, Person, make_person
from tests.faultruns.doomed import Survivors
from tests.faultruns.scenes import Money, Scene
from tests.faultruns.test_kill import WAYS, one, undisturbed
from tests.transactions.card_desk import HOUSE, Desk
from tests.transactions.cash_desk import person_of
from transactions.models import CardHold, Entry, Receipt
from transactions.services import cardmoney, holds
from transactions.services.cardmoney import Cause, Replacement

pytestmark = pytest.mark.django_db(transaction=True)
STRIDE = 9
"""The short run kills at every ninth moment, the long one at each in each way."""


@pytest.fixture
def survivors():
    watch = Survivors()
    yield watch
    watch.close()


class CardScene(Scene):
    """A scene whose picture leaves out chips and numbers of papers, which differ from one to the next."""

    def picture(self) -> list[Any]:
        """How much of everything was left behind."""
        account = self.people[0].account
        deeds = CounterDeed.objects.filter(account=account).values_list("kind", flat=True)
        audits = AuditEvent.objects.filter(object_id=str(account.pk), object_kind="account")
        return [
            sorted(deeds),
            sorted(audits.values_list("action", flat=True)),
            Receipt.objects.filter(account=account).count(),
            list(Entry.objects.filter(account=account).order_by("seq").values_list("kind", "contra")),
        ]


def scene(act: Callable[[], object], person: Person, end: Money) -> Scene:
    return CardScene(act, {person.account.id: end}, [person])


def a_replacement() -> Scene:
    """The fee in cash and 10.00 held back: three entries, a receipt, the old card dead, a blank."""
    desk, person = Desk(), make_person(40_00)
    order = Replacement(
        uuid.uuid4(), person.account.pk, Cause.LOST, desk.pays(), "补卡工本费", hold_fen=10_00, hold_days=5
    )
    act = lambda: cardmoney.replace_card(order, door=desk.door(), now=NOON, house=HOUSE)  # noqa: E731
    return scene(act, person, (30_00, 0, 4))


def a_closing() -> Scene:
    """28.40 agreed to and paid from the drawer: one entry, a receipt, the card returned, the account closed."""
    desk, person, later = Desk(), make_person(28_40), NOON + timedelta(days=5)
    closing.begin(uuid.uuid4(), person.account.pk, "离校", door=desk.door(), now=NOON, options=HOUSE.options)
    request = closing.ask_to_pay(
        PayAsk(uuid.uuid4(), person.account.pk, Way.CASH, "离校"),
        hand=Hand(desk.operator.pk, "10.0.0.7", later),
        now=later,
        policy=POLICY,
        options=HOUSE.options,
    )
    boss = person_of(OperatorRole.SUPERVISOR, anywhere=True)
    digest = bytes(request.content_hash)
    approvals.agree(request.pk, digest, hand=Hand(boss.pk, "10.0.0.8", later), now=later, policy=POLICY)
    order = PayOrder(
        uuid.uuid4(), person.account.pk, Way.CASH, CardBack.RETURNED, request.pk, desk.operator.pk, "销户退款",
        desk.till.shift.pk,
    )  # fmt: skip
    act = lambda: closing.pay(order, door=desk.door(), now=later, policy=POLICY, options=HOUSE.options)  # noqa: E731
    return scene(act, person, (0, 0, 2))


def a_release() -> Scene:
    """Held money comes back when it is due, whoever runs again."""
    desk, person = Desk(), make_person(40_00)
    desk.remake(person, desk.replace(person, Cause.FAULT, hold_fen=10_00, hold_days=1))
    due = NOON + timedelta(days=3)
    act = lambda: holds.release_due(actor=Actor.system("night"), now=due, policy=POLICY)  # noqa: E731
    return scene(act, person, (40_00, 0, 3))


def half(found: Scene) -> list[str]:
    """What the money alone does not show: card, receipt and account belong together."""
    person = found.people[0]
    account = person.fresh()
    cards = [card.life for card in Card.objects.filter(account=account).order_by("issue_no")]
    papers = Receipt.objects.filter(account=account).count()
    held = CardHold.objects.filter(account=account).count()
    whole = (
        ([CardLife.ACTIVE], 0, 0, AccountLife.OPEN),
        ([CardLife.REPLACED, CardLife.BLANK], 1, 1, AccountLife.OPEN),
        ([CardLife.ACTIVE], 0, 0, AccountLife.CLOSING),
        ([CardLife.RETURNED], 1, 0, AccountLife.CLOSED),
        ([CardLife.REPLACED, CardLife.ISSUED], 0, 1, AccountLife.OPEN),
    )
    seen = (cards, papers, held, account.life)
    return [] if seen in whole else [f"half done: {seen}"]


def run(make, survivors, ways) -> None:
    moments, expected = undisturbed(make)
    cases, wrong = 0, []
    for due in range(moments):
        for way in ways(due):
            made: list[Scene] = []

            def kept(made=made):
                made.append(make())
                return made[-1]

            kept.__name__ = make.__name__
            found = one(kept, due, way, moments, expected, survivors)
            if found is not None:
                cases += 1
                wrong += [(due, way, what) for what in (*found, *half(made[-1]))]
    assert cases
    faults.report("KILL-CARD", cases, len(wrong))
    assert wrong == []


SCENES = [a_replacement, a_closing, a_release]


@pytest.mark.parametrize("make", SCENES, ids=lambda make: make.__name__)
def test_killed_at_some_moments_it_is_whole_or_nothing_and_once(make, survivors):
    run(make, survivors, lambda due: [WAYS[due // STRIDE % 3]] if due % STRIDE == 0 else [])


@pytest.mark.long
@pytest.mark.parametrize("make", SCENES, ids=lambda make: make.__name__)
def test_killed_at_every_moment_in_every_way(make, survivors):
    run(make, survivors, lambda due: WAYS)
