"""Money that is paid at a desk besides top-ups: fees and deposits taken, deposits given back, accounts paid out.

A fee paid in cash passes through 待领 (unclaimed) as two entries of one transaction, in from the drawer and out to the
fee: the book does not move, so neither does any difference between card and book, whatever state the account is in.
A fee from the book is one entry; a live card owes it from then on and gives it up at its next tap, like a sale whose
card was taken away too fast.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import F, Sum

from accounts.actors import Actor
from accounts.models import Account, AccountLife
from accounts.services import audit
from purse.evidence import Leg, SideMirror
from purse.policy import Policy
from purse.procedures import is_worn
from purse.rules import freeze_reason
from transactions import ledger
from transactions.ledger import CardChange, Change, NewAnswer, NewEntry
from transactions.models import Answer, Contra, Entry, EntryKind, Mode, Receipt, ReceiptKind, entry_id
from transactions.services import receipts, shifts
from transactions.services.correcting import Held, hold
from transactions.services.orders import KeyReused
from transactions.services.receipts import NewReceipt

OP: Final = "cash"
AMOUNT_MAX_FEN: Final = 1_000_00
"""No fee or deposit of a campus card comes near this; a typing error does."""


class PaidBy(StrEnum):
    """Where a fee or deposit comes from."""

    CASH = "cash"
    BOOK = "book"


class Why(StrEnum):
    """Why money was not taken or paid out. Nothing was written."""

    NO_SHIFT = "no_shift"
    """Cash moves in the open shift of whoever takes it."""
    OWN_ACCOUNT = "own_account"
    ACCOUNT_ENDED = "account_ended"
    AMOUNT = "amount"
    NO_REASON = "no_reason"
    BOOK_SHORT = "book_short"
    DEPOSIT_SHORT = "deposit_short"
    """So much is not deposited."""
    DRAWER_SHORT = "drawer_short"
    """The drawer does not hold so much."""
    CARD_LIVE = "card_live"
    """The money stands on a card in force: take the card back first, or pay in cash."""


class CashRefused(Exception):
    """Nothing was written; ``why`` says why."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class Fee:
    """A fee, or with ``deposit`` a deposit that comes back. ``what`` goes on statement and receipt.

    ``shift_id`` is the payer's desk's open shift; needed for cash alone. ``own_holder_id``: the officer's own person.
    """

    key: uuid.UUID
    account_id: int
    fen: int
    what: str
    officer_id: int
    paid_by: PaidBy = PaidBy.CASH
    deposit: bool = False
    shift_id: int | None = None
    own_holder_id: int | None = None


@dataclass(frozen=True, slots=True)
class Payout:
    """Cash out of the drawer, from book, unclaimed and deposit of an account; ``fen`` of each, not all 0."""

    key: uuid.UUID
    account_id: int
    what: str
    officer_id: int
    shift_id: int | None
    book_fen: int = 0
    unclaimed_fen: int = 0
    deposit_fen: int = 0
    own_holder_id: int | None = None

    @property
    def fen(self) -> int:
        """What leaves the drawer."""
        return self.book_fen + self.unclaimed_fen + self.deposit_fen


@dataclass(frozen=True, slots=True)
class Paid:
    """What was done: the receipt, and whether it had been done before under the same key."""

    receipt: Receipt
    replay: bool = False


def deposit_fen(account_id: int) -> int:
    """What this account has deposited and not got back, in fen. One statement."""
    kept = Entry.objects.filter(
        id__gt=entry_id(account_id, 0), id__lt=entry_id(account_id + 1, 0), contra=Contra.DEPOSIT
    )
    moved = F("book_change_fen") + F("unclaimed_change_fen")
    return -int(kept.aggregate(fen=Sum(moved, default=0))["fen"])


