"""One top-up: the customer looks at the amount, the cashier confirms the cash, the desk writes book and card."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts import selectors as people
from accounts.wiring import now
from counter.access import StaffRequest, actor_of, staff_required
from counter.cash.forms import ConfirmForm
from counter.cash.views.till import TILL, has_face
from counter.cash.words import slip_words
from counter.jobs import PROBLEMS, desk_of, panel, remember
from counter.pages import staff_page
from terminals.kinds import JobState
from terminals.services import jobs, topups
from terminals.services.jobs import OrderProblem, OrderRefused
from terminals.services.topups import SlipRefused
from transactions import selectors_cash
from transactions.days import local_day
from transactions.services import slips


@staff_required(*TILL)
@require_safe
def slip(request: StaffRequest, slip_id: UUID) -> HttpResponseBase:
    """Before: the amount, whether the customer's display shows it, the confirmation. After: progress and receipt."""
    found = _mine(request, slip_id)
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse(_state(found))
    return _page(request, found)


@staff_required(*TILL)
@require_POST
def confirm(request: StaffRequest, slip_id: UUID) -> HttpResponse:
    """The cash is in the drawer. Twice is once."""
    found = _mine(request, slip_id)
    form, desk = ConfirmForm(request.POST), desk_of(request)
    if not form.is_valid():
        return _page(request, found, status=400)
    if desk is None:
        return _page(
            request, found, error=PROBLEMS[OrderProblem.NOT_A_DESK], then=_("钱没有动。"), status=409
        )
    try:
        job = topups.confirm(
            found.pk,
            desk_id=desk.pk,
            read_here=form.cleaned_data["read_here"],
            officer=request.officer,
            actor=actor_of(request),
            now=now(),
        )
    except SlipRefused as refused:
        said, then = slip_words(refused.why)
        return _page(request, found, error=said, then=then, status=409)
    except OrderRefused as refused:
        if refused.job is not None:
            remember(request, refused.job)
        return _page(request, found, error=PROBLEMS[refused.problem], then=_("钱没有动。"), status=409)
    remember(request, job.pk)
    return redirect("counter:slip", found.pk)


@staff_required(*TILL)
@require_POST
def drop(request: StaffRequest, slip_id: UUID) -> HttpResponse:
    """Give it up before the cash was confirmed; afterwards the job goes its way."""
    found = _mine(request, slip_id)
    if not slips.drop(found.pk, officer=request.officer, now=now()):
        return redirect("counter:slip", found.pk)
    return redirect("counter:cash")


def _mine(request: StaffRequest, slip_id: UUID) -> Any:
    """A slip of this cashier; anybody else's is not there."""
    found = selectors_cash.slip(slip_id)
    if found is None or found.shift.officer_id != request.officer.id:
        raise Http404
    return found


def _state(found: Any) -> dict[str, Any]:
    return {
        "shown": found.shown_at is not None,
        "there": slips.display_there(found.shift, now=now()),
        "over": found.confirmed_at is not None or found.dropped_at is not None,
        "booked": found.confirmed_at is not None and topups.receipt_of(found.pk) is not None,
    }


def _page(
    request: StaffRequest, found: Any, *, error: Any = "", then: Any = "", status: int = 200
) -> HttpResponse:
    account = people.find_overview(found.account_id, today=local_day(now()))
    context: dict[str, Any] = {
        "slip": found,
        "shift": found.shift,
        "account": account,
        "face": has_face(account),
        "display_there": slips.display_there(found.shift, now=now()),
        "error": error,
        "then": then,
    }
    if found.confirmed_at is None:
        return staff_page(request, "counter/cash/slip.html", context, status=status)
    try:
        job = jobs.job_state(found.pk, now=now())
    except jobs.NoSuchJob:
        raise Http404 from None
    receipt = topups.receipt_of(found.pk)
    context |= {
        "job": job,
        "done": job.state is JobState.DONE,
        "receipt": receipt,
        "reader": panel(request, job_id=job.id, account_id=found.account_id),
    }
    return staff_page(request, "counter/cash/progress.html", context, status=status)
