"""Shifts at a cash drawer: opened over a float, closed over a count, accepted by a supervisor (K01, K06, K07).

What the drawer must hold is the float and what the ledger's entries of the shift brought; nothing here keeps a sum of
its own. A closed shift takes no entry: every entry of cash holds its shift until the end of its transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.db import IntegrityError, connection, transaction
from django.db.models import Max

from accounts.models import OperatorRole
from accounts.services import audit
from accounts.services.operators import Officer, officer_of
from accounts.services.rows import By
from transactions.models import Drawer, ReceiptSeries, Shift, TopUpSlip

DENOMINATIONS: Final = (100_00, 50_00, 20_00, 10_00, 5_00, 1_00, 50, 10)
"""Notes and coins of a count, in fen (screens.md 6.4)."""
PIECES_MAX: Final = 9_999
HOLDERS: Final = (OperatorRole.CASHIER, OperatorRole.CLERK, OperatorRole.SUPERVISOR)
"""Who may answer for a drawer; top-ups stay the cashier's."""
DISPLAY_THERE: Final = timedelta(seconds=10)
"""A customer's display that has asked within this time is there."""
LEFT_OPEN: Final = timedelta(hours=24)
"""A shift that was not closed for so long may be counted by a supervisor."""
FLOAT_MAX_FEN: Final = 10_000_000
_HOLD: Final = "SELECT FROM transactions_shift WHERE id = %s FOR SHARE"
_HOLD_ALONE: Final = "SELECT FROM transactions_shift WHERE id = %s FOR NO KEY UPDATE"


class Why(StrEnum):
    """Why a shift is not opened, closed or accepted. Nothing was written."""

    NOT_ENTITLED = "not_entitled"
    NO_DRAWER = "no_drawer"
    """No such drawer on this campus, or retired."""
    DRAWER_TAKEN = "drawer_taken"
    HAS_SHIFT = "has_shift"
    """This person has another shift open."""
    AMOUNT = "amount"
    NO_SHIFT = "no_shift"
    """No shift of this person is open."""
    GOING_ON = "going_on"
    """A confirmed top-up has not ended."""
    NO_REASON = "no_reason"
    """Counted and expected differ, and nobody says why."""
    SAME_PERSON = "same_person"
    NOT_CLOSED = "not_closed"
    ACCEPTED = "accepted"
    CODE_FORM = "code_form"
    """A drawer's code is one to three capitals and two digits, and used once."""


