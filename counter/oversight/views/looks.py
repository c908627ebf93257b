"""Looking over the desk's shoulder: who has how much to do, and who signs for whom."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.kinds import OperatorRole
from accounts.selectors import campuses
from accounts.services.throttle import SHANGHAI
from accounts.wiring import now
from counter.access import StaffRequest, staff_required
from counter.pages import staff_page
from reconciliation.patterns import Oddity, Patterns, month_of
from reconciliation.workload import workload
from transactions.days import local_day

LOOKS = (OperatorRole.SUPERVISOR, OperatorRole.AUDITOR)
_MONTH = re.compile(r"\A(20[0-9]{2})-(0[1-9]|1[0-2])\Z")
ODDITIES = {
    Oddity.MOSTLY_ONE: _("几乎只由一人复核"),
    Oddity.MUTUAL: _("互相复核"),
    Oddity.HASTY: _("多在 20 秒内同意"),
    Oddity.NEVER_REFUSES: _("从未退回"),
}


@staff_required(*LOOKS)
@require_safe
def caseload(request: StaffRequest) -> HttpResponse:
    """Who looks after how many cases."""
    person, moment = request.officer, now()
    campus_id = None if person.role is OperatorRole.AUDITOR else person.campus_id
    rows = workload(campus_id, today=local_day(moment))
    most = max((row.count for row in rows), default=0) or 1
    places = {place.id: place for place in campuses()}
    context = {
        "rows": [(row, row.count * 100 // most, places.get(row.campus_id or 0)) for row in rows],
        "place": places.get(campus_id or 0),
        "now": moment,
    }
    return staff_page(request, "counter/oversight/caseload.html", context)


@staff_required(*LOOKS)
@require_safe
def patterns_page(request: StaffRequest) -> HttpResponse:
    """Who signed for whom in a month, drawn; what is worth a look first (reliability.md E8)."""
    person, today = request.officer, local_day(now())
    month = _month(request.GET.get("month", ""), today)
    campus_id = None if person.role is OperatorRole.AUDITOR else person.campus_id
    found = month_of(_midnight(month), _midnight(_next(month)), month=month, campus_id=campus_id)
    context = {
        "found": found,
        "grid": _grid(found),
        "pairs": [(pair, [ODDITIES[each] for each in pair.oddities]) for pair in found.pairs],
        "before": f"{month - timedelta(days=1):%Y-%m}",
        "after": f"{_next(month):%Y-%m}" if _next(month) <= today else "",
    }
    return staff_page(request, "counter/oversight/patterns.html", context)


def _month(text: str, today: date) -> date:
    if not text:
        return today.replace(day=1)
    chosen = _MONTH.match(text)
    if chosen is None:
        raise Http404
    return date(int(chosen[1]), int(chosen[2]), 1)


def _next(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)


def _grid(found: Patterns) -> list[tuple[str, list[tuple[int, str]]]]:
    """Makers downwards, checkers across: signatures, and how dark: by their share of what the maker got."""
    rows = []
    for maker_id, name in found.makers:
        total = sum(found.grid.get((maker_id, checker), 0) for checker, _name in found.checkers)
        cells: list[tuple[int, str]] = []
        for checker_id, _name in found.checkers:
            count = found.grid.get((maker_id, checker_id), 0)
            cells.append((count, "self" if maker_id == checker_id else _shade(count, total)))
        rows.append((name, cells))
    return rows


def _shade(count: int, total: int) -> str:
    share: Any = count * 100 // total if total else 0
    if not count:
        return ""
    return "share-1" if share < 50 or total < 5 else "share-2" if share < 80 else "share-3"
