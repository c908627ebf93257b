"""A cashier's day in a real browser, with real card jobs on the simulated reader: by keyboard, torn, voided, closed.

Two more windows look on: the customer's display, and the supervisor. Pictures go to docs/images when
ECARD_SCREENSHOTS=1.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import OperatorRole
from terminals.models import CardJob, JobState
from tests.browser.steps import DESKTOP, SMALLEST, at_this_desk, picture, staff_in
from tests.campus import make_campus, make_person
from tests.counter.test_cases_page import make_operator
from tests.terminals.conftest import server
from tests.till.desk_bench import DeskBench, hurried
from tests.transactions.cash_desk import by
from transactions.models import Receipt, Shift, TopUpSlip
from transactions.services import shifts

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["hurried", "server"]
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
def bench(tmp_path, server, wang, desk_stays, monkeypatch):
    """The desk's program beside its reader, however slow this machine is."""
    monkeypatch.setattr(shifts, "DISPLAY_THERE", timedelta(minutes=10))
    server.now = timezone.now()
    desk = DeskBench(tmp_path, server)
    desk.turn(1)
    shifts.add_drawer(wang.campus_id, "LS01", name_zh="第二食堂充值点", name_en="Canteen 2", by=by(wang))
    yield desk
    desk.cut_power()


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
    expect(page.get_by_label("充值金额（元）")).to_be_focused()