@transaction.atomic
def take_fee(fee: Fee, *, actor: Actor, policy: Policy, now: datetime) -> Paid:
    """Take a fee or a deposit, once for each key, with its receipt.

    Call it in the transaction of what it is for (R010). Raises ``CashRefused`` and ``KeyReused``.
    """
    held = hold(fee.account_id)
    content = _content("fee", fee.account_id, fee.fen, fee.paid_by, fee.deposit, fee.shift_id)
    if (done := _known(fee.key, content)) is not None:
        return done
    _refuse_common(held, fee.own_holder_id, fee.what)
    if not 0 < fee.fen <= AMOUNT_MAX_FEN:
        raise CashRefused(Why.AMOUNT)
    kind, contra, paper = (
        (EntryKind.DEPOSIT, Contra.DEPOSIT, ReceiptKind.DEPOSIT)
        if fee.deposit
        else (EntryKind.FEE, Contra.FEE, ReceiptKind.FEE)
    )
    if fee.paid_by is PaidBy.CASH:
        _require_shift(fee.shift_id, fee.officer_id)
        moves = (
            _Move(EntryKind.TOP_UP, Contra.DRAWER, unclaimed_fen=fee.fen, contra_ref=fee.shift_id),
            _Move(kind, contra, unclaimed_fen=-fee.fen),
        )
        posted = _post(held, moves, fee.key, content, fee.what, now)
    else:
        posted = _post_from_book(held, fee, _Move(kind, contra, book_fen=-fee.fen), content, policy, now)
    new = NewReceipt(
        kind=paper,
        operation=fee.key,
        account_id=fee.account_id,
        fen=fee.fen,
        book_before_fen=held.account.book_fen,
        book_after_fen=posted[-1].book_after_fen,
        entry_id=entry_id(fee.account_id, posted[0].seq),
        officer_id=fee.officer_id,
        shift_id=fee.shift_id if fee.paid_by is PaidBy.CASH else None,
        reason=fee.what,
    )
    return _paid(new, held, actor, now)


@transaction.atomic
def pay_out(out: Payout, *, actor: Actor, now: datetime) -> Paid:
    """Pay cash out of the drawer, once for each key, with its receipt. Raises ``CashRefused`` and ``KeyReused``.

    Whether it may be paid at all (closing, two people) is for the caller to decide, in the same transaction. What
    stands on a card in force is not paid out: take the card back first.
    """
    held = hold(out.account_id)
    content = _content(
        "payout", out.account_id, out.book_fen, out.unclaimed_fen, out.deposit_fen, out.shift_id
    )
    if (done := _known(out.key, content)) is not None:
        return done
    _refuse_common(held, out.own_holder_id, out.what)
    shift = _require_shift(out.shift_id, out.officer_id, alone=True)
    _refuse_payout(held, out, drawer_fen=shifts.expected_fen(shift))
    moves = (
        [_Move(EntryKind.DEPOSIT, Contra.DEPOSIT, unclaimed_fen=out.deposit_fen)] if out.deposit_fen else []
    )
    moves.append(
        _Move(
            EntryKind.PAYOUT,
            Contra.DRAWER,
            book_fen=-out.book_fen,
            unclaimed_fen=-(out.unclaimed_fen + out.deposit_fen),
            contra_ref=shift,
        )
    )
    posted = _post(held, tuple(moves), out.key, content, out.what, now)
    only_deposit = out.deposit_fen == out.fen
    new = NewReceipt(
        kind=ReceiptKind.DEPOSIT_BACK if only_deposit else ReceiptKind.PAYOUT,
        operation=out.key,
        account_id=out.account_id,
        fen=out.fen,
        book_before_fen=held.account.book_fen,
        book_after_fen=posted[-1].book_after_fen,
        entry_id=entry_id(out.account_id, posted[-1].seq),
        officer_id=out.officer_id,
        shift_id=shift,
        reason=out.what,
    )
    return _paid(new, held, actor, now)


# ------------------------------------------------------------------------------------------------------- inside


@dataclass(frozen=True, slots=True)
class _Move:
    """One entry, as the holder gains."""

    kind: EntryKind
    contra: Contra
    book_fen: int = 0
    unclaimed_fen: int = 0
    contra_ref: int | None = None


def _content(*parts: object) -> bytes:
    return hashlib.sha256("|".join(str(part) for part in parts).encode()).digest()


def _known(key: uuid.UUID, content: bytes) -> Paid | None:
    answer = Answer.objects.filter(key=key).first()
    if answer is None:
        return None
    receipt = receipts.of_operation(key)
    if answer.op != OP or bytes(answer.asked) != content or receipt is None:
        raise KeyReused(str(key))
    return Paid(receipt, replay=True)


def _refuse_common(held: Held, own_holder_id: int | None, what: str) -> None:
    if not what.strip():
        raise CashRefused(Why.NO_REASON)
    if held.account.life == AccountLife.CLOSED:
        raise CashRefused(Why.ACCOUNT_ENDED)
    if own_holder_id is not None:
        holder_id = Account.objects.values_list("holder_id", flat=True).get(pk=held.account.id)
        if holder_id == own_holder_id:
            raise CashRefused(Why.OWN_ACCOUNT)


