"""Until when a movement may be disputed, and until when the answer is promised (screens.md 6.2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from django.db.models import Q

from accounts.options import Options
from terminals.models import DayKind, SpecialDay

WORKING_DAYS = 10
_SATURDAY = 5
_AHEAD = timedelta(days=60)
"""Ten working days end long before this, whatever the holidays."""


def due_on(opened_on: date, *, special: Mapping[date, bool] | None = None, days: int = WORKING_DAYS) -> date:
    """The last day of the promise: the tenth working day after the day of opening.

    ``special``: days that are not as their weekday says, True where everybody works on them.
    """
    day, known = opened_on, special or {}
    while days:
        day += timedelta(days=1)
        if known.get(day, day.weekday() < _SATURDAY):
            days -= 1
    return day


def special_days(campus_id: int, *, after: date) -> dict[date, bool]:
    """The holidays and worked weekends of a campus that lie ahead; its own word goes before everybody's."""
    found = SpecialDay.objects.filter(
        Q(campus_id=campus_id) | Q(campus__isnull=True), on__gt=after, on__lte=after + _AHEAD
    )
    rows = sorted(found, key=lambda day: day.campus_id is not None)
    return {day.on: day.kind == DayKind.AS_WORKDAY for day in rows}


def last_day(happened_on: date, *, options: Options) -> date:
    """The last day on which something of that day may be disputed: the sixtieth after it, if nobody changed that."""
    return happened_on + timedelta(days=options.dispute_window_days)
