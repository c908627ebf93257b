"""The life of cards: prepared, issued, in use, and each way to end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Max

from accounts.models import LIVE_CARD, AccountLife, Card, CardLife, ServiceKind
from accounts.services import audit
from accounts.services.errors import NotAllowed, Reason
from accounts.services.rows import By, change_card, lock, lock_by_card

NEXT_LIVES: dict[CardLife, frozenset[CardLife]] = {
    CardLife.BLANK: frozenset({CardLife.ISSUED, CardLife.VOID}),
    CardLife.ISSUED: frozenset(CardLife) - {CardLife.BLANK, CardLife.ISSUED},
    CardLife.ACTIVE: frozenset(CardLife) - {CardLife.BLANK, CardLife.ISSUED, CardLife.ACTIVE},
    CardLife.EXPIRED: frozenset({CardLife.ACTIVE, CardLife.REPLACED, CardLife.RETURNED, CardLife.VOID}),
    CardLife.DAMAGED: frozenset({CardLife.REPLACED, CardLife.RETURNED, CardLife.VOID}),
    CardLife.REPLACED: frozenset(),
    CardLife.RETURNED: frozenset(),
    CardLife.VOID: frozenset(),
}
"""Requirements 3.1; the database refuses every other step too."""


@dataclass(frozen=True, slots=True)
class NewCard:
    """A card to prepare. The UID is known only when it lies on the reader."""

    account_id: int
    kind: ServiceKind
    expires_on: date | None = None


@transaction.atomic
def prepare(order: NewCard, *, by: By) -> Card:
    """Note a blank card for an account, with the next issue number. Raises ``NotAllowed``."""
    account = lock(order.account_id)
    if account.life not in {AccountLife.PENDING, AccountLife.OPEN}:
        raise NotAllowed(Reason.ACCOUNT_ENDED)
    last = Card.objects.filter(account=account).aggregate(last=Max("issue_no"))["last"] or 0
    card = Card.objects.create(
        account=account, uid="", issue_no=last + 1, kind=order.kind, expires_on=order.expires_on
    )
    after = {"account": account.pk, "issue_no": card.issue_no}
    audit.record(audit.Deed("card.prepare", "card", card.pk, after=after), actor=by.actor, now=by.now)
    return card


@transaction.atomic
def issue(card_id: int, uid: str, *, by: By) -> Card:
    """Bind a prepared card to the chip that was written. ``uid`` upper case hex of 4 or 7 bytes.

    Raises ``NotAllowed`` when the account or the chip already has a live card (C1).
    """
    card = _step(card_id, CardLife.ISSUED)
    live = Card.objects.filter(life__in=LIVE_CARD)
    if live.filter(account_id=card.account_id).exists() or live.filter(uid=uid).exists():
        raise NotAllowed(Reason.WRONG_LIFE)
    change_card(card, "card.issue", {"uid": uid, "life": CardLife.ISSUED}, by=by)
    return card


@transaction.atomic
def move(card_id: int, life: CardLife, *, by: By) -> Card:
    """Take one step of a card's life that needs nothing more. Raises ``NotAllowed``."""
    if life in {CardLife.ISSUED, CardLife.REPLACED}:
        raise ValueError(f"{life} has a function of its own")
    card = _step(card_id, life)
    change_card(card, f"card.{life}", {"life": life}, by=by)
    return card


@transaction.atomic
def replace(card_id: int, *, by: By) -> Card:
    """End a card in favour of another one: void and lost at once, or it would be a second purse (A22).

    Part of a larger transaction: the fee is booked with it or nothing is (guide L31, R010).
    """
    card = _step(card_id, CardLife.REPLACED)
    fields: dict[str, Any] = {"life": CardLife.REPLACED}
    if not card.lost:
        fields |= {"lost": True, "lost_at": by.now}
    change_card(card, "card.replace", fields, by=by)
    return card


@transaction.atomic
def extend(card_id: int, expires_on: date, *, by: By) -> Card:
    """Give a card a new last day; one that had expired is in use again. Raises ``NotAllowed``."""
    _account, card = lock_by_card(card_id)
    fields: dict[str, Any] = {"expires_on": expires_on}
    if card.life == CardLife.EXPIRED:
        fields["life"] = CardLife.ACTIVE
        if Card.objects.filter(account_id=card.account_id, life__in=LIVE_CARD).exists():
            raise NotAllowed(Reason.WRONG_LIFE)
    elif card.life not in LIVE_CARD:
        raise NotAllowed(Reason.CARD_ENDED)
    change_card(card, "card.extend", fields, by=by)
    return card


def _step(card_id: int, to: CardLife) -> Card:
    _account, card = lock_by_card(card_id)
    if to not in NEXT_LIVES[CardLife(card.life)]:
        raise NotAllowed(Reason.WRONG_LIFE)
    return card
