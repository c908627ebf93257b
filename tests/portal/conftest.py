"""A holder with a card and a query password, and a browser that may be signed in as that holder."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Account, Secret, SecretKind
from accounts.pinhash import hash_pin
from accounts.wiring import secrets
from tests.campus import Counter, Person, make_person

PIN = "408273"
NEW_PIN = "619052"
BEFORE_THE_WRITE = 11
"""After so many card operations of a tap the next one is the write (tests/transactions/test_debit.py)."""


def give_pin(account: Account, pin: str = PIN, *, is_default: bool = False) -> None:
    """Set the query password as the counter would, without the counter."""
    for kind in SecretKind:
        Secret.objects.create(
            account=account,
            kind=kind,
            pin_hash=hash_pin(pin, kind=kind, account_id=account.pk, secrets=secrets()),
            is_default=is_default,
            changed_at=timezone.now(),
        )


def sign_in(client: Client, person: Person, pin: str = PIN, **extra: str):
    """Type number and password on the login page."""
    return client.post("/login/", {"identifier": str(person.account.number), "pin": pin, **extra})


def text_of(response) -> str:
    """What stands on the page, as text of its source."""
    return response.content.decode()


@pytest.fixture
def holder(db) -> Person:
    person = make_person(28_40)
    give_pin(person.account)
    return person


@pytest.fixture
def till(db) -> Counter:
    """A till whose clock is right."""
    counter = Counter()
    counter.now = timezone.now()
    return counter


@pytest.fixture
def web(client, holder) -> Client:
    """A browser with the holder signed in."""
    assert sign_in(client, holder).status_code == 302
    return client
