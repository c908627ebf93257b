"""Two people are two people, a form is used once, and nobody acts where he may not."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from accounts.models import AuditEvent, Operator, OperatorRole
from accounts.services.operators import officer
from reconciliation.models import Case, CaseNote, Decision, DecisionAction, DecisionResult, Ruling
from reconciliation.services import decisions
from reconciliation.services import desk as desk_work
from reconciliation.services.remedies import Obstacle, Refused, Target, make
from terminals.models import CardJob
from tests import faults
from tests.reconciliation.books import NOW, Book, campus
from tests.reconciliation.desk import (
    POLICY,
    Form,
    approve,
    desk_terminal,
    doubled,
    entries,
    gap,
    hand,
    open_case,
    operator,
    refused,
)

CLERK, SUPERVISOR = OperatorRole.CLERK, OperatorRole.SUPERVISOR


@pytest.fixture
def li(db):
    return operator("li", SUPERVISOR)


@pytest.fixture
def wu(db):
    return operator("wu", SUPERVISOR)


@pytest.fixture
def chief(db):
    return operator("chief", SUPERVISOR, at=None)


@pytest.fixture
def clerk(db):
    return operator("clerk", CLERK)


class TestTwoPeople:
    """What was approved is what is posted, and by somebody else."""

    @pytest.fixture
    def waiting(self, li):
        book, case = gap(60_00, held=100_00)
        return book, Form(case, "set_to_card").send(li)

    def test_a_second_person_agrees_and_it_is_done(self, waiting, wu):
        book, decision = waiting

        approve(decision, wu)

        decision.refresh_from_db()
        assert book.fresh().book_fen == 39_00
        assert decision.ruling.checker == wu
        actions = set(AuditEvent.objects.filter(object_kind="decision").values_list("action", flat=True))
        assert actions == {"decision.make", "decision.approve", "decision.carry_out"}

    def test_not_the_same_person(self, waiting, li):
        assert refused(lambda: approve(waiting[1], li)) is Obstacle.SAME_PERSON

    def test_not_the_same_person_under_another_name(self, waiting, li):
        """E7: whoever signs in as two supervisors still has only one pair of eyes."""
        _, decision = waiting
        twin = operator("li.2", SUPERVISOR, holder=Book.open().account.holder)
        Operator.objects.filter(pk=li.pk).update(holder=twin.holder)

        assert refused(lambda: approve(decision, twin)) is Obstacle.SAME_PERSON
        assert refused(lambda: decisions.refuse(decision.pk, "不", hand=hand(twin), now=NOW)) is (
            Obstacle.SAME_PERSON
        )
        told = {"verdict": "approved", "content_hash": decision.content_hash, "ruled_at": NOW}
        with pytest.raises(IntegrityError, match="ruling_by_another_person"), transaction.atomic():
            Ruling.objects.create(decision=decision, checker=twin, **told)

    @pytest.mark.parametrize("change", [{"is_active": False}, {"role": CLERK}, {"campus": "yushan"}], ids=str)
    def test_an_approval_ends_with_the_right_to_give_it(self, li, wu, change):
        """P5: what still waits for its card is not done on the word of somebody who was let out or moved."""
        book = Book.open(100_00)
        book.pay(60_00, torn=True)
        decision = Form(open_case(book, "TORN"), "set_to_book").send(li)
        approve(decision, wu)
        moved = {"campus": campus("yushan")} if "campus" in change else change
        Operator.objects.filter(pk=wu.pk).update(**moved)

        with pytest.raises(IntegrityError, match="by somebody who may not any more"), transaction.atomic():
            DecisionResult.objects.create(decision=decision, done=True, numbers={}, by=li, at=NOW)
        decisions.carry_out_approved(decision.pk, hand=hand(li), now=NOW, policy=POLICY)

        decision.refresh_from_db()
        assert (decision.result.done, decision.result.why) == (False, "checker_gone")
        assert not CardJob.objects.exists()

    def test_the_same_form_twice_is_one_approval(self, waiting, wu):
        approve(waiting[1], wu)
        approve(waiting[1], wu)

        assert Ruling.objects.count() == DecisionResult.objects.count() == 1

    def test_what_changed_meanwhile_is_not_carried_out(self, waiting, wu):
        book, decision = waiting
        book.pay_offline(1_00)

        approve(decision, wu)

        assert book.fresh().book_fen == 99_00
        assert (decision.result.done, decision.result.why) == (False, "changed")
        assert not Ruling.objects.exists()
        assert not decisions.open_decisions(book.account.pk).exists()

    def test_another_content_is_not_what_was_shown(self, waiting, wu):
        decision = waiting[1]

        obstacle = refused(
            lambda: decisions.approve(decision.pk, b"x" * 32, hand=hand(wu), now=NOW, policy=POLICY)
        )

        assert obstacle is Obstacle.CHANGED

    def test_nothing_else_is_decided_while_one_waits(self, waiting, wu):
        book, decision = waiting
        book.find("fork")
        other = open_case(book, "FORK")

        assert refused(lambda: Form(decision.case, "refund", digest=b"").send(wu)) is Obstacle.WAITING
        assert refused(lambda: Form(other, "set_to_card", digest=b"").send(wu)) is Obstacle.WAITING

    def test_refused_with_a_reason_it_is_over(self, waiting, li, wu):
        _, decision = waiting

        assert (
            refused(lambda: decisions.refuse(decision.pk, "", hand=hand(wu), now=NOW)) is Obstacle.NO_REASON
        )
        decisions.refuse(decision.pk, "金额不对", hand=hand(wu), now=NOW)

        assert refused(lambda: approve(decision, wu)) is Obstacle.NOT_OPEN
        assert Form(decision.case, "set_to_card").send(li).needs == "second"

    def test_only_the_maker_takes_it_back(self, waiting, li, wu):
        _, decision = waiting

        assert (
            refused(lambda: decisions.withdraw(decision.pk, hand=hand(wu), now=NOW)) is Obstacle.NOT_ENTITLED
        )
        decisions.withdraw(decision.pk, hand=hand(li), now=NOW)

        assert refused(lambda: approve(decision, wu)) is Obstacle.NOT_OPEN
        assert refused(lambda: decisions.withdraw(decision.pk, hand=hand(li), now=NOW)) is Obstacle.NOT_OPEN

    def test_an_approved_job_waits_for_its_card(self, li, wu):
        book = Book.open(100_00)
        book.pay(60_00, torn=True)
        case = open_case(book, "TORN")
        decision = Form(case, "set_to_book").send(li)
        approve(decision, wu)
        assert not CardJob.objects.exists()
        desk = desk_terminal()

        decisions.carry_out_approved(decision.pk, hand=hand(li), now=NOW, policy=POLICY, desk_id=desk.pk)
        decisions.carry_out_approved(decision.pk, hand=hand(li), now=NOW, policy=POLICY, desk_id=desk.pk)

        assert CardJob.objects.count() == 1

    def test_approved_and_taken_back_is_not_carried_out(self, li, wu):
        book = Book.open(100_00)
        book.pay(60_00, torn=True)
        decision = Form(open_case(book, "TORN"), "set_to_book").send(li)
        approve(decision, wu)

        decisions.withdraw(decision.pk, hand=hand(li), now=NOW)
        decisions.carry_out_approved(
            decision.pk, hand=hand(li), now=NOW, policy=POLICY, desk_id=desk_terminal().pk
        )

        assert not CardJob.objects.exists()

    def test_60_pairs_of_maker_and_checker(self, db):
        """reliability.md E7: maker != checker, both entitled for the campus of the desk, nobody's own account."""
        people = {
            "clerk": (CLERK, "laoshan", False),
            "supervisor": (SUPERVISOR, "laoshan", False),
            "own": (SUPERVISOR, "laoshan", True),
            "other": (SUPERVISOR, "yushan", False),
            "chief": (SUPERVISOR, None, False),
            "auditor": (OperatorRole.AUDITOR, None, False),
            "cashier": (OperatorRole.CASHIER, "laoshan", False),
            "admin": (OperatorRole.ADMIN, None, False),
        }
        allowed_pairs = {
            ("clerk", "supervisor"), ("clerk", "chief"), ("supervisor", "chief"), ("chief", "supervisor"),
            ("other", "chief"),
        }  # fmt: skip
        pairs = [pair for pair in itertools.product(people, people) if pair != ("admin", "admin")][:60]
        violations = 0
        for maker, checker in pairs:
            book, case = gap(60_00, held=100_00)
            staff = {
                name: operator(f"{name}.{case.pk}", role, at, book.account.holder if own else None)
                for name, (role, at, own) in people.items()
            }
            done = False
            try:
                approve(Form(case, "set_to_card").send(staff[maker]), staff[checker])
                done = True
            except Refused:
                pass
            allowed = (maker, checker) in allowed_pairs
            moved = book.fresh().book_fen == 39_00
            violations += done is not allowed or moved is not allowed
        faults.report("E7", len(pairs), violations)
        assert len(pairs) == 60
        assert violations == 0


