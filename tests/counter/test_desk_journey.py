"""From the tear to the unfrozen card: a real card model, the real desk program, two people at the screens."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from accounts.models import OperatorRole
from purse.policy import Policy
from reconciliation.models import Case, DecisionAction
from reconciliation.services import decisions
from reconciliation.services.decisions import Wish
from reconciliation.services.reconcile import RunOrder, reconcile
from reconciliation.services.remedies import Obstacle, Refused, Target, make
from tests.campus import Counter, make_person
from tests.portal.conftest import BEFORE_THE_WRITE
from tests.reconciliation.desk import hand, operator
from tests.terminals.conftest import server  # noqa: F401 - a fixture
from tests.till.desk_bench import DeskBench, hurried  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)
POLICY = Policy()


@pytest.fixture
def bench(tmp_path, server):  # noqa: F811 - the fixture
    made = DeskBench(tmp_path, server)
    yield made
    made.cut_power()


def decide(case: Case, action: str, person, bench: DeskBench):
    now = bench.server.now
    plan = make(DecisionAction(action), Target(case.account_id))
    wish = Wish(uuid.uuid4(), case.pk, DecisionAction(action), plan.digest, "按流水核对", desk_id=bench.id)
    return decisions.decide(wish, hand=hand(person, now=now), now=now, policy=POLICY)


def test_too_fast_frozen_written_at_the_desk_and_unfrozen(bench):
    """指南 L101: 多次拿卡过快，累计差额大于 50 元时，智能卡将被冻结; then 平账、解冻处理."""
    li, wu = operator("li", OperatorRole.SUPERVISOR), operator("wu", OperatorRole.SUPERVISOR)
    person, till = make_person(100_00, limit_fen=600_00), Counter()
    for fen in (20_00, 20_00, 11_00):
        till.tap(person, fen, leave_after=BEFORE_THE_WRITE)
    bench.server.now = till.now + timedelta(hours=1)
    reconcile(RunOrder(now=bench.server.now))
    case = Case.objects.get(mismatch="TORN")
    assert person.fresh().frozen_reasons == ["card_above_book"]
    assert (person.book_fen, person.card_fen) == (49_00, 100_00)

    written = decide(case, "set_to_book", li, bench)
    assert written.needs == "second"
    decisions.approve(
        written.pk, bytes(written.content_hash), hand=hand(wu, now=bench.server.now), now=bench.server.now,
        policy=POLICY, desk_id=bench.id,
    )  # fmt: skip
    decisions.carry_out_approved(
        written.pk,
        hand=hand(li, now=bench.server.now),
        now=bench.server.now,
        policy=POLICY,
        desk_id=bench.id,
    )
    written.refresh_from_db()
    bench.do(uuid.UUID(written.result.numbers["job"]), person.plastic)

    assert (person.book_fen, person.card_fen) == (49_00, 49_00)
    bench.do(bench.order("read", person), person.plastic)
    lifted = decide(case, "unfreeze", wu, bench)
    assert lifted.needs == "second"  # 51.00 was put right by hand since the freeze
    decisions.approve(
        lifted.pk, bytes(lifted.content_hash), hand=hand(li, now=bench.server.now), now=bench.server.now,
        policy=POLICY, desk_id=bench.id,
    )  # fmt: skip

    assert person.fresh().frozen_reasons == []
    till.now = bench.server.now + timedelta(minutes=1)
    sale = till.tap(person, 9_00)
    assert sale.refusal is None
    assert (person.book_fen, person.card_fen) == (40_00, 40_00)


def test_not_unfrozen_before_the_card_is_written(bench):
    """requirements 3.1: unfreeze with book <> card is forbidden, whoever asks and whatever lies on the reader."""
    li = operator("li", OperatorRole.SUPERVISOR)
    person, till = make_person(100_00, limit_fen=600_00), Counter()
    for fen in (20_00, 20_00, 11_00):
        till.tap(person, fen, leave_after=BEFORE_THE_WRITE)
    bench.server.now = till.now + timedelta(hours=1)
    reconcile(RunOrder(now=bench.server.now))
    bench.do(bench.order("read", person), person.plastic)

    with pytest.raises(Refused) as refused:
        decide(Case.objects.get(mismatch="TORN"), "unfreeze", li, bench)

    assert refused.value.obstacle is Obstacle.NOT_EQUAL
    assert person.fresh().frozen_reasons == ["card_above_book"]
