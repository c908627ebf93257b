"""The account page: both sides, what is open in words, deeds with their reasons why not, and who may look (6.3, P6)."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent, OperatorRole
from counter.people.actions import ACTIONS
from tests.counter import people
from tests.counter.pages import browser_of, plain, text_of
from tests.reconciliation import desk

pytestmark = pytest.mark.django_db
OWN_STATEMENTS = 16
"""What the page itself asks, the frame of every staff page left out."""


@pytest.fixture
def web(db):
    return browser_of(people.clerk())


def page_of(book) -> str:
    return f"/counter/accounts/{book.account.pk}/"


class TestSides:
    def test_torn_is_said_in_words_with_its_sum(self, web):
        """指南 L101: 卡、库 2.40，消费 1.30，拿卡过快: 库 1.10，卡 2.40."""
        book, _ = desk.torn()

        page = plain(web.get(page_of(book)))

        assert "余额 ¥2.40 ¥1.10" in page
        assert "差额（卡 − 库） +¥1.30" in page
        assert "卡库相差 ¥1.30" in page
        assert "拿卡过快，卡上尚未扣款 下次刷卡自动补扣 +¥1.30" in page
        assert "未结的案例和处理" in page

    def test_equal_sides_are_green(self, web):
        book = people.comes(fen=50_00)

        page = text_of(web.get(page_of(book)))

        assert 'class="level"' in page
        assert 'class="differs"' not in page

    def test_frozen_and_lost_stand_on_top_each(self, web):
        book = people.comes()
        people.do(web, "loss", book)
        desk.freeze(book, "card_above_book")

        page = plain(web.get(page_of(book)))

        assert "已挂失 受理号" in page
        assert "起冻结，不能消费，也不能认证身份 卡余额比库余额多出太多" in page

    def test_name_and_numbers_are_masked(self, web):
        book = people.comes("欧阳明月")

        page = text_of(web.get(page_of(book)))

        assert "欧*" in page
        assert "欧阳明月" not in page
        assert book.fresh().holder.school_no not in page


class TestDeeds:
    def test_all_stand_there_and_those_not_possible_say_why(self, web):
        book = people.comes()

        page = plain(web.get(page_of(book)))

        assert "解挂 没有挂失" in page
        assert "银行卡解约 没有绑定银行卡" in page
        people.do(web, "loss", book)
        assert "挂失 已经挂失" in plain(web.get(page_of(book)))

    def test_every_action_leads_to_a_page(self):
        for action in ACTIONS:
            assert reverse(action.url_name, kwargs={"account_id": 1}).startswith("/counter/")

    def test_function_keys_are_given_once(self):
        keys = [action.fkey for action in ACTIONS if action.fkey]

        assert len(keys) == len(set(keys))
        assert not {"F2", "F4", "F10"} & set(keys)

    def test_the_auditor_looks_only(self, db):
        book = people.comes()
        auditor = browser_of(people.clerk("shen", OperatorRole.AUDITOR))

        page = plain(auditor.get(page_of(book)))

        assert page.count("您的岗位不能办理此项") >= 5
        assert "挂失与办理记录" in page

    def test_one_s_own_account_offers_nothing_that_writes(self, db):
        book = people.comes()
        own = browser_of(people.clerk("own", holder=book.fresh().holder))

        page = plain(own.get(page_of(book)))

        assert "这是您本人的账户" in page
        assert page.count("不能处理自己的账户") >= 5


class TestSight:
    """P6: who reads another's movements or full number says why, and it is written down first."""

    def test_movements_are_shown_after_a_reason(self, web):
        book = people.comes()
        before = plain(web.get(page_of(book)))
        refused = web.post(f"{page_of(book)}open-statement/", {"reason": " "})
        assert not AuditEvent.objects.filter(action="statement.read").exists()

        web.post(f"{page_of(book)}open-statement/", {"reason": "处理投诉"})
        after = plain(web.get(page_of(book)))

        assert "查看他人的流水要说明原因" in before
        assert "充值" not in before.split("最近流水")[1].split("可办")[0].split("资金")[0]
        assert refused.status_code == 400
        assert "收入 +¥50.00" in after
        event = AuditEvent.objects.get(action="statement.read")
        assert (event.reason, event.object_id, event.role) == ("处理投诉", str(book.account.pk), "clerk")

    def test_the_card_on_the_reader_opens_them(self, web):
        """C07: with the card; the holder is there."""
        book = people.comes()
        people.lies_on(people.at_desk(web), book)

        assert "收入 +¥50.00" in plain(web.get(page_of(book)))
        assert AuditEvent.objects.get(action="statement.read").reason == "持卡人在场，卡在读卡器上"

    def test_it_lasts_a_quarter_of_an_hour_and_for_one_account(self, web, monkeypatch):
        book, other = people.comes(), people.comes()
        web.post(f"{page_of(book)}open-statement/", {"reason": "x"})

        assert "收入 +¥50.00" not in plain(web.get(page_of(other)))
        moment = timezone.now()
        from counter.people import sight

        monkeypatch.setattr("counter.people.sight.now", lambda: moment + sight.LASTS)
        assert "收入 +¥50.00" not in plain(web.get(page_of(book)))

    def test_the_full_number_is_shown_once_for_a_reason(self, web):
        book = people.comes("欧阳明月")
        number = people.id_number(book)
        where = f"{page_of(book)}identity/"

        assert number not in text_of(web.get(where))
        assert web.post(where, {"reason": ""}).status_code == 400
        assert not AuditEvent.objects.filter(action="holder.read_id_number").exists()
        shown = text_of(web.post(where, {"reason": "核对登记"}))

        assert number in shown
        assert "欧阳明月" in shown
        assert number not in text_of(web.get(where))
        assert AuditEvent.objects.get(action="holder.read_id_number").reason == "核对登记"


def statements_of(web, book) -> list[str]:
    """What the page asks the database, without the frame of every staff page (session, operator, what waits)."""
    with CaptureQueriesContext(connection) as made:
        web.get(page_of(book))
    frame = (
        '"django_session"',
        '"accounts_operator"."password"',
        "otp_",
        "SAVEPOINT",
        "COUNT(*)",
        '"accounts_campus"."code"',
    )
    return [each["sql"] for each in made if not any(word in each["sql"][:400] for word in frame)]


def test_an_account_in_order_takes_ten_questions(web):
    book = people.comes()
    web.get(page_of(book))

    assert len(statements_of(web, book)) <= 10


def test_a_long_history_takes_no_more_than_a_short_one(web):
    """With the card on the reader, an open case and the movements shown."""
    book, _ = desk.doubled(10_00, 5_40)
    people.lies_on(people.at_desk(web), book)
    web.get(page_of(book))
    short = statements_of(web, book)
    for _ in range(30):
        book.pay(10)

    assert len(statements_of(web, book)) == len(short) <= OWN_STATEMENTS, "\n".join(short)


def test_unknown_accounts_are_not_there(web):
    for path in ("", "loss/", "limit/", "statement/", "identity/", "passwords/", "bank-card/", "history/"):
        assert web.get(f"/counter/accounts/999999/{path}").status_code == 404, path
