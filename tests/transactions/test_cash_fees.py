"""Fees, deposits and pay-outs: one receipt, one key, the book untouched where cash pays."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection

from accounts.models import Card
from purse.policy import Policy
from tests.campus import NOON, Counter, make_campus, make_person
from tests.transactions.cash_desk import (
    Till,
    books_are_right,
    why_not,
)
from tests.transactions.waiting import Other
from transactions.models import Entry, Receipt, Reversal
from transactions.services import cash, corrections, shifts
from transactions.services.cash import PaidBy
from transactions.services.orders import KeyReused

pytestmark = pytest.mark.django_db


def test_a_fee_in_cash_leaves_the_book_alone_and_the_money_in_the_drawer():
    """Guide L31: 补卡时交纳工本费。 R010: two entries of one transaction, in from the drawer, out to the fee."""
    till, person = Till(), make_person(50_00)

    paid = till.fee(person, 20_00)

    entries = list(Entry.objects.filter(account=person.account).order_by("seq"))[1:]
    assert [(e.kind, e.contra, e.book_change_fen, e.unclaimed_change_fen, e.contra_ref) for e in entries] == [
        ("top_up", "drawer", 0, 20_00, till.shift.pk),
        ("fee", "fee", 0, -20_00, None),
    ]
    assert (person.book_fen, person.fresh().unclaimed_fen, till.expected_fen()) == (50_00, 0, 220_00)
    assert (paid.receipt.kind, paid.receipt.fen, paid.receipt.shift_id) == ("fee", 20_00, till.shift.pk)
    assert paid.receipt.number == f"{till.drawer.code}-000001"
    assert paid.receipt.reason == "补卡工本费"
    books_are_right()


def test_a_fee_in_cash_can_be_taken_whatever_state_the_account_is_in():
    """A holder who owes 0.01 and whose card is lost still gets his new card for cash."""
    till, person = Till(), make_person(2_00)
    Counter().tap(person, 2_00)
    Card.objects.filter(account=person.account).update(lost=True, lost_at=NOON)

    assert till.fee(person, 20_00).receipt.book_after_fen == 0


def test_a_fee_from_the_book_needs_no_shift_and_numbers_in_the_series_of_the_campus():
    till, person = Till(), make_person(50_00)
    Card.objects.filter(account=person.account).update(life="replaced")

    paid = till.fee(person, 20_00, paid_by=PaidBy.BOOK, shift_id=None)
    again = till.fee(person, 5_00, paid_by=PaidBy.BOOK, shift_id=None)

    assert (person.book_fen, till.expected_fen()) == (25_00, 200_00)
    campus, _ = make_campus()
    assert [paid.receipt.number, again.receipt.number] == [f"{campus.pk}B-000001", f"{campus.pk}B-000002"]
    assert (paid.receipt.book_before_fen, paid.receipt.book_after_fen) == (50_00, 30_00)
    books_are_right()


def test_a_fee_from_the_book_is_owed_by_the_live_card_until_its_next_tap():
    """Like a sale whose card was taken away too fast: book 30, card 50, the next tap brings the card to 30."""
    till, person = Till(), make_person(50_00)

    till.fee(person, 20_00, paid_by=PaidBy.BOOK, shift_id=None)
    assert (person.book_fen, person.card_fen) == (30_00, 50_00)
    books_are_right()
    Counter().tap(person, 1_00)

    assert (person.book_fen, person.card_fen) == (29_00, 29_00)
    books_are_right()


@pytest.mark.parametrize(("fen", "why"), [(50_00, ""), (50_01, "card_live")], ids=["gap 50.00", "gap 50.01"])
def test_a_fee_from_the_book_never_freezes_its_own_payer(fen, why):
    till, person = Till(), make_person(100_00)

    if why:
        assert why_not(till.fee, person, fen, paid_by=PaidBy.BOOK) == why
    else:
        till.fee(person, fen, paid_by=PaidBy.BOOK)
        assert not person.fresh().frozen_reasons


@pytest.mark.parametrize(
    ("fen", "changes", "why"),
    [
        (0, {}, "amount"),
        (-1, {}, "amount"),
        (1_000_01, {}, "amount"),
        (50_01, {"paid_by": PaidBy.BOOK}, "book_short"),
        (5_00, {"what": "  "}, "no_reason"),
        (5_00, {"shift_id": None}, "no_shift"),
        (5_00, {"shift_id": 999_999}, "no_shift"),
    ],
    ids=["0", "-0.01", "1000.01", "more than the book", "no words", "no shift", "unknown shift"],
)
def test_fees_that_are_not_taken(fen, changes, why):
    till, person = Till(), make_person(50_00)

    assert why_not(till.fee, person, fen, **changes) == why


def test_nobody_takes_cash_into_the_shift_of_another_nor_a_fee_from_himself():
    till, person = Till(), make_person(50_00)
    other = Till(holder=person.account.holder)

    assert why_not(other.fee, person, shift_id=till.shift.pk) == "no_shift"
    assert why_not(other.fee, person, own_holder_id=person.account.holder_id) == "own_account"


def test_an_ended_account_pays_nothing():
    till, person = Till(), make_person(0)
    Card.objects.filter(account=person.account).update(life="returned")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_account SET life = 'closing' WHERE id = %s; "
            "UPDATE accounts_account SET life = 'closed', closed_at = now() WHERE id = %s",
            [person.account.pk] * 2,
        )

    assert why_not(till.fee, person) == "account_ended"


def test_the_same_key_takes_a_fee_once_and_another_content_is_refused():
    till, person, key = Till(), make_person(50_00), uuid.uuid4()

    first, again = till.fee(person, key=key), till.fee(person, key=key)

    assert (first.receipt, first.replay, again.replay) == (again.receipt, False, True)
    assert Receipt.objects.count() == 1
    with pytest.raises(KeyReused):
        till.fee(person, 20_01, key=key)
    assert till.expected_fen() == 220_00


def test_a_deposit_comes_back_and_never_more_of_it():
    till, person = Till(), make_person(0)

    till.fee(person, 15_00, deposit=True, what="临时卡押金")
    assert (cash.deposit_fen(person.account.pk), till.expected_fen()) == (15_00, 215_00)
    assert why_not(till.pay_out, person, deposit_fen=15_01) == "deposit_short"
    back = till.pay_out(person, deposit_fen=15_00)

    assert (cash.deposit_fen(person.account.pk), till.expected_fen()) == (0, 200_00)
    assert (back.receipt.kind, back.receipt.fen) == ("deposit_back", 15_00)
    assert why_not(till.pay_out, person, deposit_fen=1) == "deposit_short"
    books_are_right()


def test_paying_out_empties_book_unclaimed_and_deposit_with_one_receipt():
    till, person = Till(), make_person(37_40)
    till.fee(person, 15_00, deposit=True, what="押金")
    Card.objects.filter(account=person.account).update(life="returned")

    out = till.pay_out(person, book_fen=37_40, deposit_fen=15_00)

    assert (person.book_fen, person.fresh().unclaimed_fen) == (0, 0)
    assert (out.receipt.kind, out.receipt.fen, out.receipt.book_after_fen) == ("payout", 52_40, 0)
    assert till.expected_fen() == 200_00 + 15_00 - 52_40
    books_are_right()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "amount"),
        ({"book_fen": -1, "unclaimed_fen": 2}, "amount"),
        ({"book_fen": 50_01}, "book_short"),
        ({"unclaimed_fen": 1}, "book_short"),
        ({"book_fen": 10_00, "shift_id": None}, "no_shift"),
        ({"book_fen": 10_00, "what": ""}, "no_reason"),
    ],
)
def test_pay_outs_that_are_not_made(changes, why):
    till, person = Till(), make_person(50_00)
    Card.objects.filter(account=person.account).update(life="returned")

    assert why_not(till.pay_out, person, **changes) == why


def test_money_on_a_live_card_and_more_than_the_drawer_holds_are_not_paid_out():
    till, person = Till(float_fen=20_00), make_person(50_00)

    assert why_not(till.pay_out, person, book_fen=10_00) == "card_live"
    Card.objects.filter(account=person.account).update(life="returned")
    assert why_not(till.pay_out, person, book_fen=20_01) == "drawer_short"
    assert till.pay_out(person, book_fen=20_00).receipt.fen == 20_00


@pytest.mark.django_db(transaction=True)
def test_two_pay_outs_at_once_take_no_more_than_the_drawer_holds(monkeypatch):
    """Two windows of one cashier; each alone would do."""
    till, people = Till(float_fen=50_00), [make_person(40_00), make_person(40_00)]
    Card.objects.update(life="returned")
    look, others = shifts.expected_fen, []

    def meanwhile(shift_id):
        found = look(shift_id)
        if not others:
            others.append(Other(lambda: till.pay_out(people[1], book_fen=40_00)))
            others[0].until_it_waits()
        return found

    monkeypatch.setattr(shifts, "expected_fen", meanwhile)
    till.pay_out(people[0], book_fen=40_00)

    assert str(others[0].end()) == "drawer_short"
    assert look(till.shift.pk) == 10_00


def test_a_fee_paid_in_cash_that_is_taken_back_waits_as_unclaimed():
    till, person = Till(), make_person(50_00)
    till.fee(person, 20_00)
    fee = Entry.objects.get(account=person.account, kind="fee")

    order = corrections.ReverseOrder(uuid.uuid4(), person.account.pk, fee.pk, "卡仍可用")
    corrections.reverse(order, actor=till.by.actor, now=NOON, policy=Policy())

    assert (person.book_fen, person.fresh().unclaimed_fen) == (50_00, 20_00)
    assert Reversal.objects.filter(entry_id=fee.pk).exists()
