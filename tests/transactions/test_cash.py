"""Shifts: opened over a float, closed over a count, signed by two; the drawer holds what the ledger says (L12)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from accounts.models import Campus, Card, Operator, OperatorRole
from accounts.services.operators import officer_of
from tests.campus import NOON, make_person
from tests.transactions.cash_desk import (
    Till,
    books_are_right,
    by,
    gone,
    make_drawer,
    person_of,
    pieces,
    refused_by_the_database,
    why_not,
)
from transactions import selectors_cash
from transactions.models import Shift
from transactions.services import shifts
from transactions.services.shifts import Closing, Opening

pytestmark = pytest.mark.django_db


def test_a_shift_opens_over_a_float_and_counts_itself_per_drawer():
    first = Till(float_fen=200_00)
    first.close()
    again = shifts.open_shift(
        Opening(first.drawer.pk, 30_50, {10_00: 3, 50: 1}), officer=first.officer, by=first.by
    )

    assert (first.shift.no, again.no, again.float_fen) == (1, 2, 30_50)
    assert again.float_count == {"1000": 3, "50": 1}
    assert shifts.current(first.operator.pk) == again
    assert shifts.expected_fen(again.pk) == 30_50


def test_opening_the_same_drawer_again_is_the_open_shift():
    till = Till()

    again = shifts.open_shift(Opening(till.drawer.pk, 999_00, {}), officer=till.officer, by=till.by)

    assert again == till.shift
    assert again.float_fen == 200_00


def test_one_open_shift_per_person_and_per_drawer():
    till, other = Till(), person_of()
    drawer = make_drawer()

    assert (
        why_not(shifts.open_shift, Opening(drawer.pk, 0, {}), officer=till.officer, by=till.by) == "has_shift"
    )
    assert (
        why_not(shifts.open_shift, Opening(till.drawer.pk, 0, {}), officer=officer_of(other), by=by(other))
        == "drawer_taken"
    )
    assert "shift_one_open_per_drawer" in refused_by_the_database(
        lambda: Shift.objects.create(drawer=till.drawer, no=9, officer=other, opened_at=NOON, float_fen=0)
    )
    assert "shift_one_open_per_officer" in refused_by_the_database(
        lambda: Shift.objects.create(drawer=drawer, no=9, officer=till.operator, opened_at=NOON, float_fen=0)
    )


@pytest.mark.parametrize("role", [OperatorRole.AUDITOR, OperatorRole.ADMIN, OperatorRole.MERCHANT])
def test_only_who_handles_cash_answers_for_a_drawer(role):
    person, drawer = person_of(role), make_drawer()

    assert (
        why_not(shifts.open_shift, Opening(drawer.pk, 0, {}), officer=officer_of(person), by=by(person))
        == "not_entitled"
    )


def test_a_drawer_of_another_campus_or_out_of_service_is_not_there():
    person = person_of()
    elsewhere = make_drawer()
    elsewhere.campus_id = type(elsewhere.campus).objects.create(code="yushan", name_zh="鱼山", name_en="Y").pk
    elsewhere.save(update_fields=["campus"])
    retired = make_drawer()
    retired.retired_at = NOON
    retired.save(update_fields=["retired_at"])

    for drawer_id in (elsewhere.pk, retired.pk, 999_999):
        opening = Opening(drawer_id, 0, {})
        assert why_not(shifts.open_shift, opening, officer=officer_of(person), by=by(person)) == "no_drawer"


@pytest.mark.parametrize(
    ("fen", "count"),
    [(-1, {}), (10_000_001, {}), (10_00, {10_00: 2}), (7, {7: 1}), (10_00, {10_00: -1})],
    ids=["negative", "too much", "sum and count differ", "no such coin", "minus one note"],
)
def test_a_float_that_cannot_be_is_refused(fen, count):
    person, drawer = person_of(), make_drawer()

    opening = Opening(drawer.pk, fen, count)
    assert why_not(shifts.open_shift, opening, officer=officer_of(person), by=by(person)) == "amount"


def test_closing_compares_the_count_with_the_ledger_to_the_jiao():
    """K06: expected = float + top-ups + fees − voids − refunds."""
    till, person = Till(float_fen=200_00), make_person(50_00)
    till.fee(person, 20_00)
    Card.objects.filter(account=person.account).update(life="returned")
    till.pay_out(person, book_fen=12_30)

    closed = till.close(207_70)

    assert (closed.expected_fen, closed.counted_fen, closed.difference_fen) == (207_70, 207_70, 0)
    assert closed.count == {"10000": 2, "500": 1, "100": 2, "50": 1, "10": 2}
    books_are_right()


@pytest.mark.parametrize("fen", [199_90, 200_10], ids=["short by 0.10", "over by 0.10"])
def test_a_difference_needs_its_reason(fen):
    till = Till(float_fen=200_00)

    assert why_not(till.close, fen) == "no_reason"
    assert why_not(till.close, fen, "   ") == "no_reason"
    closed = till.close(fen, "点钞时掉落")

    assert closed.difference_fen == fen - 200_00


def test_the_database_asks_for_the_reason_too():
    till = Till(float_fen=200_00)
    figures = {
        "closed_at": NOON,
        "count": {},
        "counted_fen": 1,
        "expected_fen": 200_00,
        "difference_fen": 1 - 200_00,
    }

    said = refused_by_the_database(lambda: Shift.objects.filter(pk=till.shift.pk).update(**figures))

    assert "shift_difference_has_reason" in said


def test_a_closed_shift_is_read_only_and_takes_no_money():
    till, person = Till(), make_person(50_00)
    till.close()

    assert why_not(till.fee, person) == "no_shift"
    assert till.close(0, "再来一次").counted_fen == 200_00
    for field, value in (
        ("counted_fen", 1), ("reason", "改"), ("float_fen", 1), ("closed_at", None), ("no", 7),
    ):  # fmt: skip
        said = refused_by_the_database(
            lambda f=field, v=value: Shift.objects.filter(pk=till.shift.pk).update(**{f: v})
        )
        assert "shift_stays_as" in said, (field, said)
    shift = Shift.objects.filter(pk=till.shift.pk)
    assert "permission denied" in refused_by_the_database(lambda: gone(shift))


def test_the_database_closes_a_shift_over_what_the_ledger_says_and_nothing_else():
    """L12 in the database: not even this program can close a shift over another sum."""
    till, person = Till(), make_person(50_00)
    till.fee(person)

    said = refused_by_the_database(
        lambda: Shift.objects.filter(pk=till.shift.pk).update(
            closed_at=NOON, count={}, counted_fen=200_00, expected_fen=200_00, difference_fen=0
        )
    )

    assert "shift_expected_is_the_ledgers" in said


def test_the_database_takes_no_entry_for_a_shift_that_is_closed_or_not_there():
    till, person = Till(), make_person(50_00)
    till.close()
    account = person.fresh()

    def insert(shift_id):
        with connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO transactions_entry (id, account_id, seq, kind, book_change_fen, unclaimed_change_fen,
                    book_after_fen, unclaimed_after_fen, contra, contra_ref, source_key, occurred_at, posted_at, day,
                    mode)
                VALUES (%s, %s, 2, 'top_up', 0, 500, 5000, 500, 'drawer', %s, gen_random_uuid(), now(), now(),
                    (now() AT TIME ZONE 'Asia/Shanghai')::date, 'server')""",
                [account.pk * 2**32 + 2, account.pk, shift_id],
            )

    for shift_id in (till.shift.pk, 999_999):
        assert "which is not open" in refused_by_the_database(lambda s=shift_id: insert(s))