class TestOnce:
    """reliability.md C6: a one-use operation key in the form."""

    def test_the_same_form_gives_the_first_result(self, li):
        book, case = gap()
        form = Form(case, "set_to_card")

        first, second = form.send(li), form.send(li)

        assert first.pk == second.pk
        assert len(entries(book)) == 3

    def test_the_same_key_with_another_content_is_a_fault(self, li, wu):
        _, case = gap()
        form = Form(case, "set_to_card")
        form.send(li)

        assert refused(lambda: form.send(wu)) is Obstacle.KEY_REUSED
        form.digest = b"other"
        assert refused(lambda: form.send(li)) is Obstacle.KEY_REUSED

    def test_an_old_preview_moves_nothing(self, li):
        book, case = gap()
        form = Form(case, "set_to_card")
        form.digest = make(DecisionAction.SET_TO_CARD, Target(case.account_id)).digest
        book.pay_offline(1)

        assert refused(lambda: form.send(li)) is Obstacle.CHANGED

    def test_a_closed_case_takes_no_correction(self, li):
        _, case = gap()
        Case.objects.filter(pk=case.pk).update(state="closed", closed_at=NOW + timedelta(hours=1))

        assert refused(lambda: Form(case, "set_to_card").send(li)) is Obstacle.CASE_CLOSED