class ShiftRefused(Exception):
    """Nothing was written; ``why`` says why."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class Opening:
    """What a shift begins with. ``count``: pieces by denomination in fen; none at all when only the sum is stated."""

    drawer_id: int
    float_fen: int
    count: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Closing:
    """What was counted at the end, pieces by denomination in fen, and why it differs from what the ledger says."""

    count: Mapping[int, int]
    reason: str


@transaction.atomic
def add_drawer(campus_id: int, code: str, *, name_zh: str, name_en: str, by: By) -> Drawer:
    """Put a drawer into service, with the series of its receipts. Raises ``ShiftRefused`` (CODE_FORM)."""
    try:
        with transaction.atomic():
            drawer = Drawer.objects.create(campus_id=campus_id, code=code, name_zh=name_zh, name_en=name_en)
            ReceiptSeries.objects.create(code=code, campus_id=campus_id, drawer=drawer)
    except IntegrityError:
        raise ShiftRefused(Why.CODE_FORM) from None
    deed = audit.Deed("drawer.add", "drawer", drawer.pk, after={"code": code, "campus": campus_id})
    audit.record(deed, actor=by.actor, now=by.now)
    return drawer


@transaction.atomic
def open_shift(opening: Opening, *, officer: Officer, by: By) -> Shift:
    """Begin a shift at a drawer of the officer's campus. The same person at the same drawer again: the open shift.

    Raises ``ShiftRefused`` (NOT_ENTITLED, NO_DRAWER, DRAWER_TAKEN, HAS_SHIFT, AMOUNT).
    """
    if officer.role not in HOLDERS:
        raise ShiftRefused(Why.NOT_ENTITLED)
    drawer = Drawer.objects.select_for_update().filter(pk=opening.drawer_id, retired_at=None).first()
    if drawer is None or not officer.serves(drawer.campus_id):
        raise ShiftRefused(Why.NO_DRAWER)
    mine = current(officer.id)
    if mine is not None:
        if mine.drawer_id == drawer.pk:
            return mine
        raise ShiftRefused(Why.HAS_SHIFT)
    if Shift.objects.filter(drawer=drawer, closed_at=None).exists():
        raise ShiftRefused(Why.DRAWER_TAKEN)
    counted_fen = count_fen(opening.count)
    if not 0 <= opening.float_fen <= FLOAT_MAX_FEN or counted_fen not in (0, opening.float_fen):
        raise ShiftRefused(Why.AMOUNT)
    last_no = Shift.objects.filter(drawer=drawer).aggregate(last=Max("no"))["last"] or 0
    shift = Shift(
        drawer=drawer,
        no=last_no + 1,
        officer_id=officer.id,
        display_key=uuid.uuid4(),
        opened_at=by.now,
        float_fen=opening.float_fen,
        float_count=_stored(opening.count),
    )
    try:
        with transaction.atomic():
            shift.save(force_insert=True)
    except IntegrityError:  # the same person opened another drawer in the same moment
        raise ShiftRefused(Why.HAS_SHIFT) from None
    after = {"drawer": drawer.code, "no": shift.no, "float_fen": shift.float_fen}
    audit.record(audit.Deed("shift.open", "shift", shift.pk, after=after), actor=by.actor, now=by.now)
    return shift


def current(officer_id: int) -> Shift | None:
    """The open shift of this person, with its drawer and campus; None when there is none. One statement."""
    open_ones = Shift.objects.filter(officer_id=officer_id, closed_at=None)
    return open_ones.select_related("drawer__campus").first()


def hold(shift_id: int | None, officer_id: int, *, alone: bool = False) -> Shift:
    """The open shift under a shared lock until the transaction ends, so that it is not closed over this movement.

    ``alone``: nobody else moves its cash meanwhile, for what must not be more than the drawer holds. Call it under the
    account's lock and before any slip's. Raises ``ShiftRefused`` (NO_SHIFT) when it is closed or somebody else's.
    """
    if shift_id is None:
        raise ShiftRefused(Why.NO_SHIFT)
    with connection.cursor() as cursor:
        cursor.execute(_HOLD_ALONE if alone else _HOLD, [shift_id])
    shift = Shift.objects.filter(pk=shift_id, officer_id=officer_id, closed_at=None).first()
    if shift is None:
        raise ShiftRefused(Why.NO_SHIFT)
    return shift


def expected_fen(shift_id: int) -> int:
    """What the drawer must hold now: float and what the ledger says (L12). One statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT transactions_drawer_fen(%s)", [shift_id])
        found: int = cursor.fetchone()[0]
    return found


def stands_in(shift: Shift, officer: Officer, *, now: datetime) -> bool:
    """Whether this supervisor may count in place of the shift's officer: he is gone, or has not closed for a day.

    Else a drawer would stay shut for ever once its cashier is let out, moved or ill. Another one has to accept it.
    """
    own, drawer = shift.officer, shift.drawer
    gone = not own.is_active or own.role not in HOLDERS or not officer_of(own).serves(drawer.campus_id)
    return (
        shift.closed_at is None
        and officer.role == OperatorRole.SUPERVISOR
        and officer.serves(drawer.campus_id)
        and not officer.is_person(own.pk, own.holder_id)
        and (gone or now - shift.opened_at >= LEFT_OPEN)
    )


