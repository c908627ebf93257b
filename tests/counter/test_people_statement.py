"""The printed statement: sums of each page, and a code that only this statement has (C07, H12)."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone

from accounts.wiring import secrets
from tests.counter import people
from tests.counter.pages import browser_of, plain, text_of
from transactions import statements
from transactions.days import local_day
from transactions.selectors import StatementRange

pytestmark = pytest.mark.django_db


@pytest.fixture
def web(db):
    return browser_of(people.clerk())


@pytest.fixture
def book(web):
    book = people.comes(fen=100_00)
    for fen in range(1_00, 31_00, 1_00):
        book.pay(fen) if fen < 9_00 else book.pay(10)
    web.post(f"/counter/accounts/{book.account.pk}/open-statement/", {"reason": "打印"})
    return book


def statement_of(book) -> statements.Statement:
    today = local_day(timezone.now())
    which = StatementRange(today.replace(day=1), today)
    return statements.of(book.account.pk, book.account.number, which, secrets=secrets())


def test_pages_add_up_to_the_whole(book):
    found = statement_of(book)

    assert [sheet.number for sheet in found.sheets] == [1, 2]
    assert sum(len(sheet.lines) for sheet in found.sheets) == found.totals.count == 31
    assert sum(sheet.in_fen for sheet in found.sheets) == found.totals.in_fen == 100_00
    assert sum(sheet.out_fen for sheet in found.sheets) == found.totals.out_fen
    assert found.opening_fen + found.totals.in_fen - found.totals.out_fen == found.closing_fen
    assert found.closing_fen == book.fresh().book_fen
    assert [line.seq for sheet in found.sheets for line in sheet.lines] == list(range(1, 32))


def test_the_code_belongs_to_this_statement_alone(book, web):
    before = statement_of(book)
    again = statement_of(book)
    book.pay(10)
    after = statement_of(book)

    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", before.code)
    assert before.code == again.code != after.code
    assert statements.fits(before, before.code.lower().replace("-", " "))
    assert not statements.fits(after, before.code)
    assert not statements.fits(before, "")


def test_on_the_screen_and_checked_from_paper(book, web):
    where = f"/counter/accounts/{book.account.pk}/statement/"
    page = text_of(web.get(where))
    code = re.search(r'check-code">([0-9A-Z-]{14})<', page)[1]

    assert "本页合计" in plain(web.get(where))
    assert "核对码相符" in plain(web.get(f"{where}?code={code}"))
    assert "核对码不符" in plain(web.get(f"{where}?code=0000-0000-0000"))


@pytest.mark.parametrize(
    "query",
    ["start=2026-02-30", "start=abc", "end=10000-01-01", "start=1999-12-31", "start=2026-05-02&end=2026-05-01",
     "start=2024-01-01&end=2026-01-01", "start=2026-01-01&start=2026-01-02", "code=" + "x" * 21, "start=%00"],
)  # fmt: skip
def test_strange_days_are_said_at_their_field(book, web, query):
    """reliability.md section 7, rows 56-63."""
    answer = web.get(f"/counter/accounts/{book.account.pk}/statement/?{query}")

    assert answer.status_code == 400
    assert "本页合计" not in plain(answer)


def test_without_a_reason_there_is_nothing_to_see(web):
    other = people.comes()

    answer = web.get(f"/counter/accounts/{other.account.pk}/statement/")

    assert answer.url == f"/counter/accounts/{other.account.pk}/"
