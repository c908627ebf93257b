"""Shifts: the list, one shift with its figures and slips, closing over a count, the supervisor's signature."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.kinds import OperatorRole
from accounts.services.rows import By
from accounts.wiring import now
from counter.access import StaffRequest, actor_of, staff_required
from counter.cash.forms import CloseForm
from counter.cash.found import LOOKS
from counter.cash.words import SHIFTS
from counter.pages import staff_page
from purse.capitals import capitals
from terminals.services import topups
from transactions import selectors_cash
from transactions.services import shifts
from transactions.services.shifts import DENOMINATIONS, HOLDERS, Closing, ShiftRefused

SEES_ALL = (OperatorRole.SUPERVISOR, OperatorRole.AUDITOR)


@staff_required(*LOOKS)
@require_safe
def shift_list(request: StaffRequest) -> HttpResponse:
    """The own shifts; for supervisors and auditors all of their campus, those that wait for a signature first."""
    person = request.officer
    sees_all = person.role in SEES_ALL
    context = {
        "waiting": selectors_cash.shifts(campus_id=person.campus_id, waiting=True) if sees_all else [],
        "shifts": selectors_cash.shifts(
            campus_id=person.campus_id, officer_id=None if sees_all else person.id
        ),
        "sees_all": sees_all,
        "manages": person.role == OperatorRole.SUPERVISOR,
    }
    return staff_page(request, "counter/cash/shifts.html", context)


@staff_required(*LOOKS)
@require_safe
def shift(request: StaffRequest, shift_id: int) -> HttpResponse:
    """One shift: what came and went by kind, what must be there, what was counted, who signed."""
    found = _here(request, shift_id)
    person = request.officer
    waits = found.closed_at is not None and found.accepted_at is None
    counted = [each for each in (found.officer, found.closed_by) if each is not None]
    own = any(person.is_person(each.pk, each.holder_id) for each in counted)
    context = _figures(found) | {
        "receipts": selectors_cash.latest_receipts(found, limit=200),
        "mine": found.officer_id == person.id,
        "stands_in": shifts.stands_in(found, person, now=now()),
        "may_accept": waits and person.role == OperatorRole.SUPERVISOR and not own,
    }
    return staff_page(request, "counter/cash/shift.html", context)


@staff_required(*HOLDERS)
@require_http_methods(["GET", "HEAD", "POST"])
def close(request: StaffRequest, shift_id: int) -> HttpResponse:
    """Count the drawer; a difference needs its reason, and so does counting in somebody's place."""
    found, person = _here(request, shift_id), request.officer
    instead = shifts.stands_in(found, person, now=now())
    if not instead and person.id not in (found.officer_id, found.closed_by_id):
        raise Http404
    if found.closed_at is not None:
        return redirect("counter:shift", found.pk)
    form = CloseForm(request.POST or None)
    error: Any = ""
    if request.method == "POST" and form.is_valid():
        closing = Closing(form.count, form.cleaned_data["reason"])
        try:
            topups.close_shift(found.pk, closing, officer=request.officer, by=By(actor_of(request), now()))
        except ShiftRefused as refused:
            error = SHIFTS[refused.why]
        else:
            messages.success(request, _("已交班，请打印交班单，由主管接收。"))
            return redirect("counter:shift", found.pk)
    context = _figures(found) | {"form": form, "error": error, "instead": instead}
    if request.method == "POST" and form.is_valid():
        context["counted_fen"] = shifts.count_fen(form.count)
        context["difference_fen"] = context["counted_fen"] - context["expected_fen"]
    return staff_page(
        request, "counter/cash/close.html", context, status=400 if request.method == "POST" else 200
    )


@staff_required(OperatorRole.SUPERVISOR)
@require_POST
def accept(request: StaffRequest, shift_id: int) -> HttpResponse:
    """The second signature."""
    found = _here(request, shift_id)
    try:
        shifts.accept_shift(found.pk, officer=request.officer, by=By(actor_of(request), now()))
    except ShiftRefused as refused:
        messages.error(request, str(SHIFTS[refused.why]))
    else:
        messages.success(request, _("已接收班次。"))
    return redirect("counter:shift", found.pk)


@staff_required(*LOOKS)
@require_safe
def handover(request: StaffRequest, shift_id: int) -> HttpResponse:
    """The hand-over slip with two places to sign, for paper."""
    return _slip(request, shift_id, "counter/cash/handover.html")


@staff_required(*LOOKS)
@require_safe
def deposit(request: StaffRequest, shift_id: int) -> HttpResponse:
    """The slip that goes to the bank with the cash."""
    return _slip(request, shift_id, "counter/cash/deposit.html")


def _slip(request: StaffRequest, shift_id: int, template: str) -> HttpResponse:
    found = _here(request, shift_id)
    if found.closed_at is None:
        raise Http404
    return staff_page(request, template, _figures(found) | {"capitals": capitals(found.counted_fen)})


def _here(request: StaffRequest, shift_id: int) -> Any:
    """An own shift, wherever its drawer stands; for supervisors and auditors any of their campus."""
    person = request.officer
    found = selectors_cash.shift(shift_id, campus_id=None)
    if found is not None and found.officer_id == person.id:
        return found
    if found is None or person.role not in SEES_ALL or not person.serves(found.drawer.campus_id):
        raise Http404
    return found


def _figures(found: Any) -> dict[str, Any]:
    counted = found.count or {}
    return {
        "shift": found,
        "sums": selectors_cash.sums(found),
        "expected_fen": found.expected_fen if found.closed_at else shifts.expected_fen(found.pk),
        "pieces": [
            (piece_fen, counted[str(piece_fen)], piece_fen * counted[str(piece_fen)])
            for piece_fen in DENOMINATIONS
            if counted.get(str(piece_fen))
        ],
    }
