"""What people put right in the book: refund a late item, set the book to a stated value, take an entry back.

Each call is one entry with its reason and its operation key. Who may, whether a second person agreed and whose
account it is are decided above (``reconciliation.services.decisions``); call these inside that transaction.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import transaction

from accounts.actors import Actor
from accounts.models import AccountLife
from purse.policy import Policy
from transactions.days import local_day
from transactions.ledger import CardChange
from transactions.models import Contra, Entry, EntryKind, Refund, Reversal
from transactions.selectors import is_late
from transactions.services.correcting import Asked, Corrected, Held, Move, hold, known, post

__all__ = [
    "AdjustOrder",
    "Corrected",
    "CorrectionRefused",
    "RefundOrder",
    "ReverseOrder",
    "Why",
    "adjust",
    "refund_late",
    "reverse",
]

AMOUNT_MAX_FEN = 10_000_000
"""No single entry moves more than this (L1)."""
_SALES = frozenset({EntryKind.PURCHASE, EntryKind.OFFLINE_SALE, EntryKind.FEE})


class Why(StrEnum):
    """Why a correction was not made. Nothing was written."""

    NO_REASON = "no_reason"
    NOT_THIS_ACCOUNT = "not_this_account"
    """No such entry, or one of another account."""
    NOT_LATE = "not_late"
    """The record had not been levelled away when it came: the holder was charged once."""
    REFUNDED = "refunded"
    """This very item was refunded before."""
    REVERSED = "reversed"
    """The entry was taken back before."""
    NOT_REVERSIBLE = "not_reversible"
    """A levelling, an adjustment, a refund, a claim or a reversal: put right by another correction."""
    CARD_NEEDED = "card_needed"
    """The money stands on the card (a top-up, a load): it can only come back with the card on a reader."""
    SPENT = "spent"
    """The unclaimed money that is to be taken back has been claimed."""
    BOOK_MOVED = "book_moved"
    """The book is not what the caller saw; look again and decide again."""
    NOTHING_TO_DO = "nothing_to_do"
    OPENS_GAP = "opens_gap"
    """The value would make a difference between card and book that no record explains, or turn one round."""
    AMOUNT = "amount"
    """Below zero or above what one entry may move."""
    ACCOUNT_ENDED = "account_ended"


class CorrectionRefused(Exception):
    """Nothing was written; ``why`` says why."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """Refund one late item: ``late_entry_id`` is the ledger id of the doubly deducted record's entry."""

    key: uuid.UUID
    account_id: int
    late_entry_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class AdjustOrder:
    """Set the book to ``book_fen`` ≥ 0. ``seen_book_fen``: what it was when the decision was made."""

    key: uuid.UUID
    account_id: int
    seen_book_fen: int
    book_fen: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReverseOrder:
    """Take back one entry by its ledger id."""

    key: uuid.UUID
    account_id: int
    entry_id: int
    reason: str


@transaction.atomic
def refund_late(order: RefundOrder, *, actor: Actor, now: datetime, policy: Policy) -> Corrected:
    """Give back exactly what a late record took a second time (guide L111); each late entry once, for ever.

    Posts ``refund`` (contra ``levelling``, ``corrects`` the late entry). The card has the money already, so only the
    book rises, and the late item goes; where the card was replaced since, the money waits as unclaimed. Nothing is
    unfrozen. Raises ``CorrectionRefused`` (NO_REASON, NOT_THIS_ACCOUNT, NOT_LATE, REFUNDED), ``KeyReused``.
    """
    asked = Asked("refund_late", order.key, (order.account_id, order.late_entry_id), actor, now, order.reason)
    entry = _entry_of(order.account_id, order.late_entry_id)
    held = hold(order.account_id, entry.card_id)
    if (done := known(asked)) is not None:
        return done
    _refuse(_why_not_refund(entry, order.reason))
    fen, card = -entry.book_change_fen, held.card
    if card is None or card.late_fen < fen:
        raise CorrectionRefused(Why.NOT_LATE)
    move = Move(
        EntryKind.REFUND,
        Contra.LEVELLING,
        book_fen=fen if held.live else 0,
        unclaimed_fen=0 if held.live else fen,
        corrects=entry.id,
        card=CardChange(card.id, card.spend, card.load, card.late_fen - fen),
    )
    refunded = post(held, move, asked, policy=policy)
    Refund.objects.create(entry_id=entry.id, refunded_by=refunded.entry_id)
    return refunded


