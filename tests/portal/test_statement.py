"""The statement: pages by cursor, ranges of days, kinds, totals, and every bad question."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.views import own
from tests.campus import make_person
from tests.portal.conftest import text_of
from transactions.days import local_day
from transactions.models import Entry, Mode
from transactions.selectors import StatementRange, latest_lines, statement_page, statement_totals
from transactions.services.credit import Credit, credit_unclaimed


@pytest.fixture
def busy(holder, till):
    """A holder with an opening and 45 purchases of 0.10 to 0.54 yuan."""
    for fen in range(10, 55):
        assert till.tap(holder, fen).refusal is None
    return holder


def everything() -> StatementRange:
    today = local_day(timezone.now())
    return StatementRange(today - timedelta(days=2), today + timedelta(days=2))


def test_pages_follow_each_other_without_gap_or_repetition(busy):
    seen, cursor = [], None
    for _ in range(4):
        page = statement_page(busy.account.pk, everything(), older_than=cursor)
        seen += [line.seq for line in page.lines]
        cursor = page.older_than
        if cursor is None:
            break

    assert seen == list(range(46, 0, -1))


def test_going_back_shows_the_page_one_came_from(busy):
    first = statement_page(busy.account.pk, everything())
    second = statement_page(busy.account.pk, everything(), older_than=first.older_than)
    third = statement_page(busy.account.pk, everything(), older_than=second.older_than)

    back = statement_page(busy.account.pk, everything(), newer_than=third.newer_than)

    assert [line.seq for line in back.lines] == [line.seq for line in second.lines]
    assert (first.newer_than, third.older_than) == (None, None)
    assert len(third.lines) == 6


def test_the_first_page_has_no_newer_neighbour_when_reached_from_below(busy):
    second = statement_page(busy.account.pk, everything(), older_than=27)

    back = statement_page(busy.account.pk, everything(), newer_than=second.newer_than)

    assert [line.seq for line in back.lines] == list(range(46, 26, -1))
    assert back.newer_than is None
    assert back.older_than == 27


def test_totals_add_up_to_the_book(busy):
    totals = statement_totals(busy.account.pk, everything())

    assert totals.in_fen - totals.out_fen == busy.book_fen
    assert (totals.in_fen, totals.out_fen, totals.count) == (28_40, sum(range(10, 55)), 46)


def test_another_account_is_never_in_the_range(busy, till):
    neighbour = make_person(5_00)
    till.tap(neighbour, 1_00)

    lines = latest_lines(neighbour.account.pk)

    assert [line.seq for line in lines] == [2, 1]
    assert statement_totals(busy.account.pk, everything()).count == 46


def test_a_page_needs_at_most_ten_statements(web, busy, django_assert_max_num_queries):
    with django_assert_max_num_queries(10):
        page = text_of(web.get("/me/statement/"))

    assert page.count('class="change right"') == 20
    assert "卡计数 45" in page


def test_the_links_lead_through_the_whole_statement(web, busy):
    page = text_of(web.get("/me/statement/"))
    older = re.search(r'rel="next" href="([^"]+)"', page)[1].replace("&amp;", "&")

    second = text_of(web.get(f"/me/statement/{older}"))
    newer = re.search(r'rel="prev" href="([^"]+)"', second)[1].replace("&amp;", "&")

    assert "-¥0.34" in second
    assert "-¥0.35" not in second
    assert 'class="change right"' in text_of(web.get(f"/me/statement/{newer}"))


def test_a_kind_shows_that_kind_and_its_totals(web, busy):
    page = text_of(web.get("/me/statement/?kind=opening"))

    assert page.count('class="change right"') == 1
    assert "+¥28.40" in page
    assert "-¥0.00" in page


def test_unclaimed_money_is_marked_as_such(web, holder):
    credit_unclaimed(Credit(uuid.uuid4(), holder.account.pk, 200_00), now=timezone.now())

    page = text_of(web.get("/me/statement/"))

    assert "补助" in page
    assert "+¥200.00" in page
    assert "待领" in page


def test_an_offline_sale_says_when_it_was_and_when_it_was_posted(web, holder, till, monkeypatch):
    till.tap(holder, 1_00)
    lines = latest_lines(holder.account.pk)
    before = timezone.now() - timedelta(days=3)
    late = replace(lines[0], mode=Mode.OFFLINE, occurred_at=before)
    monkeypatch.setattr(own, "latest_lines", lambda account_id: (late,))

    page = text_of(web.get("/me/"))

    assert f"脱机 {timezone.localtime(before):%m-%d} 入账 {timezone.localtime():%m-%d}" in page


def test_nothing_in_the_range_is_said_so(web):
    page = text_of(web.get("/me/statement/?start=2024-01-01&end=2024-02-01"))

    assert "该时段没有流水" in page


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("start=2026-03-02&end=2026-03-01", "起始日期不能晚于截止日期"),
        ("start=2025-03-01&end=2026-03-02", "一次最多查询一年"),
        ("start=2026-02-30", "日期不存在"),
        ("start=0000-01-01", "日期不存在"),
        ("end=9999-12-31", "日期超出可查询的范围"),
        ("end=10000-01-01", "日期不存在"),
        ("start=2026-08-03T00:00%2B09:00", "日期不存在"),
        ("start=２０２６-01-01", "日期不存在"),
        ("older=-1", "页码不正确"),
        ("older=abc", "页码不正确"),
        ("older=1000000000000000000", "页码不正确"),
        ("older=0", "页码不正确"),
        ("older=4294967296", "页码不正确"),
        ("older=5&newer=7", "页码不正确"),
        ("sort=book_after_fen", "查询条件不正确"),
        ("kind=evil", "没有这种类型"),
        ("kind=opening&kind=fee", "重复提交"),
        ("start=2026-01-01&start=2026-01-02", "重复提交"),
        ("end=%00", "日期不存在"),
        ("end=%FF%FE", "日期不存在"),
    ],
)
def test_a_bad_question_is_answered_with_words_and_no_rows(web, busy, question, words):
    """reliability.md section 7, items 56 to 63."""
    answer = web.get(f"/me/statement/?{question}")

    assert answer.status_code == 400
    assert words in text_of(answer)
    assert 'class="change right"' not in text_of(answer)


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ("start=2025-03-01&end=2026-03-01", 200),
        ("start=2025-02-28&end=2026-03-01", 400),
        ("start=2027-02-28&end=2028-02-29", 200),
        ("start=2027-02-27&end=2028-02-29", 400),
        ("older=4294967295", 200),
        ("start=&end=&kind=", 200),
    ],
)
def test_the_bounds_of_a_question(web, question, status):
    assert web.get(f"/me/statement/?{question}").status_code == status


def test_asking_writes_no_movement(web, busy):
    before = Entry.objects.count()

    web.get("/me/statement/")

    assert Entry.objects.count() == before
