"""Spending by kind, meal, place and hour: the sums of the statement, seen from four sides."""

from __future__ import annotations

import random
import uuid
from datetime import date, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Account, AccountLife
from portal import drawings
from tests.campus import SHANGHAI, make_person
from tests.portal.conftest import give_pin, sign_in, text_of
from transactions import analysis
from transactions.analysis import Share, spending
from transactions.days import local_day
from transactions.models import Entry, EntryKind, Merchant, MerchantCategory, entry_id
from transactions.selectors import StatementRange, statement_totals

MONTH = date(2026, 10, 1)


def shop(category: MerchantCategory, name: str, campus) -> Merchant:
    found, _ = Merchant.objects.get_or_create(
        name_zh=name, campus=campus, defaults={"category": category, "contract_from": date(2020, 1, 1)}
    )
    return found


def lived(lines: list[tuple[datetime, EntryKind, int, Merchant | None]]) -> Account:
    """A new account of an own person with these movements, as if they had been posted at their time."""
    person = make_person(0)
    Account.objects.filter(pk=person.account.pk).update(life=AccountLife.CLOSING)
    Account.objects.filter(pk=person.account.pk).update(life=AccountLife.CLOSED, closed_at=timezone.now())
    book = sum(fen for _, _, fen, _ in lines)
    account = Account.objects.create(
        number=person.account.number, holder=person.account.holder, campus=person.account.campus,
        life=AccountLife.OPEN, book_fen=book, entry_seq=len(lines),
    )  # fmt: skip
    after = 0
    for seq, (at, kind, fen, merchant) in enumerate(lines, start=1):
        after += fen
        Entry.objects.create(
            id=entry_id(account.pk, seq), account=account, seq=seq, kind=kind, book_change_fen=fen,
            unclaimed_change_fen=0, book_after_fen=after, unclaimed_after_fen=0,
            contra="merchant" if merchant else "drawer", contra_ref=merchant.pk if merchant else None,
            source_key=uuid.uuid4(), occurred_at=at, posted_at=at, day=local_day(at), mode="online",
        )  # fmt: skip
    return account


def at(day: int, hour: int, month: int = 10, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=SHANGHAI)


@pytest.fixture
def account(db) -> Account:
    """October: breakfast, two lunches, a supper, a night snack, a shop, one sale taken back; September: 7.00."""
    campus = make_person(0).account.campus
    canteen = shop(MerchantCategory.CANTEEN, "分析餐厅", campus)
    store = shop(MerchantCategory.SHOP, "分析超市", campus)
    buy = EntryKind.PURCHASE
    return lived([
        (at(30, 8, 9), EntryKind.TOP_UP, 300_00, None),
        (at(30, 12, 9), buy, -7_00, canteen),
        (at(1, 0), buy, -1_00, canteen),  # the first minute of the month, no meal
        (at(1, 9, minute=59), buy, -3_50, canteen),
        (at(1, 10), buy, -11_00, canteen),
        (at(2, 14, minute=59), buy, -12_50, canteen),
        (at(2, 15), EntryKind.OFFLINE_SALE, -9_00, canteen),
        (at(3, 19), buy, -20_00, store),
        (at(4, 19), buy, -6_00, store),
        (at(4, 20), EntryKind.VOID, 6_00, store),
        (at(31, 23, minute=59), EntryKind.TOP_UP, 50_00, None),
        (at(1, 0, 11), buy, -2_00, canteen),
    ])  # fmt: skip


def test_the_month_adds_up_to_what_the_statement_says(account):
    found = spending(account.pk, MONTH)
    october = StatementRange(MONTH, date(2026, 10, 31))
    totals = statement_totals(account.pk, october)

    assert found.fen == 57_00 == totals.out_fen - 6_00  # what was taken back was no spending
    assert found.purchases == 7
    assert found.before_fen == 7_00


def test_meals_begin_and_end_at_their_hours(account):
    found = spending(account.pk, MONTH)

    assert found.by_meal == {
        0: Share(3_50, 1), 1: Share(23_50, 2), 2: Share(9_00, 1), None: Share(1_00, 1),
    }  # fmt: skip
    assert found.by_category == {
        MerchantCategory.CANTEEN: Share(37_00, 5), MerchantCategory.SHOP: Share(20_00, 2),
    }  # fmt: skip
    assert [(place.name_zh, share.fen) for place, share in found.merchants] == [
        ("分析餐厅", 37_00), ("分析超市", 20_00),
    ]  # fmt: skip