@transaction.atomic
def close_shift(shift_id: int, closing: Closing, *, officer: Officer, by: By) -> Shift:
    """Close the own shift over what was counted; afterwards it is read-only and waits for a supervisor.

    Where ``stands_in`` says so, a supervisor counts in his place, with a reason. Closing again returns the closed
    shift. Raises ``ShiftRefused`` (NO_SHIFT, GOING_ON, AMOUNT, NO_REASON).
    """
    rows = Shift.objects.select_for_update(of=("self",)).select_related("drawer", "officer__campus")
    shift = rows.filter(pk=shift_id).first()
    own = shift is not None and shift.officer_id == officer.id
    if shift is None or not (
        own or shift.closed_by_id == officer.id or stands_in(shift, officer, now=by.now)
    ):
        raise ShiftRefused(Why.NO_SHIFT)
    if shift.closed_at is not None:
        return shift
    counted_fen, expected = count_fen(closing.count), expected_fen(shift_id)
    difference_fen = counted_fen - expected
    if (difference_fen or not own) and not closing.reason.strip():
        raise ShiftRefused(Why.NO_REASON)
    TopUpSlip.objects.filter(shift=shift, confirmed_at=None, dropped_at=None).update(dropped_at=by.now)
    shift.closed_at, shift.count, shift.counted_fen = by.now, _stored(closing.count), counted_fen
    shift.expected_fen, shift.difference_fen, shift.reason = expected, difference_fen, closing.reason.strip()
    shift.closed_by_id = None if own else officer.id
    shift.save(
        update_fields=[
            "closed_at", "count", "counted_fen", "expected_fen", "difference_fen", "reason", "closed_by"
        ]
    )  # fmt: skip
    after = {"counted_fen": counted_fen, "expected_fen": expected, "difference_fen": difference_fen}
    deed = audit.Deed("shift.close", "shift", shift.pk, after=after, reason=shift.reason)
    audit.record(deed, actor=by.actor, now=by.now)
    return shift


@transaction.atomic
def accept_shift(shift_id: int, *, officer: Officer, by: By) -> Shift:
    """Sign as the supervisor who takes the money over. The same person again: nothing more.

    Raises ``ShiftRefused`` (NOT_ENTITLED, NO_SHIFT, SAME_PERSON, NOT_CLOSED, ACCEPTED).
    """
    rows = Shift.objects.select_for_update(of=("self",)).select_related("drawer", "officer", "closed_by")
    shift = rows.filter(pk=shift_id).first()
    if shift is None or not officer.serves(shift.drawer.campus_id):
        raise ShiftRefused(Why.NO_SHIFT)
    if officer.role != OperatorRole.SUPERVISOR:
        raise ShiftRefused(Why.NOT_ENTITLED)
    counted = [each for each in (shift.officer, shift.closed_by) if each is not None]
    if any(officer.is_person(each.pk, each.holder_id) for each in counted):
        raise ShiftRefused(Why.SAME_PERSON)
    if shift.closed_at is None:
        raise ShiftRefused(Why.NOT_CLOSED)
    if shift.accepted_by_id == officer.id:
        return shift
    if shift.accepted_by_id is not None:
        raise ShiftRefused(Why.ACCEPTED)
    shift.accepted_by_id, shift.accepted_at = officer.id, by.now
    shift.save(update_fields=["accepted_by", "accepted_at"])
    after = {"counted_fen": shift.counted_fen, "difference_fen": shift.difference_fen}
    audit.record(audit.Deed("shift.accept", "shift", shift.pk, after=after), actor=by.actor, now=by.now)
    return shift


def count_fen(count: Mapping[int, int]) -> int:
    """The sum of a count. Raises ``ShiftRefused`` (AMOUNT) for a piece that does not exist or a mad number."""
    for piece_fen, pieces in count.items():
        if piece_fen not in DENOMINATIONS or not 0 <= pieces <= PIECES_MAX:
            raise ShiftRefused(Why.AMOUNT)
    return sum(piece_fen * pieces for piece_fen, pieces in count.items())


def _stored(count: Mapping[int, int]) -> dict[str, int]:
    return {str(piece_fen): pieces for piece_fen, pieces in count.items() if pieces}
