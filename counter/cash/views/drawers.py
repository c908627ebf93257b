"""The drawers of a campus; a supervisor puts another into service."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.kinds import OperatorRole
from accounts.selectors import campuses
from accounts.services.rows import By
from accounts.wiring import now
from counter.access import StaffRequest, actor_of, staff_required
from counter.cash.forms import DrawerForm
from counter.cash.words import SHIFTS
from counter.pages import staff_page
from transactions import selectors_cash
from transactions.services import shifts
from transactions.services.shifts import ShiftRefused


@staff_required(OperatorRole.SUPERVISOR)
@require_http_methods(["GET", "HEAD", "POST"])
def drawers(request: StaffRequest) -> HttpResponse:
    """List, and add one at the own campus (who serves all campuses says which)."""
    places = {place.code: place for place in campuses()}
    own = request.officer.campus_id
    form = DrawerForm(request.POST or None)
    error: Any = ""
    if request.method == "POST" and form.is_valid():
        place = places.get(request.POST.get("campus", ""))
        campus_id = own or (place.id if place else None)
        typed = form.cleaned_data
        if campus_id is None:
            error = _("请选择校区。")
        else:
            try:
                drawer = shifts.add_drawer(
                    campus_id,
                    typed["code"],
                    name_zh=typed["name_zh"],
                    name_en=typed["name_en"],
                    by=By(actor_of(request), now()),
                )
            except ShiftRefused as refused:
                error = SHIFTS[refused.why]
            else:
                messages.success(request, _("钱箱 %(code)s 已启用。") % {"code": drawer.code})
                return redirect("counter:drawers")
    context = {
        "drawers": selectors_cash.drawers(campus_id=own),
        "form": form,
        "error": error,
        "places": [] if own else list(places.values()),
        "chosen": request.POST.get("campus", ""),
    }
    return staff_page(
        request, "counter/cash/drawers.html", context, status=400 if request.method == "POST" else 200
    )
