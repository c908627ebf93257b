"""A password keyed by its holder on the pad of a desk; the clerk who asked for it learns only how far it is.

The key of a request is the address of the pad page: random, for the first browser that opens it, for three minutes and
for one password. What is keyed goes to ``passwords.set_pin`` and nowhere else.
"""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.views.decorators.debug import sensitive_variables

from accounts.actors import Actor, AtCounter, Channel
from accounts.checks import Rejected
from accounts.keys import Secrets
from accounts.models import (
    OPEN_PAD,
    CounterDeed,
    DeedKind,
    PadRequest,
    PadState,
    PadTask,
    SecretKind,
)
from accounts.papers import PaperKind
from accounts.services import audit, deeds, passwords
from accounts.services.errors import NotAllowed, Reason
from accounts.services.rows import lock

LIFETIME: Final = timedelta(minutes=3)
REFUSALS_MAX: Final = 5
"""After so many unfit passwords the request ends; the clerk may ask again."""


class NoSuchPad(LookupError):
    """There is no request of this key."""


@dataclass(frozen=True, slots=True)
class PadOrder:
    """What the clerk asks for. ``desk_id``: whose pad shows it by itself; None: by its link only."""

    key: UUID
    account_id: int
    task: PadTask
    kind: SecretKind
    desk_id: int | None = None


@dataclass(frozen=True, slots=True)
class PadView:
    """How far a request is: all that the clerk's screen ever learns."""

    key: UUID
    account_id: int
    number: int
    task: PadTask
    kind: SecretKind
    state: PadState
    refusals: int
    expires_at: datetime
    over: bool
    timed_out: bool


@transaction.atomic
def ask(order: PadOrder, *, door: AtCounter, now: datetime, secrets: Secrets) -> PadRequest:
    """Ask a holder, whose document was seen, to key a password. The same key again is the same request.

    Raises ``NotAllowed`` (another one is open, or the initial password needs no pad), ``passwords.NotOffered`` and
    ``actors.WrongDoor``.
    """
    account = lock(order.account_id)
    known = PadRequest.objects.filter(key=order.key).first()
    if known is not None:
        return known
    passwords.refuse_own(account, door)
    passwords.refuse_standing(account, order.kind)
    if order.task is PadTask.SLIP and passwords.has_initial(account, secrets):
        raise NotAllowed(Reason.WRONG_LIFE)
    _end_overdue(order.account_id, now=now)
    if PadRequest.objects.filter(account=account, state__in=OPEN_PAD).exists():
        raise NotAllowed(Reason.PAD_IN_USE)
    request = PadRequest.objects.create(
        key=order.key,
        account=account,
        task=order.task,
        kind=order.kind,
        desk_id=order.desk_id,
        document=door.document.value,
        document_note=door.document_note,
        asked_by=door.actor.who,
        asked_role=door.actor.role,
        asked_place=door.actor.place,
        own_holder_id=door.own_holder_id,
        asked_at=now,
        expires_at=now + LIFETIME,
    )
    deed = audit.Deed("pad.ask", "account", account.pk, after={"task": order.task, "kind": order.kind})
    audit.record(deed, actor=door.actor, now=now)
    return request


@transaction.atomic
def open_pad(key: UUID, browser: str, *, now: datetime) -> tuple[PadView, str]:
    """Open the pad page; the first browser keeps it. Returns the view and the name this browser goes by from now on.

    Raises ``NoSuchPad`` and ``NotAllowed`` (over, or open in another browser).
    """
    request = _open(key, now=now)
    if request.browser and request.browser != browser:
        raise NotAllowed(Reason.PAD_TAKEN)
    if not request.browser:
        request.browser, request.state = random.token_urlsafe(24), PadState.OPENED
        request.save(update_fields=["browser", "state"])
    return _view(request, now), request.browser


@sensitive_variables("new", "again")
def submit(key: UUID, browser: str, new: str, again: str, *, now: datetime, secrets: Secrets) -> CounterDeed:
    """Make what the holder keyed his password. Call it outside any transaction.

    Raises ``Rejected`` (unfit; counted, at the fifth the request ends), ``NotAllowed``, ``passwords.NotOffered``,
    ``pinhash.Busy`` and ``NoSuchPad``.
    """
    try:
        return _set(key, browser, new, again, now=now, secrets=secrets)
    except Rejected:
        _count_refusal(key, now=now)
        raise


@transaction.atomic
def show_slip(key: UUID, browser: str, *, now: datetime, secrets: Secrets) -> str:
    """Make a random initial password and return it for the holder's eyes, once. Raises as ``submit`` does."""
    request, door = _mine(key, browser, now=now, task=PadTask.SLIP)
    kind = SecretKind(request.kind)
    slip = passwords.reset_to_initial(request.account_id, kind, door=door, now=now, secrets=secrets)
    if slip is None:
        raise NotAllowed(Reason.WRONG_LIFE)
    _done(request, DeedKind.SHOW_SLIP, door, now=now)
    return slip