def test_the_supervisor_signs_and_nobody_signs_for_himself():
    """K07: two signatures, cashier and accepting supervisor."""
    till, boss = Till(role=OperatorRole.SUPERVISOR), person_of(OperatorRole.SUPERVISOR)
    third = person_of(OperatorRole.SUPERVISOR)

    def accept(person):
        return shifts.accept_shift(till.shift.pk, officer=officer_of(person), by=by(person))

    assert why_not(accept, boss) == "not_closed"
    till.close()
    assert why_not(accept, till.operator) == "same_person"
    assert why_not(accept, person_of(OperatorRole.CASHIER)) == "not_entitled"
    assert accept(boss).accepted_by_id == boss.pk
    assert accept(boss).accepted_at == NOON
    assert why_not(accept, third) == "accepted"
    assert "shift_stays_as_accepted" in refused_by_the_database(
        lambda: Shift.objects.filter(pk=till.shift.pk).update(accepted_by=third)
    )


def test_nobody_accepts_his_own_shift_under_whatever_name():
    holder = make_person(0).account.holder
    till, himself = Till(holder=holder), person_of(OperatorRole.SUPERVISOR, holder=holder)
    till.close()

    refusal = why_not(shifts.accept_shift, till.shift.pk, officer=officer_of(himself), by=by(himself))

    assert refusal == "same_person"
    for name in (till.operator, himself):
        assert "shift_accepted_by_another" in refused_by_the_database(
            lambda name=name: Shift.objects.filter(pk=till.shift.pk).update(
                accepted_by=name, accepted_at=NOON
            )
        )