def _require_shift(shift_id: int | None, officer_id: int, *, alone: bool = False) -> int:
    try:
        return int(shifts.hold(shift_id, officer_id, alone=alone).pk)
    except shifts.ShiftRefused:
        raise CashRefused(Why.NO_SHIFT) from None


def _refuse_payout(held: Held, out: Payout, *, drawer_fen: int) -> None:
    account = held.account
    if min(out.book_fen, out.unclaimed_fen, out.deposit_fen) < 0 or out.fen <= 0:
        raise CashRefused(Why.AMOUNT)
    if out.book_fen > account.book_fen or out.unclaimed_fen > account.unclaimed_fen:
        raise CashRefused(Why.BOOK_SHORT)
    if out.book_fen and held.live:
        raise CashRefused(Why.CARD_LIVE)
    if out.deposit_fen and out.deposit_fen > deposit_fen(account.id):
        raise CashRefused(Why.DEPOSIT_SHORT)
    if out.fen > drawer_fen:
        raise CashRefused(Why.DRAWER_SHORT)


def _post_from_book(
    held: Held, fee: Fee, move: _Move, content: bytes, policy: Policy, now: datetime
) -> tuple[NewEntry, ...]:
    """Take it from the book. A live card that holds the money owes it now, as an open leg without an image."""
    after_fen = held.account.book_fen - fee.fen
    if after_fen < 0:
        raise CashRefused(Why.BOOK_SHORT)
    if held.card is None or held.card_fen is None:
        return _post(held, (move,), fee.key, content, fee.what, now)
    if is_worn(held.card.spend) or freeze_reason(book_fen=after_fen, card_fen=held.card_fen, policy=policy):
        raise CashRefused(Why.CARD_LIVE)
    spend = held.card.spend
    leg = Leg(held.account.entry_seq + 1, spend.next_seq, fee.fen, None, None)
    owing = replace(spend, legs=(*spend.legs, leg))
    return _post(held, (move,), fee.key, content, fee.what, now, owing=owing)


def _post(
    held: Held,
    moves: tuple[_Move, ...],
    key: uuid.UUID,
    content: bytes,
    what: str,
    now: datetime,
    *,
    owing: SideMirror | None = None,
) -> tuple[NewEntry, ...]:
    """Post the moves as one change under the lock that ``hold`` took."""
    account, card = held.account, held.card
    book_fen, unclaimed_fen = account.book_fen, account.unclaimed_fen
    posted: list[NewEntry] = []
    for move in moves:
        book_fen, unclaimed_fen = book_fen + move.book_fen, unclaimed_fen + move.unclaimed_fen
        posted.append(
            NewEntry(
                seq=account.entry_seq + len(posted) + 1,
                kind=move.kind,
                book_change_fen=move.book_fen,
                unclaimed_change_fen=move.unclaimed_fen,
                book_after_fen=book_fen,
                unclaimed_after_fen=unclaimed_fen,
                contra=move.contra,
                contra_ref=move.contra_ref,
                source_key=key,
                occurred_at=now,
                mode=Mode.SERVER,
                card_id=card.id if card else None,
                purse_side="spend" if owing else None,
                purse_seq=owing.legs[-1].seq if owing else None,
                note=what,
            )
        )
    last = posted[-1]
    change = Change(
        before=account,
        book_fen=book_fen,
        unclaimed_fen=unclaimed_fen,
        spent_on=account.spent_on,
        spent_fen=account.spent_fen,
        frozen_reasons=account.frozen_reasons,
        now=now,
        entries=tuple(posted),
        answer=NewAnswer(key, OP, content, {"entry": last.seq}, entry_seq=last.seq),
        card=CardChange(card.id, owing, card.load, card.late_fen) if card and owing else None,
    )
    if not ledger.write(change).moved:
        raise IntegrityError("the account changed under its own lock")
    return tuple(posted)


def _paid(new: NewReceipt, held: Held, actor: Actor, now: datetime) -> Paid:
    receipt = receipts.issue(new, now=now)
    after = {"receipt": receipt.number, "fen": new.fen, "book_fen": new.book_after_fen}
    before = {"book_fen": held.account.book_fen}
    deed = audit.Deed(f"cash.{new.kind}", "account", new.account_id, before, after, new.reason)
    audit.record(deed, actor=actor, now=now)
    return Paid(receipt)