@transaction.atomic
def cancel(key: UUID, *, actor: Actor, now: datetime) -> bool:
    """End a request that is open; False when it has ended. Raises ``NoSuchPad``."""
    request = _locked(key)
    if request.state not in OPEN_PAD:
        return False
    _end(request, PadState.CANCELLED, now=now)
    audit.record(audit.Deed("pad.cancel", "account", request.account_id), actor=actor, now=now)
    return True


def look(key: UUID, *, now: datetime) -> PadView:
    """How far a request is. One statement; ask each second. Raises ``NoSuchPad``."""
    request = PadRequest.objects.select_related("account").filter(key=key).first()
    if request is None:
        raise NoSuchPad(str(key))
    return _view(request, now)


def waiting_at(desk_id: int, *, now: datetime) -> UUID | None:
    """The request that this desk's pad should show now, or None. One small statement."""
    found = PadRequest.objects.filter(desk_id=desk_id, state=PadState.WAITING, expires_at__gt=now)
    return found.order_by("-asked_at").values_list("key", flat=True).first()


@transaction.atomic
@sensitive_variables("new", "again")
def _set(key: UUID, browser: str, new: str, again: str, *, now: datetime, secrets: Secrets) -> CounterDeed:
    request, door = _mine(key, browser, now=now, task=PadTask.SET)
    kind = SecretKind(request.kind)
    passwords.set_pin(request.account_id, kind, new, again, door=door, now=now, secrets=secrets)
    return _done(request, DeedKind.SET_PASSWORD, door, now=now)


def _done(request: PadRequest, kind: DeedKind, door: AtCounter, *, now: datetime) -> CounterDeed:
    _end(request, PadState.DONE, now=now)
    asked = deeds.Asked(request.key, kind, {"account": request.account_id, "kind": request.kind})
    facts = {"kinds": [request.kind]}
    return deeds.note(asked, deeds.Done(request.account_id, facts=facts), door=door, now=now)


def _mine(key: UUID, browser: str, *, now: datetime, task: PadTask) -> tuple[PadRequest, AtCounter]:
    """The open request that this browser has opened, under its lock, with the door of the clerk who asked."""
    request = _open(key, now=now)
    if not request.browser or request.browser != browser:
        raise NotAllowed(Reason.PAD_TAKEN)
    if request.task != task:
        raise NotAllowed(Reason.PAD_OVER)
    actor = Actor(request.asked_by, request.asked_role, Channel.COUNTER, request.asked_place)
    document = PaperKind(request.document)
    return request, AtCounter(actor, document, False, request.own_holder_id, request.document_note)


def _open(key: UUID, *, now: datetime) -> PadRequest:
    request = _locked(key)
    if request.state not in OPEN_PAD or now >= request.expires_at:
        raise NotAllowed(Reason.PAD_OVER)
    return request


def _locked(key: UUID) -> PadRequest:
    """The request under the lock of its account, which everything about an account takes first."""
    account_id = PadRequest.objects.filter(key=key).values_list("account_id", flat=True).first()
    if account_id is None:
        raise NoSuchPad(str(key))
    lock(account_id)
    return PadRequest.objects.select_related("account").get(key=key)


@transaction.atomic
def _count_refusal(key: UUID, *, now: datetime) -> None:
    request = _locked(key)
    if request.state not in OPEN_PAD:
        return
    PadRequest.objects.filter(key=key).update(refusals=F("refusals") + 1)
    if request.refusals + 1 >= REFUSALS_MAX:
        _end(request, PadState.FAILED, now=now)


def _end_overdue(account_id: int, *, now: datetime) -> None:
    overdue = PadRequest.objects.filter(account_id=account_id, state__in=OPEN_PAD, expires_at__lte=now)
    overdue.update(state=PadState.CANCELLED, ended_at=now)


def _end(request: PadRequest, state: PadState, *, now: datetime) -> None:
    request.state, request.ended_at = state, now
    request.save(update_fields=["state", "ended_at"])


def _view(request: PadRequest, now: datetime) -> PadView:
    opened = request.state in OPEN_PAD
    timed_out = opened and now >= request.expires_at
    return PadView(
        key=request.key,
        account_id=request.account_id,
        number=request.account.number,
        task=PadTask(request.task),
        kind=SecretKind(request.kind),
        state=PadState(request.state),
        refusals=request.refusals,
        expires_at=request.expires_at,
        over=not opened or timed_out,
        timed_out=timed_out,
    )
