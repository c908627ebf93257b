"""Card jobs as the screens see them: order one at a desk, look how far it is, cancel it.

The other half, what the desk's agent asks and tells, is ``terminals.services.jobwork``. A job that money hangs on is
exact at every moment: what the book did stands in ``entry_seq``, how the card write ended in ``card_outcome``.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.models import LIVE_CARD, Account, Card, CardLife
from accounts.services.audit import Deed, record
from purse.procedures import Outcome
from terminals.models import (
    OPEN_STATES,
    CardJob,
    CardJobStep,
    JobKind,
    JobState,
    Terminal,
    TerminalContact,
    TerminalKind,
)
from terminals.services.joborders import OrderProblem, OrderRefused, checked
from transactions.services.orders import KeyReused

CARD_WAIT: Final = timedelta(minutes=3)
"""How long an ordered job waits for its agent and its card."""
AGENT_SILENT: Final = timedelta(seconds=90)
"""An agent that has begun to write and says nothing for this long is gone; what it wrote is for the next sighting."""
LONGEST: Final = timedelta(minutes=10)
"""A job whose torn card does not come back ends after this, also when its agent still waits."""
AGENT_THERE: Final = timedelta(seconds=15)
"""A desk whose agent has spoken within this time is ready."""
ON_THE_READER: Final = timedelta(seconds=120)
"""How long a finished reading speaks for the card still lying there (unfreeze, un-loss)."""

NOT_WRITTEN: Final = Outcome.NOT_WRITTEN.value

__all__ = [
    "JobOrder",
    "JobView",
    "KeyReused",
    "NoSuchJob",
    "OrderProblem",
    "OrderRefused",
    "agent_there",
    "cancel_job",
    "card_on_reader",
    "desks",
    "end",
    "end_given_up",
    "end_if_overdue",
    "give_up_job",
    "job_state",
    "order_job",
]


class NoSuchJob(LookupError):
    """No job has this id."""


@dataclass(frozen=True, slots=True)
class JobOrder:
    """What a page asks of a desk. ``key`` is made by the page beforehand and becomes the id of the job.

    ``account_id`` says whose card is expected (only ``read`` may leave it out); ``card_id`` narrows it to one card, for
    ``prepare`` it is the BLANK row that the chip becomes (``accounts.services.cards.prepare``). ``params`` by kind:

    - ``read``: ``{"heal": bool}`` (default False) whether to write what the card lacks;
    - ``set``: ``{"despite_finding": bool}`` (default False; True only after two people decided): bring card = book
      also where the card shows what no record explains as this card's own past;
    - ``load``: ``{"fen": int > 0, "kind": "top_up"|"bank_load", "contra": "drawer"|"bank", "contra_ref": int|None,
      "note": str}`` or ``{"claim": True}`` to put unclaimed money on the card;
      A drawer's load names its open shift as ``contra_ref`` and gets a receipt;
    - ``unload``: ``{"receipt": id, "request": id, "shift": id}`` take a top-up of this shift back, as was agreed;
    - ``mark``: ``{"on": bool}`` the stop mark that offline tills obey; off only for a card in order;
    - ``prepare``: ``{}``.
    """

    key: uuid.UUID
    kind: JobKind
    desk_id: int
    account_id: int | None = None
    card_id: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as a screen shows it. Amounts in ``result`` are fen; times are aware."""

    id: uuid.UUID
    kind: JobKind
    state: JobState
    desk_id: int
    account_id: int | None
    card_id: int | None
    params: Mapping[str, Any]
    trouble: str
    """Value of ``terminals.messages.jobs.Trouble``, empty when nothing is in the way."""
    refusal: str
    uid: str
    entry_seq: int | None
    """The account's entry that the job posted (load), else None."""
    card_outcome: str
    """``written``, ``not_written``, ``unknown``, or empty when no write was reported."""
    told: bool
    result: Mapping[str, Any] | None
    """What the reader saw: see ``transactions.services.desk.Reading``."""
    ordered_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    agent_there: bool
    """Whether the desk's agent has spoken lately."""
    steps: tuple[tuple[datetime, str, str], ...] = field(default=())
    """(at, state, trouble), the first one first."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state not in OPEN_STATES

    @property
    def may_be_cancelled(self) -> bool:
        """Whether ``cancel_job`` would still do: nothing was given to the desk to write."""
        return not self.over and not self.told


def order_job(order: JobOrder, *, actor: Actor, now: datetime, own_holder_id: int | None = None) -> CardJob:
    """Ask a desk to do something with the card on its reader. Returns at once; the agent takes it within a second.

    The same key with the same content is the same job, with another content ``KeyReused``. ``own_holder_id`` is the
    operator's own holder row, if any: nobody acts on an own account. Raises ``OrderRefused`` and ``KeyReused``; writes
    the audit. Campus and role are for the caller to check.
    """
    order = replace(order, params=checked(order.kind, dict(order.params)))
    with transaction.atomic():
        known = CardJob.objects.filter(id=order.key).first()
        if known is not None:
            return _same(known, order)
        _require_desk(order.desk_id)
        _require_account(order, own_holder_id)
        _clear_desk(order.desk_id, now=now)
        job = CardJob(
            id=order.key,
            kind=order.kind,
            desk_id=order.desk_id,
            account_id=order.account_id,
            card_id=order.card_id,
            params=dict(order.params),
            ordered_by=actor.who,
            ordered_role=actor.role,
            ordered_channel=actor.channel.value,
            ordered_place=actor.place,
            ordered_at=now,
            expires_at=now + CARD_WAIT,
        )
        try:
            with transaction.atomic():
                job.save(force_insert=True)
        except IntegrityError:
            return _lost_the_race(order)
        CardJobStep.objects.create(job=job, at=now, state=JobState.ORDERED)
        after = {
            "kind": order.kind.value,
            "desk": order.desk_id,
            "account": order.account_id,
            "params": dict(order.params),
        }
        record(Deed("card_job.order", "card_job", order.key, after=after), actor=actor, now=now)
    return job


def job_state(job_id: uuid.UUID, *, now: datetime) -> JobView:
    """How far a job is; ends one whose time is over. Cheap: ask each second. Raises ``NoSuchJob``."""
    job = CardJob.objects.filter(id=job_id).first()
    if job is None:
        raise NoSuchJob(str(job_id))
    if _overdue(job, now):
        with transaction.atomic():
            job = CardJob.objects.select_for_update().get(id=job_id)
            end_if_overdue(job, now=now)
    return JobView(
        id=job.id,
        kind=JobKind(job.kind),
        state=JobState(job.state),
        desk_id=job.desk_id,
        account_id=job.account_id,
        card_id=job.card_id,
        params=job.params,
        trouble=job.trouble,
        refusal=job.refusal,
        uid=job.uid,
        entry_seq=job.entry_seq,
        card_outcome=job.card_outcome,
        told=job.told,
        result=job.result,
        ordered_at=job.ordered_at,
        expires_at=job.expires_at,
        ended_at=job.ended_at,
        agent_there=agent_there(job.desk_id, now=now),
        steps=tuple(job.steps.order_by("id").values_list("at", "state", "trouble")),
    )


def cancel_job(job_id: uuid.UUID, *, actor: Actor, now: datetime) -> bool:
    """End a job that has not begun to write. False when it is over already or a write was told: then wait for its end.

    Raises ``NoSuchJob``.
    """
    with transaction.atomic():
        job = _locked(job_id)
        if not job.is_open or job.told:
            return False
        end(job, JobState.CANCELLED, now=now)
        record(Deed("card_job.cancel", "card_job", job_id), actor=actor, now=now)
    return True


def give_up_job(job_id: uuid.UUID, *, actor: Actor, now: datetime) -> bool:
    """End a job whose card does not come back after its write was torn. False when it is over already.

    What the book did stays (guide L101); the item is open, and the next sighting of the card anywhere settles it.
    Raises ``NoSuchJob``.
    """
    with transaction.atomic():
        job = _locked(job_id)
        if not job.is_open:
            return False
        if job.told:
            end_given_up(job, now=now, trouble=job.trouble)
        else:
            end(job, JobState.CANCELLED, now=now)
        record(Deed("card_job.give_up", "card_job", job_id), actor=actor, now=now)
    return True


def desks(*, campus_id: int | None = None) -> list[Terminal]:
    """The desks in service, of one campus or of all, by name."""
    found = Terminal.objects.filter(kind=TerminalKind.DESK, epoch__gte=1, revoked_at=None)
    if campus_id is not None:
        found = found.filter(campus_id=campus_id)
    return list(found.select_related("campus", "contact").order_by("campus_id", "name_zh", "id"))


def agent_there(desk_id: int, *, now: datetime) -> bool:
    """Whether the desk's agent has spoken lately, so that a job would be taken."""
    heard = TerminalContact.objects.filter(terminal_id=desk_id).values_list("last_contact_at", flat=True)
    last = heard.first()
    return last is not None and now - last <= AGENT_THERE


