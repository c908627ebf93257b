"""The customer's display: an own address for a second screen that shows the amount before anything is booked (R013).

It needs no sign-in, so it cannot keep the cashier's session alive; its key is known to the cashier of the shift alone,
and all that it shows is an amount. To be asked is to show: the first time an amount is handed out is noted.
"""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.wiring import now
from counter.access import StaffRequest, staff_required
from counter.cash.views.till import TILL
from purse.capitals import capitals
from purse.money import yuan
from terminals.services import topups
from transactions import selectors_cash
from transactions.services import shifts


@staff_required(*TILL)
@require_safe
def own(request: StaffRequest) -> HttpResponse:
    """To the display of the own shift, for a second window."""
    shift = shifts.current(request.officer.id)
    if shift is None:
        return redirect("counter:cash_open")
    return redirect("counter:display", shift.display_key)


@never_cache
@require_safe
def display(request: StaffRequest, display_key: UUID) -> HttpResponse:
    """The page; without its script it looks again by itself."""
    shift = _shift(display_key)
    face = topups.display_face(shift, now=now())
    context = {"face": face, "key": display_key, "capitals": capitals(face.fen) if face.fen else ""}
    return render(request, "counter/cash/display.html", context)


@never_cache
@require_safe
def state(_request: StaffRequest, display_key: UUID) -> JsonResponse:
    """What to show now, for the script."""
    face = topups.display_face(_shift(display_key), now=now())
    return JsonResponse(
        {
            "state": face.state,
            "amount": f"¥{yuan(face.fen)}" if face.fen else "",
            "capitals": capitals(face.fen) if face.fen else "",
            "card": f"¥{yuan(face.card_fen)}" if face.card_fen is not None else "",
        }
    )


def _shift(display_key: UUID) -> int:
    found = selectors_cash.shift_by_display(display_key)
    if found is None:
        raise Http404
    return int(found.pk)
