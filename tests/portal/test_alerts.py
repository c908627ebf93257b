"""The page of alerts, the letters themselves, and the link that stops them (use case H23)."""

from __future__ import annotations

import re
import smtplib
from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from accounts.alerts import Choice, choice_of
from accounts.kinds import AlertGroup, AlertWay, NoticeKind
from accounts.models import AlertContact, AlertDelivery, AuditEvent, JobRun
from accounts.services.notices import Message, tell
from portal import alertjob
from portal.alertmail import compose, short_text
from portal.wiring import links, off_token
from tests.alerts.world import address, by, move, wish
from tests.portal.conftest import text_of

PAGE = "/me/alerts/"
WISH = {"low": "20", "spend": "50.00", "waiting": "on", "language": "zh-hans", "quiet": "on"}


@pytest.fixture
def noon(monkeypatch):
    """The clock of the job stands at noon, so that no letter sleeps."""
    moment = timezone.now().replace(hour=4)
    monkeypatch.setattr(alertjob, "now", lambda: moment)
    return moment


def save(web, **fields):
    return web.post(PAGE, WISH | fields)


def ask(web, text="zhang.san@example.com", way="mail"):
    return web.post(f"{PAGE}{way}/ask/", {"address": text})


def code_in_the_mail() -> str:
    alertjob.run()
    return re.search(r"\b[0-9]{6}\b", mail.outbox[-1].body)[0]


# ----------------------------------------------------------------------------------------------- the page


def test_at_first_only_what_concerns_the_card_is_told(web, holder):
    page = text_of(web.get(PAGE))

    assert choice_of(holder.account.pk) == Choice()
    assert "挂失、解挂、冻结和解冻，站内消息总会通知" in page
    assert not re.search(r'name="(low|spend)" value="[^"]', page)
    assert "checked" not in page.replace('name="quiet" checked', "")


def test_what_is_saved_is_shown_again(web, holder):
    answer = save(web)

    assert answer.status_code == 302
    page = text_of(web.get(PAGE))
    assert "提醒已保存。" in page
    assert 'value="20.00"' in page
    assert choice_of(holder.account.pk) == Choice(20_00, 50_00, waiting=True, letters=_none())
    event = AuditEvent.objects.get(action="alerts.change")
    assert (event.before["low_fen"], event.after["low_fen"]) == (None, 20_00)


def _none():
    return {way: frozenset() for way in AlertWay}


def test_the_same_again_is_no_change(web):
    save(web)
    save(web)

    assert AuditEvent.objects.filter(action="alerts.change").count() == 1


def test_an_empty_amount_switches_it_off(web, holder):
    save(web)
    save(web, low="", spend="", waiting="")

    assert not choice_of(holder.account.pk).looks_at_money


NO_AMOUNTS = [
    ({"low": "0"}, "金额必须大于 0"),
    ({"low": "-5"}, "金额格式不正确"),
    ({"low": "1e3"}, "金额格式不正确"),
    ({"low": "20.001"}, "金额最多两位小数"),
    ({"spend": "100000.01"}, "金额超过系统上限"),
    ({"spend": "٣"}, "金额格式不正确"),
    ({"spend": "20\x00"}, "金额格式不正确"),
    ({"language": "de"}, "没有这种语言"),
    ({"low": ["20", "30"]}, "该项重复提交"),
]


def test_an_amount_that_is_none_is_refused_at_its_field(web, holder):
    for fields, words in NO_AMOUNTS:
        answer = save(web, **fields)

        assert answer.status_code == 400, fields
        assert words in text_of(answer), fields
    assert choice_of(holder.account.pk) == Choice()


def test_a_low_book_is_said_at_once_on_the_page(web):
    """The holder has 28.40."""
    save(web, low="28.41")
    assert "现在余额 ¥28.40，已低于这个金额" in text_of(web.get(PAGE))

    save(web, low="28.40")
    assert "已低于这个金额" not in text_of(web.get(PAGE))


def test_the_page_needs_few_statements(web, holder, django_assert_max_num_queries):
    address(holder.account)
    address(holder.account, "13800001234", AlertWay.SMS)
    wish(holder.account, letters=by(AlertGroup.CARE))
    web.get(PAGE)

    with django_assert_max_num_queries(10):
        assert web.get(PAGE).status_code == 200


def test_without_a_mail_server_or_gateway_nobody_is_asked_for_an_address(web, settings):
    settings.MAIL_OFFERED, settings.SMS_GATEWAY = False, ""

    page = text_of(web.get(PAGE))

    assert "/ask/" not in page
    assert ask(web).status_code == 404
    assert ask(web, "13800001234", "sms").status_code == 404


