"""Levelling (平账): the book is lowered by exactly what only offline use explains, when its till stays silent (L109).

Never upward, never by a torn surplus, never on a guess: the caller says on which sighting, how much, and which
terminals can still bring the records; everything is looked at again under the account's lock.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import transaction

from accounts.actors import Actor
from accounts.models import AccountLife
from purse.policy import Policy
from purse.rules import levelling_due
from transactions.ledger import CardChange
from transactions.models import Contra, EntryKind
from transactions.services.correcting import Asked, Corrected, Move, hold, known, post

OP = "level"
_NOTED = re.compile(r"\Aspend (?P<seq>\d+); terminals (?P<terminals>\d+(?:, \d+)*)\Z")


@dataclass(frozen=True, slots=True)
class Holder:
    """A terminal that can hold the missing records, and its last signed contact (its enrolment if it made none)."""

    terminal_id: int
    heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class LevelOrder:
    """Level one gap. ``fen`` > 0 is the offline part that the caller saw, ``spend_seq`` up to which number of the card.

    That is what ``SideMirror.covered_seq`` says of the last sighting: whatever the card sells later lies above it.
    ``gap_since``: when the card first showed it. ``key``: the same key with the same content levels once.
    """

    key: uuid.UUID
    account_id: int
    card_id: int
    spend_seq: int
    fen: int
    gap_since: datetime
    holders: tuple[Holder, ...]

    @classmethod
    def make_key(cls, card_id: int, spend_seq: int, entry_seq: int) -> uuid.UUID:
        """The key of a levelling that the nightly run makes: the same state of card and account, the same key."""
        return uuid.uuid5(uuid.NAMESPACE_OID, f"ecard levelling {card_id} {spend_seq} {entry_seq}")


class Hold(StrEnum):
    """Why a gap is not levelled now."""

    NOTHING_OPEN = "nothing_open"
    """No offline part, or more on the card than any record explains."""
    GAP_CHANGED = "gap_changed"
    """The card was seen again, a record came, or the book moved since the caller looked."""
    GAP_TOO_YOUNG = "gap_too_young"
    NO_TERMINAL = "no_terminal"
    """No silent terminal can hold the records, so nothing says that it was offline use: a person decides."""
    TERMINAL_NOT_SILENT = "terminal_not_silent"
    CARD_UNSEEN = "card_unseen"
    """A record told of the last state of the card; only a reader can say whether an open entry is part of it."""
    NO_CARD = "no_card"
    """Not the live card of the account, or the account is closed."""


class NotLevelled(Exception):
    """Nothing was posted; ``hold`` says why."""

    def __init__(self, reason: Hold) -> None:
        super().__init__(reason.value)
        self.hold = reason


@transaction.atomic
def level(order: LevelOrder, *, actor: Actor, now: datetime, policy: Policy) -> Corrected:
    """Lower the book by ``order.fen``; the card's ``levelled_seq`` becomes ``order.spend_seq``.

    Posts one entry ``levelling`` (contra ``levelling``, ``purse_side`` spend, ``purse_seq`` the sighting's number).
    Freezes in the same transaction if the book is below zero then. Safe to repeat; part of a larger transaction if
    there is one. Raises ``NotLevelled``, ``KeyReused``.
    """
    asked = Asked(
        OP,
        order.key,
        (order.account_id, order.card_id, order.spend_seq, order.fen),
        actor,
        now,
        reason=_reason(order),
    )
    held = hold(order.account_id, order.card_id)
    done = known(asked)
    if done is not None:
        return done
    card = held.card
    if card is None or not held.live or held.account.life == AccountLife.CLOSED:
        raise NotLevelled(Hold.NO_CARD)
    if held.items.offline_fen <= 0:
        raise NotLevelled(Hold.NOTHING_OPEN)
    if (held.covered_seq(), held.items.offline_fen) != (order.spend_seq, order.fen):
        raise NotLevelled(Hold.GAP_CHANGED)
    if held.may_hide_legs():
        raise NotLevelled(Hold.CARD_UNSEEN)
    waiting = why_wait(order.holders, gap_since=order.gap_since, now=now, policy=policy)
    if waiting is not None:
        raise NotLevelled(waiting)
    levelled = CardChange(card.id, card.spend, card.load, card.late_fen, levelled_seq=order.spend_seq)
    move = Move(
        EntryKind.LEVELLING,
        Contra.LEVELLING,
        book_fen=-order.fen,
        card=levelled,
        purse_seq=order.spend_seq,
    )
    return post(held, move, asked, policy=policy)


def why_wait(
    holders: tuple[Holder, ...], *, gap_since: datetime, now: datetime, policy: Policy
) -> Hold | None:
    """Say why a gap has to wait, or None when it is due: 5 × 24 h for the gap and for every terminal that can help."""
    if now - gap_since < policy.levelling_silence:
        return Hold.GAP_TOO_YOUNG
    if not holders:
        return Hold.NO_TERMINAL
    for holder in holders:
        if not levelling_due(
            now=now, terminal_contact_at=holder.heard_at, gap_since=gap_since, policy=policy
        ):
            return Hold.TERMINAL_NOT_SILENT
    return None


def _reason(order: LevelOrder) -> str:
    """Which sighting and which terminals, in the fewest words; the arithmetic stands in the audit beside it."""
    terminals = ", ".join(str(holder.terminal_id) for holder in order.holders)
    return f"spend {order.spend_seq}; terminals {terminals}"


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a levelling rests on: the sighting with this number of the card, and the terminals that were silent."""

    spend_seq: int
    terminal_ids: tuple[int, ...]


def grounds_of(note: str) -> Grounds | None:
    """The note of a levelling as ``level`` wrote it; None for one in somebody's own words."""
    found = _NOTED.match(note)
    if found is None:
        return None
    return Grounds(int(found["seq"]), tuple(int(each) for each in found["terminals"].split(", ")))
