"""Cashiers, a supervisor, drawers and shifts for tests of cash."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.actors import Actor, Channel
from accounts.models import AuditEvent, Operator, OperatorRole
from accounts.services.operators import Officer, officer_of
from accounts.services.rows import By
from purse.policy import Policy
from reconciliation.services.verify import check_all
from tests.campus import NOON, Person, make_campus
from transactions.models import Drawer, Entry, Receipt, Shift
from transactions.services import cash, shifts
from transactions.services.cash import CashRefused, Fee, PaidBy, Payout
from transactions.services.shifts import Closing, Opening, ShiftRefused

_serial = itertools.count(1)
POLICY = Policy()


def person_of(role: OperatorRole = OperatorRole.CASHIER, *, anywhere: bool = False, holder=None) -> Operator:
    campus, _ = make_campus()
    return Operator.objects.create(
        username=f"{role}.{next(_serial)}", role=role, campus=None if anywhere else campus, holder=holder,
        display_name="王收银" if role == OperatorRole.CASHIER else "李主管",
    )  # fmt: skip


def by(operator: Operator, now=NOON) -> By:
    return By(Actor.operator(operator.pk, role=operator.role, channel=Channel.COUNTER, place="desk"), now)


def make_drawer(code: str | None = None) -> Drawer:
    campus, _ = make_campus()
    maker = by(person_of(OperatorRole.SUPERVISOR))
    return shifts.add_drawer(campus.pk, code or _code(), name_zh="一餐厅充值点", name_en="", by=maker)


def _code() -> str:
    serial = next(_serial)
    return f"L{chr(ord('A') + serial // 100)}{serial % 100:02d}"


class Till:
    """A cashier with an open shift."""

    def __init__(
        self, float_fen: int = 200_00, role: OperatorRole = OperatorRole.CASHIER, holder=None
    ) -> None:
        self.operator = person_of(role, holder=holder)
        self.drawer = make_drawer()
        self.shift: Shift = shifts.open_shift(
            Opening(self.drawer.pk, float_fen, {}), officer=self.officer, by=self.by
        )

    @property
    def officer(self) -> Officer:
        return officer_of(self.operator)

    @property
    def by(self) -> By:
        return by(self.operator)

    def fee(self, person: Person, fen: int = 20_00, **changes) -> cash.Paid:
        fee = Fee(
            key=uuid.uuid4(), account_id=person.account.pk, fen=fen, what="补卡工本费", officer_id=self.operator.pk,
            paid_by=PaidBy.CASH, shift_id=self.shift.pk,
        )  # fmt: skip
        return cash.take_fee(replace(fee, **changes), actor=self.by.actor, policy=POLICY, now=NOON)

    def pay_out(self, person: Person, **changes) -> cash.Paid:
        out = Payout(
            key=uuid.uuid4(), account_id=person.account.pk, what="退卡", officer_id=self.operator.pk,
            shift_id=self.shift.pk,
        )  # fmt: skip
        return cash.pay_out(replace(out, **changes), actor=self.by.actor, now=NOON)

    def expected_fen(self) -> int:
        return shifts.expected_fen(self.shift.pk)

    def close(self, counted_fen: int | None = None, reason: str = "") -> Shift:
        fen = self.expected_fen() if counted_fen is None else counted_fen
        return shifts.close_shift(
            self.shift.pk, Closing(pieces(fen), reason), officer=self.officer, by=self.by
        )


def pieces(fen: int) -> dict[int, int]:
    """A count that comes to this sum; the smallest coin is one jiao."""
    count = {}
    for piece_fen in shifts.DENOMINATIONS:
        count[piece_fen], fen = divmod(fen, piece_fen)
    assert not fen, "there is no coin below one jiao"
    return count


def why_not(act, *args, **kwargs) -> str:
    """Why it was refused; nothing was written."""
    before = Entry.objects.count(), Receipt.objects.count(), AuditEvent.objects.count()
    with pytest.raises((ShiftRefused, CashRefused)) as refused, transaction.atomic():
        act(*args, **kwargs)
    assert (Entry.objects.count(), Receipt.objects.count(), AuditEvent.objects.count()) == before
    return str(refused.value)


def refused_by_the_database(act) -> str:
    """Which guard says no."""
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        act()
    return str(refused.value)


def gone(rows) -> None:
    """Delete rows without asking Django first what hangs on them."""
    rows._raw_delete("default")


def books_are_right() -> None:
    """Every promise of ``verify``; the openings of these test people have no answer, which is known (L6)."""
    with transaction.atomic(), connection.cursor() as cursor:
        broken = check_all(cursor, Policy()).broken
    wrong = [each for each in broken if (each.id, each.entry) != ("L6", 1)]
    assert not wrong, wrong
