"""BRUTE at the till: the password is compared once for each order, and never more often than its budget allows."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection

from accounts import pinhash
from accounts.models import Secret, SecretKind
from accounts.services import passwords
from accounts.services.throttle import Source
from purse.rules import Refusal
from tests import faults
from tests.accounts.conftest import SECRETS
from tests.campus import KEYS, NOON, POLICY, Counter, make_person
from transactions.services.debit import debit
from transactions.services.orders import BookContext

pytestmark = pytest.mark.django_db(transaction=True)
RIGHT, LIMIT = "408273", 3


@pytest.fixture
def compared(monkeypatch):
    """Every comparison that really happens, without the cost of hashing."""
    seen = []

    def verify(stored, pin, *, kind, account_id, secrets):
        if stored is not None:
            seen.append(pin)
        return pinhash.Verified(right=stored is not None and pin == RIGHT)

    monkeypatch.setattr(passwords, "verify_pin", verify)
    return seen


def over_the_limit():
    """A holder who must type his password for every fen."""
    person = make_person(90_00, limit_fen=0)
    Secret.objects.create(
        account=person.account,
        kind=SecretKind.CONSUMPTION,
        pin_hash="pin2$stored",
        is_default=False,
        changed_at=NOON,
    )
    return person


def guess(till, person, pin, *, key=None, now=NOON):
    person.field.place(person.plastic)
    order = replace(till.order(till.read(person)[1], 1_00, pin), key=key or uuid.uuid4())
    return ask(till, order, now)


def ask(till, order, now=NOON):
    check = partial(passwords.verify_consumption, source=Source.pos(till.till.id), now=now, secrets=SECRETS)
    return debit(order, book=BookContext(policy=POLICY, keys=KEYS, now=now, check_pin=check))


def test_the_third_wrong_guess_locks_for_the_rest_of_the_day(compared):
    till, person = Counter(), over_the_limit()

    wrong = [guess(till, person, "000000") for _ in range(LIMIT)]
    right = guess(till, person, RIGHT)
    tomorrow = guess(till, person, RIGHT, now=NOON + timedelta(days=1))

    assert [reply.refusal for reply in wrong] == [Refusal.PASSWORD_WRONG] * LIMIT
    assert [reply.pin_left for reply in wrong] == [2, 1, 0]
    assert (right.refusal, tomorrow.refusal) == (Refusal.PASSWORD_LOCKED, None)
    assert len(compared) == LIMIT + 1


def test_the_same_order_again_is_never_compared_again(compared):
    till, person = Counter(), over_the_limit()
    person.field.place(person.plastic)
    order = till.order(till.read(person)[1], 1_00, "000000")

    replies = [ask(till, order) for _ in range(5)]

    assert {reply.refusal for reply in replies} == {Refusal.PASSWORD_WRONG}
    assert compared == ["000000"]


def test_a_card_that_is_refused_anyway_costs_no_guess(compared):
    till, person = Counter(), over_the_limit()
    type(person.account).objects.filter(pk=person.account.pk).update(
        frozen_reasons=["by_hand"], frozen_at=NOON
    )

    assert guess(till, person, RIGHT).refusal is Refusal.CARD_FROZEN
    assert compared == []


def test_sixty_four_guesses_at_once_are_three_comparisons(compared):
    """reliability.md finding 2: counting after the check is not a lockout."""
    till, person = Counter(), over_the_limit()
    person.field.place(person.plastic)
    raw = till.read(person)[1]
    orders = [till.order(raw, 1_00, RIGHT if n == 63 else f"{n:06d}") for n in range(64)]
    gate = threading.Barrier(16)

    def burst(part):
        try:
            gate.wait()
            return [tried(till, order) for order in orders[part::16]]
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        replies = [reply for part in pool.map(burst, range(16)) for reply in part]

    lucky = RIGHT in compared
    allowed = len(compared) <= LIMIT + lucky * LIMIT
    faults.report("BRUTE-till", len(replies), int(not allowed))
    assert allowed, compared
    assert sum(reply is None for reply in replies) == int(lucky)


def tried(till, order):
    """Its refusal; a gate that is full counts as not compared."""
    from transactions.services.orders import Busy

    try:
        return ask(till, order).refusal
    except (pinhash.Busy, Busy) as busy:
        return busy
