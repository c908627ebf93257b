"""Passwords at the counter: keyed by the holder on the pad; the clerk sees how far it is, never what (A15, A16)."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Attempt, AuditEvent, CounterDeed, PadRequest, Secret, SecretKind
from accounts.pinhash import verify_pin
from accounts.services import pinpad
from accounts.services.throttle import account_subject
from accounts.wiring import secrets
from tests.counter import people
from tests.counter.pages import browser_of, plain, text_of
from tests.counter.test_permissions import staff_session

pytestmark = pytest.mark.django_db
NEW = "619052"


class Watched(Client):
    """The clerk's browser: keeps every answer that it ever got."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[str] = []

    def request(self, **request):
        answer = super().request(**request)
        self.answers.append(answer.content.decode() + str(answer.headers))
        return answer


@pytest.fixture
def web(db):
    client = Watched()
    staff_session(client, people.clerk())
    return client


def asked(web, book, task: str = "set-query") -> str:
    """Ask the holder to key a password; the address of the pad page."""
    answer = people.do(web, "passwords", book, task=task)
    assert answer.status_code == 302, plain(answer)
    return f"/counter/pinpad/{PadRequest.objects.latest('asked_at').key}/"


def opened(where: str) -> Client:
    """The pad, another device than the clerk's."""
    pad = Client()
    assert pad.get(where).status_code == 200
    return pad


def is_right(book, pin: str, kind: SecretKind = SecretKind.QUERY) -> bool:
    kept = Secret.objects.filter(account=book.account, kind=kind).first()
    stored = kept.pin_hash if kept else None
    return verify_pin(stored, pin, kind=kind, account_id=book.account.pk, secrets=secrets()).right


