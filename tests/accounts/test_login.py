"""Signing in: both numbers, one text for every failure, and what each door offers."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta

import pytest

from accounts.actors import Channel
from accounts.checks import Rejected
from accounts.models import Account, AccountLife, Attempt, Budget, LoginRecord
from accounts.services import accounts, login, standing, throttle
from accounts.services.login import LoginOutcome, Right
from accounts.services.throttle import Source
from purse.rules import FreezeReason
from tests import faults
from tests.accounts.conftest import (
    BY,
    DEFAULT_PIN,
    GOOD_PIN,
    ID_NUMBER,
    LOAD_KIOSK,
    NOW,
    PHONE,
    QUERY_KIOSK,
    SECRETS,
    WEB,
)

DOORS = [WEB, PHONE, QUERY_KIOSK, LOAD_KIOSK]


def sign_in(identifier, pin=GOOD_PIN, *, source=WEB, now=NOW, passed=False):
    return login.authenticate_holder(
        str(identifier), pin, source.channel, source, now=now, secrets=SECRETS, challenge_passed=passed
    )


@pytest.mark.parametrize("number", ["school", "account"])
def test_a_holder_signs_in_with_either_number(world, number):
    """指南: 用学号（工号）或 5 位帐号和查询密码登录。"""
    account = world.with_pin(world.account(school_no="A2023001"))

    result = sign_in("a2023001" if number == "school" else account.number)

    assert result.outcome is LoginOutcome.IN
    assert (result.account_id, result.holder_uid) == (account.pk, account.holder.uid)
    assert result.must_change is False
    assert LoginRecord.objects.get().succeeded


def test_on_the_telephone_only_the_account_number_works(world):
    """指南: 电话挂失须输入帐号和查询密码。Reading A19."""
    account = world.with_pin(world.account(school_no="2023000001"))

    assert sign_in("2023000001", source=PHONE).outcome is LoginOutcome.OUT
    assert sign_in(account.number, source=PHONE).outcome is LoginOutcome.IN


def failures_of(world):
    """Every way not to get in: name, number, password."""
    known = world.with_pin(world.account())
    locked = world.with_pin(world.account())
    frozen = world.with_pin(world.account())
    closed = world.with_pin(world.account(card=False))
    pending = world.account(card=False, pending=True)
    for _ in range(5):
        sign_in(locked.number, "999998")
    standing.freeze(frozen.pk, [FreezeReason.BY_HAND], by=BY)
    accounts.begin_closing(closed.pk, by=BY)
    accounts.close(closed.pk, by=BY)
    return {
        "unknown account": ("99999" if known.number != 99999 else "99998", GOOD_PIN),
        "unknown school number": ("2099999999", GOOD_PIN),
        "no number at all": ("；DROP", GOOD_PIN),
        "full-width number": ("１２３４５", GOOD_PIN),
        "surrogate": ("\ud800", GOOD_PIN),
        "long number": ("9" * 100_000, GOOD_PIN),
        "wrong password": (known.number, "999998"),
        "locked, wrong": (locked.number, "999998"),
        "locked, right": (locked.number, GOOD_PIN),
        "frozen, wrong": (frozen.number, "999998"),
        "closed, wrong": (closed.number, "999998"),
        "pending": (pending.number, GOOD_PIN),
    }


def test_every_failure_looks_the_same(world):
    """E3: the same text for unknown, wrong, locked, frozen, closed; nothing in the answer tells them apart."""
    answers = {}
    for place, (name, typed) in enumerate(failures_of(world).items()):
        answers[name] = sign_in(*typed, source=Source.web(f"198.51.100.{place}"))

    assert len(answers) == 12
    assert set(answers.values()) == {login.LoginResult(LoginOutcome.OUT, login.NOT_IN)}
    assert str(login.NOT_IN) == "账号或密码不正确，或尝试次数过多，请 15 分钟后再试"


def test_every_failure_takes_the_same_time(world, monkeypatch, passwords_as_in_production):
    """E3: medians within bounds of each other; one full hash whatever happens.

    Counted is the time that the processor works for it, which does not depend on what else the machine does.
    """
    monkeypatch.setattr(throttle, "CHALLENGE_SUBJECTS", 10_000)
    ways, took_s = failures_of(world), {}
    for round_ in range(9):
        for name, typed in ways.items():
            started = time.thread_time()
            sign_in(*typed, source=Source.web(f"198.51.100.{round_}"))
            took_s.setdefault(name, []).append(time.thread_time() - started)

    medians = {name: statistics.median(times) for name, times in took_s.items()}
    middle = statistics.median(medians.values())
    outside = {name: median / middle for name, median in medians.items() if not 0.6 < median / middle < 1.6}
    faults.report("ENUMERATION", len(medians), len(outside))
    assert not outside


def test_unknown_numbers_are_counted_like_known_ones_and_without_their_name(world):
    outcomes = [sign_in("2099999999").outcome for _ in range(7)]

    row = Attempt.objects.get(budget=Budget.REMOTE)
    assert outcomes == [LoginOutcome.OUT] * 7
    assert row.failures == 5
    assert row.subject.startswith("unknown:")
    assert "2099999999" not in row.subject
    assert not LoginRecord.objects.filter(subject__contains="2099999999").exists()


def test_both_numbers_of_a_holder_share_one_budget(world):
    account = world.with_pin(world.account(school_no="2023000001"))
    for number in [account.number, "2023000001"] * 3:
        sign_in(number, "999998")

    assert Attempt.objects.get(budget=Budget.REMOTE).failures == 5
    assert sign_in("2023000001").outcome is LoginOutcome.OUT


def test_a_locked_web_does_not_close_kiosk_or_card(world):
    """ASVS 6.1.1: locking somebody out remotely costs him little."""
    account = world.with_pin(world.account())
    for _ in range(6):
        sign_in(account.number, "999998")

    assert sign_in(account.number).outcome is LoginOutcome.OUT
    assert sign_in(account.number, source=PHONE).outcome is LoginOutcome.OUT
    assert sign_in(account.number, source=QUERY_KIOSK).outcome is LoginOutcome.IN


@pytest.mark.parametrize("pin", ["", "12345", "1234567", "４０８２７３", "408273\n", "abcdef", "\x00" * 6])
def test_what_is_not_six_digits_is_said_before_anything_is_counted(world, pin):
    with pytest.raises(Rejected, match="6 位半角数字"):
        sign_in("2099999999", pin)

    assert not Attempt.objects.exists()


@pytest.mark.parametrize(
    ("source", "rights", "with_default"),
    [
        (WEB, {Right.READ, Right.REPORT_LOSS, Right.CHANGE_QUERY}, {Right.REPORT_LOSS, Right.CHANGE_QUERY}),
        (PHONE, {Right.REPORT_LOSS}, {Right.REPORT_LOSS}),
        (QUERY_KIOSK, {Right.READ, Right.REPORT_LOSS}, {Right.READ, Right.REPORT_LOSS}),
        (LOAD_KIOSK, set(Right), set(Right)),
    ],
    ids=["web", "phone", "query kiosk", "load kiosk"],
)
def test_each_door_offers_what_the_guide_and_the_initial_password_allow(world, source, rights, with_default):
    """security.md section 4: what a default password may do."""
    account = world.account(id_number=ID_NUMBER)

    first = sign_in(account.number, DEFAULT_PIN, source=source)
    world.with_pin(account)
    then = sign_in(account.number, source=source)

    assert (first.rights, first.must_change) == (with_default, True)
    assert (then.rights, then.must_change) == (rights, False)


@pytest.mark.parametrize("source", [WEB, PHONE, QUERY_KIOSK])
def test_only_the_load_kiosk_ever_offers_to_lift_a_loss_or_change_the_consumption_password(world, source):
    """指南: 不能通过电话和网站解挂；消费密码不能通过网站和电话修改。"""
    account = world.with_pin(world.account())

    rights = sign_in(account.number, source=source).rights

    assert not rights & {Right.LIFT_LOSS, Right.CHANGE_CONSUMPTION, Right.CHANGE_LIMIT, Right.LOAD}


def test_a_closing_account_reads_and_reports_and_a_closed_one_reads_for_a_year(world):
    """Requirements 3.3, rows CLOSING and CLOSED."""
    account = world.with_pin(world.account(card=False))
    accounts.begin_closing(account.pk, by=BY)
    closing = sign_in(account.number)
    accounts.close(account.pk, by=BY)
    closed = sign_in(account.number)
    last_day = sign_in(account.number, now=NOW + timedelta(days=364, hours=23))
    too_late = sign_in(account.number, now=NOW + timedelta(days=365))

    assert closing.rights == {Right.READ, Right.REPORT_LOSS}
    assert closed.rights == last_day.rights == {Right.READ}
    assert too_late.outcome is LoginOutcome.OUT


def test_an_account_in_use_comes_before_a_closed_one_with_its_number(world):
    old = world.with_pin(world.account(card=False))
    Account.objects.filter(pk=old.pk).update(life=AccountLife.CLOSING)
    Account.objects.filter(pk=old.pk).update(life=AccountLife.CLOSED, closed_at=NOW)
    new = world.account(card=False)
    Account.objects.filter(pk=new.pk).update(number=old.number)
    world.with_pin(new)

    assert sign_in(old.number).account_id == new.pk


def test_after_ten_different_accounts_a_sum_is_asked_and_nothing_compared(world):
    account = world.with_pin(world.account())
    for number in range(10):
        sign_in(20_000 + number, now=NOW)

    asked = sign_in(account.number, now=NOW + timedelta(seconds=6))
    early = sign_in(account.number, now=NOW + timedelta(seconds=4), passed=True)
    answered = sign_in(account.number, now=NOW + timedelta(seconds=5), passed=True)

    assert [asked.outcome, early.outcome] == [LoginOutcome.CHALLENGE] * 2
    assert answered.outcome is LoginOutcome.IN


@pytest.mark.parametrize(
    ("channel", "source"), [(Channel.POS, WEB), (Channel.COUNTER, WEB), (Channel.PHONE, WEB)]
)
def test_a_door_that_does_not_exist_is_a_fault(world, channel, source):
    with pytest.raises(ValueError, match="signs in"):
        login.authenticate_holder("10086", GOOD_PIN, channel, source, now=NOW, secrets=SECRETS)


@pytest.mark.parametrize("sprayed", [200, pytest.param(2_000, marks=pytest.mark.long)])
def test_sprayed_accounts_yield_less_than_a_guesser_hopes(world, monkeypatch, sprayed):
    """E2: one default guess per account from one address is stopped by the address's own window."""
    monkeypatch.setattr(throttle, "CHALLENGE_SUBJECTS", 10_000)
    compared = []
    monkeypatch.setattr(
        "accounts.services.passwords.verify_pin", lambda *a, **k: compared.append(1) or login_failed()
    )

    for number in range(sprayed):
        sign_in(20_000 + number, DEFAULT_PIN)

    faults.report("SPRAY", sprayed, int(len(compared) > 60))
    assert len(compared) == 60


@pytest.mark.parametrize(("days", "kept"), [(90, True), (91, False)])
def test_sign_in_records_are_kept_for_ninety_days_and_the_counts_of_accounts_for_ever(world, days, kept):
    account = world.with_pin(world.account())
    sign_in(account.number, "999998")
    throttle.reserve(throttle.Guess("unknown:1", None, Budget.REMOTE, WEB), now=NOW)

    deleted = throttle.forget_old(now=NOW + timedelta(days=days))

    assert (deleted == 0, LoginRecord.objects.exists()) == (kept, kept)
    assert Attempt.objects.filter(subject="unknown:1").exists() is kept
    assert Attempt.objects.filter(subject=throttle.account_subject(account.pk)).exists()


def login_failed():
    from accounts.pinhash import Verified

    return Verified(right=False)