GONE = {
    "let out": {"is_active": False},
    "moved": {"role": OperatorRole.AUDITOR},
    "elsewhere": {"campus": "fushan"},
}


@pytest.mark.parametrize("how", [*GONE, "a day later"])
def test_a_supervisor_counts_the_drawer_of_somebody_who_cannot(how):
    """K06: else the drawer stays shut for ever; with a reason, and a third person accepts what was counted."""
    till, boss, third = Till(), person_of(OperatorRole.SUPERVISOR), person_of(OperatorRole.SUPERVISOR)
    later = NOON + timedelta(hours=24) if how == "a day later" else NOON

    def close(person, reason="王收银病假", now=later):
        closing = Closing(pieces(200_00), reason)
        return shifts.close_shift(till.shift.pk, closing, officer=officer_of(person), by=by(person, now))

    assert why_not(close, boss, now=later - timedelta(seconds=1)) == "no_shift"
    change = dict(GONE.get(how, {}))
    if "campus" in change:
        change = {"campus": Campus.objects.create(code="fushan", name_zh="浮山", name_en="F")}
    Operator.objects.filter(pk=till.operator.pk).update(**change)

    assert why_not(close, person_of(OperatorRole.CASHIER)) == "no_shift"
    assert why_not(close, boss, "") == "no_reason"
    assert close(boss).closed_by_id == close(boss, "again").closed_by_id == boss.pk
    accept = shifts.accept_shift
    assert why_not(accept, till.shift.pk, officer=officer_of(boss), by=by(boss)) == "same_person"
    assert "shift_accepted_by_another" in refused_by_the_database(
        lambda: Shift.objects.filter(pk=till.shift.pk).update(accepted_by=boss, accepted_at=later)
    )
    assert accept(till.shift.pk, officer=officer_of(third), by=by(third, later)).accepted_by_id == third.pk
    assert "shift_stays_as_closed" in refused_by_the_database(
        lambda: Shift.objects.filter(pk=till.shift.pk).update(closed_by=third)
    )


def test_nobody_counts_for_a_colleague_who_is_there_nor_for_himself_under_another_name():
    holder = make_person(0).account.holder
    till, himself = Till(holder=holder), person_of(OperatorRole.SUPERVISOR, holder=holder)
    late = NOON + timedelta(days=2)

    def close(person, now):
        closing = Closing(pieces(200_00), "交班")
        return shifts.close_shift(till.shift.pk, closing, officer=officer_of(person), by=by(person, now))

    assert why_not(close, himself, late) == "no_shift"
    assert why_not(close, person_of(OperatorRole.SUPERVISOR), NOON) == "no_shift"
    assert close(till.operator, late).closed_by_id is None


def test_a_supervisor_of_another_campus_does_not_see_the_shift():
    till, boss = Till(), person_of(OperatorRole.SUPERVISOR)
    boss.campus_id = type(boss.campus).objects.create(code="fushan", name_zh="浮山", name_en="F").pk
    boss.save(update_fields=["campus"])
    till.close()

    assert why_not(shifts.accept_shift, till.shift.pk, officer=officer_of(boss), by=by(boss)) == "no_shift"
    assert selectors_cash.shift(till.shift.pk, campus_id=boss.campus_id) is None
