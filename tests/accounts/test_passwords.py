"""Comparing, changing and setting passwords; that they never show."""

from __future__ import annotations

import json
import logging
import re
import traceback
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection

from accounts.actors import Channel, WrongDoor
from accounts.checks import Rejected
from accounts.models import (
    Account,
    Attempt,
    AuditEvent,
    Budget,
    Card,
    CardLife,
    LoginRecord,
    Secret,
    SecretKind,
)
from accounts.services import accounts, passwords, standing, throttle
from accounts.services.passwords import NewPin, NotOffered, PinOutcome
from purse.rules import FreezeReason, Pin
from tests.accounts.conftest import (
    BY,
    COUNTER,
    DEFAULT_PIN,
    GOOD_PIN,
    ID_NUMBER,
    LOAD_KIOSK,
    NOW,
    OTHER_PIN,
    PHONE,
    POS,
    QUERY_KIOSK,
    SECRETS,
    WEB,
)

KIND = SecretKind.QUERY


def ask(account, pin, *, source=WEB, now=NOW, secrets=SECRETS):
    return passwords.verify_query(account.pk, pin, source=source, now=now, secrets=secrets)


def pay(account, pin, *, source=POS, now=NOW, secrets=SECRETS):
    return passwords.verify_consumption(account.pk, pin, source=source, now=now, secrets=secrets)


def change(account, old, new, again=None, *, kind=KIND, source=WEB, now=NOW):
    typed = NewPin(old, new, new if again is None else again)
    return passwords.change_pin(account.pk, kind, typed, source=source, now=now, secrets=SECRETS)


# ----------------------------------------------------------------------------------------------- comparing


def test_the_consumption_password_of_a_tap_speaks_the_words_of_the_rules(world):
    account = world.account(id_number=ID_NUMBER)

    verdicts = [pay(account, pin) for pin in (DEFAULT_PIN, "999998", "999998", "999998", DEFAULT_PIN)]

    assert [v.pin for v in verdicts] == [Pin.RIGHT, Pin.WRONG, Pin.WRONG, Pin.WRONG, Pin.LOCKED]
    assert [v.remaining for v in verdicts] == [0, 2, 1, 0, 0]


@pytest.mark.parametrize("pin", ["", "12345", "1234567", "abcdef", "１７０１１４", "170114\n", "170114 "])
def test_what_is_not_six_digits_is_wrong_at_the_till_and_counts(world, pin):
    account = world.account(id_number=ID_NUMBER)

    assert pay(account, pin).outcome is PinOutcome.WRONG
    assert Attempt.objects.get(budget=Budget.CONSUMPTION).failures == 1


def test_an_account_without_password_is_never_right(world):
    bare = Account.objects.create(number=54321, holder=world.person(id_number=ID_NUMBER), campus=world.campus)

    assert [pay(bare, pin).outcome for pin in (DEFAULT_PIN, "000000")] == [PinOutcome.WRONG] * 2


@pytest.mark.parametrize("source", [WEB, PHONE, QUERY_KIOSK])
def test_the_consumption_password_is_never_asked_over_web_or_phone(world, source):
    """S5."""
    with pytest.raises(WrongDoor):
        pay(world.account(), GOOD_PIN, source=source)


def test_the_query_password_is_not_asked_at_a_till(world):
    with pytest.raises(WrongDoor):
        ask(world.account(), GOOD_PIN, source=POS)


@pytest.mark.django_db(transaction=True)
def test_a_comparison_inside_a_transaction_is_a_fault(real_world):
    """The count must be committed before the hash is computed, or a rollback would give the guess back."""
    from django.db import transaction

    account = real_world.account()
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        pay(account, GOOD_PIN)


# ------------------------------------------------------------------------------------------------ changing


def test_a_holder_changes_the_query_password_on_the_web(world):
    account = world.account(id_number=ID_NUMBER)

    verdict = change(account, DEFAULT_PIN, GOOD_PIN)

    secret = Secret.objects.get(account=account, kind=KIND)
    assert (verdict.outcome, verdict.is_default) == (PinOutcome.OK, False)
    assert (secret.is_default, secret.changed_at) == (False, NOW)
    assert ask(account, GOOD_PIN).outcome is PinOutcome.OK
    assert ask(account, DEFAULT_PIN).outcome is PinOutcome.WRONG
    assert AuditEvent.objects.filter(action="secret.change").count() == 1


