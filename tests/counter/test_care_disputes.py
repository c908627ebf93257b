"""Disputes at the desk: taken, asked about, answered, refused, refunded by exactly one decision of one or two."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEvent, Notice, OperatorRole
from accounts.options import Options
from reconciliation.kinds import DisputeEventKind, DisputeKind
from reconciliation.models import Case, Decision, Dispute, DisputeEvent
from reconciliation.services import decisions, disputes
from reconciliation.services.disputes import NotDone, Problem, open_dispute
from reconciliation.services.reconcile import RunOrder, reconcile
from reconciliation.services.remedies import Obstacle, Refused
from reconciliation.services.verify import Broken, check_all
from tests import faults
from tests.campus import POLICY, Counter
from tests.care import charged, claim_of, disputed, door_of, hand_of, holder_of
from tests.reconciliation import desk
from transactions.models import Entry, Reversal

KIND = DisputeEventKind


@pytest.fixture
def person(db):
    return charged(5_50, 5_50)


@pytest.fixture
def dispute(person):
    return disputed(person, 3)


def broken() -> list[Broken]:
    """Every invariant of the books and of what people decided; an opening entry of a test has no order behind it."""
    with connection.cursor() as cursor:
        return [each for each in check_all(cursor, POLICY).broken if (each.id, each.entry) != ("L6", 1)]


def work(dispute: Dispute, kind: str, text: str, who, *, key=None) -> None:
    disputes.work(
        dispute.pk, KIND(kind), text, key=key or uuid.uuid4(), hand=hand_of(who), now=timezone.now()
    )


def refund(dispute: Dispute, who, *, key=None, reason="核对流水，确系重复") -> Decision:
    now = timezone.now()
    shown = disputes.preview_refund(dispute.pk, hand=hand_of(who), now=now, policy=POLICY)
    return disputes.refund(
        dispute.pk,
        shown.plan.digest,
        reason,
        key=key or uuid.uuid4(),
        hand=hand_of(who),
        now=now,
        policy=POLICY,
    )


def approve(decision: Decision, who) -> Decision:
    digest = bytes(decision.content_hash)
    return decisions.approve(decision.pk, digest, hand=hand_of(who), now=timezone.now(), policy=POLICY)


def state_of(dispute: Dispute) -> str:
    return Dispute.objects.get(pk=dispute.pk).state


def course(dispute: Dispute) -> list[str]:
    return list(DisputeEvent.objects.filter(dispute=dispute).order_by("seq").values_list("kind", flat=True))


def told(account_id: int) -> list[str]:
    return list(Notice.objects.filter(account_id=account_id).order_by("pk").values_list("kind", flat=True))


# ------------------------------------------------------------------------------------------------ the refund


def test_a_small_refund_is_one_press_and_the_money_waits_for_the_next_tap(person, dispute, li):
    """指南 L81: 误扣. 5.50 is within what a supervisor decides alone; it is one decision and one entry."""
    made = refund(dispute, li)

    fresh = person.fresh()
    assert (made.needs, made.amount_fen, made.action) == ("alone", 5_50, "reverse")
    assert (fresh.book_fen, fresh.unclaimed_fen) == (89_00, 5_50)
    assert state_of(dispute) == "refunded"
    assert course(dispute) == ["opened", "proposed", "refunded"]
    assert told(person.account.pk) == ["dispute_opened", "dispute_refunded"]
    assert Notice.objects.latest("pk").facts["fen"] == 5_50
    case = Case.objects.get(mismatch="DISPUTE")
    assert (case.state, case.evidence["dispute"]) == ("closed", dispute.pk)
    assert Reversal.objects.count() == Decision.objects.count() == 1
    assert not broken()


def test_above_the_bound_two_people_refund_and_neither_alone(li):
    person = charged(80_00, 80_00, held=200_00)
    dispute, wu = disputed(person, 3), desk.operator("wu", OperatorRole.SUPERVISOR)

    made = refund(dispute, li)

    assert (made.needs, state_of(dispute)) == ("second", "proposed")
    assert person.fresh().unclaimed_fen == 0
    with pytest.raises(Refused) as caught:
        approve(made, li)
    assert caught.value.obstacle is Obstacle.SAME_PERSON
    approve(made, wu)
    assert person.fresh().unclaimed_fen == 80_00
    assert state_of(dispute) == "refunded"
    assert not broken()


@pytest.mark.parametrize("end", ["refused", "withdrawn", "changed"])
def test_a_refund_that_is_not_agreed_on_goes_back_to_the_desk_and_can_be_made_again(li, end):
    """The dispute never says more than its decision; nothing was moved; another decision is possible."""
    person = charged(80_00, 80_00, held=300_00)
    dispute, wu = disputed(person, 3), desk.operator("wu", OperatorRole.SUPERVISOR)
    made, now = refund(dispute, li), timezone.now()

    if end == "refused":
        decisions.refuse(made.pk, "小票不符", hand=hand_of(wu), now=now)
    elif end == "withdrawn":
        decisions.withdraw(made.pk, hand=hand_of(li), now=now)
    else:
        till = Counter(9)
        till.now = now
        till.tap(person, 1_00)
        approve(made, wu)

    assert state_of(dispute) == "taken"
    assert course(dispute)[-1] == "returned"
    assert Case.objects.get(mismatch="DISPUTE").state == "closed"
    assert person.fresh().unclaimed_fen == 0
    assert "dispute_refunded" not in told(person.account.pk)
    approve(refund(dispute, li), wu)
    assert state_of(dispute) == "refunded"
    assert person.fresh().unclaimed_fen == 80_00
    assert not broken()


def test_the_same_key_again_is_the_same_decision(person, dispute, li):
    key = uuid.uuid4()

    first, second = refund(dispute, li, key=key), None
    second = disputes.refund(
        dispute.pk, b"x", "anything", key=key, hand=hand_of(li), now=timezone.now(), policy=POLICY
    )

    assert first.pk == second.pk
    assert person.fresh().unclaimed_fen == 5_50
    other = disputed(charged(1_00, 1_00), 3)
    with pytest.raises(NotDone) as caught:
        disputes.refund(other.pk, b"x", "r", key=key, hand=hand_of(li), now=timezone.now(), policy=POLICY)
    assert caught.value.problem is Problem.KEY_REUSED


def test_what_changed_since_the_preview_is_not_carried_out(person, dispute, li):
    with pytest.raises(Refused) as caught:
        disputes.refund(
            dispute.pk, b"\0" * 32, "r", key=uuid.uuid4(), hand=hand_of(li), now=timezone.now(), policy=POLICY
        )

    assert caught.value.obstacle is Obstacle.CHANGED
    assert (Case.objects.count(), Decision.objects.count(), state_of(dispute)) == (0, 0, "open")


def test_a_stale_code_moves_nothing(person, dispute, li):
    now = timezone.now()
    shown = disputes.preview_refund(dispute.pk, hand=hand_of(li), now=now, policy=POLICY)
    old = hand_of(li, now=now - timedelta(minutes=6))

    with pytest.raises(Refused) as caught:
        disputes.refund(
            dispute.pk, shown.plan.digest, "r", key=uuid.uuid4(), hand=old, now=now, policy=POLICY
        )

    assert caught.value.obstacle is Obstacle.CODE_TOO_OLD
    assert not Decision.objects.exists()


def test_a_record_deducted_twice_is_refunded_as_such(db, li):
    """指南 L109: the late record of a levelled gap has its own remedy, with its own books."""
    book, _ = desk.doubled(10_00)
    late = Entry.objects.filter(account=book.account, kind="offline_sale").get()
    actor = holder_of(type("Somebody", (), {"account": book.account}))
    claim = disputes.Claim(uuid.uuid4(), book.account.pk, DisputeKind.DOUBLE, "扣了两次", entry_seq=late.seq)
    dispute = open_dispute(claim, actor=actor, now=timezone.now(), options=Options()).dispute

    made = refund(dispute, li)

    assert made.action == "refund"
    assert state_of(dispute) == "refunded"
    assert book.fresh().book_fen == book.fresh_card().card_fen


def test_a_dispute_about_a_missing_top_up_has_nothing_to_take_back(person, li):
    claim = claim_of(
        person, None, kind=DisputeKind.TOP_UP_MISSING, fen=50_00, happened_on=timezone.localdate()
    )
    dispute = open_dispute(claim, actor=holder_of(person), now=timezone.now(), options=Options()).dispute

    with pytest.raises(NotDone) as caught:
        refund(dispute, li)

    assert caught.value.problem is Problem.NO_MOVEMENT
    work(dispute, "settled", "查收银短款，已凭小票补充值", li)
    assert state_of(dispute) == "settled"


def test_the_nightly_comparison_leaves_a_dispute_that_waits_alone(li):
    """A DISPUTE case is no difference between card and book: it ends with its decision and not before."""
    person = charged(80_00, 80_00, held=200_00)
    dispute = disputed(person, 3)
    refund(dispute, li)

    outcome = reconcile(RunOrder(now=timezone.now()))

    assert Case.objects.get(mismatch="DISPUTE").state == "open"
    assert "DISPUTE" not in outcome.to_json()["cases_opened"]
    assert state_of(dispute) == "proposed"


# ------------------------------------------------------------------------------------------------- the desk


def test_taken_asked_answered_in_words(person, dispute, li):
    wu = desk.operator("wu", OperatorRole.CLERK, "yushan")

    work(dispute, "taken", "", li)
    work(dispute, "remarked", "终端 7 常卡", wu)
    work(dispute, "asked", "请拍小票", wu)
    disputes.add_word(
        person.account.pk, dispute.pk, "拍了", key=uuid.uuid4(), actor=holder_of(person), now=timezone.now()
    )
    assert state_of(dispute) == "taken"
    work(dispute, "refused", "两笔均为您本人所购", li)

    assert course(dispute) == ["opened", "taken", "remarked", "asked", "added", "refused"]
    assert Dispute.objects.get().assignee_id == li.pk
    assert told(person.account.pk) == ["dispute_opened", "dispute_asked", "dispute_refused"]
    assert person.fresh().unclaimed_fen == 0
    deeds = AuditEvent.objects.filter(object_kind="dispute").values_list("action", flat=True)
    assert set(deeds) == {f"dispute.{kind}" for kind in course(dispute)}


@pytest.mark.parametrize("kind", ["asked", "remarked", "settled", "refused"])
def test_words_are_not_left_out(dispute, li, kind):
    with pytest.raises(NotDone) as caught:
        work(dispute, kind, " \n", li)

    assert caught.value.problem is Problem.NO_WORDS
    assert course(dispute) == ["opened"]


@pytest.mark.parametrize("kind", ["taken", "asked", "settled", "refused"])
@pytest.mark.parametrize("end", ["settled", "refused", "withdrawn", "refunded"])
def test_what_is_over_is_over(person, dispute, li, kind, end):
    if end == "withdrawn":
        disputes.withdraw(
            person.account.pk, dispute.pk, key=uuid.uuid4(), actor=holder_of(person), now=timezone.now()
        )
    elif end == "refunded":
        refund(dispute, li)
    else:
        work(dispute, end, "答复", li)

    with pytest.raises(NotDone) as caught:
        work(dispute, kind, "再来", li)
    assert caught.value.problem is Problem.FINISHED
    with pytest.raises((NotDone, Refused)):
        refund(dispute, li)
    assert state_of(dispute) == end


@pytest.mark.parametrize("role", [OperatorRole.CASHIER, OperatorRole.AUDITOR, OperatorRole.ADMIN])
def test_others_of_the_staff_have_no_hand_in_it(dispute, role):
    other = desk.operator("other", role)

    for deed in (lambda: work(dispute, "taken", "", other), lambda: refund(dispute, other)):
        with pytest.raises(NotDone) as caught:
            deed()
        assert caught.value.problem is Problem.NOT_ENTITLED


def test_nobody_works_on_his_own_dispute(person, dispute):
    """P4, in every deed, and he does not open one for himself at the desk either."""
    own = desk.operator("own", OperatorRole.SUPERVISOR, holder=person.account.holder)
    deeds = [
        lambda: work(dispute, "taken", "", own),
        lambda: work(dispute, "settled", "好", own),
        lambda: refund(dispute, own),
        lambda: open_dispute(
            claim_of(person, 2), actor=door_of(own).actor, now=timezone.now(), options=Options(),
            door=door_of(own, holder_id=person.account.holder_id),
        ),
    ]  # fmt: skip

    for deed in deeds:
        with pytest.raises(NotDone) as caught:
            deed()
        assert caught.value.problem is Problem.OWN_ACCOUNT
    assert course(dispute) == ["opened"]


def test_any_desk_serves_any_holder_and_its_own_supervisor_agrees(li):
    """R058, C14: a desk at 鱼山 works on it, so a supervisor of 鱼山 answers for it."""
    person = charged(80_00, 80_00, held=200_00)
    dispute = disputed(person, 3)
    there = desk.operator("there", OperatorRole.CLERK, "yushan")
    boss = desk.operator("boss", OperatorRole.SUPERVISOR, "yushan")

    made = refund(dispute, there)

    with pytest.raises(Refused) as caught:
        approve(made, li)
    assert caught.value.obstacle is Obstacle.OTHER_CAMPUS
    approve(made, boss)
    assert state_of(dispute) == "refunded"


@pytest.mark.django_db(transaction=True)
def test_eight_hands_at_once_refund_once():
    """Real threads: different keys, one dispute; one decision, one reversal, everybody else is told why not."""
    person = charged(5_50, 5_50)
    dispute = disputed(person, 3)
    people = [desk.operator(f"sup{number}", OperatorRole.SUPERVISOR) for number in range(8)]
    now = timezone.now()
    digest = disputes.preview_refund(dispute.pk, hand=hand_of(people[0]), now=now, policy=POLICY).plan.digest

    def press(who) -> bool:
        try:
            disputes.refund(
                dispute.pk, digest, "核对", key=uuid.uuid4(), hand=hand_of(who), now=now, policy=POLICY
            )
        except (NotDone, Refused):
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(press, people))

    violations = (
        int(sum(done) != 1) + int(person.fresh().unclaimed_fen != 5_50) + (Reversal.objects.count() - 1)
    )
    faults.report("DISPUTE-RACE", len(done), violations)
    assert not violations
    assert course(dispute) == ["opened", "proposed", "refunded"]


@pytest.mark.django_db(transaction=True)
def test_an_answer_and_a_refund_at_once_end_in_one_of_them():
    violations = cases = 0
    boss = desk.operator("boss", OperatorRole.SUPERVISOR)
    for _ in range(6):
        person = charged(5_50, 5_50)
        dispute = disputed(person, 3)

        def answer(dispute=dispute) -> None:
            try:
                work(dispute, "refused", "不予退款", boss)
            except NotDone:
                pass
            finally:
                connection.close()

        def give(dispute=dispute) -> None:
            try:
                refund(dispute, boss)
            except (NotDone, Refused):
                pass
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda deed: deed(), (answer, give)))
        paid = person.fresh().unclaimed_fen == 5_50
        cases += 1
        violations += state_of(dispute) != ("refunded" if paid else "refused")

    faults.report("DISPUTE-ANSWER-RACE", cases, violations)
    assert not violations
