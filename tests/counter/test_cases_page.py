"""The staff door, and the queue of open cases behind it."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.contrib.admin import site
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import wiring
from accounts.models import Attempt, AuditEvent, Campus, LoginRecord, Operator, OperatorRole
from counter.management.commands import make_operator as make_operator_command
from reconciliation.models import Case, ReconcileRun
from tests.campus import make_person
from tests.portal.conftest import give_pin
from tests.portal.conftest import sign_in as holder_sign_in
from transactions.models import Entry

PASSWORD = "a long pass phrase 42"
NOT_IN = "账号或密码不正确，或尝试次数过多，请 15 分钟后再试"


def make_operator(username: str, role: OperatorRole, campus: Campus | None = None, **fields) -> Operator:
    """An operator with a password and an authenticator."""
    operator = Operator.objects.create_user(username, PASSWORD, role=role, campus=campus, **fields)
    TOTPDevice.objects.create(user=operator, name="phone", confirmed=True)
    return operator


def code_of(operator: Operator) -> str:
    """What the authenticator shows now."""
    device = TOTPDevice.objects.get(user=operator)
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    totp.time = time.time()
    return f"{totp.token():06d}"


def sign_in(client, operator: Operator, *, password: str = PASSWORD, code: str | None = None, **extra):
    fields = {"username": operator.username, "password": password, "otp_token": code or code_of(operator)}
    return client.post("/counter/login/", fields | extra)


def make_case(campus: Campus, number: int, **fields) -> Case:
    account = make_person(number=number).account
    moment = timezone.now()
    what = {"mismatch": "TORN", "proposal": "write_card", "at_risk_fen": 1_30} | fields
    return Case.objects.create(
        account=account,
        campus=campus,
        evidence={"book_fen": 1_10, "card_fen": 2_40, "difference_fen": 1_30},
        opened_at=moment,
        changed_at=moment,
        **what,
    )


@pytest.fixture
def campuses(db):
    return [
        Campus.objects.create(code="yushan", name_zh="鱼山校区", name_en="Yushan"),
        Campus.objects.create(code="fushan", name_zh="浮山校区", name_en="Fushan"),
    ]


@pytest.fixture
def supervisor(db):
    return make_operator("li.supervisor", OperatorRole.SUPERVISOR, is_staff=True)


def test_a_clerk_starts_with_the_cases_of_the_own_campus(client, campuses):
    """指南 L31「各校区」: any desk serves any holder, so the other campuses are one choice away."""
    make_case(campuses[0], 20_001)
    make_case(campuses[1], 20_002)
    sign_in(client, make_operator("wang", OperatorRole.CLERK, campuses[0]))

    page = client.get("/counter/cases/").content.decode()
    there = client.get("/counter/cases/?campus=fushan").content.decode()
    everywhere = client.get("/counter/cases/?campus=all").content.decode()

    assert "20001" in page
    assert "20002" not in page
    assert ("20001" in there, "20002" in there) == (False, True)
    assert "20001" in everywhere
    assert "20002" in everywhere
    assert everywhere.count("浮山校区") == 2  # in the choice, and beside the account
    assert "拿卡过快" in page
    assert page.index("¥2.40") < page.index("¥1.10") < page.index("+¥1.30")


def test_who_serves_all_campuses_may_choose_one(client, campuses, supervisor):
    make_case(campuses[0], 20_001)
    make_case(campuses[1], 20_002)
    sign_in(client, supervisor)

    everything = client.get("/counter/cases/").content.decode()
    one = client.get("/counter/cases/?campus=fushan").content.decode()

    assert "20001" in everything
    assert "20002" in everything
    assert "20001" not in one
    assert client.get("/counter/cases/?campus=nowhere").status_code == 400


def test_says_so_when_there_is_nothing_to_do(client, supervisor):
    sign_in(client, supervisor)

    assert "今日无待处理" in client.get("/counter/cases/").content.decode()


@pytest.mark.parametrize(("hours", "late"), [(25, False), (27, True)])
def test_a_missed_night_is_announced_in_red(client, supervisor, hours, late):
    """screens.md 6.5: cron late > 26 h red banner."""
    moment = timezone.now() - timedelta(hours=hours)
    ReconcileRun.objects.create(started_at=moment, finished_at=moment, compared=1)
    sign_in(client, supervisor)

    page = client.get("/counter/cases/").content.decode()

    assert ("夜间对账没有按时完成" in page) is late


def test_closed_cases_are_not_in_the_queue(client, campuses, supervisor):
    make_case(campuses[0], 20_003, state="closed", closed_at=timezone.now() + timedelta(days=1))
    sign_in(client, supervisor)

    assert "20003" not in client.get("/counter/cases/").content.decode()


@pytest.mark.parametrize("path", ["/counter/", "/counter/cases/", "/admin/", "/admin/transactions/entry/"])
def test_nobody_comes_in_without_signing_in(client, db, path):
    answer = client.get(path)

    assert answer.status_code == 302
    assert "login" in answer.url


@pytest.mark.parametrize(
    ("password", "code"),
    [("wrong", None), (PASSWORD, "000000"), (PASSWORD, " ")],
    ids=["password", "code", "no code"],
)
def test_password_and_code_are_both_needed_and_fail_alike(client, supervisor, password, code):
    answer = sign_in(client, supervisor, password=password, code=code)

    assert answer.status_code == 403
    assert NOT_IN in answer.content.decode()
    assert client.get("/counter/cases/").status_code == 302


def test_a_password_alone_opens_nothing(client, supervisor):
    client.force_login(supervisor)
    session = client.session
    session["staff_since"] = session["staff_seen"] = timezone.now().isoformat()
    session.save()

    assert client.get("/counter/cases/").status_code == 302
    assert client.get("/admin/").status_code == 302


def test_five_wrong_guesses_close_the_door_for_a_quarter_of_an_hour(
    client, supervisor, settings, monkeypatch
):
    """security.md section 4: counted before they are compared; a lock says the same as a wrong password."""
    for _ in range(5):
        sign_in(client, supervisor, password="wrong")

    closed = sign_in(client, supervisor)
    monkeypatch.setattr(wiring, "_STARTED_S", time.monotonic())
    settings.ECARD_NOW = timezone.now() + timedelta(minutes=16)
    opened = sign_in(client, supervisor)

    assert (closed.status_code, opened.status_code) == (403, 302)
    assert NOT_IN in closed.content.decode()


def test_unknown_names_are_counted_without_being_kept(client, db):
    for _ in range(6):
        client.post("/counter/login/", {"username": "nobody.here", "password": "x", "otp_token": "1"})

    assert Attempt.objects.get(budget="remote").failures == 5
    assert not Attempt.objects.filter(subject__contains="nobody").exists()
    assert not LoginRecord.objects.filter(subject__contains="nobody").exists()


def test_an_operator_without_an_authenticator_cannot_come_in(client, db):
    operator = Operator.objects.create_user("new", PASSWORD, role=OperatorRole.CLERK)

    assert (
        client.post(
            "/counter/login/", {"username": operator.username, "password": PASSWORD, "otp_token": "123456"}
        ).status_code
        == 403
    )


def test_a_disabled_operator_is_out_at_once(client, supervisor):
    """reliability.md E10."""
    sign_in(client, supervisor)
    assert client.get("/counter/cases/").status_code == 200

    Operator.objects.filter(pk=supervisor.pk).update(is_active=False)

    assert client.get("/counter/cases/").status_code == 302


@pytest.mark.parametrize(("minutes", "status"), [(14, 200), (15, 302)])
def test_fifteen_idle_minutes_end_the_session(client, supervisor, settings, monkeypatch, minutes, status):
    start = timezone.now()
    sign_in(client, supervisor)

    monkeypatch.setattr(wiring, "_STARTED_S", time.monotonic())
    settings.ECARD_NOW = start + timedelta(minutes=minutes, seconds=5 if minutes == 15 else 0)

    assert client.get("/counter/cases/").status_code == status


@pytest.mark.parametrize("role", [OperatorRole.CASHIER, OperatorRole.MERCHANT, OperatorRole.ADMIN])
def test_other_roles_have_no_business_with_cases(client, db, role):
    """reliability.md section 3: admin: no money; merchant: own sales."""
    sign_in(client, make_operator(f"op.{role}", role))

    answer = client.get("/counter/cases/")

    assert answer.status_code == 403
    assert "不能访问" in answer.content.decode()


def test_a_holder_is_no_operator(client, db):
    person = make_person()
    give_pin(person.account)
    holder_sign_in(client, person)

    assert client.get("/counter/cases/").status_code == 302
    assert client.get("/admin/").status_code == 302


def test_an_operator_who_signs_in_is_no_holder_any_more(client, supervisor):
    person = make_person()
    give_pin(person.account)
    holder_sign_in(client, person)

    sign_in(client, supervisor)

    assert client.get("/me/").status_code == 302


@pytest.mark.parametrize("goal", ["https://evil.example/", "/me/", "//evil.example/counter/"])
def test_goes_on_to_staff_pages_only(client, supervisor, goal):
    assert sign_in(client, supervisor, next=goal).url == "/counter/"


class TestBackOffice:
    """Django's admin: everything can be looked up, nothing can be changed."""

    @pytest.fixture
    def office(self, client, db):
        operator = make_operator("root", OperatorRole.ADMIN, is_staff=True, is_superuser=True)
        assert sign_in(client, operator, next="/admin/").url == "/admin/"
        return client

    def test_every_list_opens_and_offers_no_change(self, office):
        make_person()
        for model in site._registry:
            if model._meta.label == "portal.Article":
                continue  # written there (tests/portal/test_articles.py)
            name = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            answer = office.get(name)
            assert (name, answer.status_code) == (name, 200)
            assert (name, office.get(f"{name}add/").status_code) == (name, 403)

    def test_an_entry_is_found_by_its_account(self, office):
        person, other = make_person(12_34), make_person(56_78)

        page = office.get(f"/admin/transactions/entry/?q={person.account.number}").content.decode()

        assert "12.34" in page
        assert "56.78" not in page
        assert office.get("/admin/transactions/entry/?q=' OR 1=1").status_code == 200
        assert other.book_fen == 56_78

    def test_an_entry_cannot_be_changed(self, office):
        person = make_person(12_34)
        entry = Entry.objects.get(account=person.account)
        address = f"/admin/transactions/entry/{entry.pk}/change/"

        assert office.get(address).status_code == 200
        assert office.post(address, {"book_change_fen": 1}).status_code == 403

    def test_is_clean_under_the_strict_policy(self, office):
        policy = office.get("/admin/").headers["Content-Security-Policy"]

        assert "default-src 'self'" in policy
        assert "unsafe" not in policy


