"""Closing an account: no use from now on, some days for late records, a second person, the money out, the card dead.

Every step is one deed with its key, in one transaction. What is paid is what a second person agreed to, to the fen and
to the entry: whatever moves the book in between makes the agreement void (C12, E7, H25).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from django.db import transaction

from accounts.actors import AtCounter
from accounts.models import Account, AccountLife, Card, CardLife, CounterDeed, DeedKind, Request
from accounts.options import Options
from accounts.papers import IDENTITY
from accounts.services import accounts, approvals, cards, deeds
from accounts.services.errors import NotAllowed, Reason
from accounts.services.operators import Hand
from accounts.services.passwords import refuse_own
from accounts.services.rows import By, lock
from purse.policy import Policy
from reconciliation.closing import REQUEST, Against, Closing, closing_of
from transactions.models import Contra, EntryKind
from transactions.services import cash
from transactions.services.correcting import Asked, Move, hold, known, post

TRANSFER_OP = "payout"
_WAITS = frozenset({Against.WAITING, Against.OFFLINE_GAP, Against.LATE, Against.HELD, Against.CARD_JOB})
"""What may still be open when a closing begins: it is what the waiting is for."""


class Way(StrEnum):
    """How the money goes out."""

    CASH = "cash"
    TRANSFER = "transfer"
    """Noted for the next file of bank transfers."""


class CardBack(StrEnum):
    """What becomes of the plastic."""

    RETURNED = "returned"
    SOUVENIR = "souvenir"
    """The holder keeps it; it opens nothing any more."""
    GONE = "gone"
    """Lost or never made."""


class NotClosable(Exception):
    """Something stands against it; nothing was written."""

    def __init__(self, *against: Against) -> None:
        super().__init__(", ".join(against))
        self.against = against


@dataclass(frozen=True, slots=True)
class PayAsk:
    """Ask a second person to agree that everything of this account is paid out this way."""

    key: UUID
    account_id: int
    way: Way
    reason: str


@dataclass(frozen=True, slots=True)
class PayOrder:
    """Pay out and close. ``request_id``: what the second person agreed to; None when nothing is left to pay."""

    key: UUID
    account_id: int
    way: Way
    card_back: CardBack
    request_id: int | None
    officer_id: int
    words: str
    """What the payment is called on statement and receipt."""
    shift_id: int | None = None
    """The payer's open shift; needed for cash."""


@transaction.atomic
def begin(
    key: UUID, account_id: int, reason: str, *, door: AtCounter, now: datetime, options: Options
) -> CounterDeed:
    """Stop all use; from now on the days for late records count.

    Raises ``NotClosable`` (FROZEN, OPEN_CASE, OPEN_DISPUTE, DEBT, CLOSED), ``NotAllowed`` (DOCUMENT_NEEDED, WRONG_LIFE)
    and ``KeyReused``.
    """
    asked = deeds.Asked(key, DeedKind.BEGIN_CLOSING, {"account": account_id, "reason": reason})
    if (done := deeds.begin(asked)) is not None:
        return done
    account = _served(account_id, door)
    if door.document not in IDENTITY:
        raise NotAllowed(Reason.DOCUMENT_NEEDED)
    found = closing_of(account_id, now=now, options=options)
    if against := [each for each in found.against if each not in _WAITS]:
        raise NotClosable(*against)
    by = By(door.actor, now, reason, door.noted)
    if (
        account.life == AccountLife.PENDING
    ):  # its card was never handed over; the deposit has to come back all the same
        accounts.start(account.pk, by=by)
    accounts.begin_closing(account.pk, by=by)
    facts = {
        "book_fen": found.book_fen,
        "unclaimed_fen": found.unclaimed_fen,
        "deposit_fen": found.deposit_fen,
    }
    return deeds.note(asked, deeds.Done(account.pk, found.card_id, facts), door=door, now=now, reason=reason)


@transaction.atomic
def give_up(key: UUID, account_id: int, reason: str, *, door: AtCounter, now: datetime) -> CounterDeed:
    """Take the account into use again. Raises ``NotAllowed`` (WRONG_LIFE) and ``KeyReused``."""
    asked = deeds.Asked(key, DeedKind.GIVE_UP_CLOSING, {"account": account_id, "reason": reason})
    if (done := deeds.begin(asked)) is not None:
        return done
    account = _served(account_id, door)
    accounts.give_up_closing(account.pk, by=By(door.actor, now, reason, door.noted))
    return deeds.note(asked, deeds.Done(account.pk), door=door, now=now, reason=reason)


@transaction.atomic
def ask_to_pay(ask: PayAsk, *, hand: Hand, now: datetime, policy: Policy, options: Options) -> Request:
    """Lay the payment before a second person, once nothing stands against it any more.

    Raises ``NotClosable`` and ``approvals.NotApproved``. With nothing to pay there is nothing to ask: ``ValueError``.
    """
    lock(ask.account_id)
    found = _payable(ask.account_id, now=now, options=options)
    if not found.total_fen:
        raise ValueError("nothing is paid out")
    wanted = approvals.Ask(
        key=ask.key,
        kind=REQUEST,
        content=found.content(ask.way.value),
        reason=ask.reason,
        account_id=ask.account_id,
        amount_fen=found.total_fen,
    )
    return approvals.propose(wanted, hand=hand, now=now, policy=policy)


