"""Two ways through the portal that nobody may lose: the first login with an initial password, and a keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from accounts.models import LossReport
from tests.browser.steps import PHONE, SMALLEST, in_english, picture
from tests.campus import make_person
from tests.portal.conftest import NEW_PIN, PIN, give_pin

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_console")]

OUTLINED = """() => {
  const one = document.activeElement;
  const style = getComputedStyle(one);
  const box = one.getBoundingClientRect();
  const drawn = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const picker = one.type === "date" && !one.matches(":focus");
  return (drawn || picker) && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
}"""
"""Whether what has the focus shows it, and is in the window (WCAG 2.4.7, 2.4.11). The calendar in a field of a day is
a stop of its own, which Chromium outlines itself."""
NAME = """() => {
  const one = document.activeElement;
  return [one.tagName, one.id || one.name || "", one.innerText.trim().slice(0, 30)].join(" ");
}"""
STOPS_MAX = 60
CUT_OFF = """() => [...document.querySelectorAll(".hero, .plastic, .panel, .notice, .tile, .head .wrap")]
  .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.outerHTML.slice(0, 80))"""
"""What holds more than it shows: a box that hides what sticks out makes no page wider."""


class Keys:
    """A keyboard, and what its user sees of where he is."""

    def __init__(self, page) -> None:
        self.page = page

    def to(self, locator) -> None:
        """Press Tab until this has the focus; every stop on the way has to show itself."""
        for _ in range(STOPS_MAX):
            self.page.keyboard.press("Tab")
            assert self.page.evaluate(OUTLINED), f"no focus to be seen at {self.page.evaluate(NAME)}"
            if locator.evaluate("one => one === document.activeElement"):
                return
        raise AssertionError(f"{locator} is not to be reached")

    def enter(self, locator, goes_to: str) -> None:
        """Go there, press Enter, wait for the page."""
        self.to(locator)
        with self.page.expect_navigation(url=goes_to):
            self.page.keyboard.press("Enter")

    def round(self) -> int:
        """Press Tab until the page is left: no trap. How many stops there were."""
        self.page.evaluate("document.activeElement.blur()")
        seen = []
        for _ in range(STOPS_MAX):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("document.activeElement === document.body"):
                return len(seen)
            assert self.page.evaluate(OUTLINED), f"no focus to be seen at {self.page.evaluate(NAME)}"
            seen.append(self.page.evaluate(NAME))
        raise AssertionError(f"a trap: {seen[-5:]}")


def test_the_first_login_leads_to_a_password_of_one_s_own(page, live_server, sign_in):
    """指南 L131, L147: the initial password opens nothing but a new one and the loss report, and then is over."""
    person = make_person(62_40)
    give_pin(person.account, is_default=True)
    page.set_viewport_size(PHONE)

    sign_in(person, to="/me/security/")
    expect(page.get_by_role("heading", name="您还在使用初始密码")).to_be_visible()
    expect(page.get_by_role("navigation", name="我的校园卡").get_by_role("link")).to_have_text(
        ["挂失", "密码"]
    )
    picture(page, "portal-first-login-phone-zh", page.get_by_role("button", name="修改查询密码"))
    page.goto(f"{live_server.url}/me/")
    page.wait_for_url("**/me/security/")
    expect(page.get_by_text("¥62.40")).to_have_count(0)

    page.get_by_label("原查询密码").fill(PIN)
    page.get_by_label("新查询密码").fill(PIN)
    page.get_by_label("再次输入新密码").fill(PIN)
    page.get_by_role("button", name="修改查询密码").click()
    expect(page.get_by_role("heading", name="密码没有修改")).to_be_visible()
    page.get_by_label("原查询密码").fill(PIN)
    page.get_by_label("新查询密码").fill(NEW_PIN)
    page.get_by_label("再次输入新密码").fill(NEW_PIN)
    page.get_by_role("button", name="修改查询密码").click()
    page.wait_for_url("**/me/")
    expect(page.get_by_text("¥62.40").first).to_be_visible()
    page.get_by_role("button", name="退出").click()
    page.wait_for_url(f"{live_server.url}/")

    sign_in(person, PIN, to="/login/")
    expect(page.get_by_text("账号或密码不正确")).to_be_visible()
    sign_in(person, NEW_PIN)
    expect(page.get_by_text("账户余额").first).to_be_visible()


def test_a_keyboard_alone_goes_from_the_login_to_a_reported_loss(page, live_server, holder):
    """Every stop shows itself, the skip link works, no page is a trap, and nothing needs a mouse."""
    keys = Keys(page)
    page.set_viewport_size(PHONE)
    page.goto(f"{live_server.url}/login/")
    expect(page.get_by_label("学工号或 5 位帐号")).to_be_focused()
    page.keyboard.type(str(holder.account.number))
    keys.to(page.get_by_label("查询密码", exact=True))
    page.keyboard.type(PIN)
    with page.expect_navigation(url="**/me/"):
        page.keyboard.press("Enter")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="跳到正文")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    keys.enter(page.get_by_role("link", name="全部流水"), "**/me/statement/")
    assert keys.round() >= 15

    keys.to(page.get_by_label("类型"))
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("类型")).to_have_value("purchase")
    keys.to(page.get_by_text("更多条件"))
    page.keyboard.press("Enter")
    keys.to(page.get_by_label("金额不低于"))
    page.keyboard.type("6")
    with page.expect_navigation(url="**kind=purchase**least=6**"):
        page.keyboard.press("Enter")
    lines = page.get_by_role("region", name="流水").locator("a.line-link")
    expect(lines).to_have_count(2)
    keys.enter(lines.first, "**/me/statement/*/")
    expect(page.get_by_role("heading", name="对这一笔有疑问？")).to_be_visible()

    keys.to(page.get_by_text("更多", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="寻卡")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="寻卡")).to_be_hidden()
    page.reload()
    keys.enter(page.get_by_role("link", name="挂失", exact=True), "**/me/loss/")
    assert keys.round() >= 8
    keys.to(page.get_by_label("查询密码"))
    page.keyboard.type(PIN)
    keys.enter(page.get_by_role("button", name="确认挂失这张卡"), "**/me/loss/*/")
    expect(page.get_by_text(LossReport.objects.get().reference)).to_be_visible()


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_nothing_is_cut_off_on_the_smallest_telephone(page, live_server, holder, sign_in, language):
    """WCAG 1.4.10, 1.4.4: at 320 CSS pixels, which is 1280 at four times the size, every word can be read."""
    page.set_viewport_size(SMALLEST)
    sign_in(holder)
    if language == "en":
        in_english(page)

    for path in ("/", "/me/", "/me/statement/", "/me/statement/print/", "/me/analysis/", "/me/disputes/"):
        page.goto(live_server.url + path)
        assert (path, page.evaluate(CUT_OFF)) == (path, [])
