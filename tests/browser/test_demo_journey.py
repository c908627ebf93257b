"""The demo as a newcomer plays it: the real till program in one window, the portal beside it, a card in the hand.

The campus is the one of ``./ecardctl demo``. Pictures go to docs/images when ECARD_SCREENSHOTS=1.
"""

from __future__ import annotations

import re
import socket
import time
from io import StringIO

import pytest
from django.core.management import call_command
from playwright.sync_api import expect

from ecard.demo import staff
from ecard.demo.stage import Stage, free_port
from ecard.demo.story import INITIAL_PIN, QUERY_PIN
from tests.browser.steps import at_this_desk, picture
from tests.portal.conftest import BEFORE_THE_WRITE

pytestmark = pytest.mark.django_db(transaction=True)

TILL_WINDOW = {"width": 1000, "height": 740}
PORTAL_WINDOW = {"width": 1000, "height": 820}
OFFICE_WINDOW = {"width": 1280, "height": 720}
SOON_S = 60.0
TRIES = 3


class TillFace:
    """The till's own page: what is pressed on it, and what it shows."""

    def __init__(self, page, url: str) -> None:
        self.page = page
        page.goto(url)
        expect(page.locator("#name")).not_to_be_empty()
        page.locator("#find").fill("1008")

    def key(self, amount: str) -> None:
        for digit in amount.replace(".", "").lstrip("0"):
            self.page.locator(f"#key-{digit}").click()
        self.page.locator("#confirm").click()

    def sells(self, amount: str, card: str, led: str, line: str) -> None:
        """Sell. Where the server answers too late the till decides alone, by its list of yesterday; then once more."""
        for _ in range(TRIES):
            expect(self.page.locator("#line2")).to_contain_text("在线")
            self.key(amount)
            self.put(card)
            spoken = self.page.locator("#spoken")
            expect(spoken).to_have_text(re.compile(f"^({re.escape(led)}|E 04)$"))
            if spoken.inner_text() == led:
                break
        self.shows(led, line)

    def put(self, card: str, *, pull_after: int | None = None) -> None:
        self.page.locator("#find").fill(card)
        if pull_after is not None:
            self.page.locator("#tear").check()
            self.page.locator("#after").fill(str(pull_after))
        self.page.locator(f"[data-card='{card}']").click()

    def picture(self, state: str) -> None:
        picture(self.page, f"demo-till-{state}", self.page.locator("#confirm"), whole=False)

    def shows(self, led: str, line: str = "") -> None:
        expect(self.page.locator("#spoken")).to_have_text(led)
        expect(self.page.locator(".lines")).to_contain_text(line)


@pytest.fixture
def stage(live_server, tmp_path):
    """The demo campus with its cards, and the demo's till enrolled at this server."""
    stage = Stage(tmp_path / "demo", live_server.thread.port)
    call_command("seed_demo", "--size", "small", "--wallet", str(stage.cards), stdout=StringIO())
    stage.enrol_till()
    return stage


@pytest.fixture
def till(stage, context):
    """The till program with its face in a window of its own."""
    port = free_port()
    program = stage.start(stage.till_command("--ui", f"127.0.0.1:{port}"))
    page = context.new_page()
    page.set_viewport_size(TILL_WINDOW)
    yield TillFace(page, _once_there(f"http://127.0.0.1:{port}/", page))
    page.close()
    program.terminate()
    program.wait(SOON_S)


@pytest.fixture
def reader(stage, context):
    """The desk's reader with its own face: cards are put on it there."""
    port = free_port()
    stage.enrol_desk()
    program = stage.start(stage.desk_command("--ui", f"127.0.0.1:{port}"))
    page = context.new_page()
    page.goto(_once_there(f"http://127.0.0.1:{port}/", page))
    yield page
    page.close()
    program.terminate()
    program.wait(SOON_S)


@pytest.fixture
def portal(page, live_server):
    """Sign in as a holder of the demo and come to the overview."""
    page.set_viewport_size(PORTAL_WINDOW)

    def sign_in(number: str, pin: str = QUERY_PIN, *, to: str = "/me/"):
        page.context.clear_cookies()
        page.goto(f"{live_server.url}/login/")
        page.get_by_label("学工号或 5 位帐号").fill(number)
        page.get_by_label("查询密码", exact=True).fill(pin)
        page.get_by_role("button", name="登录", exact=True).click()
        page.wait_for_url(f"**{to}")
        return page

    return sign_in


def _once_there(url: str, page) -> str:
    """The address, as soon as somebody listens there."""
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        answer = page.request.get(url, fail_on_status_code=False) if _listens(url) else None
        if answer is not None and answer.ok:
            return url
        time.sleep(0.1)
    raise AssertionError(f"nobody at {url}")


def _listens(url: str) -> bool:
    host, port = re.match(r"http://(.+):(\d+)/", url).groups()
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def _until(page, locator) -> None:
    """Load the page again until it shows this; a till reports within a second of its sale."""
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        page.reload()
        if locator.count():
            return
        time.sleep(0.2)
    expect(locator).to_have_count(1)


