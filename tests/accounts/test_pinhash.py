"""How passwords are stored: peppered, bound to account and kind, moved to a new pepper, four at a time."""

from __future__ import annotations

import re
import threading
import time

import pytest
from django.contrib.auth.hashers import make_password

from accounts import pinhash
from accounts.keys import Secrets
from accounts.models import Attempt, Secret, SecretKind
from accounts.services import passwords
from accounts.services.passwords import PinOutcome
from tests.accounts.conftest import DEFAULT_PIN, GOOD_PIN, ID_NUMBER, NOW, SECRETS, WEB

KIND = SecretKind.QUERY


def ask(account, pin, *, source=WEB, now=NOW, secrets=SECRETS):
    return passwords.verify_query(account.pk, pin, source=source, now=now, secrets=secrets)


def test_a_hash_names_its_pepper_and_the_cost_of_the_design(passwords_as_in_production):
    stored = pinhash.hash_pin(GOOD_PIN, kind=KIND, account_id=1, secrets=SECRETS)

    assert re.fullmatch(
        r"pin2\$2\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}", stored
    )


def test_the_password_of_the_staff_has_the_cost_of_the_design(passwords_as_in_production):
    """security.md: Argon2id as Django sets it, 100 MiB and two passes."""
    assert make_password("a long pass phrase").startswith("argon2$argon2id$v=19$m=102400,t=2,p=8$")


def test_a_hash_fits_one_account_one_kind_and_one_pepper_only():
    stored = pinhash.hash_pin(GOOD_PIN, kind=KIND, account_id=1, secrets=SECRETS)
    elsewhere = Secrets({2: b"xx" * 16}, SECRETS.field_keys, SECRETS.index_key)

    def right(pin=GOOD_PIN, *, kind=KIND, account_id=1, secrets=SECRETS):
        return pinhash.verify_pin(stored, pin, kind=kind, account_id=account_id, secrets=secrets).right

    assert right()
    assert not right("408274")
    assert not right(kind=SecretKind.CONSUMPTION)
    assert not right(account_id=2)
    assert not right(secrets=elsewhere)


def test_two_accounts_with_one_password_have_different_hashes():
    one, two = (pinhash.hash_pin(GOOD_PIN, kind=KIND, account_id=1, secrets=SECRETS) for _ in range(2))

    assert one != two


@pytest.mark.parametrize(
    "stored", [None, "", "pin2$", "pin2$2$", "pin2$2$argon2id$x", "pin1$2$argon2id$", "pin2$x$y"]
)
def test_a_broken_hash_is_never_right_and_costs_the_same(stored, passwords_as_in_production):
    started = time.perf_counter()
    verified = pinhash.verify_pin(stored, GOOD_PIN, kind=KIND, account_id=1, secrets=SECRETS)
    took_s = time.perf_counter() - started

    assert not verified.right
    assert took_s > 0.005


def test_a_new_pepper_hashes_anew_at_the_next_success(world):
    account = world.with_pin(world.account())
    before = Secret.objects.get(account=account, kind=KIND).pin_hash
    rotated = Secrets({3: b"p3" * 16, **SECRETS.peppers}, SECRETS.field_keys, SECRETS.index_key)

    wrong = ask(account, "111112", secrets=rotated)
    unchanged = Secret.objects.get(account=account, kind=KIND).pin_hash
    right = ask(account, GOOD_PIN, secrets=rotated)

    after = Secret.objects.get(account=account, kind=KIND).pin_hash
    assert (wrong.outcome, right.outcome) == (PinOutcome.WRONG, PinOutcome.OK)
    assert unchanged == before
    assert (pinhash.pepper_of(before), pinhash.pepper_of(after)) == (2, 3)
    only_new = Secrets({3: b"p3" * 16}, SECRETS.field_keys, SECRETS.index_key)
    assert ask(account, GOOD_PIN, secrets=only_new).outcome is PinOutcome.OK


def test_after_the_old_pepper_is_gone_the_password_must_be_set_anew(world):
    account = world.with_pin(world.account())
    gone = Secrets({3: b"p3" * 16}, SECRETS.field_keys, SECRETS.index_key)

    assert ask(account, GOOD_PIN, secrets=gone).outcome is PinOutcome.WRONG


def test_at_most_four_comparisons_run_at_once_and_the_fifth_waits_two_seconds(world, monkeypatch):
    monkeypatch.setattr(pinhash, "WAIT_S", 0.05)
    account = world.account(id_number=ID_NUMBER)
    leave = threading.Event()
    inside = threading.Barrier(pinhash.AT_ONCE + 1)

    def hold():
        with pinhash.place_at_the_gate():
            inside.wait(5)
            leave.wait(5)

    threads = [threading.Thread(target=hold) for _ in range(pinhash.AT_ONCE)]
    for thread in threads:
        thread.start()
    inside.wait(5)
    with pytest.raises(pinhash.Busy):
        ask(account, DEFAULT_PIN)
    counted = Attempt.objects.count()
    leave.set()
    for thread in threads:
        thread.join()

    assert counted == 0, "a guess that was not compared is not counted"
    assert ask(account, DEFAULT_PIN).outcome is PinOutcome.OK
