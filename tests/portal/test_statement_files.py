"""The finer conditions of the statement, and the file that answers the same question."""

from __future__ import annotations

import csv
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.csvfile import MARK, cell, csv_lines
from accounts.models import Campus
from tests.portal.conftest import text_of
from transactions.days import local_day
from transactions.models import Entry, EntryKind, Merchant
from transactions.selectors import (
    StatementRange,
    statement_lines,
    statement_page,
    statement_summary,
    statement_totals,
)


@pytest.fixture
def spent(holder, till):
    """Opening 28.40, then 1.00, 2.50 and 4.00 spent at one merchant."""
    for fen in (1_00, 2_50, 4_00):
        assert till.tap(holder, fen).refusal is None
    return holder


def which(**finer) -> StatementRange:
    today = local_day(timezone.now())
    return StatementRange(today - timedelta(days=2), today + timedelta(days=1), **finer)


def fens(person, **finer) -> list[int]:
    return [line.book_change_fen for line in statement_page(person.account.pk, which(**finer)).lines]


def rows(answer) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode()
    assert text.startswith(MARK)
    return list(csv.reader(text[1:].splitlines()))


def test_bounds_are_both_included_and_know_no_direction(spent):
    assert fens(spent, least_fen=2_50) == [-4_00, -2_50, 28_40]
    assert fens(spent, least_fen=2_51) == [-4_00, 28_40]
    assert fens(spent, most_fen=2_50) == [-2_50, -1_00]
    assert fens(spent, most_fen=2_49) == [-1_00]
    assert fens(spent, least_fen=2_50, most_fen=4_00) == [-4_00, -2_50]


def test_a_merchant_and_a_campus_leave_out_the_rest(spent):
    totals, (merchant,) = statement_summary(spent.account.pk, which())
    elsewhere = Campus.objects.create(code="yushan", name_zh="鱼山校区", name_en="Yushan")
    other = Merchant.objects.create(
        name_zh="师苑餐厅", campus=elsewhere, contract_from=local_day(timezone.now())
    )

    assert fens(spent, merchant_id=merchant.pk) == [-4_00, -2_50, -1_00]
    assert fens(spent, campus_id=merchant.campus_id) == [-4_00, -2_50, -1_00]
    assert fens(spent, merchant_id=other.pk) == fens(spent, campus_id=elsewhere.pk) == []
    assert statement_totals(spent.account.pk, which(merchant_id=merchant.pk)).out_fen == 7_50
    assert totals == statement_totals(spent.account.pk, which())


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"kind": EntryKind.PURCHASE},
        {"kind": EntryKind.SUBSIDY},
        {"least_fen": 2_50},
        {"least_fen": 2_51, "most_fen": 4_00},
        {"until_seq": 2},
    ],
)
def test_the_summary_adds_up_what_is_asked_and_offers_every_merchant_of_these_days(spent, asked):
    totals, merchants = statement_summary(spent.account.pk, which(**asked))

    assert totals == statement_totals(spent.account.pk, which(**asked))
    assert [merchant.pk for merchant in merchants] == [merchant.pk for merchant in Merchant.objects.all()]


def test_a_summary_narrowed_to_a_merchant_or_a_campus_still_offers_the_others(spent):
    _totals, (merchant,) = statement_summary(spent.account.pk, which())

    for asked in ({"merchant_id": merchant.pk + 1}, {"campus_id": merchant.campus_id + 1}):
        totals, offered = statement_summary(spent.account.pk, which(**asked))
        assert (totals.count, offered) == (0, (merchant,))


def test_the_page_answers_the_finer_question_and_keeps_it_open(web, spent):
    page = text_of(web.get("/me/statement/", {"least": "2.5", "most": "4"}))

    assert page.count('class="change right"') == 2
    assert 'value="2.5"' in page
    assert '<details class="wide more" open>' in page
    assert "statement.csv?least=2.5&amp;most=4" in page


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"least": "4", "most": "2.50"}, "下限不能高于上限"),
        ({"least": "1e2"}, "金额"),
        ({"most": "-1"}, "金额"),
        ({"campus": "nowhere"}, "没有这个校区"),
        ({"merchant": "1; DROP"}, "没有这家商户"),
        ({"merchant": "٣"}, "没有这家商户"),
    ],
)
@pytest.mark.parametrize("place", ["/me/statement/", "/me/statement.csv"])
def test_a_question_that_makes_no_sense_is_answered_with_why(web, asked, says, place):
    answer = web.get(place, asked)

    assert answer.status_code == 400
    assert says in text_of(answer)


def test_the_file_has_every_line_once_and_adds_up(web, spent, till, monkeypatch):
    for fen in range(10, 40):
        assert till.tap(spent, fen).refusal is None

    head, *lines = rows(web.get("/me/statement.csv"))

    assert head[0] == "序号"
    assert [int(line[0]) for line in lines] == list(range(1, Entry.objects.count() + 1))
    changes = [round(float(line[head.index("金额")]) * 100) for line in lines]
    assert sum(changes) == spent.book_fen == round(float(lines[-1][head.index("账户余额")]) * 100)
    assert lines[1][head.index("金额")] == "-1.00"
    assert lines[1][head.index("卡计数")] == "1"


def test_the_file_goes_on_where_five_hundred_lines_end(spent, monkeypatch, django_assert_num_queries):
    assert [line.seq for line in statement_lines(spent.account.pk, which())] == [1, 2, 3, 4]
    with django_assert_num_queries(3):  # a page, its merchants, and the empty page behind it
        list(statement_lines(spent.account.pk, which()))


def test_the_file_is_the_holder_s_own_and_kept_by_nobody(web, spent, client):
    answer = web.get("/me/statement.csv")

    assert answer["Content-Disposition"].startswith(
        f'attachment; filename="statement-{spent.account.number}-'
    )
    assert "no-store" in answer["Cache-Control"]
    assert web.get("/me/statement.csv", {"account": "10086"}).status_code == 404


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1", "\n=1"])
def test_no_cell_is_taken_for_a_formula(text):
    assert cell(text) == f"'{text}"


def test_numbers_stay_numbers_and_words_words():
    assert cell(-130) == "-130"
    assert cell("师苑餐厅") == "师苑餐厅"
    assert list(csv_lines(["甲"], [["一,二"]])) == [f"{MARK}甲\r\n", '"一,二"\r\n']
