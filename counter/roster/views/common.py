"""What these pages share: whose files and batches are visible, and how a page goes on slice by slice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect

from accounts.actors import Actor
from accounts.kinds import OperatorRole
from accounts.services.rows import By
from accounts.wiring import now
from counter.access import StaffRequest, actor_of
from counter.pages import ACTS

LOOKS = (*ACTS, OperatorRole.AUDITOR)
SEES_FACES = (*LOOKS, OperatorRole.CASHIER)


def by(request: StaffRequest, reason: str = "") -> By:
    """Who acts, now."""
    actor: Actor = actor_of(request)
    return By(actor, now(), reason)


def visible(request: StaffRequest, thing: Any | None, *, campus_id: int | None) -> Any:
    """The thing, unless it is not there or another campus's: then 404."""
    own = request.officer.campus_id
    if thing is None or (own is not None and campus_id not in (None, own)):
        raise Http404
    return thing


def slice_answer(request: StaffRequest, *, over: bool, share: int, onward: Callable[[], str]) -> HttpResponse:
    """How far it is now: numbers for the script, the page itself for everybody else."""
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"over": over, "share": share})
    return redirect(onward())
