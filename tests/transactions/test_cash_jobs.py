"""Cash on a card: shown, confirmed, book and card and receipt as one; torn and resumed; taken back by two people."""

from __future__ import annotations

import itertools
import uuid
from datetime import timedelta

import pytest
from django.db import transaction

from accounts.models import Account, AccountLife, Card, OperatorRole, Request, RequestResult
from accounts.services import approvals
from accounts.services.operators import Hand
from terminals.device.reader.tearing import Tear
from terminals.models import CardJob, JobState
from terminals.services import jobs, topups
from terminals.services.jobs import OrderRefused
from terminals.services.topups import NotVoidable
from tests import faults
from tests.campus import NOON, Counter, make_person
from tests.terminals.conftest import server  # noqa: F401 - a fixture
from tests.terminals.desk import Desk
from tests.transactions.cash_desk import POLICY, Till, by, person_of, pieces
from tests.transactions.test_cash import books_are_right, refused_by_the_database
from tests.transactions.test_concurrency import together
from transactions.models import Entry, Receipt, Reversal, TopUpSlip
from transactions.services import slips
from transactions.services.orders import KeyReused
from transactions.services.shifts import Closing, ShiftRefused
from transactions.services.slips import NewSlip, SlipRefused

pytestmark = pytest.mark.django_db(transaction=True)
AT = (0, 4, *range(8, 24))
"""After so many operations the card is pulled: reading takes the first ten, opening and writing the rest."""
TEARS = (Tear.BEFORE, Tear.AFTER, Tear.MIX)
"""The other pictures of a torn block are run for every job in tests/till/test_desk_faults.py."""


class Cashier(Till):
    """A cashier whose desk has a reader."""

    def __init__(self, machine, **how) -> None:
        super().__init__(**how)
        self.desk = Desk(machine)

    @property
    def now(self):
        return self.desk.server.now

    def announce(self, person, fen=50_00, key=None) -> TopUpSlip:
        new = NewSlip(key or uuid.uuid4(), person.account.pk, fen)
        return slips.announce(new, officer=self.officer, policy=POLICY, now=self.now)

    def confirm(self, slip, *, read_here=False):
        return topups.confirm(
            slip.pk, desk_id=self.desk.box.id, read_here=read_here, officer=self.officer, actor=self.by.actor,
            now=self.now,
        )  # fmt: skip

    def order(self, person, fen=50_00) -> uuid.UUID:
        slip = self.announce(person, fen)
        topups.display_face(self.shift.pk, now=self.now)
        return self.confirm(slip).pk

    def top_up(self, person, fen=50_00) -> Receipt:
        job = self.order(person, fen)
        assert self.desk.do(job, person.plastic).state is JobState.DONE
        return Receipt.objects.get(operation=job)

    def propose(self, receipt, key=None, reason="顾客放弃充值") -> Request:
        hand = Hand(self.operator.pk, "10.0.0.7", self.now)
        return topups.propose_void(
            receipt,
            reason,
            key=key or uuid.uuid4(),
            hand=hand,
            officer=self.officer,
            policy=POLICY,
            now=self.now,
        )

    def unload(self, receipt, request, key=None) -> CardJob:
        return topups.order_unload(
            receipt, request.pk, key=key or uuid.uuid4(), desk_id=self.desk.box.id, officer=self.officer,
            actor=self.by.actor, now=self.now,
        )  # fmt: skip


@pytest.fixture
def till(server):  # noqa: F811 - the fixture
    return Cashier(server)


def agree(request, now, boss=None) -> None:
    boss = boss or person_of(OperatorRole.SUPERVISOR)
    hand = Hand(boss.pk, "10.0.0.8", now)
    approvals.agree(request.pk, bytes(request.content_hash), hand=hand, now=now, policy=POLICY)


def why_not(act, *args, **kwargs) -> str:
    before = Entry.objects.count(), Receipt.objects.count(), CardJob.objects.count()
    with pytest.raises((SlipRefused, NotVoidable, OrderRefused)) as refused:
        act(*args, **kwargs)
    assert (Entry.objects.count(), Receipt.objects.count(), CardJob.objects.count()) == before
    return str(refused.value)


