"""Budgets: exactly so many guesses and not one more, however many arrive at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from django.db import connection

from accounts import pinhash
from accounts.actors import Channel
from accounts.models import Attempt, AuditEvent, Budget, LoginRecord
from accounts.services import passwords, throttle
from accounts.services.passwords import PinOutcome
from accounts.services.throttle import Source
from tests import faults
from tests.accounts.conftest import (
    COUNTER,
    GOOD_PIN,
    LOAD_KIOSK,
    NOW,
    OTHER_PIN,
    PHONE,
    POS,
    QUERY_KIOSK,
    SECRETS,
    WEB,
)

WRONG = "999998"
MINUTE = timedelta(minutes=1)
LINE = Source(Channel.PHONE, "phone:1")
"""A telephone whose own windows do not get in the way of what is measured."""


def ask(account, pin=WRONG, *, source=WEB, now=NOW):
    return passwords.verify_query(account.pk, pin, source=source, now=now, secrets=SECRETS).outcome


def pay(account, pin=WRONG, *, source=POS, now=NOW):
    return passwords.verify_consumption(account.pk, pin, source=source, now=now, secrets=SECRETS).outcome


@pytest.fixture
def fast(monkeypatch):
    """Leave the hashing out: these tests count comparisons."""
    compared = []

    def verify(stored, pin, *, kind, account_id, secrets):
        if stored is not None:
            compared.append(pin)
        return pinhash.Verified(right=stored is not None and pin == GOOD_PIN)

    monkeypatch.setattr(passwords, "verify_pin", verify)
    return compared


def test_the_remote_door_pauses_at_five_ten_and_fifteen_and_closes_at_thirty(world, fast):
    """security.md section 4: 5 -> 15 min, 10 -> 1 h, 15 -> 24 h, hard 30."""
    account = world.with_pin(world.account())
    now, pauses = NOW, []
    while len(fast) < 30:
        for _ in range(5):
            assert ask(account, now=now) is PinOutcome.WRONG
        blocked_until = Attempt.objects.get(budget=Budget.REMOTE).blocked_until
        if blocked_until is None:
            break
        pauses.append(blocked_until - now)
        assert ask(account, GOOD_PIN, now=blocked_until - timedelta(microseconds=1)) is PinOutcome.LOCKED
        now = blocked_until

    assert pauses == [15 * MINUTE, 60 * MINUTE, *[timedelta(days=1)] * 3]
    assert len(fast) == 30
    assert ask(account, GOOD_PIN, now=now + timedelta(days=3650)) is PinOutcome.LOCKED


def test_the_physical_door_pauses_at_five_and_closes_at_ten(world, fast):
    account = world.with_pin(world.account())
    for _ in range(5):
        ask(account, source=QUERY_KIOSK)
    assert ask(account, GOOD_PIN, source=LOAD_KIOSK, now=NOW + 14 * MINUTE) is PinOutcome.LOCKED
    for _ in range(5):
        ask(account, source=LOAD_KIOSK, now=NOW + 15 * MINUTE)

    assert len(fast) == 10
    assert ask(account, GOOD_PIN, source=LOAD_KIOSK, now=NOW + timedelta(days=365)) is PinOutcome.LOCKED


def test_the_consumption_password_rests_until_midnight_in_shanghai_and_closes_at_six(world, fast):
    account = world.with_pin(world.account(), kind="consumption")
    midnight = datetime(2026, 11, 24, tzinfo=throttle.SHANGHAI)
    for _ in range(3):
        pay(account)
    before = pay(account, GOOD_PIN, now=midnight - timedelta(seconds=1))
    for _ in range(3):
        assert pay(account, now=midnight) is PinOutcome.WRONG

    assert before is PinOutcome.LOCKED
    assert pay(account, GOOD_PIN, now=midnight + timedelta(days=30)) is PinOutcome.LOCKED
    assert len(fast) == 6


def test_a_guess_during_a_pause_is_not_counted_and_does_not_prolong_it(world, fast):
    account = world.with_pin(world.account())
    for minute in range(5):
        ask(account, now=NOW + minute * MINUTE)
    for _ in range(20):
        ask(account, now=NOW + 10 * MINUTE)

    assert ask(account, GOOD_PIN, now=NOW + 18 * MINUTE) is PinOutcome.LOCKED
    assert ask(account, GOOD_PIN, now=NOW + 19 * MINUTE) is PinOutcome.OK


@pytest.mark.parametrize(
    ("ask_with", "budget", "limit"),
    [
        (ask, Budget.REMOTE, 5),
        (
            lambda account, pin: ask(account, pin, source=LINE),
            Budget.REMOTE,
            5,
        ),
        (lambda account, pin: ask(account, pin, source=LOAD_KIOSK), Budget.PHYSICAL, 5),
        (pay, Budget.CONSUMPTION, 3),
    ],
    ids=["web", "phone", "kiosk", "till"],
)
def test_a_burst_of_64_gets_exactly_the_budget_even_with_the_right_one_in_it(
    real_world, fast, monkeypatch, ask_with, budget, limit
):
    """BRUTE: real threads and real commits; the right guess comes behind the limit, so nobody gets in."""
    monkeypatch.setattr(passwords, "place_at_the_gate", OpenGate)
    kind = "consumption" if budget is Budget.CONSUMPTION else "query"
    account = real_world.with_pin(real_world.account(), kind=kind)
    together = Barrier(64)

    def guess(number):
        right = number == 40
        together.wait(20)
        while right and len(fast) < limit:
            time.sleep(0.001)  # the right one comes when the budget is already spent
        try:
            return ask_with(account, GOOD_PIN if right else WRONG)
        finally:
            connection.close()

    with ThreadPoolExecutor(64) as pool:
        outcomes = list(pool.map(guess, range(64)))

    row = Attempt.objects.get(subject=throttle.account_subject(account.pk), budget=budget)
    violations = int(len(fast) != limit) + outcomes.count(PinOutcome.OK) + int(row.failures != limit)
    faults.report("BRUTE", len(outcomes), violations)
    assert len(outcomes) == 64
    assert len(fast) == limit
    assert outcomes.count(PinOutcome.WRONG) == limit
    assert outcomes.count(PinOutcome.OK) == 0
    assert row.failures == limit


@pytest.mark.parametrize("bursts", [30, pytest.param(200, marks=pytest.mark.long)])
def test_every_burst_of_reservations_stays_within_its_budget(real_world, bursts):
    """BRUTE at the level of reservations: bursts of 64 on a new subject each."""
    size = 64
    budgets = [Budget.REMOTE, Budget.PHYSICAL, Budget.CONSUMPTION]
    violations = 0

    def reserve(guess):
        return throttle.reserve(guess, now=NOW).granted

    def close(together):
        together.wait(10)  # so that every thread of the pool gets one of these
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        for number in range(bursts):
            budget = budgets[number % 3]
            guess = throttle.Guess(f"unknown:{number}", None, budget, POS)
            granted = sum(pool.map(reserve, [guess] * size))
            violations += granted != throttle.ALLOWANCES[budget].pauses[0][0]
        list(pool.map(close, [Barrier(8)] * 8))

    faults.report("BRUTE", bursts * size, violations)
    assert violations == 0


def test_success_resets_its_own_channel_group_only(world, fast):
    account = world.with_pin(world.account())
    world.with_pin(account, OTHER_PIN, "consumption")
    for _ in range(2):
        ask(account)
        ask(account, source=QUERY_KIOSK)
        pay(account)

    ask(account, GOOD_PIN, source=PHONE)

    left = {row.budget: row.failures for row in Attempt.objects.filter(subject__startswith="account:")}
    assert left == {Budget.PHYSICAL: 2, Budget.CONSUMPTION: 2}
    event = AuditEvent.objects.get(action="attempts.reset")
    assert event.before == {"failures": 3}, "two wrong guesses and the reservation of the right one"


def test_a_success_without_earlier_failures_writes_no_reset(world, fast):
    ask(world.with_pin(world.account()), GOOD_PIN)

    assert not AuditEvent.objects.filter(action="attempts.reset").exists()


@pytest.mark.parametrize(
    ("source", "failures", "reopened"),
    [(LOAD_KIOSK, 30, True), (LOAD_KIOSK, 29, False), (QUERY_KIOSK, 30, False)],
)
def test_a_closed_remote_door_opens_after_success_at_the_load_kiosk(world, fast, source, failures, reopened):
    """Hard: remote closed until success at counter or load kiosk."""
    account = world.with_pin(world.account())
    subject = throttle.account_subject(account.pk)
    Attempt.objects.create(
        subject=subject, budget=Budget.REMOTE, failures=failures, since_at=NOW, last_at=NOW
    )

    ask(account, GOOD_PIN, source=source)

    assert Attempt.objects.filter(subject=subject, budget=Budget.REMOTE).exists() is not reopened


def test_the_counter_opens_what_was_closed(world, fast):
    account = world.with_pin(world.account(), kind="consumption")
    for _ in range(3):
        pay(account)
    locked = pay(account, GOOD_PIN)

    throttle.reset(account.pk, frozenset({Budget.CONSUMPTION}), door=COUNTER, now=NOW)

    assert (locked, pay(account, GOOD_PIN)) == (PinOutcome.LOCKED, PinOutcome.OK)


def test_a_web_address_rests_for_an_hour_after_sixty_failures_in_an_hour(world, fast):
    """60 failures/h -> 1 h; the account itself is not touched by a blocked source."""
    subjects = [throttle.Guess(f"unknown:{n}", None, Budget.REMOTE, WEB) for n in range(62)]

    granted = [
        throttle.reserve(guess, now=NOW + timedelta(seconds=n)).granted for n, guess in enumerate(subjects)
    ]

    assert granted == [True] * 60 + [False] * 2
    assert not Attempt.objects.filter(subject="unknown:61").exists()
    blocked_until = Attempt.objects.get(subject="web:192.0.2.7").blocked_until
    assert blocked_until == NOW + timedelta(hours=1, seconds=59)
    assert throttle.reserve(subjects[61], now=blocked_until).granted


def test_failures_of_an_hour_ago_are_forgotten(world):
    for n in range(59):
        throttle.reserve(throttle.Guess(f"unknown:{n}", None, Budget.REMOTE, WEB), now=NOW)

    later = NOW + timedelta(hours=1)
    granted = [
        throttle.reserve(throttle.Guess(f"unknown:b{n}", None, Budget.REMOTE, WEB), now=later).granted
        for n in range(60)
    ]

    assert all(granted)


def test_right_passwords_do_not_use_up_a_shared_address(world, fast):
    """A whole campus may come from one address."""
    account = world.with_pin(world.account())

    outcomes = {ask(account, GOOD_PIN) for _ in range(100)}

    assert outcomes == {PinOutcome.OK}
    assert Attempt.objects.get(subject="web:192.0.2.7").failures == 0


def test_a_telephone_call_has_three_guesses_and_a_caller_ten_a_day(world):
    """Phone: 3 per call, 10 per caller and day."""
    granted = []
    for call in range(5):
        source = Source.phone("053212345678", call=str(call))
        for n in range(4):
            guess = throttle.Guess(f"unknown:{call}{n}", None, Budget.REMOTE, source)
            granted.append(throttle.reserve(guess, now=NOW).granted)

    assert sum(granted) <= 10
    assert granted[:4] == [True, True, True, False]


def test_a_kiosk_rests_for_five_minutes_after_sixty_failures(world):
    def granted(n, now):
        return throttle.reserve(
            throttle.Guess(f"unknown:{n}", None, Budget.PHYSICAL, QUERY_KIOSK), now=now
        ).granted

    first = [granted(n, NOW) for n in range(61)]

    assert first == [True] * 60 + [False]
    assert not granted(61, NOW + timedelta(minutes=4, seconds=59))
    assert granted(62, NOW + timedelta(minutes=5))


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
    ],
)
def test_an_ipv6_network_counts_as_one_address(one, two, same):
    assert (Source.web(one).name == Source.web(two).name) is same


@pytest.mark.parametrize("address", ["", "unknown", "192.0.2.7, 10.0.0.1", "192.0.2.256"])
def test_what_is_no_address_is_a_fault(address):
    with pytest.raises(ValueError, match="IPv4 or IPv6"):
        Source.web(address)


def fail(count, *, source, budget=Budget.REMOTE, distinct=True, now=NOW):
    for n in range(count):
        subject = f"unknown:{n if distinct else 0}"
        throttle.failed(throttle.Guess(subject, None, budget, source), now=now)


@pytest.mark.parametrize(("accounts", "asked"), [(9, False), (10, True)])
def test_ten_different_accounts_from_one_address_bring_a_sum_and_five_seconds(world, accounts, asked):
    """web: 10 distinct failing accounts / 10 min -> +5 s delay and arithmetic challenge."""
    fail(accounts, source=WEB)

    suspicion = throttle.suspicion(WEB, now=NOW + MINUTE)

    assert suspicion.challenge is asked
    assert suspicion.wait_until == (NOW + timedelta(seconds=5) if asked else None)
    assert not throttle.suspicion(WEB, now=NOW + 10 * MINUTE).challenge
    assert not throttle.suspicion(Source.web("192.0.2.99"), now=NOW).challenge


@pytest.mark.parametrize(
    ("failures", "distinct", "alarm"),
    [(500, False, False), (501, False, True), (200, True, False), (201, True, True)],
)
def test_an_attack_over_all_remote_doors_raises_one_alarm_and_a_sum_for_everybody(
    world, failures, distinct, alarm
):
    """> 500 failures/h or > 200 distinct accounts/h -> alarm, challenge for all remote."""
    LoginRecord.objects.bulk_create(
        LoginRecord(
            at=NOW,
            subject=f"unknown:{n if distinct else 0}",
            budget=Budget.REMOTE,
            channel="web",
            source=f"web:198.51.100.{n % 250}",
            succeeded=False,
        )
        for n in range(failures - 1)
    )
    last = throttle.Guess(f"unknown:{failures if distinct else 0}", None, Budget.REMOTE, WEB)

    throttle.failed(last, now=NOW)
    if alarm:
        throttle.failed(last, now=NOW)

    assert AuditEvent.objects.filter(action="alarm.guessing").count() == int(alarm)
    assert throttle.suspicion(Source.web("203.0.113.1"), now=NOW).challenge is alarm
    assert not throttle.suspicion(QUERY_KIOSK, now=NOW).challenge


@pytest.mark.parametrize(("source", "limit"), [(POS, 10), (LOAD_KIOSK, 60), (QUERY_KIOSK, 60)])
def test_many_failures_at_one_machine_raise_one_alarm_an_hour(world, source, limit):
    fail(limit - 1, source=source, budget=Budget.CONSUMPTION)
    before = AuditEvent.objects.filter(action="alarm.guessing").count()
    fail(3, source=source, budget=Budget.CONSUMPTION)
    after = AuditEvent.objects.filter(action="alarm.guessing", object_id=source.name).count()
    fail(limit, source=source, budget=Budget.CONSUMPTION, now=NOW + timedelta(hours=1))

    assert (before, after) == (0, 1)
    assert AuditEvent.objects.filter(action="alarm.guessing").count() == 2


class OpenGate:
    """No waiting: the point of the burst is the counter, not the gate."""

    def __enter__(self):
        return None

    def __exit__(self, *error):
        return None
