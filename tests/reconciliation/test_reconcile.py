"""The nightly comparison on real rows: who is frozen, which cases open, renew and close."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import AuditEvent, Card
from purse.policy import Policy
from reconciliation.mismatch import GRACE
from reconciliation.models import Case, CaseNote, ReconcileRun
from reconciliation.services import cases
from reconciliation.services.reconcile import (
    ACTOR,
    AlreadyRunning,
    ClockWrong,
    RunOrder,
    reconcile,
    refuse_wrong_clock,
)
from tests.reconciliation.books import NOW, Book

pytestmark = pytest.mark.django_db


def run(**options):
    return reconcile(RunOrder(now=options.pop("now", NOW), **options))


def open_cases(book):
    rows = Case.objects.filter(account=book.account, state="open").order_by("mismatch")
    return [(case.mismatch, case.at_risk_fen) for case in rows]


def reasons(book):
    return book.fresh().frozen_reasons


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


# ----------------------------------------------------------------------------------------- classes of mismatch


def test_a_gap_of_a_till_that_is_away_waits_for_the_upload():
    book = Book.open(20_00)
    book.pay_offline(7_00)

    run()

    case = Case.objects.get(account=book.account)
    assert (case.mismatch, case.at_risk_fen, case.proposal) == ("OFFLINE_GAP", 7_00, "await_upload")
    assert reasons(book) == []


def test_a_late_upload_after_levelling_is_a_double_deduction_and_frozen():
    """指南: 经过平账处理后再次扣除脱机消费金额……系统将对智能卡进行冻结处理，将重复扣除的消费金额返还给持卡人。"""
    book = Book.open(64_60)
    book.pay_offline(23_40)
    book.level(23_40)
    book.upload(23_40, late=True)

    outcome = run()

    case = Case.objects.get(account=book.account)
    assert (case.mismatch, case.proposal) == ("DOUBLE", "refund_late")
    assert case.numbers == {"fen": 23_40, "book_after_fen": 41_20}
    assert outcome.to_json()["frozen"]["late_upload"] == 1
    assert reasons(book) == ["late_upload"]


def test_the_policy_may_leave_late_uploads_unfrozen():
    book = Book.open(64_60)
    book.pay_offline(23_40)
    book.level(23_40)
    book.upload(23_40, late=True)

    run(policy=Policy(freeze_on_late_upload=False))

    assert reasons(book) == []


def test_a_credit_that_did_not_reach_the_card_is_a_torn_load():
    book = Book.open(5_00)
    book.top_up(50_00, written=False)

    run()

    case = Case.objects.get(account=book.account)
    assert (case.mismatch, case.at_risk_fen) == ("TORN_LOAD", 50_00)
    assert case.numbers == {"fen": 50_00, "card_after_fen": 55_00}


def test_money_that_no_record_explains_is_an_excess():
    book = Book.open(20_00)
    book.change_card(load_total_fen=20_01)

    run()

    assert open_cases(book) == [("EXCESS", 1)]
    assert reasons(book) == []


@pytest.mark.parametrize(
    ("kind", "mismatch", "proposal"),
    [
        ("fork", "FORK", "void_card"),
        ("rollback", "ROLLBACK", "void_card"),
        ("excess", "EXCESS", "keep_card"),
    ],
)
def test_what_a_tap_found_becomes_a_case(kind, mismatch, proposal):
    book = Book.open(20_00)
    book.find(kind, card_fen=27_00, book_fen=20_00, torn_fen=1_00)

    outcome = run()

    case = Case.objects.get(account=book.account)
    assert (case.mismatch, case.at_risk_fen, case.proposal) == (mismatch, 6_00, proposal)
    assert case.findings.count() == 1
    assert outcome.to_json()["cases_opened"][mismatch] == 1


def test_a_book_below_zero_says_what_remains_to_be_collected():
    book = Book.open(20_00)
    book.pay_offline(6_00)
    book.level(6_00)
    book.pay(12_00, torn=True)
    book.pay_offline(9_00)
    book.upload(9_00)
    book.upload(6_00, late=True)

    run()

    case = Case.objects.get(account=book.account, mismatch="NEGATIVE")
    assert (case.at_risk_fen, case.proposal) == (13_00, "collect")
    assert case.numbers == {"fen": 13_00, "rest_fen": 7_00}
    assert open_cases(book) == [("DOUBLE", 6_00), ("NEGATIVE", 13_00), ("TORN", 12_00)]


def test_every_item_of_a_mixed_difference_is_a_case_of_its_own():
    book = Book.open(100_00)
    book.top_up(10_00, written=False)
    book.pay(3_00, torn=True)
    book.pay_offline(4_00)

    run()

    assert open_cases(book) == [("OFFLINE_GAP", 4_00), ("TORN", 3_00), ("TORN_LOAD", 10_00)]


def test_items_that_cancel_out_are_seen_all_the_same():
    book = Book.open(100_00)
    book.top_up(10_00, written=False)
    book.pay(10_00, torn=True)

    run()

    assert book.fresh().book_fen == book.fresh_card().card_fen
    assert open_cases(book) == [("TORN", 10_00), ("TORN_LOAD", 10_00)]


def test_a_level_card_is_nobodys_business():
    book = Book.open(30_00)
    book.pay(3_00)
    book.subsidy(100_00)

    outcome = run()

    assert outcome.to_json() == {
        "compared": 1,
        "frozen": {"book_negative": 0, "card_above_book": 0, "late_upload": 0},
        "levelled": 0,
        "cases_opened": {
            "TORN": 0,
            "OFFLINE_GAP": 0,
            "DOUBLE": 0,
            "TORN_LOAD": 0,
            "EXCESS": 0,
            "FORK": 0,
            "ROLLBACK": 0,
            "NEGATIVE": 0,
        },
    }
    assert not Case.objects.exists()


# --------------------------------------------------------------------------------------- the life of a case


def test_twice_is_once():
    book = Book.open(100_00)
    book.pay(52_00, torn=True)
    book.find("fork")
    run()
    before = list(Case.objects.order_by("id").values()), CaseNote.objects.count()

    outcome = run(now=NOW + timedelta(hours=1))

    assert (list(Case.objects.order_by("id").values()), CaseNote.objects.count()) == before
    assert outcome.to_json()["cases_opened"]["TORN"] == 0
    assert outcome.to_json()["frozen"]["card_above_book"] == 0


def test_a_case_closes_itself_with_its_difference():
    book = Book.open(2_40)
    book.pay(1_30, torn=True)
    run()
    book.heal()

    run(now=NOW + timedelta(days=1))

    case = Case.objects.get(account=book.account)
    assert (case.state, case.closed_at) == ("closed", NOW + timedelta(days=1))
    assert list(case.notes.order_by("id").values_list("kind", "numbers")) == [
        ("opened", {"fen": 1_30, "card_after_fen": 1_10}),
        ("gone", {"fen": 1_30}),
    ]


def test_a_growing_difference_renews_its_case_and_leaves_a_note():
    book = Book.open(10_00)
    book.pay(1_30, torn=True)
    run()
    book.pay(2_00, torn=True)

    run()

    case = Case.objects.get(account=book.account)
    assert case.at_risk_fen == 3_30
    assert case.notes.order_by("-id").first().numbers == {"before_fen": 1_30, "after_fen": 3_30}


def test_the_same_difference_again_is_a_new_case():
    book = Book.open(10_00)
    for _ in range(2):
        book.pay(1_30, torn=True)
        run()
        book.heal()
        run()

    assert Case.objects.filter(account=book.account, state="closed").count() == 2


def test_a_suspect_card_waits_for_a_person():
    book = Book.open(20_00)
    book.find("excess", card_fen=21_00, book_fen=20_00)
    run()

    run()
    stays = open_cases(book)
    cases.decide(Case.objects.get().pk, "卡已作废，换发新卡。", actor=ACTOR, now=NOW)
    run()

    assert stays == [("EXCESS", 1_00)]
    assert open_cases(book) == []
    assert CaseNote.objects.get(kind="decided").text == "卡已作废，换发新卡。"


def test_a_new_finding_after_a_decision_is_a_new_case():
    book = Book.open(20_00)
    book.find("fork", "spend 3/100", card_fen=26_00, book_fen=20_00)
    run()
    cases.decide(Case.objects.get().pk, "误读。", actor=ACTOR, now=NOW)
    book.find("fork", "spend 4/120")

    run()

    assert open_cases(book) == [("FORK", 0)]
    assert Case.objects.get(state="open").findings.count() == 1


def test_a_difference_cannot_be_declared_settled():
    book = Book.open(2_40)
    book.pay(1_30, torn=True)
    run()

    with pytest.raises(cases.NotClosable):
        cases.decide(Case.objects.get().pk, "算了", actor=ACTOR, now=NOW)

    assert open_cases(book) == [("TORN", 1_30)]


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
            from reconciliation.services import reconcile as module

            with module._only_run(), connection.execute_wrapper(wait):
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
