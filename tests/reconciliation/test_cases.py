"""Which case a difference becomes, and how it renews, closes itself or waits for a person."""

from __future__ import annotations

from datetime import timedelta

import pytest

from purse.policy import Policy
from reconciliation.models import Case, CaseNote
from reconciliation.services import cases
from reconciliation.services.reconcile import ACTOR
from tests.reconciliation.books import NOW, Book, open_cases, reasons, run

pytestmark = pytest.mark.django_db


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
