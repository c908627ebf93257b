"""A cashier whose desk has a reader, and a supervisor who agrees."""

from __future__ import annotations

import uuid

import pytest

from accounts.models import OperatorRole, Request
from accounts.services import approvals
from accounts.services.operators import Hand
from terminals.device.reader.tearing import Tear
from terminals.models import CardJob, JobState
from terminals.services import topups
from terminals.services.jobs import OrderRefused
from terminals.services.topups import NotVoidable
from tests.terminals.conftest import server  # noqa: F401 - a fixture
from tests.terminals.desk import Desk
from tests.transactions.cash_desk import POLICY, Till, person_of
from transactions.models import Entry, Receipt, TopUpSlip
from transactions.services import slips
from transactions.services.slips import NewSlip, SlipRefused

AT = (0, 4, *range(8, 24))
"""After so many operations the card is pulled: reading takes the first ten, opening and writing the rest."""
TEARS = (Tear.BEFORE, Tear.AFTER, Tear.MIX)
"""The other pictures of a torn block are run for every job in tests/till/test_desk_faults.py."""


class Cashier(Till):
    """A cashier whose desk has a reader."""

    def __init__(self, machine, **how) -> None:
        super().__init__(**how)
        self.desk = Desk(machine)

    @property
    def now(self):
        return self.desk.server.now

    def announce(self, person, fen=50_00, key=None) -> TopUpSlip:
        new = NewSlip(key or uuid.uuid4(), person.account.pk, fen)
        return slips.announce(new, officer=self.officer, policy=POLICY, now=self.now)

    def confirm(self, slip, *, read_here=False):
        return topups.confirm(
            slip.pk, desk_id=self.desk.box.id, read_here=read_here, officer=self.officer, actor=self.by.actor,
            now=self.now,
        )  # fmt: skip

    def order(self, person, fen=50_00) -> uuid.UUID:
        slip = self.announce(person, fen)
        topups.display_face(self.shift.pk, now=self.now)
        return self.confirm(slip).pk

    def top_up(self, person, fen=50_00) -> Receipt:
        job = self.order(person, fen)
        assert self.desk.do(job, person.plastic).state is JobState.DONE
        return Receipt.objects.get(operation=job)

    def propose(self, receipt, key=None, reason="顾客放弃充值") -> Request:
        hand = Hand(self.operator.pk, "10.0.0.7", self.now)
        return topups.propose_void(
            receipt,
            reason,
            key=key or uuid.uuid4(),
            hand=hand,
            officer=self.officer,
            policy=POLICY,
            now=self.now,
        )

    def unload(self, receipt, request, key=None) -> CardJob:
        return topups.order_unload(
            receipt, request.pk, key=key or uuid.uuid4(), desk_id=self.desk.box.id, officer=self.officer,
            actor=self.by.actor, now=self.now,
        )  # fmt: skip


def agree(request, now, boss=None) -> None:
    boss = boss or person_of(OperatorRole.SUPERVISOR)
    hand = Hand(boss.pk, "10.0.0.8", now)
    approvals.agree(request.pk, bytes(request.content_hash), hand=hand, now=now, policy=POLICY)


def why_not(act, *args, **kwargs) -> str:
    before = Entry.objects.count(), Receipt.objects.count(), CardJob.objects.count()
    with pytest.raises((SlipRefused, NotVoidable, OrderRefused)) as refused:
        act(*args, **kwargs)
    assert (Entry.objects.count(), Receipt.objects.count(), CardJob.objects.count()) == before
    return str(refused.value)
