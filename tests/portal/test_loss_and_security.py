"""Reporting a loss, and changing the query password: the two things a holder may do here."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client

from accounts.models import Account, AuditEvent, Card, LossReport, Secret, SecretKind
from accounts.pinhash import hash_pin
from accounts.services.standing import KeyReused
from accounts.wiring import secrets
from portal.views import own
from tests.campus import make_person
from tests.portal.conftest import NEW_PIN, PIN, give_pin, sign_in, text_of


def report(web, *, pin: str = PIN, key: str | None = None):
    """Send the form of the loss page."""
    return web.post("/me/loss/", {"key": key or str(uuid.uuid4()), "pin": pin})


def test_marks_the_card_and_gives_a_number(web, holder):
    """指南 L133: 使用学工号或校园智能卡帐号以及校园智能卡查询密码登陆…进行挂失操作."""
    answer = web.get(report(web).url)

    found = LossReport.objects.get(account=holder.account)
    assert Card.objects.get(account=holder.account).lost
    assert "挂失成功" in text_of(answer)
    assert found.reference in text_of(answer)
    assert "圈存机上输入帐号和查询密码" in text_of(answer)
    assert AuditEvent.objects.get(action="card.report_lost").channel == "web"


def test_a_second_click_shows_the_first_result(web):
    """reliability.md C6."""
    key = str(uuid.uuid4())

    first, second = report(web, key=key), report(web, key=key)

    assert first.url == second.url
    assert LossReport.objects.count() == 1


def test_needs_the_password_again(web, holder):
    answer = report(web, pin="111222")

    assert answer.status_code == 403
    assert "查询密码不正确，还可以再试 4 次" in text_of(answer)
    assert not LossReport.objects.exists()
    assert 'value="111222"' not in text_of(answer)


def test_is_locked_with_the_one_text_after_five_wrong_passwords(web, holder):
    for _ in range(5):
        report(web, pin="111222")

    answer = report(web)

    assert "账号或密码不正确，或尝试次数过多，请 15 分钟后再试" in text_of(answer)
    assert not LossReport.objects.exists()


@pytest.mark.parametrize("key", ["", "x", "1" * 300, "\x00", "00000000-0000-0000-0000"])
def test_a_form_without_a_proper_key_is_offered_anew(web, key):
    """Items 66 and 67: malformed, missing, 300 characters, binary."""
    answer = web.post("/me/loss/", {"key": key, "pin": PIN})

    assert answer.status_code == 400
    assert "页面已过期，没有挂失" in text_of(answer)
    assert not LossReport.objects.exists()


def test_a_key_of_somebody_else_is_no_way_to_his_report(web):
    other, elsewhere = make_person(), Client()
    give_pin(other.account)
    key = str(uuid.uuid4())
    report(web, key=key)
    sign_in(elsewhere, other)

    answer = report(elsewhere, key=key)

    assert answer.status_code == 409
    assert not Card.objects.get(account=other.account).lost


def test_the_receipt_of_somebody_else_does_not_exist(web):
    receipt = report(web).url
    other, elsewhere = make_person(), Client()
    give_pin(other.account)
    sign_in(elsewhere, other)
    own = report(elsewhere).url

    assert elsewhere.get(own).status_code == 200
    assert elsewhere.get(receipt).status_code == 404
    assert elsewhere.get("/me/loss/000000000000/").status_code == 404


def test_a_lost_card_shows_since_when_and_how_to_take_it_back(web, holder):
    report(web)

    page = text_of(web.get("/me/loss/"))

    assert "这张卡已经挂失" in page
    assert LossReport.objects.get().reference in page
    assert "渠道 网站" in page
    assert "确认挂失这张卡" not in page
    assert "怎样解挂或补卡" in text_of(web.get("/me/"))


def test_no_page_offers_to_take_a_loss_back(web):
    """指南 L145: 为了安全起见,不开通电话解挂和网上解挂功能."""
    report(web)

    for path in ("/me/", "/me/loss/", "/me/security/"):
        page = text_of(web.get(path))
        assert "unloss" not in "".join(part for part in page.split('"') if part.startswith("/"))


def test_a_closed_account_has_nothing_to_lose(web, holder):
    Card.objects.filter(account=holder.account).update(life="returned")

    answer = report(web)

    assert answer.status_code == 409
    assert "没有可挂失的卡" in text_of(answer)


def test_a_fault_of_the_key_is_not_shown_as_a_page_of_errors(web, monkeypatch):
    def reused(*args, **kwargs):
        raise KeyReused

    monkeypatch.setattr(own.standing, "report_lost", reused)

    assert report(web).status_code == 409


# ------------------------------------------------------------------------------------------- the password


def change(web, *, old: str = PIN, new: str = NEW_PIN, again: str | None = None):
    """Send the form of the security page."""
    return web.post("/me/security/", {"old": old, "new": new, "again": new if again is None else again})


def test_the_new_password_opens_and_the_old_one_does_not(web, holder):
    elsewhere = Client()

    answer = change(web)

    assert answer.status_code == 302
    assert "查询密码已修改" in text_of(web.get(answer.url))
    assert sign_in(elsewhere, holder, PIN).status_code == 403
    assert sign_in(elsewhere, holder, NEW_PIN).status_code == 302


def test_every_other_session_is_over_with_the_old_password(web, holder):
    elsewhere = Client()
    sign_in(elsewhere, holder)
    assert elsewhere.get("/me/").status_code == 200

    change(web)

    answer = elsewhere.get("/me/", follow=True)
    assert answer.redirect_chain == [("/login/", 302)]
    assert "查询密码已修改，请用新密码登录" in text_of(answer)
    assert web.get("/me/").status_code == 200


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"new": "12345"}, "请输入 6 位半角数字"),
        ({"new": "1234567"}, "请输入 6 位半角数字"),
        ({"new": "abcdef"}, "请输入 6 位半角数字"),
        ({"new": "619052\n"}, "请输入 6 位半角数字"),
        ({"new": "６１９０５２"}, "请输入 6 位半角数字"),
        ({"new": "61\x009052"}, "请输入 6 位半角数字"),
        ({"new": " 619052"}, "请输入 6 位半角数字"),
        ({"new": PIN}, "新密码不能与原密码相同"),
        ({"new": "520131"}, "密码过于简单"),
        ({"new": "111111"}, "密码过于简单"),
        ({"new": "040917"}, "密码过于简单"),
        ({"again": "619053"}, "两次输入的新密码不一致"),
        ({"old": ""}, "请输入 6 位半角数字"),
    ],
)
def test_an_unfit_password_is_refused_at_its_field(web, fields, words):
    """reliability.md section 7, items 21 to 31."""
    answer = change(web, **fields)

    assert answer.status_code == 400
    assert words in text_of(answer)
    assert "619052" not in text_of(answer)
    assert not AuditEvent.objects.filter(action="secret.change").exists()


def test_the_other_password_is_refused(web, holder):
    """Item 29."""
    kind = SecretKind.CONSUMPTION
    stored = hash_pin(NEW_PIN, kind=kind, account_id=holder.account.pk, secrets=secrets())
    Secret.objects.filter(account=holder.account, kind=kind).update(pin_hash=stored)

    answer = change(web)

    assert answer.status_code == 400
    assert "查询密码与消费密码不能相同" in text_of(answer)


def test_a_wrong_old_password_counts_as_a_guess(web):
    """Item 33."""
    answer = change(web, old="111222")

    assert answer.status_code == 403
    assert "还可以再试 4 次" in text_of(answer)


def test_the_consumption_password_is_text_only(web):
    """指南 L155: 消费密码不能通过网站或语音电话修改."""
    page = text_of(web.get("/me/security/"))

    assert "消费密码不能通过网站或电话修改" in page
    assert page.count('type="password"') == 3


def test_shows_who_tried_to_come_in(web, holder):
    sign_in(Client(), holder, "111222")

    page = text_of(web.get("/me/security/"))

    assert "网站" in page
    assert "不正确" in page


def test_a_closing_account_cannot_change_its_password(web, holder):
    Account.objects.filter(pk=holder.account.pk).update(life="closing")

    answer = change(web)

    assert answer.status_code == 409
    assert "不能修改密码" in text_of(answer)


def test_the_pages_stay_within_ten_statements(web, django_assert_max_num_queries):
    for path in ("/", "/me/loss/", "/me/security/"):
        with django_assert_max_num_queries(10):
            web.get(path)