def card_on_reader(account_id: int, *, desk_id: int, now: datetime) -> CardJob | None:
    """The newest finished job of this desk that saw the live card of this account within ``ON_THE_READER``.

    What unfreeze and un-loss ask for ("card on the reader"): its content must have been genuine, a chip that only has
    the same UID is not it. Any other card on that reader since then takes it away.
    """
    job = (
        CardJob.objects.filter(desk_id=desk_id, state=JobState.DONE, ended_at__gt=now - ON_THE_READER)
        .exclude(uid="")
        .order_by("-ended_at")
        .first()
    )
    seen = job.result or {} if job else {}
    if job is None or seen.get("account_id") != account_id or seen.get("finding") is not None:
        return None
    live = Card.objects.filter(account_id=account_id, uid=job.uid.upper(), life__in=LIVE_CARD)
    return job if live.exists() else None


# ------------------------------------------------------------------------------------------- shared with jobwork


def end(job: CardJob, state: JobState, *, now: datetime, trouble: str = "", refusal: str = "") -> None:
    """Close a locked job, in the caller's transaction. Only a doubt may be closed a second time, as done."""
    job.state, job.ended_at, job.trouble = state, job.ended_at or now, trouble
    job.refusal = refusal or job.refusal
    job.save(
        update_fields=["state", "ended_at", "trouble", "refusal", "uid", "result", "entry_seq", "heard_at"]
    )
    CardJobStep.objects.create(job=job, at=now, state=state, trouble=trouble, detail={"refusal": refusal})