def test_a_day_of_the_cashier(page, context, window, live_server, bench, wang, li):
    """K01-K07, R013, R014: at most 5 keys after the amount, shown first, torn, voided by two, closed 0.50 short."""
    page.set_viewport_size(DESKTOP)
    person, other = make_person(28_40), make_person(12_00)
    staff_in(page, live_server, wang, "/counter/cash/open/")
    page.get_by_label("¥100.00").fill("2")
    expect(page.locator("[data-total-yuan]")).to_have_text("¥200.00")
    page.get_by_role("button", name="开班").click()
    page.wait_for_url("**/counter/cash/")
    at_this_desk(page)
    display = context.new_page()
    display.set_viewport_size({"width": 1024, "height": 600})
    display.goto(f"{live_server.url}/counter/cash/display/")
    expect(display.get_by_text("欢迎")).to_be_visible()
    page.bring_to_front()
    page.reload()
    expect(page.get_by_text("顾客屏已连接")).to_be_visible()

    # -- top-up: the amount, then keys are counted
    read(page, bench, person.plastic)
    page.keyboard.type("50")
    keys = 0

    def press(key: str) -> None:
        nonlocal keys
        page.keyboard.press(key)
        keys += 1

    press("Enter")
    page.wait_for_url("**/cash/slips/**")
    expect(page.get_by_text("顾客屏已显示此金额")).to_be_visible()
    expect(display.locator(".display-amount")).to_have_text("¥50.00")
    picture(display, "cash-display", display.locator(".display-amount"))
    picture(page, "cash-confirm", page.get_by_text("顾客屏已显示此金额"))
    expect(page.get_by_role("button", name="现金确认")).to_be_focused()
    press("Enter")
    expect(page.get_by_text("现金已确认")).to_be_visible()
    slip = TopUpSlip.objects.get()
    assert slip.announced_at <= slip.shown_at <= slip.confirmed_at
    assert run(bench, person.plastic) is JobState.DONE
    expect(page.get_by_text("充值完成，库与卡都已入账")).to_be_visible()
    expect(display.get_by_text("充值完成，请取卡")).to_be_visible()
    expect(page.get_by_role("button", name="打印小票")).to_be_focused()
    press("Enter")
    page.wait_for_url("**/paper/0/")
    assert keys <= 5
    receipt = Receipt.objects.get()
    assert slip.confirmed_at <= receipt.issued_at
    assert (person.book_fen, person.card_fen) == (78_40, 78_40)
    picture(page, "cash-paper", page.get_by_text("伍拾元整"))
    code = page.locator(".ticket-facts strong").last.inner_text()

    # -- torn: the same card comes back, the same receipt
    page.keyboard.press("F2")
    page.wait_for_url("**/counter/cash/")
    read(page, bench, other.plastic)
    page.keyboard.type("30")
    page.keyboard.press("Enter")
    expect(page.get_by_text("顾客屏已显示此金额")).to_be_visible()
    expect(page.get_by_role("button", name="现金确认")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("现金已确认")).to_be_visible()
    run(bench, other.plastic, leave_after=THE_WRITE)
    expect(page.get_by_text("请重新放同一张卡，会接着写完，还是这一张票")).to_be_visible()
    expect(display.get_by_text("请重新放同一张卡。")).to_be_visible()
    torn = Receipt.objects.get(no=2)
    assert run(bench, other.plastic) is JobState.DONE
    expect(page.get_by_text("充值完成，库与卡都已入账")).to_be_visible()
    assert (other.book_fen, other.card_fen, Receipt.objects.count()) == (42_00, 42_00, 2)

    # -- void: a reason, the supervisor in another window, the card
    page.goto(f"{live_server.url}/counter/cash/receipts/{torn.pk}/")
    page.get_by_role("link", name="提出撤销").click()
    page.get_by_label("撤销理由").fill("顾客放弃充值")
    page.get_by_role("button", name="提交复核").click()
    expect(page.get_by_text("等待主管复核")).to_be_visible()
    boss = window()
    staff_in(boss, live_server, li, "/counter/decisions/")
    boss.get_by_role("link", name=re.compile("撤销充值")).first.click()
    expect(boss.get_by_text(torn.number)).to_be_visible()
    boss.get_by_role("button", name=re.compile("同意")).first.click()
    expect(boss.get_by_role("button", name=re.compile("同意"))).to_have_count(0)
    page.reload()
    page.get_by_role("button", name="放卡撤销 ¥30.00").click()
    expect(page.locator(".reader-job[data-live='1']")).to_be_visible()
    assert run(bench, other.plastic) is JobState.DONE
    picture(page, "cash-voided", page.get_by_text("已撤销", exact=True).first)
    assert (other.book_fen, other.card_fen) == (12_00, 12_00)

    # -- close: 249.50 instead of 250.00
    page.goto(f"{live_server.url}/counter/cash/")
    page.get_by_role("link", name="交班").click()
    for label, pieces in (("¥100.00", "2"), ("¥20.00", "2"), ("¥5.00", "1"), ("¥1.00", "4"), ("¥0.50", "1")):
        page.get_by_label(label).fill(pieces)
    expect(page.locator("[data-difference-yuan]")).to_have_text("-¥0.50")
    page.get_by_label("差额原因").fill("找零时多找了 5 角")
    picture(page, "cash-close", page.get_by_role("button", name="确认交班"))
    page.get_by_role("button", name="确认交班").click()
    expect(page.get_by_text("待接收")).to_be_visible()
    page.get_by_role("link", name="交班单").click()
    expect(page.get_by_text("贰佰肆拾玖元伍角整")).to_be_visible()
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
    display.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_till_on_a_small_screen_without_script(window, live_server, bench, wang, scheme):
    """320 px, no JavaScript: the buttons and the page itself do all of it; the display looks again by itself."""
    page = window(java_script_enabled=False, viewport=SMALLEST, color_scheme=scheme)
    person = make_person(28_40)
    staff_in(page, live_server, wang, "/counter/cash/open/")
    page.get_by_label("备用金合计（元）").fill("200")
    page.get_by_role("button", name="开班").click()
    page.wait_for_url("**/counter/cash/")
    at_this_desk(page)
    page.get_by_role("button", name="读卡", exact=True).click()
    expect(page.locator(".reader-job[data-live='1']")).to_be_visible()
    assert run(bench, person.plastic) is JobState.DONE
    page.get_by_role("link", name="刷新").click()
    page.get_by_label("充值金额（元）").fill("５０")
    page.get_by_role("button", name="显示给持卡人").click()
    page.get_by_label("没有顾客屏：持卡人已在本屏核对金额").check()
    page.get_by_role("button", name="现金确认").click()
    expect(page.get_by_text("现金已确认")).to_be_visible()
    assert run(bench, person.plastic) is JobState.DONE
    page.reload()
    picture(page, f"cash-small-{scheme}", page.get_by_text("充值完成，库与卡都已入账"))

    assert (person.book_fen, person.card_fen) == (78_40, 78_40)
    assert TopUpSlip.objects.get().shown_on == "counter"
