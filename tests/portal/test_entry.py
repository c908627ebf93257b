"""Coming in: two kinds of number, one text for every failure, throttled, and the rule of the initial password."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import Account, Attempt, LoginRecord
from accounts.pinhash import Busy
from portal.views import entry
from tests.campus import make_person
from tests.portal.conftest import NEW_PIN, PIN, give_pin, sign_in, text_of

NOT_IN = "账号或密码不正确，或尝试次数过多，请 15 分钟后再试"


@pytest.mark.parametrize("number", ["account", "school"])
def test_either_number_opens_the_overview(client, holder, number):
    """指南 L119: 凭学工号或5位数帐号以及查询密码登陆。"""
    account = holder.account
    identifier = str(account.number) if number == "account" else account.holder.school_no

    answer = client.post("/login/", {"identifier": identifier, "pin": PIN})

    assert (answer.status_code, answer.url) == (302, "/me/")
    assert client.get("/me/").status_code == 200


def test_unknown_wrong_and_locked_look_the_same(client, holder):
    """reliability.md E3: same text, same status."""
    number = str(holder.account.number)
    unknown = client.post("/login/", {"identifier": "99999", "pin": PIN})
    wrong = [client.post("/login/", {"identifier": number, "pin": "111222"}) for _ in range(5)]
    locked = client.post("/login/", {"identifier": number, "pin": PIN})

    answers = [unknown, wrong[0], wrong[-1], locked]

    assert {answer.status_code for answer in answers} == {403}
    assert all(NOT_IN in text_of(answer) for answer in answers)
    bodies = {text_of(answer).replace(number, "N").replace("99999", "N") for answer in answers}
    assert len({_without_token(body) for body in bodies}) == 1


def _without_token(page: str) -> str:
    return "".join(line for line in page.splitlines() if "csrfmiddlewaretoken" not in line)


def test_a_locked_account_is_not_opened_by_the_right_password(client, holder):
    for _ in range(5):
        sign_in(client, holder, "111222")

    sign_in(client, holder)

    assert client.get("/me/").status_code == 302
    assert Attempt.objects.get(subject=f"account:{holder.account.pk}").failures == 5


@pytest.mark.parametrize(
    "pin",
    [
        "40827",
        "4082731",
        "abcdef",
        "408273\n",
        "４０８２７３",
        "٤٠٨٢٧٣",
        "40\x008273",
        " 408273",
        "408273 ",
        "",
    ],
)
def test_a_password_of_another_form_is_refused_before_it_is_counted(client, holder, pin):
    """reliability.md section 7, items 21 to 26."""
    answer = sign_in(client, holder, pin)

    assert answer.status_code == 400
    assert "请输入 6 位半角数字" in text_of(answer)
    assert str(holder.account.number) in text_of(answer)
    assert not Attempt.objects.exists()


@pytest.mark.parametrize(
    "number", ["1234", "123456", "00000", "１２３４５", "12345 ", "'; drop table", "\u202e12345"]
)
def test_a_number_of_another_form_is_nobody(client, holder, number):
    """reliability.md section 7, items 64 and 51: treated like an unknown one."""
    answer = client.post("/login/", {"identifier": number, "pin": PIN})

    assert answer.status_code == 403
    assert NOT_IN in text_of(answer)


def test_a_number_given_twice_is_refused(client, holder):
    """Item 63."""
    number = str(holder.account.number)

    answer = client.post("/login/", {"identifier": [number, number], "pin": PIN})

    assert answer.status_code == 400
    assert not LoginRecord.objects.exists()


@pytest.mark.parametrize(
    ("name", "size"), [("pin", 300_000), ("identifier", 300_000)], ids=["long password", "long number"]
)
def test_an_enormous_field_is_refused_before_any_work(client, db, name, size):
    """Item 32."""
    fields = {"identifier": "10086", "pin": PIN} | {name: "9" * size}

    assert client.post("/login/", fields).status_code == 400
    assert not Attempt.objects.exists()


def test_a_thousand_fields_are_refused(client, db):
    """Item 90."""
    assert client.post("/login/", {f"f{number}": "1" for number in range(1_001)}).status_code == 400


def test_the_session_key_changes_and_an_older_identity_is_over(client, holder):
    """Item 89: a key that somebody planted is worth nothing after the login."""
    session = client.session
    session["planted"] = True
    session.save()
    planted = session.session_key

    sign_in(client, holder)

    assert client.session.session_key != planted
    assert not Session.objects.filter(session_key=planted).exists()
    assert "planted" not in client.session


def test_leaving_ends_the_session_on_the_server(web):
    key = web.session.session_key

    answer = web.post("/logout/")

    assert not Session.objects.filter(session_key=key).exists()
    assert "cache" in answer.headers["Clear-Site-Data"]
    assert web.get("/me/").status_code == 302


@pytest.mark.parametrize("path", ["/logout/", "/me/extend/"])
def test_what_changes_something_is_not_done_by_a_link(web, path):
    assert web.get(path).status_code == 405
    assert web.get("/me/").status_code == 200


@pytest.mark.parametrize("path", ["/login/", "/logout/", "/me/loss/", "/me/security/", "/me/extend/"])
def test_nothing_is_done_without_the_token_of_the_page(holder, path):
    """Item 86."""
    strict = Client(enforce_csrf_checks=True)

    answer = strict.post(path, {"identifier": str(holder.account.number), "pin": PIN})

    assert answer.status_code == 403
    assert "页面已过期" in text_of(answer)


@pytest.mark.parametrize(
    ("wanted", "goal"),
    [
        ("/me/statement/", "/me/statement/"),
        ("//evil.example/me/", "/me/"),
        ("https://evil.example/", "/me/"),
        ("/counter/", "/me/"),
        ("\\\\evil.example/me/", "/me/"),
        ("javascript:alert(1)", "/me/"),
    ],
)
def test_goes_on_to_the_personal_page_that_was_asked_for_and_nowhere_else(client, holder, wanted, goal):
    answer = sign_in(client, holder, next=wanted)

    assert answer.url == goal


@pytest.mark.parametrize(
    "path", ["/me/", "/me/statement/", "/me/loss/", "/me/security/", "/me/loss/261123000001/"]
)
def test_every_personal_page_asks_who_is_there(client, db, path):
    answer = client.get(path)

    assert answer.status_code == 302
    assert answer.url.startswith("/login/?next=")


class TestInitialPassword:
    """security.md section 4: web: log in -> only {report loss, set a new query password, log out}."""

    @pytest.fixture
    def fresh(self, client, db):
        person = make_person(10_00)
        give_pin(person.account, is_default=True)
        self.answer = sign_in(client, person)
        return client

    def test_leads_to_a_new_password(self, fresh):
        assert self.answer.url == "/me/security/"
        assert "您还在使用初始密码" in text_of(fresh.get("/me/security/"))

    @pytest.mark.parametrize("path", ["/me/", "/me/statement/"])
    def test_shows_no_money(self, fresh, path):
        answer = fresh.get(path)

        assert (answer.status_code, answer.url) == (302, "/me/security/")

    def test_lets_a_loss_be_reported(self, fresh):
        answer = fresh.post("/me/loss/", {"key": str(uuid.uuid4()), "pin": PIN})

        assert answer.url.startswith("/me/loss/")
        assert fresh.get(answer.url).status_code == 200

    def test_opens_everything_once_it_is_changed(self, fresh):
        answer = fresh.post("/me/security/", {"old": PIN, "new": NEW_PIN, "again": NEW_PIN})

        assert answer.url == "/me/"
        assert fresh.get("/me/").status_code == 200


def test_the_loss_shortcut_lands_on_the_loss_page(client, db):
    person = make_person()
    give_pin(person.account, is_default=True)

    answer = sign_in(client, person, next="/me/loss/")

    assert answer.url == "/me/loss/"


def test_asks_a_sum_when_one_address_tries_many_accounts(client, holder, settings):
    """security.md section 4: 10 distinct failing accounts in 10 minutes: delay and an arithmetic challenge."""
    for number in range(20_001, 20_011):
        client.post("/login/", {"identifier": str(number), "pin": PIN})
    asked = sign_in(client, holder)
    settings.ECARD_NOW = timezone.now() + timedelta(seconds=10)

    refused = sign_in(client, holder, sum="0")
    passed = sign_in(client, holder, sum=str(sum(client.session["sum"])))

    assert "请先算一算" in text_of(asked)
    assert refused.status_code == 403
    assert passed.status_code == 302


def test_says_to_come_back_when_every_place_for_comparing_is_taken(client, holder, monkeypatch):
    def busy(*args, **kwargs):
        raise Busy

    monkeypatch.setattr(entry, "authenticate_holder", busy)

    answer = sign_in(client, holder)

    assert answer.status_code == 503
    assert "系统繁忙" in text_of(answer)
    assert "Retry-After" in answer.headers


def test_a_closed_account_can_be_read_but_not_opened_anew(web, holder):
    Account.objects.filter(pk=holder.account.pk).update(life="closing")

    assert web.get("/me/").status_code == 200
    answer = web.post("/me/security/", {"old": PIN, "new": NEW_PIN, "again": NEW_PIN})
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("initial_x", "said", "pin"),
    [
        ("", "末位的 X 去掉再取", "917123"),
        ("1", "末位的 X 当作 1", "171231"),
        ("0", "末位的 X 当作 0", "171230"),
    ],
)
def test_the_page_says_what_becomes_of_the_x(client, db, settings, initial_x, said, pin):
    settings.INITIAL_PIN_X = initial_x

    page = text_of(client.get("/login/"))

    assert f"身份证号的后六位；{said}。" in page
    assert f"…040917123X 的是 {pin}。" in page
