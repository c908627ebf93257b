"""A cashier's day in a real browser, with real card jobs on the simulated reader: by keyboard, torn, voided, closed.

Two more windows look on: the customer's display, and the supervisor. Pictures go to docs/images when
ECARD_SCREENSHOTS=1.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import OperatorRole
from terminals.models import CardJob, JobState
from terminals.services import jobs
from tests.campus import make_campus, make_person
from tests.counter.test_cases_page import PASSWORD, code_of, make_operator
from tests.terminals.conftest import server
from tests.till.desk_bench import DeskBench, hurried
from tests.transactions.cash_desk import by
from transactions.models import Receipt, Shift, TopUpSlip
from transactions.services import shifts

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["hurried", "server"]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
SMALLEST = {"width": 320, "height": 640}
THE_WRITE = 21
"""Operations of a reading with the ring, and of opening the sector to write."""


@pytest.fixture
def wang(transactional_db):
    campus, _ = make_campus()
    return make_operator("wang", OperatorRole.CASHIER, campus, display_name="王收银")


@pytest.fixture
def li(transactional_db):
    campus, _ = make_campus()
    return make_operator("li", OperatorRole.SUPERVISOR, campus, display_name="李主管")


@pytest.fixture
def bench(tmp_path, server, wang, monkeypatch):
    """The desk's program beside its reader, however slow this machine is."""
    monkeypatch.setattr(jobs, "AGENT_THERE", timedelta(minutes=10))
    monkeypatch.setattr(shifts, "DISPLAY_THERE", timedelta(minutes=10))
    server.now = timezone.now()
    desk = DeskBench(tmp_path, server)
    desk.turn(1)
    shifts.add_drawer(wang.campus_id, "LS01", name_zh="第二食堂充值点", name_en="Canteen 2", by=by(wang))
    yield desk
    desk.cut_power()


