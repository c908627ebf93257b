"""What the pages about cards have in common: the doors of their deeds, the drawer, and the jobs at the reader."""

from __future__ import annotations

import uuid

from django.contrib import messages

from accounts.actors import AtCounter
from accounts.kinds import DocumentKind
from accounts.wiring import now, options, secrets
from counter.access import StaffRequest, actor_of
from counter.jobs import PROBLEMS, desk_of, remember
from counter.wiring import policy
from terminals.kinds import JobKind
from terminals.services import jobs
from transactions.services import shifts
from transactions.services.cardmoney import House, PaidBy, Till


def bare_door(request: StaffRequest, account_id: int) -> AtCounter:
    """The door of a deed that asks for no document; it tells whether that card lies on this desk's reader."""
    desk = desk_of(request)
    here = desk is not None and jobs.card_on_reader(account_id, desk_id=desk.pk, now=now()) is not None
    return AtCounter(actor_of(request), DocumentKind.NONE, here, request.officer.holder_id)


def house() -> House:
    """The numbers and keys of this installation."""
    return House(policy(), options(), secrets())


def till(request: StaffRequest, paid_by: str) -> Till:
    """Who takes the money: this operator, with his open shift where it is cash."""
    shift = shifts.current(request.officer.id) if paid_by == PaidBy.CASH else None
    return Till(request.officer.id, PaidBy(paid_by or PaidBy.CASH), shift.pk if shift else None)


def order(request: StaffRequest, kind: JobKind, account_id: int, card_id: int, key: uuid.UUID) -> bool:
    """Ask this desk to write the card, and show the job in the panel. False, with the reason, when it did not go."""
    desk = desk_of(request)
    try:
        if desk is None:
            raise jobs.OrderRefused(jobs.OrderProblem.NOT_A_DESK)
        wanted = jobs.JobOrder(key, kind, desk.pk, account_id, card_id)
        job = jobs.order_job(
            wanted, actor=actor_of(request), now=now(), own_holder_id=request.officer.holder_id
        )
    except jobs.OrderRefused as refusal:
        messages.error(request, str(PROBLEMS[refusal.problem]))
        if refusal.job is not None:
            remember(request, refusal.job)
        return False
    except jobs.KeyReused:
        messages.error(request, str(PROBLEMS[jobs.OrderProblem.BAD_PARAMS]))
        return False
    remember(request, job.id)
    return True


def order_if_ready(
    request: StaffRequest, kind: JobKind, account_id: int, card_id: int, deed: uuid.UUID
) -> None:
    """The same right after a deed, where this desk's reader is there: one click less. Else the page has a button."""
    desk = desk_of(request)
    if desk is not None and jobs.agent_there(desk.pk, now=now()):
        order(request, kind, account_id, card_id, uuid.uuid5(deed, kind.value))