@pytest.mark.django_db(transaction=True)
def test_two_supervisors_at_once_move_money_once():
    """Real threads: each has the page open, both press the button."""
    book, case = doubled(10_00)
    people = [operator(f"sup{n}", SUPERVISOR) for n in range(4)]
    digest = make(DecisionAction.REFUND, Target(case.account_id)).digest
    start, outcomes = threading.Barrier(len(people)), []

    def press(person: Operator) -> None:
        try:
            start.wait(5)
            Form(case, "refund", digest=digest).send(person)
            outcomes.append("done")
        except Refused as refusal:
            outcomes.append(refusal.obstacle.value)
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(outcomes) == ["case_closed", "case_closed", "case_closed", "done"]
    assert book.fresh().book_fen == book.fresh_card().card_fen == 39_00
    assert Decision.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_fifty_clicks_on_one_form_post_once():
    """reliability.md C6: 50 parallel submits -> 1 posting (eight threads here, the rest in turn)."""
    book, case = gap()
    person = operator("li", SUPERVISOR)
    form = Form(case, "set_to_card")
    form.digest = make(DecisionAction.SET_TO_CARD, Target(case.account_id)).digest
    seen: list[int] = []

    def press() -> None:
        try:
            seen.extend(form.send(person).pk for _ in range(7))
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    faults.report("CLICKS", len(seen), len(set(seen)) - 1)
    assert len(seen) == 56
    assert len(set(seen)) == 1
    assert entries(book).count(("adjustment", -10_00)) == 1


class TestEntitled:
    """P3, P4, P5: own campus, not the own account, as things stand now."""

    @pytest.mark.parametrize(
        ("role", "at", "obstacle"),
        [
            (OperatorRole.AUDITOR, None, Obstacle.NOT_ENTITLED),
            (OperatorRole.CASHIER, "laoshan", Obstacle.NOT_ENTITLED),
            (OperatorRole.MERCHANT, "laoshan", Obstacle.NOT_ENTITLED),
            (OperatorRole.ADMIN, None, Obstacle.NOT_ENTITLED),
        ],
    )
    def test_who_may_not(self, db, role, at, obstacle):
        _, case = gap()
        person = operator("somebody", role, at)

        assert refused(lambda: Form(case, "set_to_card").send(person)) is obstacle
        assert refused(lambda: desk_work.take(case.pk, hand=hand(person), now=NOW)) is obstacle
        assert refused(lambda: desk_work.remark(case.pk, "x", hand=hand(person), now=NOW)) is obstacle

    def test_any_desk_serves_any_holder(self, db):
        """指南 L31: 到各校区…… A decision belongs to the desk where it is made, and so does its second signature."""
        book, case = gap(60_00, held=100_00)
        there, here = operator("there", SUPERVISOR, "yushan"), operator("here", SUPERVISOR, "laoshan")
        colleague = operator("colleague", SUPERVISOR, "yushan")

        decision = Form(case, "set_to_card").send(there)

        assert decision.campus == campus("yushan")
        assert refused(lambda: approve(decision, here)) is Obstacle.OTHER_CAMPUS
        assert (
            refused(lambda: decisions.refuse(decision.pk, "x", hand=hand(here), now=NOW))
            is Obstacle.OTHER_CAMPUS
        )
        approve(decision, colleague)
        assert book.fresh().book_fen == 39_00

    def test_nobody_decides_about_his_own_card(self, db):
        book, case = gap()
        person = operator("li", SUPERVISOR, holder=book.account.holder)

        assert refused(lambda: Form(case, "set_to_card").send(person)) is Obstacle.OWN_ACCOUNT
        assert refused(lambda: desk_work.take(case.pk, hand=hand(person), now=NOW)) is Obstacle.OWN_ACCOUNT

    def test_a_leaver_cannot_act_a_moment_later(self, li):
        _, case = gap()
        Operator.objects.filter(pk=li.pk).update(is_active=False)

        assert refused(lambda: Form(case, "set_to_card").send(li)) is Obstacle.NOT_ENTITLED

    def test_an_operator_s_facts(self, chief, li):
        assert officer(chief.pk).serves(campus("yushan").pk)
        assert not officer(li.pk).serves(campus("yushan").pk)


