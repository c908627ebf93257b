"""The statement on paper: it adds up to the fen, its code fits nothing else, and anybody who holds it can check it."""

from __future__ import annotations

import re
import uuid
from datetime import date, timedelta

import pytest
from django.utils import timezone

from accounts.models import Account, Card
from accounts.wiring import secrets
from portal.periods import periods, term_start
from portal.views.statements import TURNS
from tests.campus import make_person
from tests.portal.conftest import text_of
from transactions import statements
from transactions.days import local_day
from transactions.models import EntryKind
from transactions.selectors import StatementRange
from transactions.services.credit import Credit, credit_unclaimed

WHERE = "/me/statement/print/"


@pytest.fixture
def busy(holder, till):
    """28.40 at first, then 45 purchases of 0.10 to 0.54 yuan, then 2.00 that nobody has claimed yet."""
    for fen in range(10, 55):
        assert till.tap(holder, fen).refusal is None
    credit_unclaimed(Credit(uuid.uuid4(), holder.account.pk, 2_00), now=timezone.now())
    return holder


def these_days(**finer) -> StatementRange:
    today = local_day(timezone.now())
    return StatementRange(today - timedelta(days=2), today + timedelta(days=2), **finer)


def of(person, which: StatementRange | None = None) -> statements.Statement:
    account = person.account
    return statements.of(account.pk, account.number, which or these_days(), secrets=secrets())


def check(client, reference: str, code: str):
    return client.post("/statement-check/", {"reference": reference, "code": code})


# ------------------------------------------------------------------------------------------ the arithmetic


def test_opening_plus_in_minus_out_is_closing_and_closing_is_the_book(busy):
    found = of(busy)
    sums = found.totals

    assert found.opening_fen == 0
    assert (sums.in_fen, sums.out_fen, sums.count) == (28_40, sum(range(10, 55)), 47)
    assert found.opening_fen + sums.in_fen - sums.out_fen == found.closing_fen == busy.book_fen
    assert found.earlier is None


def test_sheets_and_kinds_add_up_to_the_same_sums(busy):
    found = of(busy)

    assert [len(sheet.lines) for sheet in found.sheets] == [14, 26, 7]
    assert [sheet.number for sheet in found.sheets] == [1, 2, 3]
    assert [line.seq for sheet in found.sheets for line in sheet.lines] == list(range(1, 48))
    for parts in (found.sheets, found.kinds):
        assert sum(part.in_fen for part in parts) == found.totals.in_fen
        assert sum(part.out_fen for part in parts) == found.totals.out_fen
    counts = [(row.kind, row.count) for row in found.kinds]
    assert counts[0] == (EntryKind.PURCHASE, 45)
    assert sum(count for _, count in counts) == found.totals.count


def test_a_part_of_the_history_begins_with_the_book_before_it(busy):
    until = of(busy, these_days(until_seq=10))

    assert until.totals.count == 10
    assert until.closing_fen == 28_40 - sum(range(10, 19))
    assert until.opening_fen == 0


@pytest.mark.parametrize(
    ("days", "book_fen"), [(1, 3_40), (-400, 0)], ids=["after all of it", "before any of it"]
)
def test_days_without_movements_keep_the_book_that_there_was(holder, till, days, book_fen):
    till.tap(holder, 25_00)
    first = local_day(timezone.now()) + timedelta(days=days)

    found = of(holder, StatementRange(first, first + timedelta(days=3)))

    assert (found.sheets, found.kinds, found.totals.count) == ([], [], 0)
    assert found.opening_fen == found.closing_fen == book_fen


def test_too_many_lines_are_carried_forward_and_said_so(busy, web, monkeypatch):
    """The sums still hold: opening, what is not listed, what is listed, closing."""
    monkeypatch.setattr(statements, "MOST", 20)

    found = of(busy)

    listed = [line for sheet in found.sheets for line in sheet.lines]
    assert [line.seq for line in listed] == list(range(28, 48))
    assert found.earlier.count == 27
    assert found.opening_fen + found.earlier.in_fen - found.earlier.out_fen == found.carried_fen
    assert (
        found.carried_fen + sum(line.book_change_fen for line in listed) == found.closing_fen == busy.book_fen
    )
    assert "之前的 27 笔没有列出" in text_of(web.get(WHERE))


