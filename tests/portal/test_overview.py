"""The overview: what a holder owns, where it stands, and why it may not be usable."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Account, Card
from accounts.services.rows import By
from accounts.services.standing import freeze
from purse.rules import FreezeReason
from tests.campus import make_campus, make_person
from tests.counter.test_cases_page import make_case
from tests.portal.conftest import BEFORE_THE_WRITE, PIN, give_pin, sign_in, text_of


def test_shows_book_card_place_and_the_day_against_the_limit(web, holder, till):
    till.tap(holder, 5_50)

    page = text_of(web.get("/me/"))

    assert page.count("¥22.90") >= 2
    assert "7号机" in page
    assert "¥5.50" in page
    assert "限额 ¥50.00" in page
    assert 'max="5000" value="550"' in page
    assert "正常" in page


def test_says_why_card_and_book_differ_with_the_arithmetic(web, till):
    """指南 L101: 消费1.3元,由于拿卡过快,数据库中的余额为1.1元,卡片中仍然余额为2.4元。"""
    person = make_person(2_40)
    give_pin(person.account)
    sign_in(web, person)
    till.tap(person, 1_30, leave_after=BEFORE_THE_WRITE)

    page = text_of(web.get("/me/"))

    assert "卡库相差 ¥1.30" in page
    assert "拿卡过快" in page
    assert "下次刷卡自动补扣" in page
    assert page.index("¥1.10") < page.index("+¥1.30") < page.rindex("¥2.40")


def test_a_frozen_holder_reads_the_reason_what_is_blocked_and_where_to_go(web, holder):
    by = By(Actor.system("test"), timezone.now(), "test")
    freeze(holder.account.pk, [FreezeReason.CARD_ABOVE_BOOK], by=by)

    page = text_of(web.get("/me/"))

    assert "账户和卡片已冻结" in page
    assert "卡余额比库余额多出太多" in page
    assert "身份识别" in page
    assert "逸夫馆" in page
    assert "8:00–11:30" in page


def test_a_frozen_holder_is_told_the_number_of_his_case(client, db, django_assert_max_num_queries):
    opened = make_case(make_campus()[0], 20_001, mismatch="EXCESS", proposal="keep_card", at_risk_fen=52_00)
    account = opened.account
    give_pin(account)
    by = By(Actor.system("test"), timezone.now(), "test")
    freeze(account.pk, [FreezeReason.CARD_ABOVE_BOOK], by=by)
    client.post("/login/", {"identifier": str(account.number), "pin": PIN})

    with django_assert_max_num_queries(10):
        page = text_of(client.get("/me/"))

    assert re.search(rf'案例号 <strong class="num">{opened.pk}</strong>', page)


def test_a_frozen_card_is_not_promised_to_heal_by_itself(web, till):
    person = make_person(2_40)
    give_pin(person.account)
    till.tap(person, 1_30, leave_after=BEFORE_THE_WRITE)
    freeze(person.account.pk, [FreezeReason.BY_HAND], by=By(Actor.system("test"), timezone.now(), "test"))
    sign_in(web, person)

    page = text_of(web.get("/me/"))

    assert "由管理中心按流水核对处理" in page
    assert "自动补扣" not in page


def test_a_card_never_seen_has_no_balance_to_show(client, db):
    person = make_person(0)
    give_pin(person.account)
    sign_in(client, person)

    page = text_of(client.get("/me/"))

    assert "尚无刷卡记录" in page
    assert "还没有流水" in page


def test_a_replaced_card_is_named_as_such(web, holder):
    Card.objects.filter(account=holder.account).update(life="replaced")

    page = text_of(web.get("/me/"))

    assert "已换卡" in page


def test_needs_at_most_ten_statements(web, holder, till, django_assert_max_num_queries):
    for _ in range(12):
        till.tap(holder, 10)

    with django_assert_max_num_queries(10):
        web.get("/me/")


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("{{7*7}}{% debug %}", "{{7*7}}{% debug %}"),
    ],
)
def test_markup_in_data_is_shown_literally(web, holder, unit, shown):
    """reliability.md section 7, item 50."""
    holder.account.holder.unit = unit
    holder.account.holder.save(update_fields=["unit"])

    page = text_of(web.get("/me/"))

    assert shown in page
    assert "<script>alert" not in page


def test_is_never_kept_by_the_browser(web):
    assert "no-store" in web.get("/me/").headers["Cache-Control"]


def test_the_account_in_the_address_is_no_way_to_another_account(web, db):
    other = make_person(77_77)

    page = text_of(web.get(f"/me/?account={other.account.number}"))

    assert "77.77" not in page
    assert web.get(f"/me/statement/?account={other.account.number}").status_code == 404
    assert Account.objects.count() == 2
