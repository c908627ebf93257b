"""The slip of a cash top-up before any money moves: keyed, shown to the customer, confirmed (guide L39, R013).

The database refuses to confirm a slip that was not shown before. What a confirmed slip does to book and card is the
card job's (``terminals.services.topups``).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import F, Q

from accounts.models import LIVE_CARD, Account, AccountLife, Card, OperatorRole
from accounts.services.operators import Officer
from purse.policy import Policy
from purse.rules import Refusal, Standing, refuse_top_up
from transactions.days import local_day
from transactions.models import Shift, TopUpSlip
from transactions.services import shifts
from transactions.services.orders import KeyReused

_STAMP_EVERY = timedelta(seconds=3)
"""How often a display that asks twice a second is noted."""


class Why(StrEnum):
    """Why a slip is not made or confirmed, beyond ``purse.rules.Refusal``. No money moved."""

    NOT_ENTITLED = "not_entitled"
    NO_SHIFT = "no_shift"
    OWN_ACCOUNT = "own_account"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    NOT_SHOWN = "not_shown"
    """The customer has not been shown the amount."""
    DROPPED = "dropped"
    """It was dropped, or another amount was keyed after it."""


class SlipRefused(Exception):
    """No money moved; ``why`` says why."""

    def __init__(self, why: Why | Refusal) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class NewSlip:
    """So much cash for this account. ``key`` comes with the form; ``fen`` > 0."""

    key: uuid.UUID
    account_id: int
    fen: int


@transaction.atomic
def announce(new: NewSlip, *, officer: Officer, policy: Policy, now: datetime) -> TopUpSlip:
    """Put the amount before the customer. The same key again: the same slip; a new one drops what was not confirmed.

    Raises ``SlipRefused`` and ``KeyReused``.
    """
    known = TopUpSlip.objects.filter(pk=new.key).first()
    if known is not None:
        if (known.account_id, known.fen, known.shift.officer_id) != (new.account_id, new.fen, officer.id):
            raise KeyReused(str(new.key))
        return known
    if officer.role != OperatorRole.CASHIER:
        raise SlipRefused(Why.NOT_ENTITLED)
    shift = shifts.current(officer.id)
    if shift is None:
        raise SlipRefused(Why.NO_SHIFT)
    Shift.objects.select_for_update(of=("self",), no_key=True).get(pk=shift.pk)
    _refuse(new, officer, policy, now)
    open_ones = TopUpSlip.objects.filter(shift=shift, confirmed_at=None, dropped_at=None)
    open_ones.update(dropped_at=now)
    slip, _made = TopUpSlip.objects.get_or_create(
        pk=new.key,
        defaults={"shift": shift, "account_id": new.account_id, "fen": new.fen, "announced_at": now},
    )
    return slip


@transaction.atomic
def confirm(slip_id: uuid.UUID, *, officer: Officer, read_here: bool, now: datetime) -> TopUpSlip:
    """Confirm that the cash is there, after the customer was shown the amount. Again: nothing more.

    ``read_here``: the customer read it on the cashier's own screen. Raises ``SlipRefused`` (NO_SHIFT, DROPPED,
    NOT_SHOWN) and ``TopUpSlip.DoesNotExist``.
    """
    slip = TopUpSlip.objects.get(pk=slip_id)
    if slip.confirmed_at is not None:
        return slip
    try:  # the shift before the slip, as whoever keys another amount locks them too
        shifts.hold(slip.shift_id, officer.id)
    except shifts.ShiftRefused:
        raise SlipRefused(Why.NO_SHIFT) from None
    slip = TopUpSlip.objects.select_for_update(of=("self",)).get(pk=slip_id)
    if slip.confirmed_at is not None:
        return slip
    if slip.dropped_at is not None:
        raise SlipRefused(Why.DROPPED)
    if slip.shown_at is None and not read_here:
        raise SlipRefused(Why.NOT_SHOWN)
    if slip.shown_at is None:
        slip.shown_at, slip.shown_on = now, "counter"
    slip.confirmed_at = max(now, slip.shown_at)
    slip.save(update_fields=["shown_at", "shown_on", "confirmed_at"])
    return slip


@transaction.atomic
def drop(slip_id: uuid.UUID, *, officer: Officer, now: datetime) -> bool:
    """Give a slip up before it is confirmed. False when it was confirmed. Raises ``TopUpSlip.DoesNotExist``."""
    slip = TopUpSlip.objects.select_for_update(of=("self",)).get(pk=slip_id, shift__officer_id=officer.id)
    if slip.confirmed_at is not None:
        return False
    if slip.dropped_at is None:
        slip.dropped_at = now
        slip.save(update_fields=["dropped_at"])
    return True


def show(shift_id: int, *, now: datetime) -> TopUpSlip | None:
    """The display of a shift asks what to show: notes that it is there, and the first time that it shows an amount.

    Returns the newest slip that was not dropped. Two statements while nothing changes.
    """
    silent = Q(display_seen_at=None) | Q(display_seen_at__lt=now - _STAMP_EVERY)
    Shift.objects.filter(silent, pk=shift_id, closed_at=None).update(display_seen_at=now)
    kept = TopUpSlip.objects.filter(shift_id=shift_id, dropped_at=None)
    slip = kept.order_by(F("confirmed_at").desc(nulls_first=True)).first()  # an open one is the newest
    if slip is not None and slip.shown_at is None and slip.confirmed_at is None:
        moment = max(now, slip.announced_at)
        fresh = TopUpSlip.objects.filter(pk=slip.pk, shown_at=None, confirmed_at=None)
        if fresh.update(shown_at=moment, shown_on="display"):
            slip.shown_at, slip.shown_on = moment, "display"
    return slip


def display_there(shift: Shift, *, now: datetime) -> bool:
    """Whether the customer's display has asked lately."""
    return shift.display_seen_at is not None and now - shift.display_seen_at <= shifts.DISPLAY_THERE


def _refuse(new: NewSlip, officer: Officer, policy: Policy, now: datetime) -> None:
    """K04: a lost, frozen, closed or expired card takes no money, nor a purse more than it may hold."""
    account = Account.objects.get(pk=new.account_id)
    if officer.holder_id is not None and account.holder_id == officer.holder_id:
        raise SlipRefused(Why.OWN_ACCOUNT)
    if new.fen < policy.cash_top_up_min_fen:
        raise SlipRefused(Why.TOO_SMALL)
    if new.fen > policy.cash_top_up_max_fen:
        raise SlipRefused(Why.TOO_LARGE)
    card = Card.objects.filter(account=account, life__in=LIVE_CARD).first()
    expired = card is not None and card.expires_on is not None and card.expires_on < local_day(now)
    standing = Standing(
        account_open=account.life == AccountLife.OPEN,
        account_frozen=account.frozen,
        card_usable=card is not None,
        card_lost=card is not None and card.lost,
        card_expired=expired,
    )
    held_fen = max(account.book_fen, card.card_fen if card else 0)
    why = refuse_top_up(standing=standing, amount_fen=new.fen, book_fen=held_fen, policy=policy)
    if why is not None:
        raise SlipRefused(why)
