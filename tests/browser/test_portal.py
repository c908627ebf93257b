"""A holder's way through the portal, in a real browser, on a telephone and on a desk."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.actors import Actor
from accounts.models import Campus, LossReport, OperatorRole
from accounts.services import standing
from accounts.services.rows import By
from purse.rules import FreezeReason
from tests.campus import Counter, make_person
from tests.counter.test_cases_page import PASSWORD, code_of, make_case, make_operator
from tests.portal.conftest import BEFORE_THE_WRITE, NEW_PIN, PIN, give_pin

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = {"width": 390, "height": 844}
SMALLEST = {"width": 320, "height": 640}
PAGES = ["/", "/login/", "/me/", "/me/statement/", "/me/loss/", "/me/security/"]


@pytest.fixture(autouse=True)
def clean_console(page):
    """The strict content security policy and the scripts leave no complaint."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield
    assert not [text for text in complaints if "status of 40" not in text]


def test_from_the_login_to_a_reported_loss(page, live_server, holder, picture):
    page.goto(live_server.url)
    picture(page, "home-desktop-zh")
    page.get_by_role("link", name=re.compile("查询")).click()
    picture(page, "login-desktop-zh")
    page.get_by_label("学工号或 5 位帐号").fill(str(holder.account.number))
    page.get_by_label("查询密码", exact=True).fill(PIN)
    page.get_by_role("button", name="登录", exact=True).click()

    expect(page.get_by_text("卡库相差 ¥1.30")).to_be_visible()
    picture(page, "overview-desktop-zh")
    page.get_by_role("link", name="流水", exact=True).click()
    expect(page.get_by_text("支出合计")).to_be_visible()
    picture(page, "statement-desktop-zh")
    page.get_by_role("link", name="挂失", exact=True).click()
    picture(page, "loss-desktop-zh")
    page.get_by_label("查询密码").fill(PIN)
    page.get_by_role("button", name="确认挂失这张卡").click()

    expect(page.get_by_role("heading", name="挂失成功")).to_be_visible()
    picture(page, "loss-done-desktop-zh")
    assert page.get_by_text(LossReport.objects.get().reference).is_visible()


def test_the_same_on_a_telephone_in_english_and_in_the_dark(page, live_server, holder, sign_in, picture):
    page.set_viewport_size(PHONE)
    page.goto(live_server.url)
    picture(page, "home-phone-zh")
    sign_in(holder)
    picture(page, "overview-phone-zh")
    page.get_by_role("button", name="English").click()
    expect(page).to_have_url(f"{live_server.url}/me/")
    expect(page.get_by_text("Book balance").first).to_be_visible()
    picture(page, "overview-phone-en")
    page.emulate_media(color_scheme="dark")
    picture(page, "overview-phone-en-dark")
    page.get_by_role("link", name="Statement", exact=True).click()
    picture(page, "statement-phone-en-dark")
    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="Password", exact=True).click()
    page.emulate_media(color_scheme="light")
    picture(page, "security-phone-en")


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_nothing_is_wider_than_the_smallest_telephone(page, live_server, holder, sign_in, language):
    """WCAG 1.4.10: 320 CSS pixels without scrolling sideways."""
    page.set_viewport_size(SMALLEST)
    sign_in(holder)
    page.wait_for_url("**/me/")
    if language == "en":
        page.get_by_role("button", name="English").click()

    for path in PAGES:
        page.goto(live_server.url + path)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert (path, wide) == (path, 0)


def test_everything_to_press_is_large_enough(page, live_server, holder, sign_in):
    """WCAG 2.5.8 asks for 24 CSS pixels; screens.md for 44 where it is not a word within a sentence."""
    page.set_viewport_size(PHONE)
    sign_in(holder)
    page.wait_for_url("**/me/")

    for path in PAGES:
        page.goto(live_server.url + path)
        small = page.evaluate(
            """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select")]
                .filter(it => it.offsetParent && !it.closest("p, .skip, .sr-only") && !it.matches(".skip, .sr-only"))
                .map(it => [it.outerHTML.slice(0, 80), it.getBoundingClientRect()])
                .filter(([, box]) => box.height < 43.5 || box.width < 43.5).map(([html]) => html)"""
        )
        assert (path, small) == (path, [])


