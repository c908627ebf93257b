"""The reconciliation desk in a real browser: from the queue to the receipt, by mouse, by keyboard, on a telephone."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import Operator, OperatorRole
from reconciliation.models import Case
from terminals.models import CardJob, Terminal, TerminalContact
from tests.counter.test_cases_page import PASSWORD, code_of, make_operator
from tests.reconciliation import books
from tests.reconciliation.books import NOW, Book, campus, merchant
from tests.reconciliation.desk import desk_terminal, doubled, freeze, gap, open_case, read_on, torn

pytestmark = pytest.mark.django_db(transaction=True)

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
SMALLEST = {"width": 320, "height": 640}
MAX_HEIGHT = 1600
"""Pictures for the documents end here; what follows below is more of the same."""


@pytest.fixture(autouse=True)
def clean_console(page):
    """The strict content security policy and the scripts leave no complaint."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield
    assert not [text for text in complaints if "status of 40" not in text]


@pytest.fixture
def stories(transactional_db):
    """A morning at the desk: every class of case, two silent tills, one account waiting to be unfrozen."""
    place = campus("laoshan")
    place.name_zh, place.name_en = "崂山校区", "Laoshan"
    place.save()
    shop = merchant()
    shop.name_zh, shop.name_en = "师苑餐厅", "Shiyuan Canteen"
    shop.save()
    found = {"double": doubled(10_00, 5_40, 8_00, held=64_60), "gap": gap(23_40, held=60_00), "torn": torn()}
    found["far"] = gap(72_00, held=100_00)
    torn(55_00, held=80_00)
    negative = Book.open(12_00)
    negative.upload(12_01)
    excess = Book.open(5_00)
    excess.find("excess", card_fen=60_00, book_fen=5_00)
    Book.open(3_00).top_up(50_00, written=False)
    for name, english, days, unsent in (
        ("07号机", "Till 07", 6, 45),
        ("12号机", "Till 12", 3, 0),
    ):
        till = Terminal.objects.create(
            name_zh=name, name_en=english, kind="till", campus=place, merchant=shop, may_sell_offline=True,
            epoch=1, enrolled_at=NOW - timedelta(days=90), place="一楼",
        )  # fmt: skip
        heard_at = timezone.now() - timedelta(days=days, hours=2)
        TerminalContact.objects.create(terminal=till, last_contact_at=heard_at, unsent=unsent)
    books.run(now=timezone.now())
    now = timezone.now()
    for days, case in enumerate(Case.objects.filter(state="open").order_by("-id")[2:]):
        Case.objects.filter(pk=case.pk).update(opened_at=now - timedelta(days=days, hours=5))
    level = Book.open(20_00)
    freeze(level, "card_above_book")
    found["level"] = (level, open_case(level, "TORN", state="closed", closed_at=NOW + timedelta(hours=1)))
    return found


@pytest.fixture
def li(transactional_db):
    return make_operator("li", OperatorRole.SUPERVISOR, campus("laoshan"), display_name="李敏")


@pytest.fixture
def wu(transactional_db):
    return make_operator("wu", OperatorRole.SUPERVISOR, campus("laoshan"), display_name="吴岳")


@pytest.fixture
def come_in(page, live_server):
    """Sign in as a member of staff."""

    def come_in(person: Operator, to: str = "/counter/cases/") -> None:
        page.context.clear_cookies()
        page.goto(f"{live_server.url}/counter/login/?next={to}")
        page.get_by_label("用户名").fill(person.username)
        page.get_by_label("密码", exact=True).fill(PASSWORD)
        page.get_by_label("动态码").fill(code_of(person))
        page.get_by_role("button", name="登录").click()
        page.wait_for_url(f"**{to}")

    return come_in


@pytest.fixture
def shot(tmp_path):
    """A picture of the whole page under the desk's own names."""
    kept = os.environ.get("ECARD_SCREENSHOTS") == "1"
    folder = Path(settings.BASE_DIR, "docs", "images") if kept else tmp_path

    def take(page, name: str) -> None:
        page.evaluate("window.scrollTo(0, 0)")
        height = min(MAX_HEIGHT, page.evaluate("document.documentElement.scrollHeight"))
        clip = {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": height}
        page.screenshot(path=folder / f"desk-{name}.png", full_page=True, clip=clip)

    return take


def test_a_double_charge_from_the_queue_to_the_letter(page, stories, li, come_in, shot):
    """指南 L109-111: levelled, uploaded late, frozen, refunded, unfrozen; a supervisor decides in a minute."""
    book, _ = stories["double"]
    page.set_viewport_size(DESKTOP)
    come_in(li)
    expect(page.get_by_text("静默的终端")).to_be_visible()
    shot(page, "queue")

    page.get_by_role("link", name=f"重复扣款 {book.account.number}").click()
    expect(page.get_by_text("之后：库 = 卡 = ¥40.20")).to_be_visible()
    shot(page, "case")
    page.get_by_role("link", name="退还重复扣款 ¥23.40").click()
    page.get_by_label("理由").fill("核对 07 号机流水：三笔在平账后又扣了一次")
    shot(page, "decide")
    page.get_by_role("button", name="确认退还重复扣款").click()

    expect(page.get_by_text("已执行")).to_be_visible()
    shot(page, "receipt")
    page.get_by_role("link", name="给持卡人的信函").click()
    expect(page.get_by_text("退还多扣的钱")).to_be_visible()
    page.emulate_media(media="print")
    shot(page, "letter")
    page.emulate_media(media="screen")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_text("Refund of what was taken twice")).to_be_visible()
    page.emulate_media(media="print")
    shot(page, "letter-en")
    page.emulate_media(media="screen")
    assert book.fresh().book_fen == book.fresh_card().card_fen == 40_20

    desk = desk_terminal()
    page.goto(page.url.replace("letter/", ""))
    page.get_by_role("button", name="中文").click()
    page.get_by_role("button", name="在此柜台工作").click()
    read_on(desk, book, now=timezone.now())
    page.get_by_role("link", name="解冻").click()
    page.get_by_label("理由").fill("卡在读卡器上，卡库一致")
    page.get_by_role("button", name="确认解冻").click()
    expect(page.get_by_text("已执行")).to_be_visible()
    assert book.fresh().frozen_reasons == []


