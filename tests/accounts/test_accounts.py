"""Opening and ending accounts and cards, and the daily limit."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.db import connection

from accounts.actors import WrongDoor
from accounts.models import (
    Account,
    AccountLife,
    AuditEvent,
    Card,
    CardLife,
    HolderKind,
    SecretKind,
    ServiceKind,
)
from accounts.services import accounts, cards, limits, passwords, standing
from accounts.services.errors import NotAllowed, Reason
from purse.policy import Policy
from purse.rules import FreezeReason
from tests.accounts.conftest import (
    BY,
    COUNTER,
    DEFAULT_PIN,
    GOOD_PIN,
    ID_NUMBER,
    LOAD_KIOSK,
    NOW,
    SECRETS,
    at_load_kiosk,
    undone,
)


def reason_of(act, *args, **kwargs):
    with pytest.raises(NotAllowed) as refusal:
        act(*args, **kwargs)
    return refusal.value.reason


def test_an_account_opens_with_a_five_digit_number_and_the_default_limit(world):
    """指南: 默认日累计消费限额为 50 元。"""
    account = world.account(card=False)

    assert 10_000 <= account.number <= 99_999
    assert account.daily_limit_fen == 50_00
    assert account.life == AccountLife.OPEN
    assert AuditEvent.objects.filter(action="account.open", object_id=str(account.pk)).exists()


def test_numbers_do_not_follow_each_other(world):
    numbers = [world.account(card=False).number for _ in range(20)]

    steps = {after - before for before, after in itertools.pairwise(numbers)}
    assert len(set(numbers)) == 20
    assert len(steps) > 10


def only_free_number(monkeypatch, number):
    monkeypatch.setattr(accounts, "NUMBERS", range(number, number + 1))


@pytest.mark.parametrize(("days", "free"), [(1827, True), (1826, False), (0, False)])
def test_a_number_rests_for_five_years_after_closing(world, monkeypatch, days, free):
    """Reading A17: never reused within 5 years."""
    old = world.account(card=False)
    Account.objects.filter(pk=old.pk).update(life=AccountLife.CLOSING)
    Account.objects.filter(pk=old.pk).update(life=AccountLife.CLOSED, closed_at=NOW - timedelta(days=days))
    only_free_number(monkeypatch, old.number)

    if free:
        assert world.account(card=False).number == old.number
    else:
        with pytest.raises(accounts.NumbersExhausted):
            world.account(card=False)


def test_when_numbers_run_out_that_is_a_fault(world, monkeypatch):
    only_free_number(monkeypatch, world.account(card=False).number)

    with pytest.raises(accounts.NumbersExhausted):
        world.account(card=False)


def test_twelve_clerks_at_once_get_twelve_numbers(real_world, monkeypatch):
    monkeypatch.setattr(accounts, "NUMBERS", range(50_000, 50_012))
    people = [real_world.person() for _ in range(12)]

    def work(person):
        try:
            order = accounts.Order(person.pk, ServiceKind.FORMAL, real_world.campus)
            return accounts.open_account(order, by=BY, policy=Policy(), secrets=SECRETS).account.number
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        numbers = sorted(pool.map(work, people))

    assert numbers == list(range(50_000, 50_012))


def test_a_holder_has_one_account(world):
    holder = world.person()
    world.account(holder)

    assert reason_of(world.account, holder) is Reason.HAS_ACCOUNT


@pytest.mark.parametrize(
    ("kind", "card", "refused"),
    [
        (HolderKind.STUDENT, ServiceKind.FORMAL, False),
        (HolderKind.STAFF, ServiceKind.FORMAL, False),
        (HolderKind.OTHER, ServiceKind.FORMAL, True),
        (HolderKind.OTHER, ServiceKind.NAMED, False),
    ],
)
def test_only_staff_and_students_get_a_formal_card(world, kind, card, refused):
    """指南: 正式卡发给在编教职工和在册全日制学生。"""
    holder = world.person(kind=kind)

    if refused:
        assert reason_of(world.account, holder, kind=card) is Reason.NOT_ELIGIBLE
    else:
        assert world.account(holder, kind=card).kind == card


def test_both_initial_passwords_follow_from_the_identity_number(world):
    """指南: 两个密码的初始值都是身份证号码后六位。"""
    account = world.account(id_number=ID_NUMBER)

    assert {secret.kind for secret in account.secrets.filter(is_default=True, pin_hash=None)} == set(
        SecretKind
    )
    verdict = passwords.verify_query(account.pk, DEFAULT_PIN, source=LOAD_KIOSK, now=NOW, secrets=SECRETS)
    assert (verdict.outcome, verdict.is_default) == ("ok", True)


def test_without_an_identity_number_random_passwords_are_printed_on_a_slip(world):
    """Reading A16: random slip, never 888888."""
    holder = world.person(document_kind="passport", id_number="E12345678")
    order = accounts.Order(holder.pk, ServiceKind.FORMAL, world.campus)

    opened = accounts.open_account(order, by=BY, policy=Policy(), secrets=SECRETS)

    assert set(opened.slips) == set(SecretKind)
    assert not any(pin in repr(opened) for pin in opened.slips.values())
    for verify, kind in [(passwords.verify_query, "query"), (passwords.verify_consumption, "consumption")]:
        pin = opened.slips[SecretKind(kind)]
        verdict = verify(opened.account.pk, pin, source=LOAD_KIOSK, now=NOW, secrets=SECRETS)
        assert (verdict.outcome, verdict.is_default) == ("ok", True)


def test_an_account_lives_from_pending_to_closed_and_every_step_counts(world):
    account = world.account(card=False, pending=True)
    steps = [
        accounts.start,
        accounts.begin_closing,
        accounts.give_up_closing,
        accounts.begin_closing,
        accounts.close,
    ]

    lives = []
    for step in steps:
        step(account.pk, by=BY)
        account.refresh_from_db()
        lives.append((account.life, account.version))

    assert lives == [("open", 1), ("closing", 2), ("open", 3), ("closing", 4), ("closed", 5)]
    assert account.closed_at == NOW


@pytest.mark.parametrize(
    ("life", "step"),
    [("open", "start"), ("pending", "begin_closing"), ("open", "give_up_closing"), ("open", "close")],
)
def test_steps_out_of_order_are_refused(world, life, step):
    account = world.account(card=False, pending=life == "pending")

    assert reason_of(getattr(accounts, step), account.pk, by=BY) is Reason.WRONG_LIFE


@pytest.mark.parametrize(("book_fen", "unclaimed_fen"), [(1, 0), (-1, 0), (0, 1)])
def test_an_account_with_money_is_not_closed(world, book_fen, unclaimed_fen):
    account = world.account(card=False)
    accounts.begin_closing(account.pk, by=BY)
    with undone():
        Account.objects.filter(pk=account.pk).update(book_fen=book_fen, unclaimed_fen=unclaimed_fen)

        assert reason_of(accounts.close, account.pk, by=BY) is Reason.MONEY_LEFT


def test_a_frozen_account_is_put_right_before_it_is_closed(world):
    account = world.account()
    standing.freeze(account.pk, [FreezeReason.BY_HAND], by=BY)

    assert reason_of(accounts.begin_closing, account.pk, by=BY) is Reason.ACCOUNT_FROZEN


def test_a_card_is_replaced_by_the_next_one_and_is_void_and_lost_at_once(world):
    """Reading A22."""
    account = world.account()
    old = Card.objects.get(account=account)

    cards.replace(old.pk, by=BY)
    new = world.card(account)

    old.refresh_from_db()
    assert (old.life, old.lost, old.lost_at) == (CardLife.REPLACED, True, NOW)
    assert (new.issue_no, new.life) == (2, CardLife.ACTIVE)


def test_a_second_live_card_is_not_issued(world):
    account = world.account()
    blank = cards.prepare(cards.NewCard(account.pk, ServiceKind.FORMAL), by=BY)

    assert reason_of(cards.issue, blank.pk, "0A0B0C0D", by=BY) is Reason.WRONG_LIFE


def test_the_chip_of_a_live_card_is_not_issued_again(world):
    chip = Card.objects.get(account=world.account()).uid
    blank = cards.prepare(cards.NewCard(world.account(card=False).pk, ServiceKind.FORMAL), by=BY)

    assert reason_of(cards.issue, blank.pk, chip, by=BY) is Reason.WRONG_LIFE


def test_an_expired_card_is_extended_and_an_ended_one_is_not(world):
    account = world.account()
    card = cards.move(Card.objects.get(account=account).pk, CardLife.EXPIRED, by=BY)

    extended = cards.extend(card.pk, date(2031, 6, 30), by=BY)
    cards.move(card.pk, CardLife.RETURNED, by=BY)

    assert (extended.life, extended.expires_on) == (CardLife.ACTIVE, date(2031, 6, 30))
    assert reason_of(cards.extend, card.pk, date(2032, 6, 30), by=BY) is Reason.CARD_ENDED


@pytest.mark.parametrize("life", [CardLife.ISSUED, CardLife.BLANK, CardLife.ACTIVE])
def test_no_ended_card_comes_back(world, life):
    card = cards.move(Card.objects.get(account=world.account()).pk, CardLife.RETURNED, by=BY)

    with pytest.raises((NotAllowed, ValueError)):
        cards.move(card.pk, life, by=BY)


@pytest.mark.parametrize(
    ("limit_fen", "accepted"), [(0, True), (600_00, True), (600_01, False), (-1, False), (50_00, True)]
)
def test_the_limit_is_zero_to_six_hundred_yuan(world, limit_fen, accepted):
    """Reading A12: 0 ... 600; 0 means always ask. Item 20."""
    account = world.account()

    if accepted:
        limits.change_limit(account.pk, limit_fen, door=COUNTER, policy=Policy(), now=NOW)
        account.refresh_from_db()
        assert account.daily_limit_fen == limit_fen
    else:
        change = {"door": COUNTER, "policy": Policy(), "now": NOW}
        assert reason_of(limits.change_limit, account.pk, limit_fen, **change) is Reason.LIMIT_RANGE


def test_at_the_kiosk_the_limit_needs_the_consumption_password(world):
    """指南: 修改限额须输入消费密码。The query password must not work here (R030)."""
    account = world.with_pin(world.account(id_number=ID_NUMBER))
    query = passwords.verify_query(account.pk, GOOD_PIN, source=LOAD_KIOSK, now=NOW, secrets=SECRETS)
    consumption = passwords.verify_consumption(
        account.pk, DEFAULT_PIN, source=LOAD_KIOSK, now=NOW, secrets=SECRETS
    )

    with pytest.raises(WrongDoor):
        limits.change_limit(account.pk, 1_00, door=at_load_kiosk(account, query), policy=Policy(), now=NOW)
    limits.change_limit(account.pk, 2_00, door=at_load_kiosk(account, consumption), policy=Policy(), now=NOW)

    account.refresh_from_db()
    event = AuditEvent.objects.get(action="account.change_limit")
    assert account.daily_limit_fen == 2_00
    assert (event.before, event.after) == ({"daily_limit_fen": 50_00}, {"daily_limit_fen": 2_00})


def test_a_clerk_does_not_change_his_own_limit(world):
    account = world.account()
    own = replace(COUNTER, own_holder_id=account.holder_id)

    with pytest.raises(WrongDoor):
        limits.change_limit(account.pk, 1_00, door=own, policy=Policy(), now=NOW)