def test_hours_are_those_of_the_campus_and_weekdays_those_of_the_calendar(account):
    found = spending(account.pk, MONTH)

    assert found.by_hour[4, 0] == Share(1_00, 1)  # 1 October 2026 is a Thursday
    assert found.by_hour[7, 19] == Share(6_00, 1)
    assert found.by_hour[7, 20] == Share(-6_00, 0)
    assert sum(share.fen for share in found.by_hour.values()) == found.fen


def test_four_purchases_are_too_few_and_five_are_enough(db):
    campus = make_person(0).account.campus
    canteen = shop(MerchantCategory.CANTEEN, "分析餐厅", campus)
    lines = [(at(1, 8), EntryKind.TOP_UP, 100_00, None)]
    lines += [(at(day, 12), EntryKind.PURCHASE, -5_00, canteen) for day in range(2, 6)]

    assert spending(lived(lines).pk, MONTH).too_few
    assert not spending(lived([*lines, (at(9, 12), EntryKind.PURCHASE, -5_00, canteen)]).pk, MONTH).too_few


def test_two_statements_whatever_the_age_of_the_account(account, django_assert_num_queries):
    with django_assert_num_queries(2):
        spending(account.pk, MONTH)


def test_months_follow_each_other_over_the_turn_of_the_year():
    assert analysis.month_before(date(2026, 1, 1)) == date(2025, 12, 1)
    assert analysis.month_after(date(2025, 12, 1)) == date(2026, 1, 1)
    month = date(2020, 1, 1)
    for _ in range(40):
        assert analysis.month_before(analysis.month_after(month)) == month
        month = analysis.month_after(month)


def test_bars_are_as_long_as_their_share_and_the_week_has_every_hour():
    chance = random.Random(7)
    shares = {(day, hour): Share(chance.randrange(1, 5000), 1) for day in range(1, 8) for hour in range(24)}

    drawn = drawings.bars([("a", Share(400, 2)), ("b", Share(100, 1)), ("c", Share(-50, 0))])
    cells = drawings.week(shares)

    assert [bar.width for bar in drawn] == [100, 25, 0]
    assert len(cells) == 7 * 18
    assert {cell.shade for cell in cells} == {1, 2, 3, 4, 5}
    darkest = max(cells, key=lambda cell: cell.share.fen)
    assert darkest.shade == 5
    width, height = drawings.week_size()
    assert all(cell.x + drawings.CELL <= width and cell.y + drawings.CELL <= height for cell in cells)


def test_the_page_shows_the_month_that_was_asked_for(client, account):
    give_pin(account)
    assert sign_in(client, type("P", (), {"account": account})).status_code == 302

    page = text_of(client.get("/me/analysis/?month=2026-10"))

    assert "¥57.00" in page
    assert "¥7.00" in page  # September
    assert "分析餐厅" in page
    assert "?month=2026-09" in page
    assert "?month=2026-11" in page
    assert page.count("<rect") == 7 * 18 + 2 + 4 + 2  # the week, kinds, meals, places


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "0000-00", "abc", "2019-01", "2099-01", "2026-10'--"])
def test_a_month_that_cannot_be_shown_is_not_there(web, month):
    assert web.get("/me/analysis/", {"month": month}).status_code == 404


def test_nothing_spent_says_so(web):
    page = text_of(web.get("/me/analysis/"))

    assert "数据太少" in page
    assert "<rect" not in page


def test_another_account_is_never_in_it(account, web):
    assert "¥57.00" not in text_of(web.get("/me/analysis/?month=2026-10"))


def test_months_far_from_the_entries_open_no_partition_of_theirs(account):
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + analysis._CELLS, {
            "first": entry_id(account.pk, 0), "last": entry_id(account.pk + 1, 0), "month": MONTH,
            "since": at(1, 0, 10), "until": at(1, 0, 11) - timedelta(seconds=1),
        })  # fmt: skip
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "transactions_entry_202609" not in plan
