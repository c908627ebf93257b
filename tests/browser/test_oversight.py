"""Two administrators hire somebody, who comes in, chooses a password, works, and is out at once when disabled."""

from __future__ import annotations

import time
from base64 import b32decode

import pytest
from django_otp.oath import TOTP
from playwright.sync_api import expect

from accounts.actors import Actor, Channel
from accounts.models import AuditEvent, Operator, OperatorRole
from accounts.services import audit
from accounts.wiring import now
from tests.browser.steps import picture
from tests.counter.test_cases_page import PASSWORD, code_of, make_operator
from tests.reconciliation.books import campus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_console")]
DESKTOP = {"width": 1180, "height": 860}
OWN = "a quiet green river"


@pytest.fixture
def comes(window, live_server):
    """Somebody signs in with these, in a browser of his own."""

    def come_in(username: str, password: str, code: str):
        page = window(viewport=DESKTOP)
        page.goto(f"{live_server.url}/counter/login/")
        page.get_by_label("用户名").fill(username)
        page.get_by_label("密码", exact=True).fill(password)
        page.get_by_label("动态码").fill(code)
        page.get_by_role("button", name="登录").click()
        expect(page.get_by_role("button", name="退出")).to_be_visible()
        return page

    return come_in


def hand_out(page, title: str) -> None:
    """Open the part of the page with this deed, and do it."""
    page.locator("summary", has_text=title).click()
    page.get_by_role("button", name=title).click()


def test_hired_by_two_and_out_at_once(comes, live_server, transactional_db):
    place = campus("laoshan")
    place.name_zh, place.name_en = "崂山校区", "Laoshan"
    place.save()
    admins = [
        make_operator(name, OperatorRole.ADMIN, display_name=shown, is_staff=True)
        for name, shown in (("an", "安静"), ("bo", "薄云"))
    ]
    an, bo = (comes(each.username, PASSWORD, code_of(each)) for each in admins)

    an.goto(f"{live_server.url}/counter/operators/new/")
    an.get_by_label("用户名").fill("zhao.min")
    an.get_by_label("姓名").fill("赵敏")
    an.get_by_label("岗位").select_option("clerk")
    an.get_by_label("校区").select_option("laoshan")
    an.get_by_label("理由").fill("崂山柜台新来的同事")
    an.get_by_role("button", name="提交复核").click()
    expect(an.get_by_text("等待复核")).to_be_visible()
    expect(an.get_by_role("button", name="同意")).to_have_count(0)
    assert not Operator.objects.filter(username="zhao.min").exists()

    bo.goto(f"{live_server.url}/counter/decisions/")
    bo.get_by_role("link", name="新增操作员").click()
    picture(bo, "oversight-request", bo.get_by_text("崂山校区"))
    bo.get_by_role("button", name="同意并办理").click()
    expect(bo.get_by_text("已办理。")).to_be_visible()
    person = Operator.objects.get(username="zhao.min")

    bo.goto(f"{live_server.url}/counter/operators/{person.pk}/")
    hand_out(bo, "发临时密码")
    picture(bo, "oversight-password", bo.locator(".given"))
    given = bo.locator(".given").inner_text()
    an.goto(f"{live_server.url}/counter/operators/{person.pk}/")
    hand_out(an, "发新验证器")
    key = b32decode(an.locator(".given").inner_text().replace(" ", ""))
    totp = TOTP(key)
    totp.time = time.time()

    zhao = comes("zhao.min", given, f"{totp.token():06d}")
    expect(zhao.get_by_role("heading", name="请先设自己的密码")).to_be_visible()
    zhao.goto(f"{live_server.url}/counter/cases/")
    expect(zhao.get_by_role("heading", name="请先设自己的密码")).to_be_visible()
    zhao.get_by_label("原密码").fill(given)
    zhao.get_by_label("新密码", exact=True).fill(OWN)
    zhao.get_by_label("再输一次新密码").fill(OWN)
    zhao.get_by_role("button", name="修改密码").click()
    expect(zhao.get_by_text("本会话")).to_be_visible()
    zhao.goto(f"{live_server.url}/counter/cases/")
    expect(zhao.get_by_role("heading", name="待处理").first).to_be_visible()

    an.goto(f"{live_server.url}/counter/operators/{person.pk}/")
    expect(an.get_by_text("进行中")).to_be_visible()
    an.locator("summary", has_text="停用").click()
    an.locator("#disable-reason").fill("调离")
    an.get_by_role("button", name="停用").click()
    expect(an.get_by_text("已停用，全部会话已结束。")).to_be_visible()
    zhao.reload()
    expect(zhao.get_by_role("heading", name="工作人员登录")).to_be_visible()

    told = AuditEvent.objects.filter(object_kind="operator", object_id=str(person.pk)).order_by("id")
    assert list(told.values_list("action", flat=True)) == [
        "operator.make",
        "operator.give_password",
        "operator.set_authenticator",
        "operator.change_password",
        "operator.disable",
        "operator.end_sessions",
    ]


def test_the_auditor_finds_the_deed_by_keyboard(comes, live_server, transactional_db):
    """V06: Tab, Enter, arrow keys; no mouse."""
    place = campus("laoshan")
    shen = make_operator("shen", OperatorRole.AUDITOR, place, display_name="沈审")
    make_operator("li", OperatorRole.SUPERVISOR, place, display_name="李敏")
    page = comes("shen", PASSWORD, code_of(shen))
    li = Operator.objects.get(username="li")
    for number in range(3):
        actor = Actor.operator(li.pk, role="supervisor", channel=Channel.COUNTER, place="10.0.0.7")
        deed = audit.Deed("card.lift_loss", "card", number, {"lost": True}, {"lost": False}, "本人带卡来办")
        audit.record(deed, actor=actor, now=now())

    page.goto(f"{live_server.url}/counter/audit/")
    page.get_by_label("操作", exact=True).select_option("card.lift_loss")
    page.get_by_role("button", name="查看").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="解除挂失")).to_have_count(3)
    picture(page, "oversight-audit", page.get_by_role("link", name="解除挂失").first)
    page.get_by_role("link", name="解除挂失").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="解除挂失")).to_be_visible()
    expect(page.get_by_text("本人带卡来办")).to_be_visible()
    expect(page.get_by_role("row", name="挂失 是 否")).to_be_visible()