# ------------------------------------------------------------------------------------------------------ top-up


def test_cash_goes_to_book_and_card_with_a_receipt(till):
    person = make_person(28_40)

    receipt = till.top_up(person, 50_00)

    assert (person.book_fen, person.card_fen, till.expected_fen()) == (78_40, 78_40, 250_00)
    assert (receipt.kind, receipt.fen, receipt.shift_id, receipt.no) == ("top_up", 50_00, till.shift.pk, 1)
    assert (receipt.book_before_fen, receipt.book_after_fen) == (28_40, 78_40)
    assert (receipt.card_before_fen, receipt.card_after_fen) == (28_40, 78_40)
    entry = Entry.objects.get(pk=receipt.entry_id)
    assert (entry.kind, entry.contra, entry.contra_ref) == ("top_up", "drawer", till.shift.pk)
    till.close()
    books_are_right()


def test_the_customer_sees_the_amount_before_the_commit(till):
    """R013, guide L39: 确认充值机显示屏上显示的充值金额. Shown, confirmed, booked: in this order, with their times."""
    person = make_person(28_40)
    slip = till.announce(person)

    assert why_not(till.confirm, slip) == "not_shown"
    face = topups.display_face(till.shift.pk, now=till.now)
    till.desk.server.now += timedelta(seconds=3)
    job = till.confirm(slip)
    till.desk.server.now += timedelta(seconds=2)
    till.desk.do(job.pk, person.plastic)

    slip.refresh_from_db()
    receipt = Receipt.objects.get(operation=slip.pk)
    assert (face.state, face.fen) == ("amount", 50_00)
    assert slip.announced_at <= slip.shown_at < slip.confirmed_at < receipt.issued_at
    assert slip.shown_on == "display"
    assert topups.display_face(till.shift.pk, now=till.now).state == "done"


def test_without_a_display_the_customer_reads_the_cashiers_screen(till):
    slip = till.announce(make_person(28_40))

    till.confirm(slip, read_here=True)

    slip.refresh_from_db()
    assert (slip.shown_on, slip.shown_at <= slip.confirmed_at) == ("counter", True)


def test_the_database_confirms_nothing_that_was_not_shown(till):
    slip = till.announce(make_person(28_40))
    row = TopUpSlip.objects.filter(pk=slip.pk)

    assert "slip_shown_before_confirmed" in refused_by_the_database(lambda: row.update(confirmed_at=till.now))
    late = {"shown_at": till.now + timedelta(seconds=1), "shown_on": "display", "confirmed_at": till.now}
    assert "slip_shown_before_confirmed" in refused_by_the_database(lambda: row.update(**late))
    till.confirm(slip, read_here=True)
    for field, value in (("fen", 1), ("confirmed_at", None), ("shown_at", till.now + timedelta(1))):
        assert "stays as it is" in refused_by_the_database(lambda f=field, v=value: row.update(**{f: v}))


def test_another_amount_drops_the_first(till):
    person = make_person(28_40)
    first = till.announce(person, 500_00)
    second = till.announce(person, 50_00)

    assert topups.display_face(till.shift.pk, now=till.now).fen == 50_00
    assert why_not(till.confirm, first, read_here=True) == "dropped"
    assert till.confirm(second).pk == second.pk
    assert not slips.drop(second.pk, officer=till.officer, now=till.now)


@pytest.mark.parametrize(
    ("fen", "why"),
    [(99, "too_small"), (1_00, ""), (500_00, ""), (500_01, "too_large"), (0, "too_small")],
    ids=["0.99", "1.00", "500.00", "500.01", "0"],
)
def test_amounts_between_1_and_500(till, fen, why):
    person = make_person(28_40)

    if why:
        assert why_not(till.announce, person, fen) == why
    else:
        assert till.announce(person, fen).fen == fen


