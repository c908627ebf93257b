"""A card and the money that goes with it, in one transaction or not at all: opened with a deposit, replaced for a fee.

The book is the money. An old card dies here; whatever the book holds is written on the chip that the card job makes
next, so nothing is carried from plastic to plastic, and records of the old card that come later find their account
(docs/decisions/0016).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction

from accounts.actors import AtCounter
from accounts.keys import Secrets
from accounts.models import (
    LIVE_CARD,
    Account,
    AccountLife,
    Card,
    CardLife,
    CounterDeed,
    DeedKind,
    ServiceKind,
)
from accounts.options import Options
from accounts.papers import IDENTITY
from accounts.services import cards, deeds, issuing
from accounts.services.cards import NewCard
from accounts.services.errors import NotAllowed, Reason
from accounts.services.passwords import refuse_own
from accounts.services.rows import By, lock
from purse.policy import Policy
from transactions.days import SHANGHAI, local_day
from transactions.models import Receipt
from transactions.services import cash, holds, receipts
from transactions.services.cash import Fee, Paid, PaidBy

HOLD_DAYS_MAX = 60
"""Longer than any till of ours was ever silent; a typing error is likelier."""


class Cause(StrEnum):
    """Why a card is replaced. Only a card that failed by itself costs nothing (guide L31, L89)."""

    LOST = "lost"
    DAMAGED = "damaged"
    FAULT = "fault"


class HoldRefused(Exception):
    """So much, or for so long, cannot be held back. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Till:
    """Who takes the money and where from: ``shift_id`` is needed for cash alone."""

    officer_id: int
    paid_by: PaidBy = PaidBy.CASH
    shift_id: int | None = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """Replace the card of an account. ``hold_fen`` of the book is kept back for ``hold_days`` days (reading A23).

    ``expires_on`` None: as the old card. ``words``: what the fee is called on statement and receipt.
    """

    key: UUID
    account_id: int
    cause: Cause
    till: Till
    words: str
    reason: str = ""
    expires_on: date | None = None
    hold_fen: int = 0
    hold_days: int = 0
    shown_fee_fen: int | None = None
    """What the fee was when somebody looked; a new value may have begun since. None: nobody was shown one."""

    def content(self) -> dict[str, Any]:
        """What makes the same key the same deed."""
        return {
            "account": self.account_id,
            "cause": self.cause.value,
            "paid_by": self.till.paid_by.value,
            "expires_on": self.expires_on.isoformat() if self.expires_on else None,
            "hold_fen": self.hold_fen,
            "hold_days": self.hold_days,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class House:
    """What the interface lends: the university's numbers and the keys of this installation."""

    policy: Policy
    options: Options
    secrets: Secrets


def fee_fen(cause: Cause, options: Options) -> int:
    """What a replacement for this cause costs."""
    return 0 if cause is Cause.FAULT else options.card_fee_fen


@transaction.atomic
def open_account(
    new: issuing.NewAccount, till: Till, words: str, *, door: AtCounter, now: datetime, house: House
) -> CounterDeed:
    """Open an account with its blank card; a named card's deposit is taken with it (requirements N05).

    Raises what ``issuing.open_with_card`` and ``cash.take_fee`` raise; then nothing of it was done.
    """
    known = deeds.begin(deeds.Asked(new.key, DeedKind.OPEN, new.content(house.secrets)))
    if known is not None:
        return known
    deed = issuing.open_with_card(new, door=door, now=now, policy=house.policy, secrets=house.secrets)
    fen = house.options.card_deposit_fen if new.kind is ServiceKind.NAMED else 0
    if fen:
        fee = _fee(new.key, deed.account_id, fen, till, words, door, deposit=True)
        cash.take_fee(fee, actor=door.actor, policy=house.policy, now=now)
    return deed


@transaction.atomic
def replace_card(order: Replacement, *, door: AtCounter, now: datetime, house: House) -> CounterDeed:
    """End the old card, book the fee, hold money back if asked, note the new blank: all of it or nothing (R009, R010).

    The old card is lost and void at once (A22). Raises ``NotAllowed`` (DOCUMENT_NEEDED, ACCOUNT_ENDED, ACCOUNT_FROZEN,
    BOOK_NEGATIVE, NO_CARD, CARD_WAITING, CARD_EXPIRED, BAD_DAY, FEE_CHANGED), ``CashRefused``, ``HoldRefused``,
    ``KeyReused``.
    """
    asked = deeds.Asked(order.key, DeedKind.REPLACE, order.content())
    if (known := deeds.begin(asked)) is not None:
        return known
    if order.shown_fee_fen not in (None, house.options.card_fee_fen):
        raise NotAllowed(Reason.FEE_CHANGED)
    account = lock(order.account_id)
    old = _replaceable(account, door, today=local_day(now))
    expires_on = order.expires_on or old.expires_on
    if order.expires_on is not None:
        issuing.refuse_expiry(ServiceKind(account.kind), order.expires_on, today=local_day(now))
    by = By(door.actor, now, order.reason, door.noted)
    cards.replace(old.pk, by=by)
    fen = fee_fen(order.cause, house.options)
    paid = None
    if fen:
        fee = _fee(order.key, account.pk, fen, order.till, order.words, door)
        paid = cash.take_fee(fee, actor=door.actor, policy=house.policy, now=now)
    until_at = _hold(order, old, door=door, now=now, policy=house.policy)
    card = cards.prepare(NewCard(account.pk, ServiceKind(account.kind), expires_on), by=by)
    account.refresh_from_db()
    facts = {
        "cause": order.cause.value,
        "old_issue_no": old.issue_no,
        "old_uid": old.uid,
        "issue_no": card.issue_no,
        "fee_fen": fen,
        "paid_by": order.till.paid_by.value if fen else "",
        "receipt_id": paid.receipt.pk if paid else None,
        "receipt": paid.receipt.number if paid else "",
        "hold_fen": order.hold_fen,
        "hold_until": until_at.isoformat() if until_at else None,
        "book_fen": account.book_fen,
        "unclaimed_fen": account.unclaimed_fen,
        "expires_on": expires_on.isoformat() if expires_on else None,
    }
    return deeds.note(asked, deeds.Done(account.pk, card.pk, facts), door=door, now=now, reason=order.reason)


def receipt_of(deed_key: UUID) -> Receipt | None:
    """The receipt of the money that was taken with this deed."""
    return receipts.of_operation(uuid5(deed_key, "fee"))


def _replaceable(account: Account, door: AtCounter, *, today: date) -> Card:
    refuse_own(account, door)
    if door.document not in IDENTITY:
        raise NotAllowed(Reason.DOCUMENT_NEEDED)
    if account.life != AccountLife.OPEN:
        raise NotAllowed(Reason.ACCOUNT_ENDED)
    if account.frozen:
        raise NotAllowed(Reason.ACCOUNT_FROZEN)
    if account.book_fen < 0:
        raise NotAllowed(Reason.BOOK_NEGATIVE)
    issuing.refuse_waiting(account)
    kept = Card.objects.filter(account=account, life__in=[*LIVE_CARD, CardLife.DAMAGED, CardLife.EXPIRED])
    card = kept.order_by("-issue_no").first()
    if card is None:
        raise NotAllowed(Reason.NO_CARD)
    if card.life == CardLife.EXPIRED or (card.expires_on is not None and card.expires_on < today):
        raise NotAllowed(Reason.CARD_EXPIRED)
    return card


def _fee(
    key: UUID, account_id: int, fen: int, till: Till, words: str, door: AtCounter, *, deposit: bool = False
) -> Fee:
    return Fee(
        key=uuid5(key, "fee"),
        account_id=account_id,
        fen=fen,
        what=words,
        officer_id=till.officer_id,
        paid_by=till.paid_by,
        deposit=deposit,
        shift_id=till.shift_id if till.paid_by is PaidBy.CASH else None,
        own_holder_id=door.own_holder_id,
    )


def _hold(
    order: Replacement, old: Card, *, door: AtCounter, now: datetime, policy: Policy
) -> datetime | None:
    """Keep back what was asked, to the end of the last day; None when nothing was."""
    if not order.hold_fen:
        return None
    book_fen = Account.objects.values_list("book_fen", flat=True).get(pk=order.account_id)
    if not 0 < order.hold_fen <= book_fen or not 0 < order.hold_days <= HOLD_DAYS_MAX:
        raise HoldRefused
    until_at = datetime.combine(local_day(now) + timedelta(days=order.hold_days + 1), time(), SHANGHAI)
    hold = holds.HoldOrder(
        key=uuid5(order.key, "hold"),
        account_id=order.account_id,
        card_id=old.pk,
        fen=order.hold_fen,
        until_at=until_at,
        reason=order.words,
    )
    holds.hold_back(hold, actor=door.actor, now=now, policy=policy)
    return until_at


__all__ = [
    "Cause",
    "HoldRefused",
    "House",
    "Paid",
    "PaidBy",
    "Replacement",
    "Till",
    "open_account",
    "replace_card",
]