def test_five_thousand_lines_are_printed(busy, web, monkeypatch):
    page = statements.money.statement_page

    def many(*args, **kwargs):
        found = page(*args, **kwargs)
        return type(found)((found.lines[0],) * kwargs["size"], None, None)

    monkeypatch.setattr(statements.money, "statement_page", many)

    answer = web.get(WHERE)

    assert statements.MOST == 5_000
    assert text_of(answer).count('class="when num"') == 5_000 + 193
    assert "第 193 页，共 193 页" in text_of(answer)


# ------------------------------------------------------------------------------------------------ the code


def test_the_code_fits_this_statement_alone(busy, till):
    before, other = of(busy), of(make_person(28_40))
    till.tap(busy, 1)
    after = of(busy)

    assert re.fullmatch(r"(?:[0-9A-HJKMNP-TV-Z]{4}-){2}[0-9A-HJKMNP-TV-Z]{4}", before.code)
    assert len({before.code, after.code, other.code, of(busy, these_days(until_seq=3)).code}) == 4
    assert of(busy, these_days(until_seq=47)).code == before.code
    assert statements.fits(before, before.code.lower().replace("-", " "))
    assert not statements.fits(before, before.code[:-1])
    assert not statements.fits(before, "")


@pytest.mark.parametrize("field", ["book_change_fen", "book_after_fen", "seq", "terminal_id", "merchant_id"])
def test_a_changed_line_has_another_code(busy, field, monkeypatch):
    """Every line is in the code, not only the sums."""
    before = of(busy)
    page = statements.money.statement_page

    def forged(*args, **kwargs):
        found = page(*args, **kwargs)
        lines = list(found.lines)
        value = getattr(lines[5], field)
        lines[5] = type(lines[5])(
            **{name: getattr(lines[5], name) for name in lines[5].__slots__} | {field: value + 1}
        )
        return type(found)(tuple(lines), found.older_than, found.newer_than)

    monkeypatch.setattr(statements.money, "statement_page", forged)

    assert of(busy).code != before.code


def test_whoever_holds_the_paper_sees_its_sums_and_nobody_s_name(busy, web, client, till):
    page = text_of(web.get(WHERE))
    reference, code = re.findall(r'class="check-code">([0-9A-Z-]+)<', page)
    till.tap(busy, 30)  # what comes later changes nothing about a paper
    client.logout()

    answer = check(client, f" {reference.replace('-', '－')} ", code.lower().replace("0", "o"))

    assert answer.status_code == 200
    said = text_of(answer)
    assert "是系统打印的流水" in said
    for amount in ("+¥28.40", f"-¥{sum(range(10, 55)) / 100:.2f}", ">47<"):
        assert amount in page.replace('<span class="sign">+</span>', "+").replace(
            '<span class="sign">-</span>', "-"
        )
        assert amount in said
    assert "张" not in said
    assert "示范一餐厅" not in said
    assert "no-store" in answer.headers["Cache-Control"]


def test_an_empty_statement_can_be_checked_even_when_there_is_something_later(client, db):
    person = make_person(0)
    found = of(person)
    credit_unclaimed(Credit(uuid.uuid4(), person.account.pk, 2_00), now=timezone.now())

    assert found.reference.endswith("-0")
    assert check(client, found.reference, found.code).status_code == 200
    assert of(person).totals.count == 1


def test_the_paper_of_a_closed_account_is_still_good(client, till):
    person = make_person(1_00)
    till.tap(person, 1_00)
    found = of(person)
    Card.objects.filter(account=person.account).update(life="returned")
    for life in ("closing", "closed"):
        ended = timezone.now() if life == "closed" else None
        Account.objects.filter(pk=person.account.pk).update(life=life, closed_at=ended)

    assert check(client, found.reference, found.code).status_code == 200


def test_whatever_does_not_fit_gets_one_answer(busy, client):
    found = of(busy)
    number, first, last, seq = found.reference.split("-")
    wrong = [
        (found.reference, "0" + found.code[1:] if found.code[0] != "0" else "1" + found.code[1:]),
        (found.reference, found.code[:-1] + ("0" if found.code[-1] != "0" else "1")),
        (f"{number}-{first}-{last}-46", found.code),
        (f"99999-{first}-{last}-{seq}", found.code),
        (f"{number}-20260230-{last}-{seq}", found.code),
        (f"{number}-{last}-{first}-{seq}", found.code),
        (f"{number}-{first}-{last}-99999999999999999999", found.code),
        (f"{number}-{first}-{last}-0{seq}", found.code),
        ("甲乙丙", "甲"),
        ("\x00", "\x00"),
    ]

    answers = [check(client, *typed) for typed in wrong]

    assert [answer.status_code for answer in answers[:-1]] == [404] * (len(wrong) - 1)
    assert answers[-1].status_code == 400
    assert all("查无此件" in text_of(answer) for answer in answers[:-1])
    assert not any("28.40" in text_of(answer) for answer in answers)