@pytest.mark.parametrize(("held", "why"), [(950_00, ""), (950_01, "top_up_too_large")])
def test_a_purse_holds_1000_at_most(till, held, why):
    person = make_person(held)

    if why:
        assert why_not(till.announce, person) == why
    else:
        assert till.top_up(person).book_after_fen == 1_000_00


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda p: Card.objects.filter(pk=p.card_row.pk).update(lost=True, lost_at=NOON), "card_lost"),
        (
            lambda p: Account.objects.filter(pk=p.account.pk).update(
                frozen_reasons=["by_hand"], frozen_at=NOON
            ),
            "card_frozen",
        ),
        (lambda p: Card.objects.filter(pk=p.card_row.pk).update(life="replaced"), "card_replaced"),
        (lambda p: Card.objects.filter(pk=p.card_row.pk).update(expires_on="2020-01-01"), "card_expired"),
        (
            lambda p: Account.objects.filter(pk=p.account.pk).update(life=AccountLife.CLOSING),
            "account_closed",
        ),
    ],
    ids=["lost", "frozen", "replaced", "expired", "closing"],
)
def test_lost_frozen_and_dead_cards_take_no_money(till, change, why):
    """K04: refused when the amount is keyed, and again when the card is shown."""
    person = make_person(28_40)
    job = till.order(person)
    change(person)

    ended = till.desk.do(job, person.plastic)

    assert (ended.state, ended.refusal) == (JobState.REFUSED, why)
    assert (person.book_fen, till.expected_fen(), Receipt.objects.count()) == (28_40, 200_00, 0)
    assert why_not(till.announce, person) == why


def test_nobody_tops_up_his_own_account_and_only_cashiers_do(server):  # noqa: F811 - the fixture
    person = make_person(28_40)
    own = Cashier(server, holder=person.account.holder)
    clerk = Cashier(server, role=OperatorRole.CLERK)

    assert why_not(own.announce, person) == "own_account"
    assert why_not(clerk.announce, person) == "not_entitled"


def test_a_cashier_confirms_only_slips_of_the_own_shift(till, server):  # noqa: F811 - the fixture
    other = Cashier(server)
    slip = till.announce(make_person(28_40))

    assert why_not(other.confirm, slip, read_here=True) == "no_shift"
    with pytest.raises(TopUpSlip.DoesNotExist):
        slips.drop(slip.pk, officer=other.officer, now=till.now)


def test_fifty_confirmations_are_one_job_and_one_receipt(till):
    """C6: double click, browser resend, two windows."""
    person = make_person(28_40)
    slip = till.announce(person)
    slips.show(till.shift.pk, now=till.now)

    ordered = set(together(lambda _: till.confirm(slip).pk, count=16))
    ended = till.desk.do(slip.pk, person.plastic)
    again = till.confirm(slip)

    faults.report("top_up_same_click", 17, len(ordered) - 1)
    assert ordered == {slip.pk}
    assert (ended.state, again.pk, Receipt.objects.count(), person.book_fen) == (
        JobState.DONE, slip.pk, 1, 78_40,
    )  # fmt: skip


def test_the_same_key_for_another_amount_is_no_slip(till):
    person = make_person(28_40)
    slip = till.announce(person)

    assert till.announce(person, key=slip.pk) == slip
    with pytest.raises(KeyReused):
        till.announce(person, 60_00, key=slip.pk)


def test_a_closed_shift_takes_no_cash_though_its_job_is_still_there(till):
    person = make_person(28_40)
    job = till.order(person)

    with pytest.raises(ShiftRefused) as refused:
        topups.close_shift(till.shift.pk, Closing(pieces(200_00), ""), officer=till.officer, by=till.by)
    assert str(refused.value) == "going_on"
    till.close()  # as if the check had been passed a moment before the order
    ended = till.desk.do(job, person.plastic)

    assert (ended.state, ended.refusal) == (JobState.REFUSED, "shift_closed")
    assert (person.book_fen, person.card_fen, Receipt.objects.count()) == (28_40, 28_40, 0)


def test_a_top_up_that_nobody_waited_for_changes_nothing(till):
    person = make_person(28_40)
    job = till.order(person)
    till.desk.server.now += timedelta(minutes=4)

    assert topups.display_face(till.shift.pk, now=till.now).state == "not_done"
    assert till.desk.state(job).state is JobState.EXPIRED
    assert (Receipt.objects.count(), till.expected_fen()) == (0, 200_00)
    till.close()


