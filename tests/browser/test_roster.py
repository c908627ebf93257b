"""A year's new students in a real browser: the file with its progress bar, photos, faces, the series at the desk.

Keyboard at the reader: one Enter a card, or none. Pictures go to docs/images when ECARD_SCREENSHOTS=1.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import Account, Card, Holder, IssueItem, OperatorRole, Photo
from terminals.device.reader.model import ClassicCard
from terminals.models import CardJob
from tests.accounts.roster import person, xlsx
from tests.accounts.test_roster_photos import archive, picture
from tests.campus import make_campus
from tests.counter.test_cases_page import PASSWORD, code_of, make_operator
from tests.terminals.conftest import server
from tests.till.desk_bench import DeskBench, hurried

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["hurried", "server"]
DESKTOP = {"width": 1280, "height": 900}
SMALLEST = {"width": 320, "height": 640}
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture
def shot(tmp_path):
    kept = os.environ.get("ECARD_SCREENSHOTS") == "1"
    folder = Path(settings.BASE_DIR, "docs", "images") if kept else tmp_path

    def take(page, name: str) -> None:
        page.evaluate("window.scrollTo(0, 0)")
        height = min(1300, page.evaluate("document.documentElement.scrollHeight"))
        clip = {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": height}
        page.screenshot(path=folder / f"roster-{name}.png", full_page=True, clip=clip)

    return take


@pytest.fixture
def wang(transactional_db):
    campus, _ = make_campus()
    return make_operator("wang", OperatorRole.CLERK, campus, display_name="王敏")


@pytest.fixture
def come_in(page, live_server, wang):
    def come_in(to: str) -> None:
        page.goto(f"{live_server.url}/counter/login/?next={to}")
        page.get_by_label("用户名").fill(wang.username)
        page.get_by_label("密码", exact=True).fill(PASSWORD)
        page.get_by_label("动态码").fill(code_of(wang))
        page.get_by_role("button", name="登录").click()
        page.wait_for_url(f"**{to}")

    return come_in


def upload(page, data: bytes, name: str) -> None:
    page.get_by_label("名册文件").set_input_files({"name": name, "mimeType": SHEET, "buffer": data})
    page.get_by_role("button", name="上传并核对").click()


def test_a_year_from_the_file_to_the_cards(page, come_in, server, tmp_path, shot):
    """指南 L19: 每年新生入校后，学校将统一制作、统一发放新生校园智能卡正式卡."""
    page.set_viewport_size(DESKTOP)
    come_in("/counter/roster/")
    rows = [person(serial) for serial in range(1, 1101)]
    upload(
        page,
        xlsx(*rows[:9], person(10, id_number=3.7e17), person(11, kind="领导"), *rows[11:20]),
        "新生.xlsx",
    )
    expect(page.get_by_text("有 2 行不能导入，所以一行也没有导入")).to_be_visible()
    shot(page, "rejected")

    page.goto(page.url.split("/roster/")[0] + "/roster/")
    upload(page, xlsx(*rows), "2026 级新生.xlsx")
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("button", name="确认导入").click(timeout=60_000)
    expect(page.get_by_role("link", name="给这些人制卡")).to_be_visible(timeout=30_000)
    assert Holder.objects.count() == 1100

    page.get_by_role("link", name="批量办理").first.click()
    photos = archive(**{f"{row[0]}.jpg": picture(colour="lightblue") for row in rows[:2]}).getvalue()
    page.get_by_label("照片包").set_input_files(
        {"name": "照片.zip", "mimeType": "application/zip", "buffer": photos}
    )
    page.get_by_role("button", name="上传照片包").click()
    expect(page.get_by_text("还缺 1098 人的照片")).to_be_visible(timeout=30_000)
    assert Photo.objects.count() == 2
    Holder.objects.exclude(school_no__in=[row[0] for row in rows[:3]]).update(unit="明年再说")
    Holder.objects.filter(school_no__in=[row[0] for row in rows[:3]]).update(unit="海洋与大气学院")

    _issue(page, shot)
    _series(page, DeskBench(tmp_path, server), shot)


def _issue(page, shot) -> None:
    page.goto(page.url.split("/roster/")[0] + "/roster/issues/new/")
    page.get_by_label("学院或部门").fill("海洋与大气学院")
    page.get_by_role("button", name="看看有多少人").click()
    expect(page.get_by_text("3 人在册、还没有账户")).to_be_visible()
    page.get_by_label("批次名称").fill("2026 级新生 崂山")
    page.get_by_role("button", name="确认开立").click()
    expect(page.get_by_role("heading", name="发卡名单")).to_be_visible()
    page.get_by_role("button", name="1–3").click()
    expect(page.get_by_text("中国海洋大学").first).to_be_visible()
    shot(page, "faces")
    wide = page.locator(".cr80").first.evaluate("it => [it.offsetWidth, it.offsetHeight]")
    assert wide == [324, 204]  # 85.6 × 54 mm at 96 dots an inch
    page.get_by_role("link", name="2026 级新生 崂山").click()


def _series(page, bench: DeskBench, shot) -> None:
    """One Enter for the first card; then only the cards are changed."""
    page.get_by_role("link", name="开始制卡").click()
    page.get_by_role("button", name="在此柜台工作").click()
    series = page.url.split("/counter/")[0]
    page.goto(f"{series}/counter/roster/issues/{IssueItem.objects.first().batch_id}/series/")
    page.get_by_label("制好后自动叫下一张").check()
    button = page.get_by_role("button", name="开始")
    button.focus()
    page.keyboard.press("Enter")
    for number, item in enumerate(IssueItem.objects.order_by("place"), start=1):
        now = page.get_by_role("region", name="正在制这张").locator(".series-name")
        expect(now).to_have_text(item.account.holder.name, timeout=20_000)
        if number == 1:
            shot(page, "series")
        _lay_down(bench, item, number)
    expect(page.get_by_text("这一批全部制好了")).to_be_visible(timeout=20_000)
    bench.cut_power()

    page.get_by_role("link", name="去打印发卡名单").click()
    page.get_by_role("link", name="海洋与大气学院").first.click()
    shot(page, "handover")
    for button in page.get_by_role("button", name="全选").all():
        button.click()
    while page.locator("input[name=item]").count():
        form = page.locator("form.list", has=page.locator("input[name=item]")).first
        form.get_by_label("领了").first.check()
        form.get_by_role("button", name="记下已领的人").click()
        expect(page.get_by_text("人领卡，账户已启用")).to_be_visible()
    assert list(Account.objects.values_list("life", flat=True)) == ["open"] * 3
    assert set(Card.objects.values_list("life", flat=True)) == {"issued"}


def _lay_down(bench: DeskBench, item: IssueItem, number: int) -> None:
    bench.server.now = timezone.now()
    job = CardJob.objects.get(card_id=item.card_id)
    bench.do(job.id, ClassicCard.blank(bytes([0xC1, 0, 0, number])))


def test_everything_to_press_is_large_enough(page, live_server, come_in):
    """WCAG 2.5.8: 44 pixels, on the smallest telephone."""
    from tests.counter.matrix_roster import world

    made = world()
    page.set_viewport_size(SMALLEST)
    come_in("/counter/roster/")
    batch = f"issues/{made['batch_id']}/"
    for path in ("", f"{made['roster_id']}/", batch, f"{batch}series/", f"{batch}handover/"):
        page.goto(f"{live_server.url}/counter/roster/{path}")
        small = page.evaluate(
            """() => [...document.querySelectorAll("main a, main button, main summary, main input:not([type=hidden])")]
                .filter(it => it.offsetParent && !it.closest("p, .sr-only, li, label, .said"))
                .map(it => [it.outerHTML.slice(0, 90), it.getBoundingClientRect()])
                .filter(([, box]) => box.height < 43.5).map(([html]) => html)"""
        )
        assert (path, small) == (path, [])