def test_pays_pulls_the_card_away_too_fast_and_sees_it_healed(till, portal):
    """指南 L101: 先在系统数据库中将持卡人的账号扣除消费金额，再将智能卡卡片内的余额减除消费金额。"""
    page = portal("10086")
    expect(page.get_by_text("¥28.40").first).to_be_visible()
    till.picture("idle")
    till.key("5.50")
    till.shows("5.50")
    till.picture("amount")
    till.put("10086")
    till.shows("22.90", "消费 5.50")
    till.picture("paid")
    _until(page, page.get_by_text("卡片余额").locator("xpath=following-sibling::dd[contains(., '22.90')]"))

    till.key("1.30")
    till.put("10086", pull_after=BEFORE_THE_WRITE)
    till.shows("rEtry")
    till.picture("retry")
    _until(page, page.get_by_role("heading", name="卡库相差 ¥1.30"))
    difference = page.locator(".notice-warn")
    expect(difference).to_contain_text("拿卡过快")
    expect(difference).to_contain_text(
        re.compile(r"账户余额\s*¥21\.60.*\+¥1\.30.*卡片余额\s*¥22\.90", re.DOTALL)
    )
    till.put("10086")
    till.shows("21.60", "消费 1.30")

    page.get_by_role("link", name="概览").click()
    _until(page, page.get_by_text("卡片余额").locator("xpath=following-sibling::dd[contains(., '21.60')]"))
    expect(page.get_by_role("heading", name=re.compile("卡库相差"))).to_have_count(0)
    picture(page, "demo-portal-healed", page.get_by_text("卡片余额").first, whole=False)
    page.get_by_role("link", name="流水", exact=True).click()
    expect(page.get_by_text("-¥1.30")).to_have_count(1)


def test_the_stories_of_the_guide_look_as_told(till, portal, page, live_server):
    """指南 L95: 智能卡余额为80元，数据库余额为28元，差额为52元 …… 冻结; L101: 1.1 元、2.4 元。"""
    portal("10087")
    frozen = page.get_by_role("heading", name="账户和卡片已冻结")
    picture(page, "demo-portal-frozen", frozen, whole=False)
    till.key("1.00")
    till.put("10087")
    till.shows("E 04")
    till.picture("frozen")

    portal("10088")
    picture(page, "demo-portal-too-fast", page.get_by_role("heading", name="卡库相差 ¥1.30"), whole=False)
    till.key("2.00")
    till.put("10088")
    till.shows("E 01", "余额不足")
    _until(page, page.get_by_text("卡片余额").locator("xpath=following-sibling::dd[contains(., '1.10')]"))
    expect(page.get_by_role("heading", name="卡库相差 ¥1.30")).to_have_count(0)

    portal("10092", INITIAL_PIN, to="/me/security/")
    expect(page.get_by_role("link", name="流水", exact=True)).to_have_count(0)

    staff.make_staff()
    _sign_in_as(page, live_server, "zhuguan", to="/counter/cases/")
    picture(page, "demo-counter-cases", page.get_by_text("10087").first, whole=False)
    page.set_viewport_size(OFFICE_WINDOW)
    _sign_in_as(page, live_server, "admin", to="/admin/transactions/entry/?q=10088")
    expect(page.locator("#result_list")).to_contain_text("-1.30")
    picture(page, "demo-admin-entries", page.locator("#result_list"), whole=False)


def test_six_silent_days_from_the_till_to_the_desk_to_the_statement(till, reader, portal, page, live_server):
    """指南 L103-111: levelled, uploaded late, deducted twice, frozen; then refunded, unfrozen, and it pays again."""
    till.key("1.00")
    till.put("10090")
    till.shows("E 04")

    portal("10090")
    frozen = page.get_by_role("heading", name="账户和卡片已冻结")
    picture(page, "demo-portal-late", frozen, whole=False)
    page.get_by_role("link", name="流水", exact=True).click()
    lines = page.get_by_role("region", name="流水").get_by_role("table")
    expect(lines.get_by_text("平账").first).to_be_visible()
    expect(lines.get_by_text("脱机消费").first).to_be_visible()

    staff.make_staff()
    page.set_viewport_size(OFFICE_WINDOW)
    _sign_in_as(page, live_server, "zhuguan", to="/counter/cases/")
    page.get_by_role("link", name="重复扣款 10090").click()
    refund = page.get_by_role("link", name="退还重复扣款 ¥23.40")
    expect(refund).to_be_visible()
    case = page.url
    refund.click()
    page.get_by_label("理由").fill("07 号机静默六天后才上传，平账时已扣过")
    page.get_by_role("button", name="确认退还重复扣款").click()
    expect(page.get_by_text("已执行")).to_be_visible()

    page.goto(case)
    at_this_desk(page)
    page.get_by_role("button", name="读卡", exact=True).click()
    reader.locator("#find").fill("10090")
    reader.locator("[data-card='10090']").click()
    expect(page.locator(".reader .figure")).to_be_visible()  # the job is over
    page.get_by_role("link", name="解冻").click()
    page.get_by_label("理由").fill("卡在读卡器上，卡库一致")
    page.get_by_role("button", name="确认解冻").click()
    expect(page.get_by_text("已执行")).to_be_visible()

    till.sells("1.00", "10090", "40.20", "消费 1.00")
    page.set_viewport_size(PORTAL_WINDOW)
    portal("10090")
    _until(page, page.get_by_text("卡片余额").locator("xpath=following-sibling::dd[contains(., '40.20')]"))
    expect(frozen).to_have_count(0)
    page.get_by_role("link", name="流水", exact=True).click()
    picture(page, "demo-portal-refunded", lines.get_by_text("退还").first, whole=False)


def _sign_in_as(page, live_server, username: str, *, to: str) -> None:
    page.context.clear_cookies()
    page.goto(f"{live_server.url}/counter/login/")
    page.get_by_label("用户名").fill(username)
    page.get_by_label("密码", exact=True).fill(staff.PASSWORD)
    page.get_by_label("动态码").fill(staff.present_code())
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(re.compile("/(counter/(cases|office)|admin)/"))
    page.goto(f"{live_server.url}{to}")
