"""A year's new students in a real browser: the file with its progress bar, photos, faces, the series at the desk.

Keyboard at the reader: one Enter a card, or none. Pictures go to docs/images when ECARD_SCREENSHOTS=1.
"""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import Account, Card, Holder, IssueItem, OperatorRole, Photo
from terminals.device.reader.model import ClassicCard
from terminals.models import CardJob
from tests.accounts.roster import person, xlsx
from tests.accounts.test_roster_photos import archive
from tests.accounts.test_roster_photos import picture as photo
from tests.browser.steps import DESKTOP, SMALLEST, Gate, at_this_desk, fits, picture
from tests.campus import make_campus
from tests.counter.test_cases_page import make_operator
from tests.terminals.conftest import server
from tests.till.desk_bench import DeskBench, hurried

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["hurried", "server"]
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture
def wang(transactional_db):
    campus, _ = make_campus()
    return make_operator("wang", OperatorRole.CLERK, campus, display_name="王敏")


def upload(page, data: bytes, name: str) -> None:
    page.get_by_label("名册文件").set_input_files({"name": name, "mimeType": SHEET, "buffer": data})
    page.get_by_role("button", name="上传并核对").click()


def test_a_year_from_the_file_to_the_cards(page, live_server, wang, come_in, desk_stays, server, tmp_path):
    """指南 L19: 每年新生入校后，学校将统一制作、统一发放新生校园智能卡正式卡."""
    page.set_viewport_size(DESKTOP)
    come_in(wang, "/counter/roster/")
    rows = [person(serial) for serial in range(1, 1101)]
    upload(
        page,
        xlsx(*rows[:9], person(10, id_number=3.7e17), person(11, kind="领导"), *rows[11:20]),
        "新生.xlsx",
    )
    picture(page, "roster-rejected", page.get_by_text("有 2 行不能导入，所以一行也没有导入"))

    page.goto(f"{live_server.url}/counter/roster/")
    gate = Gate(page, "**/slice/")
    upload(page, xlsx(*rows), "2026 级新生.xlsx")
    picture(page, "roster-import", page.get_by_role("progressbar"))
    gate.open()
    page.get_by_role("button", name="确认导入").click(timeout=120_000)
    expect(page.get_by_role("link", name="给这些人制卡")).to_be_visible(timeout=60_000)
    assert Holder.objects.count() == 1100

    page.get_by_role("link", name="批量办理").first.click()
    photos = archive(**{f"{row[0]}.jpg": photo(colour="lightblue") for row in rows[:2]}).getvalue()
    page.get_by_label("照片包").set_input_files(
        {"name": "照片.zip", "mimeType": "application/zip", "buffer": photos}
    )
    page.get_by_role("button", name="上传照片包").click()
    expect(page.get_by_text("还缺 1098 人的照片")).to_be_visible(timeout=60_000)
    assert Photo.objects.count() == 2
    Holder.objects.exclude(school_no__in=[row[0] for row in rows[:3]]).update(unit="明年再说")
    Holder.objects.filter(school_no__in=[row[0] for row in rows[:3]]).update(unit="海洋与大气学院")

    _issue(page, live_server)
    _series(page, live_server, DeskBench(tmp_path, server))


def _issue(page, live_server) -> None:
    page.goto(f"{live_server.url}/counter/roster/issues/new/")
    page.get_by_label("学院或部门").fill("海洋与大气学院")
    page.get_by_role("button", name="看看有多少人").click()
    expect(page.get_by_text("3 人在册、还没有账户")).to_be_visible()
    page.get_by_label("批次名称").fill("2026 级新生 崂山")
    page.get_by_role("button", name="确认开立").click()
    expect(page.get_by_role("heading", name="发卡名单")).to_be_visible()
    page.get_by_role("button", name="1–3").click()
    picture(page, "roster-faces", page.get_by_text("中国海洋大学").first)
    wide = page.locator(".cr80").first.evaluate("it => [it.offsetWidth, it.offsetHeight]")
    assert wide == [324, 204]  # 85.6 × 54 mm at 96 dots an inch
    page.get_by_role("link", name="2026 级新生 崂山").click()


def _series(page, live_server, bench: DeskBench) -> None:
    """One Enter for the first card; then only the cards are changed."""
    page.get_by_role("link", name="开始制卡").click()
    at_this_desk(page)
    page.goto(f"{live_server.url}/counter/roster/issues/{IssueItem.objects.first().batch_id}/series/")
    page.get_by_label("制好后自动叫下一张").check()
    button = page.get_by_role("button", name="开始")
    button.focus()
    page.keyboard.press("Enter")
    for number, item in enumerate(IssueItem.objects.order_by("place"), start=1):
        now = page.get_by_role("region", name="正在制这张").locator(".series-name")
        expect(now).to_have_text(item.account.holder.name)
        if number == 1:
            picture(page, "roster-series", now)
        _lay_down(bench, item, number)
    expect(page.get_by_text("这一批全部制好了")).to_be_visible()
    bench.cut_power()

    page.get_by_role("link", name="去打印发卡名单").click()
    page.get_by_role("link", name="海洋与大气学院").first.click()
    picture(page, "roster-handover", page.get_by_role("button", name="全选").first)
    waiting = page.locator("input[name=item]")
    while left := waiting.count():
        form = page.locator("form.list", has=waiting).first
        form.get_by_role("button", name="全选").click()
        ticked = form.locator("input[name=item]:checked").count()
        form.get_by_role("button", name="记下已领的人").click()
        expect(waiting).to_have_count(left - ticked)
        expect(page.get_by_text("人领卡，账户已启用")).to_be_visible()
    assert list(Account.objects.values_list("life", flat=True)) == ["open"] * 3
    assert set(Card.objects.values_list("life", flat=True)) == {"issued"}


def _lay_down(bench: DeskBench, item: IssueItem, number: int) -> None:
    bench.server.now = timezone.now()
    job = CardJob.objects.get(card_id=item.card_id)
    bench.do(job.id, ClassicCard.blank(bytes([0xC1, 0, 0, number])))


def test_everything_to_press_is_large_enough(page, live_server, wang, come_in):
    """WCAG 2.5.8: 44 pixels, on the smallest telephone."""
    from tests.counter.matrix_roster import world

    made = world()
    page.set_viewport_size(SMALLEST)
    come_in(wang, "/counter/roster/")
    batch = f"issues/{made['batch_id']}/"
    for path in ("", f"{made['roster_id']}/", batch, f"{batch}series/", f"{batch}handover/"):
        page.goto(f"{live_server.url}/counter/roster/{path}")
        fits(page, path, inside="main", spare="p, .sr-only, li, label, .said")
