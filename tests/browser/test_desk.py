"""The reconciliation desk in a real browser: from the queue to the receipt, by mouse, by keyboard, on a telephone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import OperatorRole
from reconciliation.models import Case
from terminals.models import CardJob, Terminal, TerminalContact
from tests.browser.steps import DESKTOP, PHONE, SMALLEST, at_this_desk, fits, in_chinese, in_english, picture
from tests.counter.test_cases_page import make_operator
from tests.reconciliation import books
from tests.reconciliation.books import NOW, Book, campus, merchant
from tests.reconciliation.desk import desk_terminal, doubled, freeze, gap, open_case, read_on, torn

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_console")]


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


def test_a_double_charge_from_the_queue_to_the_letter(page, stories, li, come_in):
    """指南 L109-111: levelled, uploaded late, frozen, refunded, unfrozen; a supervisor decides in a minute."""
    book, _ = stories["double"]
    page.set_viewport_size(DESKTOP)
    come_in(li)
    picture(page, "desk-queue", page.get_by_text("静默的终端"))

    page.get_by_role("link", name=f"重复扣款 {book.account.number}").click()
    picture(page, "desk-case", page.get_by_text("之后：库 = 卡 = ¥40.20"))
    page.get_by_role("link", name="退还重复扣款 ¥23.40").click()
    page.get_by_label("理由").fill("核对 07 号机流水：三笔在平账后又扣了一次")
    picture(page, "desk-decide", page.get_by_role("button", name="确认退还重复扣款"))
    page.get_by_role("button", name="确认退还重复扣款").click()

    picture(page, "desk-receipt", page.get_by_text("已执行"))
    page.get_by_role("link", name="给持卡人的信函").click()
    page.wait_for_url("**/letter/")
    letter = page.url
    page.emulate_media(media="print")
    picture(page, "desk-letter", page.get_by_text("退还多扣的钱"))
    page.emulate_media(media="screen")
    in_english(page)
    page.emulate_media(media="print")
    picture(page, "desk-letter-en", page.get_by_text("Refund of what was taken twice"))
    page.emulate_media(media="screen")
    assert book.fresh().book_fen == book.fresh_card().card_fen == 40_20
    in_chinese(page)

    desk = desk_terminal()
    page.goto(letter.removesuffix("letter/"))
    at_this_desk(page)
    read_on(desk, book, now=timezone.now())
    page.get_by_role("link", name="解冻").click()
    page.get_by_label("理由").fill("卡在读卡器上，卡库一致")
    page.get_by_role("button", name="确认解冻").click()
    expect(page.get_by_text("已执行")).to_be_visible()
    assert book.fresh().frozen_reasons == []


def test_two_people_above_the_bound(page, stories, li, wu, come_in):
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
    asked = page.get_by_role("link", name=f"按卡修正 {book.account.number}")
    picture(page, "desk-approvals", asked)
    asked.click()
    agree = page.get_by_role("button", name="同意并执行")
    picture(page, "desk-approve", agree)
    agree.click()

    expect(page.get_by_text("已执行")).to_be_visible()
    assert book.fresh().book_fen == 27_00


def test_set_to_book_shows_the_job_on_the_reader(page, stories, li, come_in, desk_stays):
    _, case = stories["torn"]
    desk = desk_terminal()
    TerminalContact.objects.create(terminal=desk, last_contact_at=timezone.now())
    come_in(li, f"/counter/cases/{case.pk}/")
    at_this_desk(page)
    page.get_by_role("link", name="按库修正 ¥1.30").click()
    page.get_by_label("理由").fill("持卡人在柜台")
    page.get_by_role("button", name="确认按库修正").click()

    expect(page.get_by_text("等待读卡程序接收")).to_be_visible()
    CardJob.objects.update(state="expired", ended_at=timezone.now())
    expect(page.get_by_text("没有等到卡")).to_be_visible()


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
    expect(page.get_by_role("button", name="确认按卡修正")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_text("已执行")).to_be_visible()
    assert book.fresh().book_fen == 35_60


def test_on_a_telephone_in_english_and_in_the_dark(page, stories, li, come_in):
    book, case = stories["gap"]
    page.set_viewport_size(PHONE)
    come_in(li)
    picture(page, "desk-queue-phone", page.get_by_text("静默的终端"))
    in_english(page)
    expect(page.get_by_text("Silent terminals")).to_be_visible()
    page.get_by_role("link", name=f"Offline records missing {book.account.number}").click()
    page.wait_for_url(f"**/counter/cases/{case.pk}/")
    proposal = page.get_by_role("link", name="Set book to card ¥23.40")
    page.emulate_media(color_scheme="dark")
    picture(page, "desk-case-phone-en-dark", proposal)
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme="light")
    picture(page, "desk-gap-en", proposal)


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_fits_the_smallest_telephone_and_every_finger(page, live_server, stories, li, come_in, language):
    """WCAG 1.4.10: 320 CSS pixels without scrolling sideways; 2.5.8: everything to press is 44 pixels high."""
    _, case = stories["double"]
    page.set_viewport_size(SMALLEST)
    come_in(li)
    if language == "en":
        in_english(page)

    for path in (
        "cases/",
        f"cases/{case.pk}/",
        f"cases/{case.pk}/decide/refund/",
        f"cases/{case.pk}/letter/",
        "decisions/",
    ):
        page.goto(f"{live_server.url}/counter/{path}")
        fits(page, path)
