"""A cash top-up from the cashier's side: confirm the slip and order the card job in one transaction; the void; the end.

The slip's id is the job's id and the receipt's operation, so whatever is sent twice is done once.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.actors import Actor
from accounts.models import Request
from accounts.services import approvals
from accounts.services.operators import Hand, Officer
from accounts.services.rows import By
from purse.policy import Policy
from terminals.models import OPEN_STATES, CardJob, JobKind, JobState
from terminals.services import jobs
from terminals.services.cashwork import VOID_KIND, void_content
from terminals.services.jobs import JobOrder, JobView
from transactions.models import Contra, EntryKind, Receipt, ReceiptKind, Shift, TopUpSlip
from transactions.selectors_cash import untouched_top_up
from transactions.services import receipts, shifts, slips
from transactions.services.shifts import Closing, ShiftRefused
from transactions.services.slips import SlipRefused

__all__ = [
    "Face",
    "NotVoidable",
    "SlipRefused",
    "close_shift",
    "confirm",
    "display_face",
    "going_on",
    "propose_void",
    "void_request",
    "why_not_void",
]


@dataclass(frozen=True, slots=True)
class Face:
    """What the customer's display shows: a state, the amount in fen, and what card and book came to, if that is known.

    ``state``: ``idle``, ``amount``, ``writing``, ``again`` (the same card must come back), ``done``, ``not_done``.
    """

    state: str
    fen: int = 0
    card_fen: int | None = None


class NotVoidable(Exception):
    """The top-up cannot be taken back; ``why`` is ``kind``, ``shift``, ``voided`` or ``spent``."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@transaction.atomic
def confirm(
    slip_id: uuid.UUID, *, desk_id: int, read_here: bool, officer: Officer, actor: Actor, now: datetime
) -> CardJob:
    """The cash is in the drawer: confirm the slip and have the desk write book and card. Again: the same job.

    Raises ``SlipRefused``, ``jobs.OrderRefused``, ``TopUpSlip.DoesNotExist``.
    """
    slip = slips.confirm(slip_id, officer=officer, read_here=read_here, now=now)
    known = CardJob.objects.filter(pk=slip.pk).first()
    if known is not None:
        return known
    order = JobOrder(
        key=slip.pk,
        kind=JobKind.LOAD,
        desk_id=desk_id,
        account_id=slip.account_id,
        params={
            "fen": slip.fen,
            "kind": EntryKind.TOP_UP.value,
            "contra": Contra.DRAWER.value,
            "contra_ref": slip.shift_id,
        },
    )
    return jobs.order_job(order, actor=actor, now=now, own_holder_id=officer.holder_id)


def going_on(officer_id: int) -> CardJob | None:
    """A cash job of this person that has not ended."""
    mine = CardJob.objects.filter(ordered_by=f"operator:{officer_id}", state__in=OPEN_STATES)
    return mine.filter(kind__in=(JobKind.LOAD, JobKind.UNLOAD)).first()


@transaction.atomic
def close_shift(shift_id: int, closing: Closing, *, officer: Officer, by: By) -> Shift:
    """Close a shift, unless a top-up or a void of its officer is still going on. Raises ``ShiftRefused``.

    The shift is locked before it is looked at: whoever confirms a top-up holds it, and so is seen or comes too late.
    """
    shift = Shift.objects.select_for_update(of=("self",)).filter(pk=shift_id).first()
    job = going_on(shift.officer_id) if shift is not None else None
    if job is not None and not jobs.job_state(job.id, now=by.now).over:
        raise ShiftRefused(shifts.Why.GOING_ON)
    return shifts.close_shift(shift_id, closing, officer=officer, by=by)


def display_face(shift_id: int, *, now: datetime) -> Face:
    """What the customer's display of this shift shows now; notes the first showing of an amount (R013)."""
    slip = slips.show(shift_id, now=now)
    if slip is None:
        return Face("idle")
    if slip.confirmed_at is None:
        return Face("amount", slip.fen)
    try:
        job = jobs.job_state(slip.pk, now=now)
    except jobs.NoSuchJob:
        return Face("idle")
    return _face(job, slip, now)


def why_not_void(receipt: Receipt, *, officer: Officer) -> str | None:
    """Why this receipt's top-up cannot be taken back by this person, or None: own open shift, not spent (K03)."""
    if receipt.kind != ReceiptKind.TOP_UP:
        return "kind"
    if Receipt.objects.filter(voids=receipt).exists():
        return "voided"
    shift = shifts.current(officer.id)
    if shift is None or receipt.shift_id != shift.pk:
        return "shift"
    return None if untouched_top_up(receipt.account_id, receipt.entry_id) else "spent"


def propose_void(
    receipt: Receipt,
    reason: str,
    *,
    key: uuid.UUID,
    hand: Hand,
    officer: Officer,
    policy: Policy,
    now: datetime,
) -> Request:
    """Ask a supervisor to agree to take the own top-up back. Raises ``NotVoidable``, ``approvals.NotApproved``."""
    known = Request.objects.filter(key=key).exists()
    why = None if known else why_not_void(receipt, officer=officer)
    if why is not None:
        raise NotVoidable(why)
    ask = approvals.Ask(
        key=key,
        kind=VOID_KIND,
        content=void_content(receipt),
        reason=reason,
        account_id=receipt.account_id,
        amount_fen=receipt.fen,
    )
    return approvals.propose(ask, hand=hand, now=now, policy=policy)


def void_request(receipt: Receipt) -> Request | None:
    """The newest request to void this receipt."""
    digest = approvals.digest_of(void_content(receipt))
    found = Request.objects.filter(kind=VOID_KIND, account_id=receipt.account_id, content_hash=digest)
    return found.select_related("ruling__checker", "result", "maker").order_by("-pk").first()


def order_unload(
    receipt: Receipt,
    request_id: int,
    *,
    key: uuid.UUID,
    desk_id: int,
    officer: Officer,
    actor: Actor,
    now: datetime,
) -> CardJob:
    """Have the desk take an agreed void to book and card. Raises ``NotVoidable`` and ``jobs.OrderRefused``."""
    if not CardJob.objects.filter(pk=key).exists():
        why = why_not_void(receipt, officer=officer)
        if why is not None:
            raise NotVoidable(why)
    params: dict[str, Any] = {"receipt": receipt.pk, "request": request_id, "shift": receipt.shift_id}
    order = JobOrder(key, JobKind.UNLOAD, desk_id, account_id=receipt.account_id, params=params)
    return jobs.order_job(order, actor=actor, now=now, own_holder_id=officer.holder_id)


def receipt_of(job_id: uuid.UUID) -> Receipt | None:
    """The receipt that this job issued, once it has booked."""
    return receipts.of_operation(job_id)


def _face(job: JobView, slip: TopUpSlip, now: datetime) -> Face:
    if not job.over:
        return Face("again" if job.trouble == "torn" else "writing", slip.fen)
    if job.ended_at is not None and (now - job.ended_at).total_seconds() > 20:
        return Face("idle")
    if job.state is JobState.DONE:
        after = (job.result or {}).get("after_fen")
        return Face("done", slip.fen, after)
    return Face("not_done", slip.fen)