@pytest.fixture
def shot(tmp_path):
    kept = os.environ.get("ECARD_SCREENSHOTS") == "1"
    seen = os.environ.get("ECARD_SHOTS")
    folder = Path(seen) if seen else Path(settings.BASE_DIR, "docs", "images") if kept else tmp_path
    folder.mkdir(parents=True, exist_ok=True)

    def take(page, name: str) -> None:
        page.evaluate("window.scrollTo(0, 0)")
        height = min(1500, page.evaluate("document.documentElement.scrollHeight"))
        clip = {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": height}
        page.screenshot(path=folder / f"cash-{name}.png", full_page=True, clip=clip)

    return take


def sign_in(page, live_server, person, to: str) -> None:
    page.goto(f"{live_server.url}/counter/login/?next={to}")
    page.get_by_label("用户名").fill(person.username)
    page.get_by_label("密码", exact=True).fill(PASSWORD)
    page.get_by_label("动态码").fill(code_of(person))
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(f"**{to}**")


def run(bench: DeskBench, plastic, **how) -> JobState:
    """Let the job that the page ordered meet this card."""
    bench.server.now = timezone.now()
    job = CardJob.objects.order_by("-ordered_at").first()
    return bench.do(job.id, plastic, **how).state


def read(page, bench: DeskBench, plastic) -> None:
    """F4, the card, and its holder is on the screen."""
    page.keyboard.press("F4")
    expect(page.locator(".reader-job[data-live='1']")).to_be_visible()
    assert run(bench, plastic) is JobState.DONE
    expect(page.get_by_label("充值金额（元）")).to_be_focused(timeout=10_000)


def test_a_day_of_the_cashier(page, context, browser, live_server, bench, wang, li, shot):
    """K01-K07, R013, R014: at most 5 keys after the amount, shown first, torn, voided by two, closed 0.50 short."""
    page.set_viewport_size(DESKTOP)
    person, other = make_person(28_40), make_person(12_00)
    sign_in(page, live_server, wang, "/counter/")
    page.wait_for_url("**/counter/cash/open/")
    page.get_by_label("¥100.00").fill("2")
    expect(page.locator("[data-total-yuan]")).to_have_text("¥200.00")
    page.get_by_role("button", name="开班").click()
    page.wait_for_url("**/counter/cash/")
    page.get_by_role("button", name="在此柜台工作").click()
    display = context.new_page()
    display.set_viewport_size({"width": 1024, "height": 600})
    display.goto(f"{live_server.url}/counter/cash/display/")
    expect(display.get_by_text("欢迎")).to_be_visible()
    page.bring_to_front()
    page.reload()
    expect(page.get_by_text("顾客屏已连接")).to_be_visible()
    shot(page, "idle")

    # -- top-up: the amount, then keys are counted
    read(page, bench, person.plastic)
    page.keyboard.type("50")
    shot(page, "amount")
    keys = 0

    def press(key: str) -> None:
        nonlocal keys
        page.keyboard.press(key)
        keys += 1

    press("Enter")
    page.wait_for_url("**/cash/slips/**")
    expect(page.get_by_text("顾客屏已显示此金额")).to_be_visible(timeout=10_000)
    expect(display.locator(".display-amount")).to_have_text("¥50.00")
    shot(display, "display")
    shot(page, "confirm")
    expect(page.get_by_role("button", name="现金确认")).to_be_focused()
    press("Enter")
    expect(page.get_by_text("现金已确认")).to_be_visible()
    slip = TopUpSlip.objects.get()
    assert slip.announced_at <= slip.shown_at <= slip.confirmed_at
    assert run(bench, person.plastic) is JobState.DONE
    expect(page.get_by_text("充值完成，库与卡都已入账")).to_be_visible(timeout=10_000)
    expect(display.get_by_text("充值完成，请取卡")).to_be_visible(timeout=10_000)
    expect(page.get_by_role("button", name="打印小票")).to_be_focused()
    shot(page, "done")
    press("Enter")
    page.wait_for_url("**/paper/0/")
    assert keys <= 5
    receipt = Receipt.objects.get()
    assert slip.confirmed_at <= receipt.issued_at
    assert (person.book_fen, person.card_fen) == (78_40, 78_40)
    expect(page.get_by_text("伍拾元整")).to_be_visible()
    shot(page, "paper")
    code = page.locator(".ticket-facts strong").last.inner_text()

    # -- torn: the same card comes back, the same receipt
    page.keyboard.press("F2")
    page.wait_for_url("**/counter/cash/")
    read(page, bench, other.plastic)
    page.keyboard.type("30")
    page.keyboard.press("Enter")
    expect(page.get_by_text("顾客屏已显示此金额")).to_be_visible(timeout=10_000)
    page.keyboard.press("Enter")
    expect(page.get_by_text("现金已确认")).to_be_visible()
    run(bench, other.plastic, leave_after=THE_WRITE)
    expect(page.get_by_text("请重新放同一张卡，会接着写完，还是这一张票")).to_be_visible(timeout=10_000)
    expect(display.get_by_text("请重新放同一张卡。")).to_be_visible(timeout=10_000)
    shot(page, "torn")
    torn = Receipt.objects.get(no=2)
    assert run(bench, other.plastic) is JobState.DONE
    expect(page.get_by_text("充值完成，库与卡都已入账")).to_be_visible(timeout=10_000)
    assert (other.book_fen, other.card_fen, Receipt.objects.count()) == (42_00, 42_00, 2)

    # -- void: a reason, the supervisor in another window, the card
    page.goto(f"{live_server.url}/counter/cash/receipts/{torn.pk}/")
    page.get_by_role("link", name="提出撤销").click()
    page.get_by_label("撤销理由").fill("顾客放弃充值")
    page.get_by_role("button", name="提交复核").click()
    expect(page.get_by_text("等待主管复核")).to_be_visible()
    boss = browser.new_context(locale="zh-CN").new_page()
    sign_in(boss, live_server, li, "/counter/decisions/")
    boss.get_by_role("link", name=re.compile("撤销充值")).first.click()
    expect(boss.get_by_text(torn.number)).to_be_visible()
    boss.get_by_role("button", name=re.compile("同意")).first.click()
    page.reload()
    page.get_by_role("button", name="放卡撤销 ¥30.00").click()
    expect(page.locator(".reader-job[data-live='1']")).to_be_visible()
    assert run(bench, other.plastic) is JobState.DONE
    expect(page.get_by_text("已撤销", exact=True).first).to_be_visible(timeout=10_000)
    shot(page, "voided")
    assert (other.book_fen, other.card_fen) == (12_00, 12_00)

    # -- close: 249.50 instead of 250.00
    page.goto(f"{live_server.url}/counter/cash/")
    page.get_by_role("link", name="交班").click()
    for label, pieces in (("¥100.00", "2"), ("¥20.00", "2"), ("¥5.00", "1"), ("¥1.00", "4"), ("¥0.50", "1")):
        page.get_by_label(label).fill(pieces)
    expect(page.locator("[data-difference-yuan]")).to_have_text("-¥0.50")
    page.get_by_label("差额原因").fill("找零时多找了 5 角")
    shot(page, "close")
    page.get_by_role("button", name="确认交班").click()
    expect(page.get_by_text("待接收")).to_be_visible()
    page.get_by_role("link", name="交班单").click()
    expect(page.get_by_text("贰佰肆拾玖元伍角整")).to_be_visible()
    shot(page, "handover")
    shift = Shift.objects.get()
    boss.goto(f"{live_server.url}/counter/shifts/{shift.pk}/")
    boss.get_by_role("button", name="核对无误，接收").click()
    expect(boss.get_by_text("已接收", exact=True)).to_be_visible()
    shift.refresh_from_db()
    assert (shift.expected_fen, shift.counted_fen, shift.accepted_by_id) == (250_00, 249_50, li.pk)

    # -- anybody checks the paper
    boss.goto(f"{live_server.url}/receipt/")
    boss.get_by_label("票号").fill(receipt.number)
    boss.get_by_label("校验码").fill(code)
    boss.get_by_role("button", name="查验").click()
    expect(boss.get_by_text("此票有效")).to_be_visible()
    boss.context.close()
    display.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_till_on_a_small_screen_without_script(browser, live_server, bench, wang, dark, shot):
    """320 px, no JavaScript: the buttons and the page itself do all of it; the display looks again by itself."""
    context = browser.new_context(
        java_script_enabled=False, locale="zh-CN", viewport=SMALLEST, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    person = make_person(28_40)
    sign_in(page, live_server, wang, "/counter/")
    page.get_by_label("备用金合计（元）").fill("200")
    page.get_by_role("button", name="开班").click()
    page.get_by_role("button", name="在此柜台工作").click()
    page.get_by_role("button", name="读卡", exact=True).click()
    assert run(bench, person.plastic) is JobState.DONE
    page.get_by_role("link", name="刷新").click()
    page.get_by_label("充值金额（元）").fill("５０")
    page.get_by_role("button", name="显示给持卡人").click()
    page.get_by_label("没有顾客屏：持卡人已在本屏核对金额").check()
    page.get_by_role("button", name="现金确认").click()
    assert run(bench, person.plastic) is JobState.DONE
    page.reload()
    expect(page.get_by_text("充值完成，库与卡都已入账")).to_be_visible()
    shot(page, f"small-{'dark' if dark else 'light'}")

    assert (person.book_fen, person.card_fen) == (78_40, 78_40)
    assert TopUpSlip.objects.get().shown_on == "counter"
    context.close()