def test_a_way_that_there_is_not_is_not_found(web):
    assert ask(web, way="pigeon").status_code == 404


# --------------------------------------------------------------------------------------------- the address


def test_an_address_is_confirmed_by_the_code_in_the_mail(web, holder):
    assert ask(web).status_code == 302
    assert "待确认" in text_of(web.get(PAGE))
    code = code_in_the_mail()

    answer = web.post(f"{PAGE}mail/confirm/", {"code": code})

    assert answer.status_code == 302
    page = text_of(web.get(PAGE))
    assert "z***@example.com" in page
    assert "zhang" not in page
    assert 'name="mail_low"' in page
    [letter] = mail.outbox
    assert (letter.to, letter.subject) == (["zhang.san@example.com"], "校园卡：邮箱验证码")
    assert code not in letter.subject
    assert "List-Unsubscribe" not in letter.extra_headers


def test_a_double_click_on_the_code_is_one_success(web):
    ask(web)
    code = code_in_the_mail()
    for _ in range(2):
        answer = web.post(f"{PAGE}mail/confirm/", {"code": code}, follow=True)
        assert "地址已确认" in text_of(answer)


def test_a_wrong_code_changes_nothing(web):
    ask(web)
    wrong = f"{(int(code_in_the_mail()) + 1) % 1_000_000:06d}"

    answers = [web.post(f"{PAGE}mail/confirm/", {"code": wrong}) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [403] * 5 + [302]
    assert "验证码不正确；没有更改" in text_of(answers[0])
    assert "验证码已失效" in text_of(web.get(PAGE))
    assert AlertContact.objects.get().sealed is None


def test_what_is_no_code_costs_no_guess(web):
    ask(web)

    for code in ("", "12345", "1234567", "１２３４５６", "123456\n", "abcdef"):
        assert web.post(f"{PAGE}mail/confirm/", {"code": code}).status_code == 400, code
    assert AlertContact.objects.get().guesses == 0


NO_ADDRESSES = [
    ("mail", "", "请填写地址"),
    ("mail", "a@b.cn\r\nBcc: all@example.com", "邮箱地址不正确"),
    ("mail", "a@b.cn, c@d.cn", "邮箱地址不正确"),
    ("mail", "a" * 300 + "@b.cn", ""),
    ("sms", "138", "手机号码不正确"),
]


def test_what_is_no_address_is_refused_and_nothing_is_sent(web):
    for way, text, words in NO_ADDRESSES:
        answer = ask(web, text, way)

        assert answer.status_code == 400, text
        assert words in text_of(answer), text
    assert not AlertDelivery.objects.exists()
    assert not AlertContact.objects.exists()


def test_too_many_codes_are_refused_in_words(web, monkeypatch):
    for number in range(5):
        assert ask(web, f"a{number}@example.com").status_code == 302

    answer = ask(web, "a9@example.com")

    assert answer.status_code == 429
    assert "验证码要得太多了" in text_of(answer)
    assert AlertDelivery.objects.count() == 5


def test_an_address_is_removed(web, holder):
    address(holder.account)

    answer = web.post(f"{PAGE}mail/remove/", follow=True)

    assert "地址已删除" in text_of(answer)
    assert AlertContact.objects.get().sealed is None


def test_letters_by_a_way_without_an_address_stay_as_they_were(web, holder):
    """Somebody deletes an address, changes a threshold, and confirms a new address."""
    wish(holder.account, letters=by(AlertGroup.LOW))

    save(web)

    assert choice_of(holder.account.pk).letters[AlertWay.MAIL] == {AlertGroup.LOW}


def test_a_tick_sends_letters_and_no_tick_does_not(web, holder, noon):
    address(holder.account)
    save(web, mail_spend="on", amounts="on")
    move(holder.account, 100_00, kind="top_up")
    move(holder.account, -60_00)
    move(holder.account, -60_00)

    alertjob.run()

    [letter] = mail.outbox
    assert letter.body.count("一笔大额消费") == 2
    assert "余额低于" not in letter.body
    page = text_of(web.get("/me/messages/"))
    assert "余额低于提醒值" in page
    assert "最近发送" in text_of(web.get(PAGE))


# --------------------------------------------------------------------------------------------- the letters


def test_a_letter_says_no_name_no_number_and_no_amount_unless_it_is_wanted(web, holder, noon):
    address(holder.account)
    wish(holder.account, spend_fen=10_00, low_fen=20_00, letters=by(AlertGroup.SPEND, AlertGroup.LOW))
    seq = move(holder.account, -15_00)

    alertjob.run()

    [letter] = mail.outbox
    text = letter.subject + letter.body
    assert "有一笔消费超过您设定的金额" in text
    assert f"帐号尾号 {holder.account.number % 100:02d}" in text
    for secret in ("张", str(holder.account.number), holder.account.holder.school_no, "15.00", "13.40", "¥"):
        assert secret not in text
    page = text_of(web.get("/me/messages/"))
    assert "消费 ¥15.00" in page
    assert f"/me/statement/{seq}/" in page


@pytest.mark.parametrize(
    ("language", "subject", "words"),
    [
        ("zh-hans", "校园卡：余额低于提醒值", "账户余额 ¥13.40，低于您设定的 ¥20.00。"),
        (
            "en",
            "Campus card: Balance below your alert",
            "Your balance is ¥13.40, below the ¥20.00 that you set.",
        ),
    ],
)
def test_a_letter_is_in_the_language_of_its_holder(holder, noon, language, subject, words):
    address(holder.account)
    wish(holder.account, low_fen=20_00, letters=by(AlertGroup.LOW), amounts=True, language=language)
    move(holder.account, -15_00)

    alertjob.run()

    [letter] = mail.outbox
    assert letter.subject == subject
    assert words in letter.body
    assert bool(re.search(r"[\u4e00-\u9fff]", letter.body)) is (language == "zh-hans")


def test_a_letter_can_be_known_again_and_stopped(holder, noon):
    address(holder.account)
    wish(holder.account, low_fen=20_00, letters=by(AlertGroup.LOW))
    move(holder.account, -15_00)
    alertjob.run()

    [letter] = mail.outbox
    row = AlertDelivery.objects.get()
    assert letter.extra_headers["Message-ID"].startswith(f"<{row.uid}@")
    assert letter.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    stop = letter.extra_headers["List-Unsubscribe"].strip("<>")
    assert stop in letter.body
    assert letter.message()["To"] == "zhang.san@example.com"


def test_every_kind_of_notice_can_be_a_letter_in_both_languages(holder):
    """None of them falls for want of a fact, and none says an amount that is not wanted."""
    import uuid

    from accounts.notices import notices_of
    from accounts.services.alertpost import Letter

    facts = {
        "fen": 1_23, "below_fen": 4_56, "above_fen": 7_89, "at": "2026-11-26T04:00:00+00:00", "channel": "web",
        "reasons": ["by_hand"], "reference": "D1", "due_on": "2026-12-01", "keep_until": "2026-12-01",
        "campus_zh": "崂山校区", "campus_en": "Laoshan", "reason": "x",
    }  # fmt: skip
    for kind in NoticeKind:
        tell(holder.account.pk, Message(kind, "dispute:1", facts), now=timezone.now())
    rows = notices_of(holder.account.pk, size=50)
    for row in rows:
        for language in ("zh-hans", "en"):
            letter = Letter(
                uuid.uuid4(), uuid.uuid4(), AlertWay.SMS, "13800001234", 10086, language, False, (row,)
            )
            body, line = compose(letter, links()).body, short_text(letter)
            assert "¥" not in body + line, row.kind
            assert bool(re.search(r"[\u4e00-\u9fff]", line)) is (language == "zh-hans"), line
            assert "86" in line
    assert len(rows) == len(NoticeKind)


def test_a_short_text_tells_the_first_thing_and_counts_the_others(holder, noon, settings, tmp_path):
    settings.OUTBOX = tmp_path
    settings.SMS_GATEWAY = "portal.sms.outbox"
    address(holder.account, "13800001234", AlertWay.SMS)
    wish(holder.account, spend_fen=1_00, letters=by(AlertGroup.SPEND, way=AlertWay.SMS))
    for _ in range(3):
        move(holder.account, -2_00)

    alertjob.run()

    [file] = (tmp_path / "sms").glob("*")
    number, text = file.read_text().splitlines()
    assert number == "13800001234"
    assert text.startswith("【校园卡】一笔大额消费：")
    assert "另有 2 条提醒。" in text
    assert file.stem == str(AlertDelivery.objects.earliest("id").uid)


# ------------------------------------------------------------------------------------------ the mail server


class Server:
    """A mail server as ``smtplib`` knows it, that answers as it is told to."""

    def __init__(self, problem: Exception | None) -> None:
        self.problem = problem

    def open(self):
        if isinstance(self.problem, ConnectionRefusedError):
            raise self.problem

    def close(self):
        raise smtplib.SMTPServerDisconnected("gone")

    def send_messages(self, messages):
        if self.problem is not None:
            raise self.problem
        return 0


REFUSED = {"zhang.san@example.com": (550, b"no such user zhang.san@example.com")}
LATER = {"zhang.san@example.com": (451, b"later")}


@pytest.mark.parametrize(
    ("problem", "state", "error"),
    [
        (smtplib.SMTPRecipientsRefused(REFUSED), "failed", "SMTP 550"),
        (smtplib.SMTPRecipientsRefused(LATER), "waiting", "SMTP 451"),
        (smtplib.SMTPDataError(554, b"no"), "failed", "SMTP 554"),
        (smtplib.SMTPDataError(452, b"full"), "waiting", "SMTP 452"),
        (smtplib.SMTPServerDisconnected("x"), "waiting", "SMTPServerDisconnected"),
        (TimeoutError("x"), "waiting", "TimeoutError"),
        (None, "waiting", "not taken"),
        (ConnectionRefusedError(), "waiting", ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_what_a_mail_server_says_decides(holder, noon, monkeypatch, problem, state, error):
    address(holder.account)
    wish(holder.account, low_fen=20_00, letters=by(AlertGroup.LOW))
    move(holder.account, -15_00)
    monkeypatch.setattr("portal.alertmail.get_connection", lambda: Server(problem))

    alertjob.run()

    row = AlertDelivery.objects.get()
    assert (row.state, row.error) == (state, error)
    away = isinstance(problem, (ConnectionRefusedError, smtplib.SMTPServerDisconnected))
    run = JobRun.objects.get()
    assert run.result == ("failed" if away else "ok")
    assert run.counts["undelivered"] == (state == "failed")


def test_the_job_says_what_it_did_and_refuses_a_second_one(holder, noon, capsys):
    wish(holder.account, low_fen=20_00)
    move(holder.account, -15_00)
    call_command("send_alerts", "--json")
    assert '"told": 1' in capsys.readouterr().out


def test_the_command_says_that_another_run_is_under_way(monkeypatch, db):
    def busy():
        from accounts.services.onerun import AlreadyRunning

        raise AlreadyRunning("another send_alerts is running; nothing was done")

    monkeypatch.setattr(alertjob, "run", busy)
    with pytest.raises(CommandError, match="another send_alerts"):
        call_command("send_alerts")


# ---------------------------------------------------------------------------------- the link in the letter


def test_the_link_asks_before_it_stops(holder, client):
    """Programs that look through letters follow links by themselves."""
    contact = address(holder.account)
    wish(holder.account, letters=by(AlertGroup.LOW))
    url = f"/alerts/off/{off_token(contact.uid)}/"

    assert "停止发送" in text_of(client.get(url))
    assert choice_of(holder.account.pk).letters[AlertWay.MAIL] == {AlertGroup.LOW}

    assert "不再发送" in text_of(client.post(url))
    assert choice_of(holder.account.pk).letters[AlertWay.MAIL] == frozenset()


def test_the_button_of_a_mail_program_works_without_a_page_before(holder):
    """RFC 8058: a POST without cookies."""
    contact = address(holder.account)
    wish(holder.account, letters=by(AlertGroup.LOW))
    strict = Client(enforce_csrf_checks=True)

    answer = strict.post(
        f"/alerts/off/{off_token(contact.uid)}/",
        "List-Unsubscribe=One-Click",
        content_type="application/x-www-form-urlencoded",
    )

    assert answer.status_code == 200
    assert choice_of(holder.account.pk).letters[AlertWay.MAIL] == frozenset()


def test_the_form_of_the_page_needs_its_token(holder):
    contact = address(holder.account)
    wish(holder.account, letters=by(AlertGroup.LOW))
    strict = Client(enforce_csrf_checks=True)

    assert strict.post(f"/alerts/off/{off_token(contact.uid)}/").status_code == 403
    assert choice_of(holder.account.pk).letters[AlertWay.MAIL] == {AlertGroup.LOW}


@pytest.mark.parametrize("change", ["x", "", "a.b", "00000000000000000000000000000000.x", "\x00", "é" * 9])
def test_a_link_that_we_did_not_sign_is_not_found(client, db, change):
    assert client.get(f"/alerts/off/{change}/").status_code == 404
    assert client.post(f"/alerts/off/{change}/").status_code == 404


def test_a_link_to_a_former_address_stops_nothing_of_the_new_one(holder, client):
    contact = address(holder.account)
    former = off_token(contact.uid)
    later = timezone.now() + timedelta(days=1)
    wish(holder.account, letters=by(AlertGroup.LOW))
    address(holder.account, "new@example.org", now=later)

    assert client.post(f"/alerts/off/{former}/").status_code == 200

    assert choice_of(holder.account.pk).letters[AlertWay.MAIL] == {AlertGroup.LOW}