def test_a_top_up_torn_anywhere_is_resumed_with_the_same_receipt(till):
    """K05: 请重新放同一张卡: one entry, one receipt, card = book, after every operation and in every kind of tear."""
    cases = wrong = booked = 0
    for leave_after, tear in itertools.product(AT, TEARS):
        person = make_person(28_40)
        before_fen = till.expected_fen()
        job = till.order(person)
        torn = till.desk.do(job, person.plastic, leave_after=leave_after, tear=tear)
        receipts_then = list(Receipt.objects.filter(operation=job))
        wrong += (torn.entry_seq is not None) != (len(receipts_then) == 1)
        wrong += till.expected_fen() - before_fen != (50_00 if receipts_then else 0)
        if not torn.over:
            torn = till.desk.do(job, person.plastic)
        receipt = Receipt.objects.filter(operation=job).first()
        wrong += torn.state is not JobState.DONE or (person.book_fen, person.card_fen) != (78_40, 78_40)
        wrong += receipt is None or receipts_then not in ([], [receipt])
        wrong += till.expected_fen() - before_fen != 50_00
        booked += bool(receipts_then)
        cases += 1
    faults.report("cash_top_up_tears", cases, wrong)
    assert wrong == 0
    assert booked > cases / 4
    till.close()
    books_are_right()


# ------------------------------------------------------------------------------------------------------ void


def test_the_own_last_top_up_is_taken_back_by_two_people_with_the_card(till):
    """K03: same shift, card present, reason, second person; an entry against the first, a receipt of its own."""
    person = make_person(28_40)
    receipt = till.top_up(person)

    request = till.propose(receipt)
    agree(request, till.now)
    job = till.unload(receipt, request)
    ended = till.desk.do(job.pk, person.plastic)

    assert (ended.state, person.book_fen, person.card_fen) == (JobState.DONE, 28_40, 28_40)
    void = Receipt.objects.get(operation=job.pk)
    assert (void.kind, void.fen, void.voids, void.no) == ("void", 50_00, receipt, 2)
    assert (void.book_before_fen, void.book_after_fen, void.card_after_fen) == (78_40, 28_40, 28_40)
    entry = Entry.objects.get(pk=void.entry_id)
    assert (entry.kind, entry.contra, entry.contra_ref, entry.reverses) == (
        "void", "drawer", till.shift.pk, receipt.entry_id,
    )  # fmt: skip
    assert Reversal.objects.get(entry_id=receipt.entry_id).reversed_by == void.entry_id
    assert RequestResult.objects.get(request=request).done
    assert till.expected_fen() == 200_00
    till.close()
    books_are_right()


def test_a_void_never_counts_against_the_days_limit(till):
    person = make_person(28_40)
    receipt = till.top_up(person)
    request = till.propose(receipt)
    agree(request, till.now)
    till.desk.do(till.unload(receipt, request).pk, person.plastic)

    assert person.fresh().spent_fen == 0


def test_what_was_spent_or_moved_since_is_not_taken_back(till):
    person = make_person(28_40)
    receipt = till.top_up(person)
    request = till.propose(receipt)
    agree(request, till.now)
    job = till.unload(receipt, request)
    Counter().tap(person, 1_00)

    ended = till.desk.do(job.pk, person.plastic)

    assert (ended.state, ended.refusal) == (JobState.REFUSED, "spent")
    assert (person.book_fen, Receipt.objects.count()) == (77_40, 1)
    assert not RequestResult.objects.exists()
    assert why_not(till.propose, receipt) == "spent"
    assert why_not(till.unload, receipt, request) == "spent"


def test_what_was_spent_offline_is_not_taken_back(till):
    person = make_person(28_40)
    receipt = till.top_up(person)
    request = till.propose(receipt)
    agree(request, till.now)
    Counter().sell_offline(person, 3_00)

    ended = till.desk.do(till.unload(receipt, request).pk, person.plastic)

    assert (ended.state, ended.refusal, person.book_fen) == (JobState.REFUSED, "spent", 78_40)


