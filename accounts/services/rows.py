"""Locking an account and changing it, or its card, together with its version and the audit.

The account row is the one lock for everything that concerns the account and its cards. Every change here adds
one to ``version`` in the same transaction, so a debit that looked before and writes after notices it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import F

from accounts.actors import Actor
from accounts.models import Account, Card
from accounts.services import audit


@dataclass(frozen=True, slots=True)
class By:
    """Who changes, when and why. ``noted``: what else the audit keeps, such as ``AtCounter.noted``."""

    actor: Actor
    now: datetime
    reason: str = ""
    noted: Mapping[str, str] = field(default_factory=dict)


def lock(account_id: int) -> Account:
    """Lock the account for the rest of the transaction. Raises ``Account.DoesNotExist``."""
    return Account.objects.select_for_update(of=("self",)).select_related("holder").get(pk=account_id)


def lock_by_card(card_id: int) -> tuple[Account, Card]:
    """Lock the account of a card, then read the card as it is under the lock."""
    account_id = Card.objects.values_list("account_id", flat=True).get(pk=card_id)
    return lock(account_id), Card.objects.get(pk=card_id)


def change_account(account: Account, action: str, fields: Mapping[str, Any], *, by: By) -> None:
    """Write fields of a locked account."""
    before = {name: getattr(account, name) for name in fields}
    Account.objects.filter(pk=account.pk).update(version=F("version") + 1, **fields)
    for name, value in fields.items():
        setattr(account, name, value)
    _record(action, "account", account.pk, before, fields, by)


def change_card(card: Card, action: str, fields: Mapping[str, Any], *, by: By) -> None:
    """Write fields of a card whose account is locked."""
    before = {name: getattr(card, name) for name in fields}
    Card.objects.filter(pk=card.pk).update(**fields)
    Account.objects.filter(pk=card.account_id).update(version=F("version") + 1)
    for name, value in fields.items():
        setattr(card, name, value)
    _record(action, "card", card.pk, before, fields, by)


def _record(
    action: str, kind: str, row_id: int, before: Mapping[str, Any], after: Mapping[str, Any], by: By
) -> None:
    after = {**_plain(after), **by.noted}
    deed = audit.Deed(action, kind, row_id, before=_plain(before), after=after, reason=by.reason)
    audit.record(deed, actor=by.actor, now=by.now)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON has them."""
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}