class TestPad:
    def test_the_holder_keys_it_twice_and_the_clerk_sees_only_how_far(self, web, caplog):
        caplog.set_level(logging.DEBUG)
        book = people.comes()
        where = asked(web, book)
        progress = PadRequest.objects.get()
        look = f"/counter/accounts/{book.account.pk}/pad/{progress.key}/"
        before = plain(web.get(look))
        pad = opened(where)
        during = web.get(look, headers={"Accept": "application/json"}).json()

        answer = pad.post(where, {"pin": NEW, "again": NEW})
        after = web.get(look)

        assert "等待密码键盘打开" in before
        assert during == {"says": "持卡人正在密码键盘上输入", "tone": "warn", "over": False, "refusals": 0}
        assert "密码已设置" in plain(pad.get(answer.url))
        assert "设置密码已办理" in plain(web.get(after.url))
        assert is_right(book, NEW)
        assert not Secret.objects.get(kind="query").is_default
        web.get(f"/counter/accounts/{book.account.pk}/history/")
        assert not any(NEW in each for each in web.answers)
        kept = [
            *AuditEvent.objects.values_list("before", "after", "reason"),
            *CounterDeed.objects.values_list("facts"),
        ]
        assert not any(NEW in str(row) for row in kept)
        assert NEW not in caplog.text

    def test_the_pad_never_shows_what_was_keyed(self, web):
        where = asked(web, people.comes())
        pad = opened(where)

        answer = pad.post(where, {"pin": "123456", "again": "123456"})

        assert answer.status_code == 400
        assert "密码过于简单" in plain(answer)
        assert "123456" not in text_of(answer).replace('"123456789"', "")
        assert answer.headers["Cache-Control"].count("no-store")

    @pytest.mark.parametrize(
        ("pin", "again", "says"),
        [
            ("12345", "12345", "6 位半角数字"),
            ("1234567", "1234567", "6 位半角数字"),
            ("61905a", "61905a", "6 位半角数字"),
            ("619052\n", "619052\n", "6 位半角数字"),
            ("６１９０５２", "６１９０５２", "6 位半角数字"),
            ("619\x0052", "619\x0052", "6 位半角数字"),
            (" 619052", " 619052", "6 位半角数字"),
            ("", "", "6 位半角数字"),
            ("619052", "619053", "两次输入"),
            ("111111", "111111", "密码过于简单"),
            ("147258", "147258", "密码过于简单"),
            ("19" * 10_000, "19", "6 位半角数字"),
        ],
    )
    def test_unfit_ones_are_refused_on_the_pad(self, web, pin, again, says):
        """reliability.md section 7, rows 21-32."""
        book = people.comes()
        where = asked(web, book)

        answer = opened(where).post(where, {"pin": pin, "again": again})

        assert answer.status_code == 400
        assert says in plain(answer)
        assert not Secret.objects.filter(account=book.account, is_default=False).exists()

    def test_not_the_initial_one_and_not_the_other_one(self, web):
        book = people.comes()
        people.give_pins(book, "937150")
        initial = "".join(c for c in people.id_number(book) if c.isdigit())[-6:]
        for kind, pin in (("set-query", initial), ("set-query", "937150")):
            where = asked(web, book, kind)
            answer = opened(where).post(where, {"pin": pin, "again": pin})
            assert answer.status_code == 400, pin
            PadRequest.objects.filter(ended_at=None).update(state="cancelled", ended_at=timezone.now())

    def test_five_refusals_end_it(self, web):
        book = people.comes()
        where = asked(web, book)
        pad = opened(where)

        codes = [pad.post(where, {"pin": "111111", "again": "111111"}).status_code for _ in range(5)]
        late = pad.post(where, {"pin": NEW, "again": NEW})

        assert codes == [400, 400, 400, 400, 410]
        assert late.status_code == 410
        assert PadRequest.objects.get().state == "failed"
        assert not is_right(book, NEW)

    def test_one_browser_one_time_three_minutes(self, web, monkeypatch):
        book = people.comes()
        where = asked(web, book)
        pad = opened(where)

        stranger = Client()
        assert stranger.get(where).status_code == 410
        assert stranger.post(where, {"pin": NEW, "again": NEW}).status_code == 400
        assert pad.post(where, {"pin": NEW, "again": NEW}).status_code == 302
        assert pad.post(where, {"pin": "482917", "again": "482917"}).status_code == 200  # says: done
        assert is_right(book, NEW)

        where = asked(web, book, "set-consumption")
        pad, moment = opened(where), timezone.now()
        monkeypatch.setattr("counter.people.views.pad.now", lambda: moment + pinpad.LIFETIME)
        assert pad.post(where, {"pin": NEW, "again": NEW}).status_code == 410

    def test_an_address_that_nobody_was_given_is_not_there(self, db):
        assert Client().get(f"/counter/pinpad/{uuid.uuid4()}/").status_code == 404

    def test_the_pad_of_the_desk_finds_it_by_itself(self, web):
        book = people.comes()
        people.at_desk(web)
        assert "请稍候" in plain(web.get("/counter/pinpad/"))

        where = asked(web, book)

        assert web.get("/counter/pinpad/").url == where
        assert web.get("/counter/pinpad/", headers={"Accept": "application/json"}).json() == {"there": where}

    def test_cancelled_by_the_clerk(self, web):
        book = people.comes()
        where = asked(web, book)
        key = PadRequest.objects.get().key

        web.post(f"/counter/accounts/{book.account.pk}/pad/{key}/cancel/")

        assert Client().get(where).status_code == 410
        assert "已取消" in plain(web.get(f"/counter/accounts/{book.account.pk}/pad/{key}/"))

    def test_a_second_request_waits_for_the_first(self, web):
        book = people.comes()
        asked(web, book)

        answer = people.do(web, "passwords", book, task="set-query")

        assert answer.status_code == 409
        assert "还有一项请求没有结束" in plain(answer)

    def test_an_old_request_does_not_stand_in_the_way(self, web, monkeypatch):
        book, moment = people.comes(), timezone.now()
        asked(web, book)
        monkeypatch.setattr("counter.people.views.passwords.now", lambda: moment + timedelta(minutes=4))

        assert people.do(web, "passwords", book, task="set-query").status_code == 302
        assert PadRequest.objects.filter(ended_at=None).count() == 1


