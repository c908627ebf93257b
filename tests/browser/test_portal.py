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
from tests.browser.steps import PHONE, SMALLEST, fits, in_english, picture
from tests.campus import Counter, make_person
from tests.counter.test_cases_page import PASSWORD, code_of, make_case, make_operator
from tests.portal.conftest import BEFORE_THE_WRITE, NEW_PIN, PIN, give_pin

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_console")]

PAGES = ["/", "/login/", "/me/", "/me/statement/", "/me/loss/", "/me/security/"]


def test_from_the_login_to_a_reported_loss(page, live_server, holder):
    page.goto(live_server.url)
    way_in = page.get_by_role("link", name=re.compile("查询"))
    expect(way_in).to_be_visible()
    way_in.click()
    expect(page.get_by_label("学工号或 5 位帐号")).to_be_visible()
    page.get_by_label("学工号或 5 位帐号").fill(str(holder.account.number))
    page.get_by_label("查询密码", exact=True).fill(PIN)
    page.get_by_role("button", name="登录", exact=True).click()

    expect(page.get_by_text("卡库相差 ¥1.30")).to_be_visible()
    page.get_by_role("link", name="流水", exact=True).click()
    expect(page.get_by_text("支出合计")).to_be_visible()
    page.get_by_role("link", name="挂失", exact=True).click()
    expect(page.get_by_role("button", name="确认挂失这张卡")).to_be_visible()
    page.get_by_label("查询密码").fill(PIN)
    page.get_by_role("button", name="确认挂失这张卡").click()

    picture(page, "portal-loss-done-desktop-zh", page.get_by_role("heading", name="挂失成功"))
    expect(page.get_by_text(LossReport.objects.get().reference)).to_be_visible()


def test_the_same_on_a_telephone_in_english_and_in_the_dark(page, live_server, holder, sign_in):
    page.set_viewport_size(PHONE)
    page.goto(live_server.url)
    expect(page.get_by_role("link", name=re.compile("查询"))).to_be_visible()
    sign_in(holder)
    expect(page.get_by_text("卡库相差 ¥1.30")).to_be_visible()
    in_english(page)
    expect(page).to_have_url(f"{live_server.url}/me/")
    expect(page.get_by_text("Book balance").first).to_be_visible()
    page.emulate_media(color_scheme="dark")
    picture(page, "portal-overview-phone-en-dark", page.get_by_text("Book balance").first)
    page.get_by_role("link", name="Statement", exact=True).click()
    page.wait_for_url("**/me/statement/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="Password", exact=True).click()
    page.wait_for_url("**/me/security/")
    page.emulate_media(color_scheme="light")
    expect(page.get_by_role("heading", level=1)).to_be_visible()


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_fits_the_smallest_telephone_and_every_finger(page, live_server, holder, sign_in, language):
    """WCAG 1.4.10: 320 CSS pixels without scrolling sideways; 44 pixels for what is no word of a sentence."""
    page.set_viewport_size(SMALLEST)
    sign_in(holder)
    if language == "en":
        in_english(page)

    for path in PAGES:
        page.goto(live_server.url + path)
        fits(page, path, spare="p, .skip, .sr-only", wide=language == "zh-hans")


def test_the_keyboard_reaches_the_content_at_once(page, live_server, holder, sign_in):
    sign_in(holder)
    page.goto(f"{live_server.url}/me/statement/")

    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("#main")).to_be_focused()


def test_warns_before_the_session_ends_and_stays_on_request(page, live_server, holder, sign_in):
    """WCAG 2.2.1: warned at least 20 seconds before, extendable by one simple action."""
    page.clock.install()
    sign_in(holder)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_hidden()

    page.clock.fast_forward("09:10")
    picture(page, "portal-timeout-desktop-zh", dialog, whole=False)
    with page.expect_response("**/me/extend/") as answered:
        dialog.get_by_role("button", name="继续使用").click()

    assert answered.value.ok
    expect(dialog).to_be_hidden()


def test_takes_personal_data_off_the_screen_when_the_session_is_over(page, live_server, holder, sign_in):
    page.clock.install()
    sign_in(holder)

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
    expect(page.get_by_role("button", name="退出")).to_have_count(0)

    sign_in(holder, NEW_PIN)

    expect(page.get_by_text("账户余额").first).to_be_visible()


def test_a_frozen_holder_sees_what_to_do(page, sign_in):
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

    frozen = page.get_by_role("heading", name="账户和卡片已冻结")
    expect(frozen).to_be_visible()
    page.emulate_media(color_scheme="dark")
    picture(page, "portal-frozen-phone-zh-dark", frozen)


def test_the_staff_door_opens_with_password_and_code(page, live_server, transactional_db):
    campus = Campus.objects.create(code="yushan", name_zh="鱼山校区", name_en="Yushan")
    clerk = make_operator("wang.clerk", OperatorRole.CLERK, campus, display_name="王静")
    for number, (mismatch, proposal, fen) in enumerate(
        [("TORN", "write_card", 1_30), ("DOUBLE", "refund_late", 23_40), ("EXCESS", "keep_card", 52_00)]
    ):
        make_case(campus, 20_001 + number, mismatch=mismatch, proposal=proposal, at_risk_fen=fen)

    page.goto(f"{live_server.url}/counter/cases/")
    expect(page.get_by_label("动态码")).to_be_visible()
    page.get_by_label("用户名").fill(clerk.username)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_label("动态码").fill(code_of(clerk))
    page.get_by_role("button", name="登录").click()

    expect(page.get_by_text("20002")).to_be_visible()