@transaction.atomic
def pay(order: PayOrder, *, door: AtCounter, now: datetime, policy: Policy, options: Options) -> CounterDeed:
    """End the card, pay out what was agreed to and close the account: all of it or nothing.

    Raises ``NotClosable``, ``approvals.NotApproved``, ``CashRefused``, ``NotAllowed`` (DOCUMENT_NEEDED for whoever
    takes money) and ``KeyReused``.
    """
    content = {
        "account": order.account_id,
        "way": order.way.value,
        "card_back": order.card_back.value,
        "request": order.request_id,
    }
    asked = deeds.Asked(order.key, DeedKind.CLOSE, content)
    if (done := deeds.begin(asked)) is not None:
        return done
    account = _served(order.account_id, door)
    found = _payable(order.account_id, now=now, options=options)
    if found.total_fen and door.document not in IDENTITY:
        raise NotAllowed(Reason.DOCUMENT_NEEDED)
    by = By(door.actor, now, noted=door.noted)
    _end_cards(account, order.card_back, by=by)
    receipt = _pay_out(order, found, door=door, now=now, policy=policy) if found.total_fen else None
    accounts.close(account.pk, by=by)
    facts = {
        "book_fen": found.book_fen,
        "unclaimed_fen": found.unclaimed_fen,
        "deposit_fen": found.deposit_fen,
        "total_fen": found.total_fen,
        "way": order.way.value if found.total_fen else "",
        "card_back": order.card_back.value,
        "request_id": order.request_id,
        "receipt_id": receipt[0] if receipt else None,
        "receipt": receipt[1] if receipt else "",
    }
    return deeds.note(asked, deeds.Done(account.pk, found.card_id, facts), door=door, now=now)


def _served(account_id: int, door: AtCounter) -> Account:
    account = lock(account_id)
    refuse_own(account, door)
    return account


def _payable(account_id: int, *, now: datetime, options: Options) -> Closing:
    found = closing_of(account_id, now=now, options=options)
    if found.against:
        raise NotClosable(*found.against)
    if found.life != AccountLife.CLOSING:
        raise NotClosable(Against.NOT_CLOSING)
    return found


def _end_cards(account: Account, back: CardBack, *, by: By) -> None:
    """The card comes back or is void; blanks that were never made are void."""
    ended = [CardLife.REPLACED, CardLife.RETURNED, CardLife.VOID]
    for card in Card.objects.filter(account=account).exclude(life__in=ended).order_by("pk"):
        here = back is CardBack.RETURNED and card.life != CardLife.BLANK
        cards.move(card.pk, CardLife.RETURNED if here else CardLife.VOID, by=by)


def _pay_out(
    order: PayOrder, found: Closing, *, door: AtCounter, now: datetime, policy: Policy
) -> tuple[int, str] | None:
    """Take the agreement and move the money. Returns the receipt's id and number; None for a transfer."""
    if order.request_id is None:
        raise approvals.NotApproved(approvals.Why.NOT_AGREED)
    agreed = found.content(order.way.value)
    approvals.use(order.request_id, kind=REQUEST, content=agreed, actor=door.actor, now=now)
    if order.way is Way.TRANSFER:
        _transfer(order, found, door=door, now=now, policy=policy)
        return None
    out = cash.Payout(
        key=uuid5(order.key, "payout"),
        account_id=order.account_id,
        what=order.words,
        officer_id=order.officer_id,
        shift_id=order.shift_id,
        book_fen=found.book_fen,
        unclaimed_fen=found.unclaimed_fen,
        deposit_fen=found.deposit_fen,
        own_holder_id=door.own_holder_id,
    )
    receipt = cash.pay_out(out, actor=door.actor, now=now).receipt
    return receipt.pk, receipt.number


def _transfer(order: PayOrder, found: Closing, *, door: AtCounter, now: datetime, policy: Policy) -> None:
    """Owed to the holder's bank account from now on: the contra is the bank, the file takes it from there."""
    if found.deposit_fen:
        back = Asked(
            TRANSFER_OP, uuid5(order.key, "deposit"), (order.account_id,), door.actor, now, order.words
        )
        move = Move(EntryKind.DEPOSIT, Contra.DEPOSIT, unclaimed_fen=found.deposit_fen)
        post(hold(order.account_id), move, back, policy=policy)
    asked = Asked(TRANSFER_OP, uuid5(order.key, "payout"), (order.account_id,), door.actor, now, order.words)
    if known(asked) is None:
        unclaimed_fen = -(found.unclaimed_fen + found.deposit_fen)
        move = Move(EntryKind.PAYOUT, Contra.BANK, book_fen=-found.book_fen, unclaimed_fen=unclaimed_fen)
        post(hold(order.account_id), move, asked, policy=policy)
