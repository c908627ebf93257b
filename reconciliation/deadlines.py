"""Until when a movement may be disputed, and until when the answer is promised (screens.md 6.2)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

WINDOW = timedelta(days=60)
"""The sixtieth day after a movement is the last on which it may be disputed."""
WORKING_DAYS = 10
_SATURDAY = 5


def due_on(opened_on: date, *, holidays: Collection[date] = (), days: int = WORKING_DAYS) -> date:
    """The last day of the promise: the tenth working day after the day of opening. Holidays are no working days."""
    day = opened_on
    while days:
        day += timedelta(days=1)
        if day.weekday() < _SATURDAY and day not in holidays:
            days -= 1
    return day


def last_day(happened_on: date) -> date:
    """The last day on which something of that day may be disputed."""
    return happened_on + WINDOW