class TestAuthenticator:
    """Every operator needs one; giving a new one ends the old."""

    def test_a_new_one_opens_the_door_and_the_old_one_does_not(self, client, supervisor, capsys):
        old = TOTPDevice.objects.get(user=supervisor)
        for _ in range(5):
            sign_in(client, supervisor, password="wrong")

        call_command("set_authenticator", supervisor.username)

        assert capsys.readouterr().out.startswith("otpauth://totp/")
        assert TOTPDevice.objects.get(user=supervisor).key != old.key
        assert sign_in(client, supervisor).status_code == 302
        assert AuditEvent.objects.filter(action="operator.set_authenticator").exists()

    def test_nobody_unknown_gets_one(self, db):
        with pytest.raises(CommandError, match="no active operator"):
            call_command("set_authenticator", "nobody")


class TestMakeOperator:
    """A new member of staff from the command line."""

    @pytest.fixture
    def typed(self, monkeypatch):
        def type_in(*answers: str) -> None:
            waiting = iter(answers)
            monkeypatch.setattr(make_operator_command, "getpass", lambda prompt: next(waiting))

        return type_in

    def test_comes_in_with_what_was_typed_and_printed(self, client, campuses, typed, capsys):
        typed(PASSWORD, PASSWORD)

        call_command("make_operator", "zhao", "--role", "clerk", "--campus", "yushan", "--name", "赵敏")

        operator = Operator.objects.get(username="zhao")
        assert (operator.campus, operator.role, operator.is_staff) == (campuses[0], "clerk", False)
        assert capsys.readouterr().out.startswith("otpauth://totp/")
        assert sign_in(client, operator).status_code == 302

    @pytest.mark.parametrize(
        ("name", "campus", "answers", "words"),
        [
            ("zhao", "nowhere", (), "no campus"),
            ("zhao", "yushan", ("short", "short"), "12"),
            ("zhao", "yushan", (PASSWORD, "something else 77"), "differ"),
            ("赵", "yushan", (PASSWORD, PASSWORD), "not of the form"),
            ("li.supervisor", "yushan", (PASSWORD, PASSWORD), "taken"),
        ],
    )
    def test_refuses_what_is_not_right(self, supervisor, campuses, typed, name, campus, answers, words):
        typed(*answers)

        with pytest.raises(CommandError, match=words):
            call_command("make_operator", name, "--role", "clerk", "--campus", campus)

        assert Operator.objects.count() == 1
