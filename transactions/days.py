"""The calendar of the book: a day is a calendar day in Shanghai (A26, L7)."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def local_day(moment: datetime) -> date:
    """The Shanghai date of an aware moment."""
    return moment.astimezone(SHANGHAI).date()