@pytest.mark.parametrize("step", ["nobody agreed", "refused", "withdrawn", "used", "another receipt's"])
def test_without_an_agreement_to_exactly_this_nothing_is_taken_back(till, step):
    person = make_person(28_40)
    receipt = till.top_up(person)
    request = till.propose(receipt)
    hand = Hand(till.operator.pk, "", till.now)
    match step:
        case "refused":
            boss = Hand(person_of(OperatorRole.SUPERVISOR).pk, "", till.now)
            approvals.refuse(request.pk, "不同意", hand=boss, now=till.now)
        case "withdrawn":
            approvals.withdraw(request.pk, hand=hand, now=till.now)
        case "used":
            agree(request, till.now)
            with transaction.atomic():
                content = {"receipt": receipt.number, "account": receipt.account_number, "fen": receipt.fen}
                approvals.use(
                    request.pk, kind="top_up.void", content=content, actor=till.by.actor, now=till.now
                )
        case "another receipt's":
            other = till.top_up(make_person(10_00))
            request = till.propose(other)
            agree(request, till.now)

    ended = till.desk.do(till.unload(receipt, request).pk, person.plastic)

    assert (ended.state, ended.refusal) == (JobState.REFUSED, "not_agreed")
    assert (person.book_fen, person.card_fen) == (78_40, 78_40)
    assert not Receipt.objects.filter(kind="void").exists()


def test_only_the_own_open_shift_and_only_top_ups_once(till, server):  # noqa: F811 - the fixture
    person, other = make_person(28_40), Cashier(server)
    fee = till.fee(person).receipt
    receipt = till.top_up(person)

    assert why_not(other.propose, receipt) == "shift"
    assert why_not(till.propose, fee) == "kind"
    request = till.propose(receipt)
    agree(request, till.now)
    till.desk.do(till.unload(receipt, request).pk, person.plastic)
    assert why_not(till.propose, receipt) == "voided"
    later = till.top_up(person)
    till.close()
    assert why_not(till.propose, later) == "shift"


def test_the_cashier_does_not_agree_to_the_own_void(till):
    receipt = till.top_up(make_person(28_40))
    request = till.propose(receipt)

    with pytest.raises(approvals.NotApproved):
        agree(request, till.now, boss=till.operator)


def test_a_void_torn_anywhere_takes_the_money_back_once(till):
    """Book first, card second, like a sale: after every operation and in every kind of tear, and resumed."""
    cases = wrong = booked = 0
    for leave_after, tear in itertools.product(AT, TEARS):
        person = make_person(28_40)
        receipt = till.top_up(person)
        before_fen = till.expected_fen()
        request = till.propose(receipt)
        boss = person_of(OperatorRole.SUPERVISOR, anywhere=True)
        agree(request, till.now, boss)
        job = till.unload(receipt, request).pk
        torn = till.desk.do(job, person.plastic, leave_after=leave_after, tear=tear)
        voided = Receipt.objects.filter(voids=receipt).count()
        wrong += (torn.entry_seq is not None) != (voided == 1)
        wrong += before_fen - till.expected_fen() != (50_00 if voided else 0)
        if not torn.over:
            torn = till.desk.do(job, person.plastic)
        wrong += torn.state is not JobState.DONE or (person.book_fen, person.card_fen) != (28_40, 28_40)
        wrong += (
            Receipt.objects.filter(voids=receipt).count() != 1 or before_fen - till.expected_fen() != 50_00
        )
        booked += voided
        cases += 1
    faults.report("cash_void_tears", cases, wrong)
    assert wrong == 0
    assert booked > cases / 4
    books_are_right()


def test_a_void_that_was_torn_and_given_up_is_healed_by_the_next_sale(till):
    person = make_person(28_40)
    receipt = till.top_up(person)
    request = till.propose(receipt)
    agree(request, till.now)
    job = till.unload(receipt, request).pk
    till.desk.do(job, person.plastic, leave_after=11)
    jobs.give_up_job(job, actor=by(till.operator).actor, now=till.now)

    assert (person.book_fen, person.card_fen, Receipt.objects.filter(voids=receipt).count()) == (
        28_40,
        78_40,
        1,
    )
    Counter().tap(person, 1_00)
    assert (person.book_fen, person.card_fen) == (27_40, 27_40)
