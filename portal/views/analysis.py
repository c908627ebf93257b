"""What a holder spent: a month by kind, meal, place and hour, each drawn with its table behind (screens.md 6.2)."""

from __future__ import annotations

import re
from datetime import date

from django.http import Http404, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.wiring import now
from portal import drawings
from portal.access import HolderRequest, holder_required
from portal.pages import own_page
from transactions import analysis
from transactions.analysis import Share
from transactions.days import local_day

MONTHS_BACK = 12
"""As far as the statement reaches."""
MEALS: tuple[str | Promise, ...] = (_("早餐"), _("午餐"), _("晚餐"))
OTHER_TIMES = _("其他时间")
WEEKDAYS = (_("周一"), _("周二"), _("周三"), _("周四"), _("周五"), _("周六"), _("周日"))
_MONTH = re.compile(r"\A(20[0-9]{2})-(0[1-9]|1[0-2])\Z")


@holder_required()
@require_safe
def spending(request: HolderRequest) -> HttpResponse:
    """One month. Another one by ``?month=2026-11``; a month to come, or one too long ago, is not there."""
    this_month = analysis.month_of(local_day(now()))
    month = _asked(request.GET, this_month)
    found = analysis.spending(request.account.id, month)
    meals = [
        (str(OTHER_TIMES if meal is None else MEALS[meal]), part) for meal, part in found.by_meal.items()
    ]
    places = [(merchant.name_zh, part) for merchant, part in found.merchants]
    context = {
        "found": found,
        "more_fen": found.fen - found.before_fen,
        "less_fen": found.before_fen - found.fen,
        "categories": drawings.bars((str(kind.label), part) for kind, part in found.by_category.items()),
        "meals": drawings.bars(meals),
        "places": list(
            zip((merchant for merchant, _part in found.merchants), drawings.bars(places), strict=True)
        ),
        "week": drawings.week(found.by_hour),
        "week_size": drawings.week_size(),
        "weekdays": [(drawings.TOP + row * 22 + 15, word) for row, word in enumerate(WEEKDAYS)],
        "hours": [(drawings.LEFT + (hour - drawings.FIRST_HOUR) * 22 + 10, hour) for hour in range(6, 24, 3)],
        "table": _table(found.by_hour),
        "earlier": analysis.month_before(month) if month > _first(this_month) else None,
        "later": analysis.month_after(month) if month < this_month else None,
    }
    return own_page(request, "portal/analysis.html", context)


def _asked(query: dict[str, str], this_month: date) -> date:
    text = query.get("month", "")
    if not text:
        return this_month
    if not (found := _MONTH.match(text)):
        raise Http404
    month = date(int(found[1]), int(found[2]), 1)
    if not _first(this_month) <= month <= this_month:
        raise Http404
    return month


def _first(this_month: date) -> date:
    return this_month.replace(year=this_month.year - 1)


def _table(by_hour: dict[tuple[int, int], Share]) -> list[tuple[str, list[Share | None]]]:
    """Hours down, weekdays across: only the hours in which something was spent."""
    hours = sorted({hour for _, hour in by_hour})
    return [(f"{hour:02d}:00", [by_hour.get((day, hour)) for day in range(1, 8)]) for hour in hours]
