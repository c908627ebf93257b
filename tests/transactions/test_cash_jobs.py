"""Cash on a card: shown, confirmed, book and card and receipt as one; torn anywhere and resumed."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from accounts.models import Account, AccountLife, Card, OperatorRole
from terminals.models import CardJob, JobState
from terminals.services import topups
from tests import faults
from tests.campus import NOON, make_person
from tests.terminals.conftest import server  # noqa: F401 - a fixture
from tests.transactions.cash_desk import pieces
from tests.transactions.cashier import AT, TEARS, Cashier, why_not
from tests.transactions.test_cash import books_are_right, refused_by_the_database
from tests.transactions.test_concurrency import together
from tests.transactions.waiting import Other
from transactions.models import Entry, Receipt, TopUpSlip
from transactions.services import shifts, slips
from transactions.services.orders import KeyReused
from transactions.services.shifts import Closing, ShiftRefused

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def till(server):  # noqa: F811 - the fixture
    return Cashier(server)


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


def test_a_shift_is_not_closed_over_a_top_up_that_is_just_being_confirmed(till, monkeypatch):
    """The cash is in the drawer already: closing waits, or the confirmation is refused; never both done."""
    slip, look = till.announce(make_person(28_40)), topups.going_on
    others = []

    def meanwhile(officer_id):
        found = look(officer_id)
        others.append(Other(lambda: till.confirm(slip, read_here=True)))
        others[0].until_it_waits()
        return found

    monkeypatch.setattr(topups, "going_on", meanwhile)
    topups.close_shift(till.shift.pk, Closing(pieces(200_00), ""), officer=till.officer, by=till.by)

    assert str(others[0].end()) == "no_shift"
    slip.refresh_from_db()
    assert (slip.confirmed_at, CardJob.objects.count()) == (None, 0)


def test_another_amount_while_the_first_is_being_confirmed_waits_for_nobody(till, monkeypatch):
    """Two windows of one cashier: shift before slip, whoever comes, so neither waits for the other for ever."""
    person, hold = make_person(28_40), shifts.hold
    slip, others = till.announce(person), []

    def meanwhile(shift_id, officer_id):
        others.append(Other(lambda: till.announce(person, 60_00)))
        others[0].until_it_waits()
        return hold(shift_id, officer_id)

    monkeypatch.setattr(shifts, "hold", meanwhile)
    refusal = why_not(slips.confirm, slip.pk, officer=till.officer, read_here=True, now=till.now)

    assert refusal == "dropped"
    assert others[0].end().fen == 60_00


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