def end_if_overdue(job: CardJob, *, now: datetime) -> bool:
    """End a locked job whose time is over: nothing told, nothing changed; else its card is for the next sighting."""
    if not _overdue(job, now):
        return False
    if job.told:
        end_given_up(job, now=now, trouble=job.trouble)
    else:
        end(job, JobState.EXPIRED, now=now, trouble=job.trouble)
    return True


def end_given_up(job: CardJob, *, now: datetime, trouble: str) -> None:
    """End a locked job that nobody goes on with, as exactly as its reports allow.

    ``failed_unchanged`` only when nothing was booked and every write that was told is reported as certainly not there.
    """
    steps = list(job.steps.all())
    not_there = {step.detail["of"] for step in steps if step.detail.get("outcome") == NOT_WRITTEN}
    certain = all(str(step.key) in not_there for step in steps if step.key is not None)
    unchanged = certain and job.entry_seq is None
    end(job, JobState.FAILED_UNCHANGED if unchanged else JobState.STATE_UNKNOWN, now=now, trouble=trouble)


def _overdue(job: CardJob, now: datetime) -> bool:
    if not job.is_open:
        return False
    if not job.told:
        return now >= job.expires_at
    silent = now >= max(job.expires_at, (job.heard_at or job.ordered_at) + AGENT_SILENT)
    return silent or now - job.ordered_at >= LONGEST


# ------------------------------------------------------------------------------------------------------- inside


def _clear_desk(desk_id: int, *, now: datetime) -> None:
    """End a forgotten job of this desk, or refuse because one goes on."""
    goes_on = CardJob.objects.filter(desk_id=desk_id, state__in=OPEN_STATES)
    job = goes_on.first()
    if job is None:
        return
    # Whoever orders may hold an account that the desk waits for under its job: never wait for a job here.
    locked = goes_on.select_for_update(skip_locked=True).first()
    if locked is None or not end_if_overdue(locked, now=now):
        raise OrderRefused(OrderProblem.DESK_BUSY, job=job.id)


def _locked(job_id: uuid.UUID) -> CardJob:
    job = CardJob.objects.select_for_update().filter(id=job_id).first()
    if job is None:
        raise NoSuchJob(str(job_id))
    return job


def _lost_the_race(order: JobOrder) -> CardJob:
    """Somebody ordered in the same moment: the same click, or another job at this desk."""
    known = CardJob.objects.filter(id=order.key).first()
    if known is not None:
        return _same(known, order)
    other = CardJob.objects.filter(desk_id=order.desk_id, state__in=OPEN_STATES).first()
    raise OrderRefused(OrderProblem.DESK_BUSY, job=other.id if other else None)


def _same(known: CardJob, order: JobOrder) -> CardJob:
    asked = (order.kind.value, order.desk_id, order.account_id, order.card_id, dict(order.params))
    if (known.kind, known.desk_id, known.account_id, known.card_id, known.params) != asked:
        raise KeyReused(str(known.id))
    return known


def _require_desk(desk_id: int) -> None:
    in_service = Terminal.objects.filter(id=desk_id, kind=TerminalKind.DESK, epoch__gte=1, revoked_at=None)
    if not in_service.exists():
        raise OrderRefused(OrderProblem.NOT_A_DESK)


def _require_account(order: JobOrder, own_holder_id: int | None) -> None:
    if order.account_id is None:
        if order.kind is not JobKind.READ or order.card_id is not None:
            raise OrderRefused(OrderProblem.BAD_PARAMS, field="account_id")
        return
    account = Account.objects.filter(id=order.account_id).first()
    if account is None:
        raise OrderRefused(OrderProblem.BAD_PARAMS, field="account_id")
    if order.kind is not JobKind.READ and own_holder_id == account.holder_id:
        raise OrderRefused(OrderProblem.OWN_ACCOUNT)
    if order.card_id is None:
        if order.kind in (JobKind.PREPARE, JobKind.EXTEND):
            raise OrderRefused(OrderProblem.BAD_PARAMS, field="card_id")
        return
    card = Card.objects.filter(id=order.card_id, account_id=order.account_id).first()
    if card is None or (order.kind is JobKind.PREPARE) != (card.life == CardLife.BLANK):
        raise OrderRefused(OrderProblem.WRONG_CARD)
