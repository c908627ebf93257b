"""L9 for requests: what got round services and triggers alike is named by ``verify``; and who signs for whom (E8)."""

from __future__ import annotations

import uuid
from datetime import date, timedelta

import pytest
from django.db import connection, transaction

from accounts.actors import Actor, Channel
from accounts.models import Operator, OperatorRole
from accounts.services import approvals
from accounts.services.approvals import Ask
from ecard.database import as_owner
from purse.policy import Policy
from reconciliation.patterns import FEW, HASTE, Oddity, month_of
from reconciliation.services.verify import verify
from tests.reconciliation.books import NOW, Book
from tests.reconciliation.desk import Form, gap, hand, operator
from tests.reconciliation.desk import approve as sign

POLICY = Policy()
MONTH = date(NOW.year, NOW.month, 1)


def signed(
    maker: Operator, checker: Operator, *, fen: int = 10_00, after=timedelta(hours=1), account=None, use=True
):
    ask = Ask(uuid.uuid4(), "test.deed", {"fen": fen}, "理由", amount_fen=fen, account_id=account)
    request = approvals.propose(ask, hand=hand(maker), now=NOW, policy=POLICY)
    later = NOW + after
    approvals.agree(
        request.pk, bytes(request.content_hash), hand=hand(checker, now=later), now=later, policy=POLICY
    )
    if use:
        actor = Actor.operator(maker.pk, role=maker.role, channel=Channel.COUNTER)
        approvals.use(request.pk, kind="test.deed", content={"fen": fen}, actor=actor, now=later)
    return request


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE accounts_requestruling SET checker_id = (SELECT maker_id FROM accounts_request)", "by its own maker"),
        ("UPDATE accounts_request SET operator_id = (SELECT checker_id FROM accounts_requestruling)", "own maker"),
        ("DELETE FROM accounts_requestruling", "without the agreement"),
        ("UPDATE accounts_requestruling SET ruled_at = ruled_at + interval '1 day'", "without the agreement"),
        ("UPDATE accounts_request SET expires_at = made_at + interval '1 minute'", "without the agreement"),
        ("UPDATE accounts_requestresult SET content_hash = 'x'", "without the agreement"),
        ("UPDATE accounts_requestruling SET content_hash = 'x'", "without the agreement"),
    ],
)  # fmt: skip
def test_what_got_round_the_guards_is_named(statement, what):
    with transaction.atomic():
        account = Book.open(50_00).account
        request = signed(
            operator("li", OperatorRole.CLERK), operator("wu", OperatorRole.SUPERVISOR), account=account.pk
        )
    assert [each for each in verify(policy=POLICY).broken if each.id == "L9"] == []
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET session_replication_role = origin")

    broken = [each for each in verify(policy=POLICY).broken if each.id == "L9"]

    assert [each.account for each in broken] == [account.number]
    assert f"request {request.pk}" in broken[0].what
    assert what in broken[0].what


class TestPatterns:
    """reliability.md E8: monthly list of self and pair patterns."""

    @pytest.fixture
    def people(self, db):
        return {name: operator(name, OperatorRole.SUPERVISOR) for name in ("li", "wu", "zhou")}

    def month(self, campus_id=None):
        since = NOW - timedelta(days=20)
        return month_of(since, since + timedelta(days=31), month=MONTH, campus_id=campus_id)

    def oddities(self, maker: str, checker: str) -> tuple[Oddity, ...]:
        names = (maker.title(), checker.title())
        return next(pair.oddities for pair in self.month().pairs if (pair.maker, pair.checker) == names)

    @pytest.mark.parametrize(("times", "odd"), [(FEW - 1, ()), (FEW, (Oddity.MOSTLY_ONE,))])
    def test_always_the_same_signature_though_there_are_others(self, people, times, odd):
        for _ in range(times):
            signed(people["li"], people["wu"])
        signed(people["wu"], people["zhou"])
        assert self.oddities("li", "wu") == odd

    def test_with_one_supervisor_there_is_no_choice(self, people):
        for _ in range(FEW):
            signed(people["li"], people["wu"])
        assert self.oddities("li", "wu") == ()

    def test_signing_for_each_other(self, people):
        for _ in range(FEW):
            signed(people["li"], people["wu"])
            signed(people["wu"], people["li"])
        assert Oddity.MUTUAL in self.oddities("li", "wu")
        assert Oddity.MUTUAL in self.oddities("wu", "li")

    @pytest.mark.parametrize(("after", "odd"), [(HASTE, False), (HASTE - timedelta(seconds=1), True)])
    def test_agreed_to_within_seconds(self, people, after, odd):
        for _ in range(FEW):
            signed(people["li"], people["wu"], after=after)
        assert (Oddity.HASTY in self.oddities("li", "wu")) is odd

    def test_decisions_and_requests_count_together_and_campuses_apart(self, people):
        _, case = gap(60_00, held=100_00)
        sign(Form(case, "set_to_card").send(people["li"]), people["wu"])
        signed(people["li"], people["wu"], fen=5_00)
        found = self.month()
        assert [(pair.agreed, pair.fen) for pair in found.pairs] == [(2, 65_00)]
        assert found.grid == {(people["li"].pk, people["wu"].pk): 2}
        here = people["li"].campus_id
        assert len(self.month(here).pairs) == 1
        assert self.month(here + 1).pairs == ()

    def test_what_is_decided_alone_about_the_same_few(self, people):
        for number in range(FEW):
            _, case = gap(1_00 + number, held=20_00)
            Form(case, "set_to_card").send(people["li"])
        row = self.month().alone[0]
        assert (row.name, row.count, row.accounts, row.odd) == ("Li", FEW, FEW, False)
