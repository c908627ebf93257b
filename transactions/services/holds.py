"""Holding money of a lost card back while its records may still be in silent tills, and giving it back (reading A23).

Held money is out of the book, against the contra ``hold``: no till can spend it and no tap can claim it. It comes back
into the book, on the card's LOAD side like every credit, on its day, as soon as a late record took the book below zero,
or when a person says that nothing more can come.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q

from accounts.actors import Actor, AtCounter
from accounts.models import Account
from accounts.services.passwords import refuse_own
from accounts.services.rows import lock
from purse.evidence import Leg, tell, with_told
from purse.policy import Policy
from purse.procedures import is_worn
from transactions.ledger import CardChange
from transactions.models import CardHold, Contra, EntryKind
from transactions.services.correcting import Asked, Held, Move, hold, known, post

HOLD_OP: Final = "hold_back"
RELEASE_OP: Final = "hold_release"


@dataclass(frozen=True, slots=True)
class HoldOrder:
    """Hold ``fen`` > 0 of the book back until a moment, for records of the card that was replaced."""

    key: uuid.UUID
    account_id: int
    card_id: int
    fen: int
    until_at: datetime
    reason: str


class NoSuchHold(LookupError):
    """There is no such hold of this account, or it was given back before."""


@transaction.atomic
def hold_back(order: HoldOrder, *, actor: Actor, now: datetime, policy: Policy) -> CardHold:
    """Take the money out of the book, once for each key. Part of a replacement: the account has no live card then.

    Raises ``ValueError`` for more than the book holds, and ``KeyReused``.
    """
    parts = (order.account_id, order.card_id, order.fen, order.until_at.isoformat())
    asked = Asked(HOLD_OP, order.key, parts, actor, now, order.reason)
    held = hold(order.account_id)
    if (done := known(asked)) is not None:
        return CardHold.objects.get(entry_id=done.entry_id)
    if not 0 < order.fen <= held.account.book_fen or held.card is not None:
        raise ValueError("only what the book of an account without a card holds can be held back")
    posted = post(held, Move(EntryKind.HOLD, Contra.HOLD, book_fen=-order.fen), asked, policy=policy)
    return CardHold.objects.create(
        account_id=order.account_id,
        card_id=order.card_id,
        fen=order.fen,
        until_at=order.until_at,
        entry_id=posted.entry_id,
        made_at=now,
    )


@transaction.atomic
def release(hold_id: int, *, reason: str, actor: Actor, now: datetime, policy: Policy) -> CardHold:
    """Give held money back. The card in force gets it at its next tap that may load. Raises ``NoSuchHold``."""
    account_id = CardHold.objects.filter(pk=hold_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise NoSuchHold(str(hold_id))
    held = hold(account_id)
    row = CardHold.objects.select_for_update().get(pk=hold_id)
    if row.released_at is not None:
        raise NoSuchHold(str(hold_id))
    key = uuid.uuid5(uuid.NAMESPACE_OID, f"ecard hold {hold_id}")
    asked = Asked(RELEASE_OP, key, (hold_id,), actor, now, reason)
    posted = post(held, _back(held, row.fen, policy), asked, policy=policy)
    row.released_entry_id, row.released_at = posted.entry_id, now
    row.save(update_fields=["released_entry_id", "released_at"])
    return row


@transaction.atomic
def release_all(account_id: int, *, reason: str, door: AtCounter, now: datetime, policy: Policy) -> None:
    """Give back everything that is held of an account, before its day: all of it or nothing, and nobody his own (P4).

    Raises ``NoSuchHold`` when nothing is held, and ``actors.WrongDoor``.
    """
    refuse_own(lock(account_id), door)
    held = open_holds(account_id)
    if not held:
        raise NoSuchHold(str(account_id))
    for row in held:
        release(row.pk, reason=reason, actor=door.actor, now=now, policy=policy)


def release_due(*, actor: Actor, now: datetime, policy: Policy) -> int:
    """Give back what is due, and what a book below zero needs already. Safe to repeat and to kill: one by one.

    Returns how many were given back.
    """
    wanted = CardHold.objects.filter(released_at=None).filter(
        Q(until_at__lte=now) | Q(account__book_fen__lt=0)
    )
    done = 0
    for hold_id in wanted.order_by("pk").values_list("pk", flat=True):
        try:
            release(hold_id, reason="due", actor=actor, now=now, policy=policy)
        except NoSuchHold:
            continue  # somebody was faster
        done += 1
    return done


def open_holds(account_id: int) -> tuple[CardHold, ...]:
    """What is held back of this account, the first one first."""
    return tuple(CardHold.objects.filter(account_id=account_id, released_at=None).order_by("pk"))


def held_fen(account: Account) -> int:
    """How much is held back of this account, in fen."""
    return sum(row.fen for row in open_holds(account.pk))


def _back(held: Held, fen: int, policy: Policy) -> Move:
    """Into the book as far as a purse may be filled, the rest to unclaimed money; a live card lacks it from now on."""
    card, book_fen = held.card, held.account.book_fen
    fits = max(0, min(fen, policy.max_book_fen - max(book_fen, held.card_fen or 0)))
    if card is None or not held.live or is_worn(card.load):
        into_book = 0 if card is not None and held.live else fits
        return Move(EntryKind.HOLD, Contra.HOLD, book_fen=into_book, unclaimed_fen=fen - into_book)
    if not fits:
        return Move(EntryKind.HOLD, Contra.HOLD, unclaimed_fen=fen)
    # An image that nobody is given, as for a record of an old card (docs/decisions/0016): a write under way just now
    # does not carry this money, and its outcome must not say so.
    image = tell(card.load, fen=fits)
    leg = Leg(held.account.entry_seq + 1, image.seq, fits, None, None)
    change = CardChange(card.id, card.spend, with_told(card.load, image, leg), card.late_fen)
    return Move(
        EntryKind.HOLD,
        Contra.HOLD,
        book_fen=fits,
        unclaimed_fen=fen - fits,
        card=change,
        purse_seq=image.seq,
        purse_side="load",
    )