def test_an_account_that_does_not_exist_is_answered_without_reading_any(busy, django_assert_num_queries):
    """Nobody learns from the time of an answer which numbers there are."""
    found = of(busy)
    code = "0" + found.code[1:] if found.code[0] != "0" else "1" + found.code[1:]

    with django_assert_num_queries(0):
        assert statements.checked(found.reference, code, secrets=secrets()) is None
        assert statements.checked("99999" + found.reference[5:], found.code, secrets=secrets()) is None


def test_a_guesser_is_stopped(busy, client):
    found = of(busy)
    for _ in range(TURNS.limit):
        assert check(client, found.reference, "AAAA-AAAA-AAAA").status_code == 404

    assert check(client, found.reference, found.code).status_code == 429


# ------------------------------------------------------------------------------------------------ the page


def test_the_page_has_both_languages_its_sheets_and_no_more_than_ten_statements(
    busy, web, django_assert_max_num_queries
):
    with django_assert_max_num_queries(10):
        page = text_of(web.get(WHERE))
    web.post("/i18n/setlang/", {"language": "en", "next": WHERE})

    assert page.count("<table") == page.count("<caption") == 4
    assert "第 3 页，共 3 页" in page
    assert "Page 3 of 3" in text_of(web.get(WHERE))


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("start=2026-03-02&end=2026-03-01", "起始日期不能晚于截止日期"),
        ("start=2025-03-01&end=2026-03-02", "一次最多查询一年"),
        ("start=2026-02-30", "日期不存在"),
        ("start=2026-01-01&start=2026-01-02", "重复提交"),
        ("kind=purchase", "查询条件不正确"),
        ("end=%00", "日期不存在"),
    ],
)
def test_strange_days_are_said_and_nothing_is_printed(busy, web, question, words):
    """reliability.md section 7, items 56 to 63."""
    answer = web.get(f"{WHERE}?{question}")

    assert answer.status_code == 400
    assert words in text_of(answer)
    assert "check-code" not in text_of(answer)


@pytest.mark.parametrize(("days", "status"), [(0, 200), (1, 400)])
def test_what_begins_after_today_has_no_book_to_begin_with(web, days, status):
    first = local_day(timezone.now()) + timedelta(days=days)

    answer = web.get(WHERE, {"start": first.isoformat(), "end": (first + timedelta(days=3)).isoformat()})

    assert answer.status_code == status
    assert ("起始日期不能晚于今天" in text_of(answer)) == bool(days)


def test_only_one_s_own_is_printed(busy, web):
    other = make_person(77_77)

    assert web.get(f"{WHERE}?account={other.account.number}").status_code == 404
    assert "77.77" not in text_of(web.get(WHERE))


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (date(2026, 9, 1), [(9, 1, 9, 1), (8, 1, 8, 31), (9, 1, 9, 1), (2, 1, 8, 31)]),
        (date(2026, 8, 31), [(8, 1, 8, 31), (7, 1, 7, 31), (2, 1, 8, 31), (9, 1, 1, 31)]),
        (date(2026, 1, 31), [(1, 1, 1, 31), (12, 1, 12, 31), (9, 1, 1, 31), (2, 1, 8, 31)]),
        (date(2026, 2, 1), [(2, 1, 2, 1), (1, 1, 1, 31), (2, 1, 2, 1), (9, 1, 1, 31)]),
    ],
)
def test_months_and_terms_follow_each_other_without_a_gap(today, expected):
    offered = periods(today)

    assert [(p.first.month, p.first.day, p.last.month, p.last.day) for p in offered[:4]] == expected
    assert offered[1].last + timedelta(days=1) == offered[0].first
    assert offered[3].last + timedelta(days=1) == offered[2].first == term_start(today)
    assert all(period.first <= period.last <= today for period in offered)


@pytest.mark.parametrize("today", [date(2025, 11, 26), date(2024, 2, 29), date(2025, 1, 1)])
def test_every_period_that_is_offered_is_printed(web, today):
    for period in periods(today):
        answer = web.get(WHERE, {"start": period.first.isoformat(), "end": period.last.isoformat()})
        assert answer.status_code == 200, period
        assert text_of(answer).count('aria-current="true"') <= 2
