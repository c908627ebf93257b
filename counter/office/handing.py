"""What two people agreed on and an administrator makes: a terminal's code, a connected system's key. Parts of pages."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.http import HttpResponse

from accounts import approvals
from accounts.approvals import RequestRow, RequestState
from accounts.wiring import now
from counter.access import StaffRequest
from counter.forms import StrictForm
from counter.office.access import ADMINS
from counter.office.words import Words
from counter.oversight.kinds import kind_of
from counter.oversight.words import REQUEST_STATES
from counter.pages import staff_page
from counter.stepup import asks_code


def waiting(request: StaffRequest, kinds: Collection[str]) -> list[dict[str, Any]]:
    """Requests of these kinds that are not carried out yet."""
    rows = [row for row in approvals.waiting(request.officer, now=now()) if row.kind in kinds]
    return [_shown(row) for row in rows]


def hand_page(
    request: StaffRequest,
    template: str,
    row: RequestRow,
    form: StrictForm,
    *,
    problem: Words = "",
    status: int = 200,
) -> HttpResponse:
    """The request, and one button that makes what it asks for; shown once, and kept on no page."""
    shown = _shown(row)
    context = {
        **shown,
        "facts": shown["kind"].facts(row),
        "form": form,
        "problem": problem,
        "ready": row.state is RequestState.AGREED and request.officer.role in ADMINS,
        "asks_code": asks_code(request),
    }
    return staff_page(request, template, context, status=status)


def _shown(row: RequestRow) -> dict[str, Any]:
    word, tone, *_ = REQUEST_STATES[row.state]
    return {"row": row, "kind": kind_of(row.kind), "word": word, "tone": tone}