@pytest.mark.parametrize(
    ("old", "new", "again", "words"),
    [
        (DEFAULT_PIN, "12345", None, "6 位半角数字"),
        (DEFAULT_PIN, "1234567", None, "6 位半角数字"),
        (DEFAULT_PIN, "40827a", None, "6 位半角数字"),
        (DEFAULT_PIN, "408273\n", None, "6 位半角数字"),
        (DEFAULT_PIN, "４０８２７３", None, "6 位半角数字"),
        (DEFAULT_PIN, "408\x00273", None, "6 位半角数字"),
        (DEFAULT_PIN, " 408273", None, "6 位半角数字"),
        (DEFAULT_PIN, "4" * 10_000_000, None, "6 位半角数字"),
        ("12345", GOOD_PIN, None, "6 位半角数字"),
        (DEFAULT_PIN, DEFAULT_PIN, None, "原密码"),
        (DEFAULT_PIN, "123456", None, "过于简单"),
        (DEFAULT_PIN, "220040", None, "过于简单"),
        (DEFAULT_PIN, GOOD_PIN, OTHER_PIN, "不一致"),
    ],
    ids=lambda value: repr(value)[:14],
)
def test_unfit_passwords_are_refused_and_nothing_changes(world, old, new, again, words):
    """reliability.md section 7, items 21-32."""
    account = world.account(id_number=ID_NUMBER)

    with pytest.raises(Rejected, match=words) as refusal:
        change(account, old, new, again)

    assert new not in str(refusal.value)
    assert Secret.objects.get(account=account, kind=KIND).is_default


def test_going_back_to_the_initial_password_is_refused(world):
    """Item 28."""
    account = world.with_pin(world.account(id_number=ID_NUMBER))

    with pytest.raises(Rejected, match="初始密码"):
        change(account, GOOD_PIN, DEFAULT_PIN)


@pytest.mark.parametrize("other_set", [True, False])
def test_the_two_passwords_must_differ(world, other_set):
    """Item 29, also against an initial password that was never stored."""
    account = world.with_pin(world.account(id_number=ID_NUMBER))
    if other_set:
        world.with_pin(account, OTHER_PIN, SecretKind.CONSUMPTION)

    with pytest.raises(Rejected, match="不能相同" if other_set else "初始密码"):
        change(account, GOOD_PIN, OTHER_PIN if other_set else DEFAULT_PIN)


def test_trying_new_passwords_does_not_find_out_the_other_one(world):
    """Whoever knows the query password could ask 'equal to the other?' for every value; it is paid like a guess."""
    account = world.with_pin(world.account())
    world.with_pin(account, OTHER_PIN, SecretKind.CONSUMPTION)
    told, old = 0, GOOD_PIN
    for new in ["408274", "408275", OTHER_PIN]:
        try:
            change(account, old, new)
            old = new
        except Rejected:
            told += 1

    assert told == 0, "after two guesses the other password is not compared any more"
    assert Attempt.objects.get(budget=Budget.CONSUMPTION).failures == 2
    assert pay(account, OTHER_PIN).outcome is PinOutcome.OK, "and its own door is not closed by it"


def test_ten_unfit_new_passwords_a_day_are_enough(world):
    """The reasons of refusals would otherwise tell the initial password."""
    account = world.with_pin(world.account(id_number=ID_NUMBER))
    for _ in range(10):
        with pytest.raises(Rejected):
            change(account, GOOD_PIN, DEFAULT_PIN)

    with pytest.raises(NotOffered):
        change(account, GOOD_PIN, OTHER_PIN)
    assert change(account, GOOD_PIN, OTHER_PIN, now=NOW + timedelta(days=1)).outcome is PinOutcome.OK


def test_a_wrong_old_password_counts_as_a_guess(world):
    """Item 33."""
    account = world.with_pin(world.account())

    outcomes = [change(account, "999998", OTHER_PIN).outcome for _ in range(6)]

    assert outcomes == [PinOutcome.WRONG] * 5 + [PinOutcome.LOCKED]
    assert Attempt.objects.get(budget=Budget.REMOTE).failures == 5


@pytest.mark.parametrize(
    ("kind", "source", "offered"),
    [
        (SecretKind.QUERY, WEB, True),
        (SecretKind.QUERY, LOAD_KIOSK, True),
        (SecretKind.QUERY, PHONE, False),
        (SecretKind.QUERY, QUERY_KIOSK, False),
        (SecretKind.CONSUMPTION, WEB, False),
        (SecretKind.CONSUMPTION, PHONE, False),
        (SecretKind.CONSUMPTION, QUERY_KIOSK, False),
        (SecretKind.CONSUMPTION, LOAD_KIOSK, True),
        (SecretKind.CONSUMPTION, POS, False),
    ],
)
def test_each_password_is_changed_only_where_the_guide_says(world, kind, source, offered):
    """指南: 消费密码不能通过网站和电话修改。"""
    account = world.account(id_number=ID_NUMBER)

    if offered:
        assert change(account, DEFAULT_PIN, GOOD_PIN, kind=kind, source=source).outcome is PinOutcome.OK
    else:
        with pytest.raises(NotOffered):
            change(account, DEFAULT_PIN, GOOD_PIN, kind=kind, source=source)


