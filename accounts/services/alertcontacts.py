"""Where letters go: an address counts only once the code that was sent there has come back.

The code follows from the account and the moment it was asked for, by a keyed digest: it is stored nowhere. A guess is
counted before it is compared; five guesses for each code, five codes a day.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.views.decorators.debug import sensitive_variables

from accounts.actors import Actor
from accounts.alerts import CODE_HOLDS, address_of, contact_place
from accounts.checks.contacts import parse_mail, parse_phone
from accounts.keys import Secrets
from accounts.models import (
    GUESSES,
    Account,
    AccountLife,
    AlertContact,
    AlertDelivery,
    AlertWay,
)
from accounts.sealing import seal
from accounts.services import audit
from accounts.services.errors import NotAllowed, Reason
from accounts.services.throttle import Window, take_turn

_DAY: Final = timedelta(days=1)
ASKS: Final = Window(5, _DAY, _DAY)
"""Codes for one account and way."""
ASKS_FROM: Final = Window(20, timedelta(hours=1), timedelta(hours=1))
"""Codes asked for from one source, whoever's."""
SAME_CLICK: Final = timedelta(minutes=1)
"""The same address again so soon is the same request."""
FORGET_PENDING: Final = _DAY
"""An address that nobody confirmed is not the holder's, for all we know."""
_PARSE: Final[dict[AlertWay, Callable[[str], str]]] = {AlertWay.MAIL: parse_mail, AlertWay.SMS: parse_phone}


class TooOften(Exception):
    """Five codes a day, or this source asked for too many. Nothing was sent, the address in force stays."""


class Answer(StrEnum):
    """What became of a code that was typed."""

    CONFIRMED = "confirmed"
    WRONG = "wrong"
    OVER = "over"
    """No code is open: too old, tried too often, taken back, or used already."""


@sensitive_variables("raw", "address")
@transaction.atomic
def ask(
    account_id: int, way: AlertWay, raw: str, *, source: str, actor: Actor, now: datetime, secrets: Secrets
) -> None:
    """Send a code to an address that was typed; until it comes back the former address stays in force.

    Raises ``Rejected`` (no address), ``TooOften``, and ``NotAllowed`` for an account that has ended.
    """
    address = _PARSE[way](raw)
    if not Account.objects.filter(pk=account_id).exclude(life=AccountLife.CLOSED).exists():
        raise NotAllowed(Reason.ACCOUNT_ENDED)
    contact = _locked(account_id, way)
    if _is_second_click(contact, address, now, secrets):
        return
    names = ((f"alerts:{way}:{account_id}", ASKS), (f"alerts:{source}", ASKS_FROM))
    if not all(take_turn(name, window, now=now) for name, window in names):
        raise TooOften
    contact.pending = seal(address, contact_place(contact, "pending"), secrets)
    contact.asked_at, contact.guesses = now, 0
    contact.save(update_fields=["pending", "asked_at", "guesses"])
    AlertDelivery.objects.create(contact=contact, made_at=now, due_at=now)
    _record("alerts.ask_address", contact, actor, now)


@sensitive_variables("code", "address")
def confirm(
    account_id: int, way: AlertWay, code: str, *, actor: Actor, now: datetime, secrets: Secrets
) -> Answer:
    """Take an address into force if this is the code that was sent to it. The guess is committed before that."""
    if not _count_guess(account_id, way, now=now):
        return Answer.OVER
    with transaction.atomic():
        contact = _locked(account_id, way)
        if contact.asked_at is None:
            return Answer.OVER
        if not hmac.compare_digest(code_of(contact, secrets).encode(), code.encode("utf-8", "replace")):
            return Answer.WRONG
        address = address_of(contact, "pending", secrets)
        contact.sealed = seal(address, contact_place(contact, "sealed"), secrets)
        contact.confirmed_at, contact.uid = now, uuid.uuid4()
        contact.pending, contact.asked_at, contact.guesses = None, None, 0
        contact.save()
        _record("alerts.confirm_address", contact, actor, now)
    return Answer.CONFIRMED


@transaction.atomic
def remove(account_id: int, way: AlertWay, *, actor: Actor, now: datetime) -> None:
    """Forget the address, and the one that waits for its code. Safe to repeat."""
    contact = _locked(account_id, way)
    if contact.sealed is None and contact.pending is None:
        return
    _empty(AlertContact.objects.filter(pk=contact.pk))
    _record("alerts.remove_address", contact, actor, now)


def forget(*, now: datetime) -> int:
    """Forget the addresses of accounts that were closed, and those that nobody confirmed within a day."""
    stale = AlertContact.objects.filter(asked_at__lt=now - FORGET_PENDING)
    forgotten = stale.update(pending=None, asked_at=None, guesses=0)
    gone = AlertContact.objects.filter(account__life=AccountLife.CLOSED)
    return forgotten + _empty(gone.filter(Q(sealed__isnull=False) | Q(pending__isnull=False)))


def code_of(contact: AlertContact, secrets: Secrets) -> str:
    """The six digits that were sent when ``asked_at`` was noted."""
    assert contact.asked_at is not None
    text = f"{contact.account_id}|{contact.way}|{contact.asked_at.timestamp():.6f}"
    return f"{int.from_bytes(secrets.blind('alert_code', text)[:8]) % 1_000_000:06d}"


def _locked(account_id: int, way: AlertWay) -> AlertContact:
    AlertContact.objects.get_or_create(account_id=account_id, way=way)
    return AlertContact.objects.select_for_update().get(account_id=account_id, way=way)


def _is_second_click(contact: AlertContact, address: str, now: datetime, secrets: Secrets) -> bool:
    if contact.asked_at is None or now - contact.asked_at >= SAME_CLICK or contact.guesses == GUESSES:
        return False
    return address_of(contact, "pending", secrets) == address


@transaction.atomic(durable=True)
def _count_guess(account_id: int, way: AlertWay, *, now: datetime) -> bool:
    """One more guess if one is left; parallel guesses queue up at the row."""
    still = AlertContact.objects.filter(
        account_id=account_id, way=way, asked_at__gt=now - CODE_HOLDS, guesses__lt=GUESSES
    )
    return bool(still.update(guesses=F("guesses") + 1))


def _empty(contacts: QuerySet[AlertContact]) -> int:
    return contacts.update(sealed=None, confirmed_at=None, pending=None, asked_at=None, guesses=0)


def _record(action: str, contact: AlertContact, actor: Actor, now: datetime) -> None:
    """That it was done, and for which way; never which address."""
    deed = audit.Deed(action, "account", contact.account_id, after={"way": contact.way})
    audit.record(deed, actor=actor, now=now)
