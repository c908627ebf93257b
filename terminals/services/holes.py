"""The alarm about records that are missing in the middle of a journal (reliability.md B4). Runs with each night."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from terminals import selectors
from terminals.models import SecurityEventKind
from terminals.services import events

OLD: Final = timedelta(hours=24)
"""A line that failed in the middle of an upload is mended by then."""
AGAIN: Final = timedelta(hours=23)
"""Once a day, though one night's run may begin some minutes earlier than the last."""


def alarm(*, now: datetime) -> int:
    """Raise an alarm for each journal with a hole of ``OLD``, once a day while it is there; returns how many."""
    found = selectors.holes(open_since=now - OLD)
    for hole in found:
        about = {"journal": hole.journal}
        detail = about | {
            "first_seq": hole.first_seq,
            "missing": hole.missing,
            "since": hole.since.isoformat(),
        }
        kind = SecurityEventKind.JOURNAL_GAP
        events.note(kind, hole.terminal_id, now=now, detail=detail, quiet=AGAIN, alike=about)
    return len(found)
