"""The nightly comparison on real rows: who is frozen, which cases open, renew and close."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import AuditEvent, Card
from accounts.services.onerun import AlreadyRunning, alone
from reconciliation.mismatch import GRACE
from reconciliation.models import Case, ReconcileRun
from reconciliation.services.reconcile import (
    ClockWrong,
    refuse_wrong_clock,
)
from tests.reconciliation.books import NOW, Book, open_cases, reasons, run

pytestmark = pytest.mark.django_db


# ---------------------------------------------------------------------------------------------- freezing, L95


@pytest.mark.parametrize(
    ("card_fen", "book_fen", "frozen"),
    [
        (80_00, 28_00, ["card_above_book"]),
        (50_00, 0, []),
        (50_01, 0, ["card_above_book"]),
        (28_00, 80_00, []),
    ],
    ids=["gap 52", "gap exactly 50", "gap 50.01", "book above card"],
)
def test_freezes_a_card_more_than_50_yuan_above_its_book(card_fen, book_fen, frozen):
    """指南: 差额大于50元（例如：智能卡余额为80元，数据库余额为28元，差额为52元）……冻结。"""
    book = Book.open(card_fen)
    if book_fen < card_fen:
        book.pay(card_fen - book_fen, torn=True)
    else:
        book.top_up(book_fen - card_fen, written=False)

    outcome = run()

    assert reasons(book) == frozen
    assert outcome.to_json()["frozen"]["card_above_book"] == len(frozen)


@pytest.mark.parametrize(("book_fen", "frozen"), [(-1, ["book_negative"]), (0, [])])
def test_freezes_a_negative_book(book_fen, frozen):
    """指南: 当数据库余额为负数时（例如：-0.01元）……冻结。"""
    book = Book.open(10_00)
    book.pay_offline(10_00 - book_fen)
    book.upload(10_00 - book_fen)

    run()

    assert reasons(book) == frozen


@pytest.mark.parametrize(("tears", "frozen"), [(38, []), (39, ["card_above_book"])], ids=["49.40", "50.70"])
def test_many_torn_taps_of_1_30_freeze_with_the_39th(tears, frozen):
    """指南: 当多次拿卡过快，数据库和卡片余额累计差额大于50时，智能卡将被冻结。"""
    book = Book.open(100_00)
    for _ in range(tears):
        book.pay(1_30, torn=True)

    run()

    assert reasons(book) == frozen
    assert open_cases(book) == [("TORN", tears * 1_30)]


def test_the_example_of_the_guide_is_a_case_but_no_freeze():
    """指南: 数据库余额、卡片余额为2.4元，消费1.3元……消费后数据库中的余额为1.1元，卡片中仍然余额为2.4元。"""
    book = Book.open(2_40)
    book.pay(1_30, torn=True)

    run()

    case = Case.objects.get(account=book.account)
    assert reasons(book) == []
    assert (case.mismatch, case.at_risk_fen, case.proposal) == ("TORN", 1_30, "write_card")
    assert case.numbers == {"fen": 1_30, "card_after_fen": 1_10}
    assert {name: case.evidence[name] for name in ("book_fen", "card_fen", "difference_fen", "torn_fen")} == {
        "book_fen": 1_10,
        "card_fen": 2_40,
        "difference_fen": 1_30,
        "torn_fen": 1_30,
    }


def test_an_account_without_a_card_is_frozen_too_when_its_book_is_negative():
    book = Book.open(10_00)
    book.pay_offline(10_01)
    book.upload(10_01)
    book.change_card(life="replaced")

    outcome = run()

    assert outcome.compared == 0
    assert reasons(book) == ["book_negative"]
    assert open_cases(book) == [("NEGATIVE", 1)]


def test_a_replaced_card_does_not_count_against_the_book():
    book = Book.open(80_00)
    book.pay(70_00, torn=True)
    book.change_card(life="replaced")

    run()

    assert reasons(book) == []
    assert open_cases(book) == []


def test_only_the_live_card_of_several_is_compared():
    book = Book.open(80_00)
    book.pay(70_00, torn=True)
    book.change_card(life="replaced", uid="AAAAAAAA")
    book.card = Card.objects.create(
        account=book.account, uid="BBBBBBBB", issue_no=2, life="active", load_seq=1, load_total_fen=10_00
    )
    book.pay(1_30, torn=True)

    outcome = run()

    assert outcome.compared == 1
    assert reasons(book) == []
    assert open_cases(book) == [("TORN", 1_30)]


def test_a_freeze_is_written_once_with_version_and_audit():
    book = Book.open(80_00)
    book.pay(52_00, torn=True)
    version = book.fresh().version

    run()
    run()

    event = AuditEvent.objects.get(object_kind="account", object_id=str(book.account.id))
    assert book.fresh().version == version + 1
    assert event.actor == "system:reconcile"
    assert event.after["frozen_reasons"] == ["card_above_book"]
    assert event.reason == "book 2800 card 8000"


def test_another_reason_is_added_to_a_frozen_account():
    book = Book.open(80_00)
    book.pay(52_00, torn=True)
    run()
    book.pay_offline(29_00)
    book.upload(29_00)

    run()

    assert reasons(book) == ["book_negative", "card_above_book"]


# ------------------------------------------------------------------------------- a sale that is just happening


@pytest.mark.parametrize(
    ("age", "reported", "frozen"),
    [
        (timedelta(seconds=9), False, False),
        (timedelta(seconds=9), True, True),
        (timedelta(seconds=10), False, True),
    ],
    ids=["its till still waits for the card", "its till said the write failed", "nobody waits any more"],
)
def test_a_sale_in_flight_is_no_difference_yet(age, reported, frozen):
    book = Book.open(100_00)
    entry = book.pay(60_00, torn=True, at=NOW - age)
    if reported:
        book.report_outcome(entry)

    run()

    assert bool(reasons(book)) is frozen


def test_only_the_newest_leg_can_be_in_flight():
    book = Book.open(200_00)
    book.pay(51_00, torn=True, at=NOW)
    book.pay(1_00, torn=True, at=NOW)

    run()

    assert reasons(book) == ["card_above_book"]


@pytest.mark.parametrize(
    ("age", "expected"), [(GRACE - timedelta(seconds=1), []), (GRACE, [("TORN", 1_30)])], ids=["young", "old"]
)
def test_a_torn_leg_is_a_case_after_the_grace(age, expected):
    book = Book.open(2_40)
    book.pay(1_30, torn=True, at=NOW - age)

    run()

    assert open_cases(book) == expected


# ------------------------------------------------------------------------------------------------ the command


def test_a_dry_run_says_the_same_and_writes_nothing():
    book = Book.open(80_00)
    book.pay(52_00, torn=True)

    with connection.execute_wrapper(refuse_writes):
        outcome = run(dry_run=True)

    assert reasons(book) == []
    assert not Case.objects.exists()
    assert not ReconcileRun.objects.exists()
    assert outcome.to_json() == run().to_json()


def refuse_writes(execute, sql, params, many, context):
    assert not sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")), sql
    return execute(sql, params, many, context)


def test_a_run_is_recorded_with_what_it_did():
    book = Book.open(80_00)
    book.pay(52_00, torn=True)

    outcome = run()

    record = ReconcileRun.objects.get()
    assert record.finished_at >= record.started_at
    assert (record.compared, record.result) == (1, outcome.to_json() | {"postponed": 0})


def test_the_command_prints_one_json_object():
    out = StringIO()

    call_command("reconcile", "--json", stdout=out)

    assert set(json.loads(out.getvalue())) == {"compared", "frozen", "levelled", "cases_opened"}


def test_the_command_prints_lines_for_people():
    book = Book.open(80_00)
    book.pay(52_00, torn=True)
    out = StringIO()

    call_command("reconcile", stdout=out)

    assert out.getvalue().splitlines() == [
        "compared 1",
        "frozen card_above_book 1",
        "levelled 0",
        "opened TORN 1",
    ]


@pytest.mark.parametrize("apart", [timedelta(seconds=-3), timedelta(seconds=3)])
def test_a_wrong_clock_stops_the_run(apart):
    with pytest.raises(ClockWrong):
        refuse_wrong_clock(datetime.now(UTC) + apart)


def test_a_right_clock_does_not():
    refuse_wrong_clock(datetime.now(UTC) - timedelta(seconds=1))


@pytest.mark.django_db(transaction=True)
def test_the_second_of_two_at_once_refuses():
    from threading import Event, Thread

    inside, leave = Event(), Event()
    seen = []

    def first():
        def wait(execute, sql, params, many, context):
            inside.set()
            leave.wait(10)
            return execute(sql, params, many, context)

        try:
            with alone("reconcile"), connection.execute_wrapper(wait):
                connection.cursor().execute("SELECT 1")
            seen.append("done")
        finally:
            connection.close()

    thread = Thread(target=first)
    thread.start()
    inside.wait(10)
    try:
        with pytest.raises(AlreadyRunning):
            run()
        with pytest.raises(CommandError, match="another reconcile is running"):
            call_command("reconcile")
    finally:
        leave.set()
        thread.join()

    assert seen == ["done"]
    assert run().compared == 0