@transaction.atomic
def adjust(order: AdjustOrder, *, actor: Actor, now: datetime, policy: Policy) -> Corrected:
    """Set the book to a stated value, as far as that takes away a difference which no entry explains.

    Posts ``adjustment`` (contra ``levelling``). With a live card the new value must lie between the book and the value
    at which the offline part is nothing (``card − torn + unwritten − late``): *set to card*. Lowered, it stands in for
    the missing records like a levelling (``levelled_seq``), so they are late when they come. Without a live card any
    value is taken. Money that a holder is to get besides goes the way of every credit, as unclaimed. Raises
    ``CorrectionRefused`` (NO_REASON, BOOK_MOVED, NOTHING_TO_DO, OPENS_GAP, AMOUNT, ACCOUNT_ENDED), ``KeyReused``.
    """
    asked = Asked(
        "adjust",
        order.key,
        (order.account_id, order.seen_book_fen, order.book_fen),
        actor,
        now,
        order.reason,
    )
    held = hold(order.account_id)
    if (done := known(asked)) is not None:
        return done
    _refuse(_why_not_adjust(held, order))
    fen, card = order.book_fen - held.account.book_fen, held.card
    seq = held.covered_seq() if card is not None and fen < 0 else None
    change = (
        None
        if card is None or seq is None
        else CardChange(card.id, card.spend, card.load, card.late_fen, levelled_seq=seq)
    )
    move = Move(EntryKind.ADJUSTMENT, Contra.LEVELLING, book_fen=fen, card=change, purse_seq=seq)
    return post(held, move, asked, policy=policy)


@transaction.atomic
def reverse(order: ReverseOrder, *, actor: Actor, now: datetime, policy: Policy) -> Corrected:
    """Take back a sale, a fee or a credit that still waits, once for ever (L5); the contra is the entry's own.

    A sale's money waits as unclaimed, because the card has taken the sale or may still take it; today's total goes down
    by it. Raises ``CorrectionRefused`` (NO_REASON, NOT_THIS_ACCOUNT,
    REVERSED, NOT_REVERSIBLE, CARD_NEEDED, SPENT, ACCOUNT_ENDED), ``KeyReused``.
    """
    asked = Asked("reverse", order.key, (order.account_id, order.entry_id), actor, now, order.reason)
    entry = _entry_of(order.account_id, order.entry_id)
    held = hold(order.account_id, entry.card_id)
    if (done := known(asked)) is not None:
        return done
    _refuse(_why_not_reverse(held, entry, order.reason))
    move = _give_back(held, entry) if entry.kind in _SALES else _take_back(entry)
    return post(held, move, asked, policy=policy)


def _why_not_refund(entry: Entry, reason: str) -> Why | None:
    if not reason.strip():
        return Why.NO_REASON
    if Refund.objects.filter(entry_id=entry.id).exists():
        return Why.REFUNDED
    return None if is_late(entry) else Why.NOT_LATE


def _why_not_adjust(held: Held, order: AdjustOrder) -> Why | None:
    book_fen, fen = held.account.book_fen, order.book_fen - held.account.book_fen
    if not order.reason.strip():
        return Why.NO_REASON
    if held.account.life == AccountLife.CLOSED:
        return Why.ACCOUNT_ENDED
    if book_fen != order.seen_book_fen:
        return Why.BOOK_MOVED
    if fen == 0:
        return Why.NOTHING_TO_DO
    if order.book_fen < 0 or abs(fen) > AMOUNT_MAX_FEN:
        return Why.AMOUNT
    if held.card is not None and not _closes(held.sure_gap_fen, fen):
        return Why.OPENS_GAP
    return None


def _closes(offline_fen: int, fen: int) -> bool:
    """Whether changing the book by ``fen`` only makes the unexplained part smaller."""
    return 0 <= offline_fen + fen < offline_fen or offline_fen < offline_fen + fen <= 0


def _why_not_reverse(held: Held, entry: Entry, reason: str) -> Why | None:
    if not reason.strip():
        return Why.NO_REASON
    if held.account.life == AccountLife.CLOSED:
        return Why.ACCOUNT_ENDED
    if Reversal.objects.filter(entry_id=entry.id).exists():
        return Why.REVERSED
    if entry.kind in _SALES:
        return None
    if entry.kind in {EntryKind.TOP_UP, EntryKind.BANK_LOAD, EntryKind.OPENING} and entry.book_change_fen:
        return Why.CARD_NEEDED
    if entry.kind not in {EntryKind.SUBSIDY, EntryKind.BANK_LOAD}:
        return Why.NOT_REVERSIBLE
    return None if held.account.unclaimed_fen >= entry.unclaimed_change_fen else Why.SPENT


def _give_back(held: Held, entry: Entry) -> Move:
    """The card has the sale, or an image that is under way may bring it there: the money waits for the next tap.

    A fee counts for no day's limit, and one paid in cash came out of what waited.
    """
    account, fen = held.account, -(entry.book_change_fen + entry.unclaimed_change_fen)
    counted = entry.kind != EntryKind.FEE and account.spent_on == local_day(entry.occurred_at)
    return Move(
        EntryKind.REVERSAL,
        entry.contra,
        unclaimed_fen=fen,
        contra_ref=entry.contra_ref,
        reverses=entry.id,
        spent_fen=max(0, account.spent_fen - fen) if counted else None,
    )


def _take_back(entry: Entry) -> Move:
    return Move(
        EntryKind.REVERSAL,
        entry.contra,
        unclaimed_fen=-entry.unclaimed_change_fen,
        contra_ref=entry.contra_ref,
        reverses=entry.id,
    )


def _entry_of(account_id: int, entry_id: int) -> Entry:
    entry = Entry.objects.filter(id=entry_id, account_id=account_id).first()
    if entry is None:
        raise CorrectionRefused(Why.NOT_THIS_ACCOUNT)
    return entry


def _refuse(why: Why | None) -> None:
    if why is not None:
        raise CorrectionRefused(why)