class TestOtherDeeds:
    """Taking, putting off, asking a supervisor, remarks, closing a suspect case."""

    def test_each_leaves_its_note(self, clerk):
        _, case = gap()
        today = NOW.date()

        desk_work.take(case.pk, hand=hand(clerk), now=NOW)
        desk_work.take(case.pk, hand=hand(clerk), now=NOW)
        desk_work.put_off(
            case.pk, today + timedelta(days=3), "等终端", hand=hand(clerk), now=NOW, today=today
        )
        desk_work.escalate(case.pk, "金额大", hand=hand(clerk), now=NOW)
        desk_work.remark(case.pk, "已电话联系", hand=hand(clerk), now=NOW)

        case.refresh_from_db()
        kinds = list(CaseNote.objects.filter(case=case).order_by("id").values_list("kind", flat=True))
        assert kinds == ["taken", "held", "escalated", "remark"]
        assert case.assignee == clerk
        assert (case.held_until, case.escalated_at) == (None, NOW)

    @pytest.mark.parametrize(("days", "fine"), [(0, False), (1, True), (60, True), (61, False)])
    def test_put_off_to_a_later_day_and_not_for_ever(self, clerk, days, fine):
        _, case = gap()
        today = NOW.date()

        def put_off():
            desk_work.put_off(
                case.pk, today + timedelta(days=days), "等终端", hand=hand(clerk), now=NOW, today=today
            )

        if fine:
            put_off()
        else:
            with pytest.raises(desk_work.BadDay):
                put_off()
        assert CaseNote.objects.count() == int(fine)

    @pytest.mark.parametrize("text", ["", "  \n"])
    def test_reasons_are_not_empty(self, clerk, text):
        _, case = gap()

        assert (
            refused(lambda: desk_work.escalate(case.pk, text, hand=hand(clerk), now=NOW))
            is Obstacle.NO_REASON
        )
        assert (
            refused(lambda: desk_work.remark(case.pk, text, hand=hand(clerk), now=NOW)) is Obstacle.NO_REASON
        )

    def test_a_suspect_case_is_closed_by_a_supervisor(self, clerk, li):
        book = Book.open(5_00)
        book.find("fork")
        case = open_case(book, "FORK")
        case.findings.create(finding_id=connection_finding())

        assert (
            refused(lambda: desk_work.close_suspect(case.pk, "已收卡", hand=hand(clerk), now=NOW))
            is Obstacle.NOT_ENTITLED
        )
        desk_work.close_suspect(case.pk, "已收卡", hand=hand(li), now=NOW)

        case.refresh_from_db()
        assert case.state == "closed"


def connection_finding() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM transactions_cardfinding")
        return cursor.fetchone()[0]


class TestTheDatabaseAgrees:
    """The rules stand in PostgreSQL too, whoever asks."""

    @pytest.fixture
    def waiting(self, li):
        _, case = gap(60_00, held=100_00)
        return Form(case, "set_to_card").send(li)

    def _ruling(self, decision, checker, verdict="approved", content=None):
        with transaction.atomic():
            Ruling.objects.create(
                decision=decision,
                verdict=verdict,
                content_hash=content or bytes(decision.content_hash),
                checker=checker,
                reason="x",
                ruled_at=NOW,
            )

    def test_no_ruling_by_the_maker(self, waiting, li):
        with pytest.raises(IntegrityError, match="ruling_by_another_person"):
            self._ruling(waiting, li)

    def test_nobody_else_withdraws(self, waiting, wu):
        with pytest.raises(IntegrityError, match="ruling_by_another_person"):
            self._ruling(waiting, wu, "withdrawn")

    def test_no_ruling_on_other_content(self, waiting, wu):
        with pytest.raises(IntegrityError, match="ruling_of_this_content"):
            self._ruling(waiting, wu, content=b"y" * 32)

    @pytest.mark.parametrize("ruling", [None, "refused"])
    def test_nothing_is_done_without_approval(self, waiting, wu, ruling):
        if ruling:
            self._ruling(waiting, wu, ruling)
        with pytest.raises(IntegrityError, match="was not approved by a second person"), transaction.atomic():
            DecisionResult.objects.create(decision=waiting, done=True, by=wu, at=NOW)

    @pytest.mark.parametrize("table", ["decision", "ruling", "decisionresult"])
    @pytest.mark.parametrize("verb", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
    def test_nothing_is_changed_afterwards(self, waiting, table, verb):
        column = "id" if table == "decision" else "decision_id"
        sql = verb.format(f"reconciliation_{table}", column, column)
        with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
