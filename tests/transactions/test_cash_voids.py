"""A cash top-up taken back: own shift, the card, two people; torn anywhere, the money goes back once (K03)."""

from __future__ import annotations

import itertools

import pytest
from django.db import transaction

from accounts.models import OperatorRole, RequestResult
from accounts.services import approvals
from accounts.services.operators import Hand
from terminals.models import JobState
from terminals.services import jobs
from tests import faults
from tests.campus import Counter, make_person
from tests.terminals.conftest import server  # noqa: F401 - a fixture
from tests.transactions.cash_desk import by, person_of
from tests.transactions.cashier import AT, TEARS, Cashier, agree, why_not
from tests.transactions.test_cash import books_are_right
from transactions.models import Entry, Receipt, Reversal

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def till(server):  # noqa: F811 - the fixture
    return Cashier(server)


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
    for leave_after, tear in itertools.product(AT[1::2], TEARS):
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