def test_two_people_above_the_bound(page, stories, li, wu, come_in, shot):
    book, case = stories["far"]
    page.set_viewport_size(DESKTOP)
    come_in(li, f"/counter/cases/{case.pk}/")
    page.get_by_role("link", name="按卡修正").click()
    expect(page.get_by_text("由另一位主管复核")).to_be_visible()
    page.get_by_label("理由").fill("12 号机已报废，流水不会再来")
    page.get_by_role("button", name="提交复核").click()
    expect(page.get_by_text("等待复核").first).to_be_visible()
    assert book.fresh().book_fen == 99_00

    come_in(wu, "/counter/decisions/")
    shot(page, "approvals")
    page.get_by_role("link", name=f"按卡修正 {book.account.number}").click()
    shot(page, "approve")
    page.get_by_role("button", name="同意并执行").click()

    expect(page.get_by_text("已执行")).to_be_visible()
    assert book.fresh().book_fen == 27_00


def test_set_to_book_shows_the_job_on_the_reader(page, live_server, stories, li, come_in):
    _, case = stories["torn"]
    desk = desk_terminal()
    TerminalContact.objects.create(terminal=desk, last_contact_at=timezone.now())
    come_in(li, f"/counter/cases/{case.pk}/")
    page.get_by_role("button", name="在此柜台工作").click()
    page.get_by_role("link", name="按库修正 ¥1.30").click()
    page.get_by_label("理由").fill("持卡人在柜台")
    page.get_by_role("button", name="确认按库修正").click()

    expect(page.get_by_text("等待读卡程序接收")).to_be_visible()
    CardJob.objects.update(state="expired", ended_at=timezone.now())
    expect(page.get_by_text("没有等到卡")).to_be_visible(timeout=8000)


def test_by_keyboard_alone(page, stories, li, come_in):
    """WCAG 2.1.1: from the queue to the confirmation without a mouse."""
    book, _ = stories["gap"]
    come_in(li)
    link = page.get_by_role("link", name=f"脱机流水未到 {book.account.number}")
    link.focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="按卡修正 ¥23.40").focus()
    page.keyboard.press("Enter")
    page.get_by_label("理由").focus()
    page.keyboard.type("12 hao ji")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").strip() == "确认按卡修正"
    page.keyboard.press("Enter")

    expect(page.get_by_text("已执行")).to_be_visible()
    assert book.fresh().book_fen == 35_60


def test_on_a_telephone_in_english_and_in_the_dark(page, stories, li, come_in, shot):
    book, _ = stories["gap"]
    page.set_viewport_size(PHONE)
    come_in(li)
    shot(page, "queue-phone")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_text("Silent terminals")).to_be_visible()
    page.get_by_role("link", name=f"Offline records missing {book.account.number}").click()
    page.emulate_media(color_scheme="dark")
    shot(page, "case-phone-en-dark")
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme="light")
    shot(page, "gap-en")


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_fits_the_smallest_telephone_and_every_finger(page, live_server, stories, li, come_in, language):
    """WCAG 1.4.10: 320 CSS pixels without scrolling sideways; 2.5.8: everything to press is 44 pixels high."""
    _, case = stories["double"]
    page.set_viewport_size(SMALLEST)
    come_in(li)
    if language == "en":
        page.get_by_role("button", name="English").click()

    for path in (
        "cases/",
        f"cases/{case.pk}/",
        f"cases/{case.pk}/decide/refund/",
        f"cases/{case.pk}/letter/",
        "decisions/",
    ):
        page.goto(f"{live_server.url}/counter/{path}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert (path, wide) == (path, 0)
        small = page.evaluate(
            """() => [...document.querySelectorAll("a, button, summary, input:not([type=hidden]), select, textarea")]
                .filter(it => it.offsetParent && !it.closest("p, .skip, .sr-only, li") && !it.matches(".skip"))
                .map(it => [it.outerHTML.slice(0, 90), it.getBoundingClientRect()])
                .filter(([, box]) => box.height < 43.5).map(([html]) => html)"""
        )
        assert (path, small) == (path, [])
