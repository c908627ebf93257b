"""The letter to the holder: what happened, the arithmetic, what was done, in the reader's language, for paper."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.wiring import now
from counter.access import StaffRequest, staff_required
from counter.pages import staff_page
from counter.views.cases import difference_of, file_of
from counter.views.entry import DESK
from reconciliation.rulings import DecisionState
from reconciliation.timeline import Stand

TOLD = (Stand.LATE, Stand.REFUNDED, Stand.TORN, Stand.UNWRITTEN, Stand.GAP, Stand.LEVELLED_GAP)


@staff_required(*DESK)
@require_safe
def letter(request: StaffRequest, case_id: int) -> HttpResponse:
    """To be printed and handed over or mailed; the name stays masked, the account number says whose it is."""
    file = file_of(request, case_id)
    done = [row for row in file.decisions if row.state is DecisionState.DONE]
    context = {
        "file": file,
        "lines": [traced for traced in file.lines if traced.line.stand in TOLD],
        "difference": difference_of(file),
        "done": done[::-1],
        "now": now(),
    }
    return staff_page(request, "counter/letter.html", context)
