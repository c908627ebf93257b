"""Two journeys with three people: a double charge given back, and a card that was found given back."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from accounts.models import OperatorRole
from tests.browser.steps import DESKTOP, PHONE, picture, staff_in
from tests.campus import Counter
from tests.care import charged
from tests.counter.test_cases_page import make_operator
from tests.portal.conftest import PIN, give_pin
from tests.reconciliation.books import campus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def phone(window, live_server):
    """The holder's telephone: signs him in."""
    page = window(viewport=PHONE)

    def come_in(person):
        page.goto(f"{live_server.url}/login/")
        page.get_by_label("学工号或 5 位帐号").fill(str(person.account.number))
        page.get_by_label("查询密码", exact=True).fill(PIN)
        page.get_by_role("button", name="登录", exact=True).click()
        page.wait_for_url("**/me/")
        return page

    return come_in


@pytest.fixture
def counter(page, live_server):
    """The desk's browser with a supervisor signed in."""
    page.set_viewport_size(DESKTOP)
    place = campus("laoshan")
    place.name_zh = "崂山校区"
    place.save()
    li = make_operator("li", OperatorRole.SUPERVISOR, place, display_name="李敏")
    staff_in(page, live_server, li, "/counter/disputes/")
    return page


def test_a_double_charge_is_disputed_decided_and_the_money_is_there(phone, counter):
    """指南 L81: the twin is shown; one decision at the desk; the holder reads it and has the money."""
    person = charged(11_00, 5_50, 5_50)
    charged(7_20)
    give_pin(person.account)
    mine = phone(person)

    mine.locator("a.line-link", has_text="消费").first.click()
    mine.get_by_role("link", name="有疑问").click()
    expect(mine.get_by_text("很像的另一笔")).to_be_visible()
    expect(mine.get_by_role("radio", name="重复扣款")).to_be_checked()
    mine.get_by_label("说明", exact=True).fill("只买了一份面，刷了一次，扣了两笔 🍜")
    picture(mine, "care-dispute-open", mine.get_by_role("button", name="提交争议"))
    mine.get_by_role("button", name="提交争议").click()
    expect(mine.get_by_text("争议已登记，款项没有变动。")).to_be_visible()

    counter.reload()
    picture(counter, "care-desk-list", counter.get_by_role("link", name="重复扣款"))
    counter.get_by_role("link", name="重复扣款").click()
    picture(
        counter, "care-desk-dispute", counter.get_by_role("heading", name="这台终端前后两分钟"), whole=False
    )
    counter.get_by_role("button", name="我来处理").click()
    expect(counter.get_by_text("已受理，由您核查。")).to_be_visible()
    counter.get_by_role("link", name="同意退款…").click()
    expect(counter.get_by_role("rowheader", name="退到待领")).to_be_visible()
    counter.get_by_label("理由").fill("两笔相隔 11 秒，同机同额，档口确认只出一份")
    counter.get_by_role("button", name="确认冲正消费").click()
    expect(counter.locator(".chip", has_text="已执行")).to_be_visible()

    mine.reload()
    picture(mine, "care-dispute-done", mine.locator(".chip", has_text="已退款"))
    mine.get_by_role("link", name="消息").click()
    expect(mine.get_by_text("¥5.50 已退到待领金额")).to_be_visible()
    assert person.fresh().unclaimed_fen == 5_50
    assert Counter(9).tap(person, 1_00).refusal is None
    assert person.fresh().unclaimed_fen == 0
    assert person.book_fen == person.card_fen == 82_50


def test_a_found_card_comes_back_to_its_owner(phone, counter, window, live_server):
    """寻卡, a finder, the desk, the owner with his document: each sees what is his to see."""
    person = charged(3_00)
    give_pin(person.account)
    mine = phone(person)
    mine.goto(f"{live_server.url}/me/lost-card/")
    mine.get_by_label("大概在哪里").fill("学苑餐厅二楼")
    mine.get_by_role("button", name="发布", exact=True).click()
    expect(mine.get_by_text("已公开到寻卡栏")).to_be_visible()

    finder = window(viewport=PHONE)
    finder.goto(f"{live_server.url}/lost-found/")
    picture(finder, "care-board", finder.get_by_text("学苑餐厅二楼"))
    finder.get_by_role("link", name="我捡到一张卡").click()
    finder.get_by_label("卡面上的号码").fill(person.account.holder.school_no)
    finder.get_by_label("在哪里捡到的").fill("学苑餐厅门口")
    finder.get_by_label("卡现在在哪里").fill("马上送到管理中心")
    finder.get_by_role("button", name="通知失主").click()
    expect(finder.get_by_role("heading", name="谢谢您！")).to_be_visible()
    assert "张" not in finder.locator("main").inner_text()

    counter.get_by_role("link", name="拾卡").click()
    counter.get_by_role("link", name="登记一张").click()
    counter.get_by_label("卡面上的号码").fill(person.account.holder.school_no)
    counter.get_by_label("在哪里拾到").fill("学苑餐厅门口")
    counter.get_by_label("放在哪里").fill("1 号柜台抽屉")
    counter.get_by_role("button", name="登记并通知失主").click()
    counter.get_by_role("button", name="代为挂失").click()
    picture(counter, "care-desk-found", counter.get_by_text("已代为挂失，受理号"))

    mine.goto(f"{live_server.url}/me/lost-card/")
    found = mine.get_by_role("heading", name="有人拾到您的卡，保存在崂山校区管理中心")
    picture(mine, "care-card-found", found)

    counter.get_by_role("link", name="交还本人…").click()
    counter.get_by_label("已查验的证件").select_option("resident")
    counter.get_by_label("证件号码末四位").fill("1234")
    counter.get_by_role("button", name="证件相符，交还").click()
    expect(counter.get_by_text("卡已交还，仍是挂失状态")).to_be_visible()

    mine.get_by_role("link", name="消息").click()
    expect(mine.get_by_text("您的卡已领回")).to_be_visible()
    mine.goto(f"{live_server.url}/lost-found/")
    expect(mine.get_by_text("没有人在找卡")).to_be_visible()