@pytest.mark.parametrize(
    ("state", "query", "consumption"),
    [
        ("normal", True, True),
        ("lost", True, False),
        ("frozen", True, False),
        ("expired", False, False),
        ("closing", False, False),
    ],
)
def test_what_a_standing_blocks(world, state, query, consumption):
    """Requirements 3.3, column "change passwords"."""
    account = world.account(id_number=ID_NUMBER)
    if state == "lost":
        Card.objects.filter(account=account).update(lost=True, lost_at=NOW)
    elif state == "frozen":
        standing.freeze(account.pk, [FreezeReason.BY_HAND], by=BY)
    elif state == "expired":
        Card.objects.filter(account=account).update(life=CardLife.EXPIRED)
    elif state == "closing":
        accounts.begin_closing(account.pk, by=BY)

    def offered(kind, new):
        try:
            return change(account, DEFAULT_PIN, new, kind=kind, source=LOAD_KIOSK).outcome is PinOutcome.OK
        except NotOffered:
            return False

    assert offered(SecretKind.QUERY, GOOD_PIN) is query
    assert offered(SecretKind.CONSUMPTION, OTHER_PIN) is consumption


def test_at_the_counter_a_new_password_opens_the_doors_again(world):
    account = world.with_pin(world.account())
    for _ in range(6):
        ask(account, "999998")
    locked = ask(account, GOOD_PIN).outcome

    world.with_pin(account, OTHER_PIN)

    assert locked is PinOutcome.LOCKED
    assert ask(account, OTHER_PIN).outcome is PinOutcome.OK
    assert AuditEvent.objects.filter(action="attempts.reset", before={"failures": 5}).exists()


def test_a_reset_at_the_counter_brings_the_initial_password_back(world):
    account = world.with_pin(world.account(id_number=ID_NUMBER))

    slip = passwords.reset_to_initial(account.pk, KIND, door=COUNTER, now=NOW, secrets=SECRETS)

    verdict = ask(account, DEFAULT_PIN)
    assert slip is None
    assert (verdict.outcome, verdict.is_default) == (PinOutcome.OK, True)


def test_a_clerk_does_not_set_his_own_password(world):
    account = world.account()
    door = replace(COUNTER, own_holder_id=account.holder_id)

    with pytest.raises(WrongDoor):
        passwords.set_pin(account.pk, KIND, GOOD_PIN, GOOD_PIN, door=door, now=NOW, secrets=SECRETS)
    with pytest.raises(WrongDoor):
        passwords.reset_to_initial(account.pk, KIND, door=door, now=NOW, secrets=SECRETS)


# ----------------------------------------------------------------------------------------------- not shown


def test_no_password_shows_in_rows_logs_representations_or_errors(world, caplog):
    """PIN never in log, traceback, audit: twenty marked values, looked for in everything that was written."""
    caplog.set_level(logging.DEBUG)
    marked = [f"{value:06d}" for value in range(408_213, 408_313, 5)]
    account = world.account(id_number=ID_NUMBER)
    seen = [repr(NewPin(marked[0], marked[1], marked[2]))]
    with connection.execute_wrapper(lambda run, sql, params, many, ctx: run(sql, params, many, ctx)):
        for pin in marked:
            for act in (lambda p: ask(account, p), lambda p: change(account, p, p[::-1], "x")):
                try:
                    seen.append(repr(act(pin)))
                except (Rejected, NotOffered) as error:
                    seen += [repr(error), str(error), "".join(traceback.format_exception_only(error))]
        world.with_pin(account, marked[0])
    for model in (AuditEvent, LoginRecord, Attempt, Secret, Account, Card):
        seen += [json.dumps(list(row.values()), default=str) for row in model.objects.values()]
    seen += [record.getMessage() for record in caplog.records]

    text = "\n".join(seen)
    assert len(seen) > 100
    assert not [pin for pin in marked if re.search(rf"(?<![0-9.]){pin}(?![0-9])", text)]


def test_the_channels_have_the_budgets_of_the_design():
    assert passwords.BUDGET_OF == {
        Channel.WEB: Budget.REMOTE,
        Channel.PHONE: Budget.REMOTE,
        Channel.QUERY_KIOSK: Budget.PHYSICAL,
        Channel.LOAD_KIOSK: Budget.PHYSICAL,
    }
    assert {budget: throttle.ALLOWANCES[budget].closed_at for budget in throttle.ALLOWANCES} == {
        Budget.REMOTE: 30,
        Budget.PHYSICAL: 10,
        Budget.CONSUMPTION: 6,
    }


@pytest.mark.parametrize(
    ("initial_x", "right", "wrong"),
    [("", "917019", "170191"), ("1", "170191", "917019"), ("0", "170190", "170191")],
)
def test_the_x_at_the_end_is_dropped_or_a_digit_as_the_university_has_it(world, initial_x, right, wrong):
    """指南 L131: 末位为 X 的去掉; other schools have a digit for it. Nobody else's password depends on it."""
    installed = replace(SECRETS, initial_x=initial_x)
    account = world.account(world.person(id_number="37020220040917019X"))
    other = world.account(world.person(id_number=ID_NUMBER))

    assert ask(account, wrong, secrets=installed).outcome == PinOutcome.WRONG
    assert ask(account, right, secrets=installed).outcome == PinOutcome.OK
    assert ask(other, DEFAULT_PIN, secrets=installed).outcome == PinOutcome.OK