def test_the_keyboard_reaches_the_content_at_once(page, live_server, holder, sign_in):
    sign_in(holder)
    page.wait_for_url("**/me/")
    page.goto(f"{live_server.url}/me/statement/")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"


def test_warns_before_the_session_ends_and_stays_on_request(page, live_server, holder, sign_in, picture):
    """WCAG 2.2.1: warned at least 20 seconds before, extendable by one simple action."""
    page.clock.install()
    sign_in(holder)
    page.wait_for_url("**/me/")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_hidden()

    page.clock.fast_forward("09:10")
    expect(dialog).to_be_visible()
    picture(page, "timeout-desktop-zh", whole=False)
    with page.expect_response("**/me/extend/") as answered:
        dialog.get_by_role("button", name="继续使用").click()

    assert answered.value.ok
    expect(dialog).to_be_hidden()


def test_takes_personal_data_off_the_screen_when_the_session_is_over(page, live_server, holder, sign_in):
    page.clock.install()
    sign_in(holder)
    page.wait_for_url("**/me/")

    page.clock.fast_forward("11:00")

    page.wait_for_url("**/login/**")
    expect(page.get_by_text("¥")).to_have_count(0)


def test_changes_the_password_and_comes_in_with_the_new_one(page, live_server, holder, sign_in):
    sign_in(holder)
    page.get_by_role("link", name="密码", exact=True).click()
    page.get_by_label("原查询密码").fill(PIN)
    page.get_by_label("新查询密码").fill(NEW_PIN)
    page.get_by_label("再次输入新密码").fill(NEW_PIN)
    page.get_by_role("button", name="修改查询密码").click()
    expect(page.get_by_text("查询密码已修改")).to_be_visible()
    page.get_by_role("button", name="退出").click()

    sign_in(holder, NEW_PIN)

    expect(page.get_by_text("账户余额").first).to_be_visible()


def test_a_frozen_holder_sees_what_to_do(page, live_server, sign_in, picture):
    """指南 L95: 智能卡余额为80元,数据库余额为28元,差额为52元."""
    page.set_viewport_size(PHONE)
    person = make_person(80_00)
    give_pin(person.account)
    till = Counter(7)
    till.now = timezone.now()
    for fen in (20_00, 20_00, 11_50, 50):
        till.tap(person, fen, pin=PIN, leave_after=BEFORE_THE_WRITE)
    standing.freeze(
        person.account.pk, [FreezeReason.CARD_ABOVE_BOOK], by=By(Actor.system("test"), timezone.now())
    )

    sign_in(person)

    expect(page.get_by_role("heading", name="账户和卡片已冻结")).to_be_visible()
    picture(page, "frozen-phone-zh")
    page.emulate_media(color_scheme="dark")
    picture(page, "frozen-phone-zh-dark")


def test_the_staff_door_opens_with_password_and_code(page, live_server, transactional_db, picture):
    campus = Campus.objects.create(code="yushan", name_zh="鱼山校区", name_en="Yushan")
    clerk = make_operator("wang.clerk", OperatorRole.CLERK, campus, display_name="王静")
    for number, (mismatch, proposal, fen) in enumerate(
        [("TORN", "write_card", 1_30), ("DOUBLE", "refund_late", 23_40), ("EXCESS", "keep_card", 52_00)]
    ):
        make_case(campus, 20_001 + number, mismatch=mismatch, proposal=proposal, at_risk_fen=fen)

    page.goto(f"{live_server.url}/counter/cases/")
    picture(page, "staff-login-desktop-zh")
    page.get_by_label("用户名").fill(clerk.username)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_label("动态码").fill(code_of(clerk))
    page.get_by_role("button", name="登录").click()

    expect(page.get_by_text("20002")).to_be_visible()
    picture(page, "staff-cases-desktop-zh")