class TestInitial:
    """指南 L131, L151: 初始密码为身份证号末六位数字; A16: none follows, then a random one for the holder's eyes."""

    def test_back_to_the_initial_one(self, web):
        book = people.comes()
        people.give_pins(book)

        answer = people.do(web, "passwords", book, task="reset-both")

        assert "恢复初始密码已办理" in plain(web.get(answer.url))
        assert [row.is_default for row in Secret.objects.filter(account=book.account)] == [True, True]
        initial = "".join(c for c in people.id_number(book) if c.isdigit())[-6:]
        assert not any(initial in each for each in web.answers)

    def test_without_a_document_in_the_register_the_holder_reads_it_from_the_pad_once(self, web):
        book = people.comes(document=False)
        people.give_pins(book)
        form = people.form_of(web, "passwords", book, task="reset-query", paper="passport", tail="4321")

        answer = web.post(people.page("passwords", book), form)
        where = f"/counter/pinpad/{PadRequest.objects.get().key}/"
        pad = opened(where)
        shown = text_of(pad.post(where))
        slip = shown.split('class="pad-slip num">')[1][:6]

        assert answer.status_code == 302
        assert is_right(book, slip)
        assert Secret.objects.get(account=book.account, kind="query").is_default
        assert slip not in text_of(pad.get(where))
        web.get(f"/counter/accounts/{book.account.pk}/pad/{PadRequest.objects.get().key}/")
        assert not any(slip in each for each in web.answers)
        deed = CounterDeed.objects.get()
        assert (deed.document, deed.document_check) == ("passport", "not in the register: 4321")

    @pytest.mark.parametrize("task", ["", "other", "set-query; drop"])
    def test_nothing_else(self, web, task):
        assert people.do(web, "passwords", people.comes(), task=task).status_code == 400


class TestUnlock:
    def test_the_counter_opens_what_wrong_guesses_closed(self, web):
        """Reading A15; what was reset is in the audit."""
        book = people.comes()
        people.give_pins(book)
        moment = timezone.now()
        for budget, failures in (("remote", 30), ("physical", 10), ("consumption", 6)):
            Attempt.objects.create(
                subject=account_subject(book.account.pk),
                budget=budget,
                failures=failures,
                since_at=moment,
                last_at=moment,
            )
        before = plain(web.get(f"/counter/accounts/{book.account.pk}/"))

        people.do(web, "passwords", book, task="unlock")

        after = plain(web.get(f"/counter/accounts/{book.account.pk}/"))
        assert "密码锁定：网站与电话" in before
        assert "密码锁定：消费密码" in before
        assert "密码锁定" not in after
        assert AuditEvent.objects.filter(action="attempts.reset").count() == 3
        assert is_right(book, people.PIN)


def test_standing_decides(web):
    """Requirements 3.3: lost or frozen, only the query password."""
    book = people.comes()
    people.do(web, "loss", book)

    refused = people.do(web, "passwords", book, task="set-consumption")

    assert refused.status_code == 409
    assert people.do(web, "passwords", book, task="set-query").status_code == 302


def test_nobody_asks_for_his_own(db):
    book = people.comes()
    own = browser_of(people.clerk("own", holder=book.fresh().holder))
    shown = text_of(own.get(people.page("passwords", book)))

    assert "不能处理自己的账户" in shown
    fields = {
        "key": str(uuid.uuid4()),
        "task": "set-query",
        "paper": "resident",
        "tail": people.id_number(book)[-4:],
    }
    assert own.post(people.page("passwords", book), fields).status_code == 409
    assert not PadRequest.objects.exists()
