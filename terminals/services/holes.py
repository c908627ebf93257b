"""The alarm about records that are missing in the middle of a journal (reliability.md B4). Runs with each night.

Of a till that burnt or was stolen they will never come: a supervisor puts that alarm to rest, with a reason. It comes
back by itself when more is missing than was said.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from accounts.actors import Actor
from accounts.services.audit import Deed, record
from terminals import selectors
from terminals.models import GapRest, SecurityEventKind, Terminal
from terminals.selectors import Hole
from terminals.services import events

OLD: Final = timedelta(hours=24)
"""A line that failed in the middle of an upload is mended by then."""
AGAIN: Final = timedelta(hours=23)
"""Once a day, though one night's run may begin some minutes earlier than the last."""


def alarm(*, now: datetime) -> int:
    """Raise an alarm for each journal with a hole of ``OLD``, once a day while it is there; returns how many.

    Those that were put to rest are left out.
    """
    found = awake(selectors.holes(open_since=now - OLD))
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


class NoHole(Exception):
    """Nothing is missing in this journal any more, or something else than was shown."""


class NoReason(Exception):
    """Whoever puts an alarm to rest says why."""


def awake(holes: Iterable[Hole]) -> list[Hole]:
    """Those that nobody has put to rest, or of which more is missing since."""
    rested = {
        (terminal_id, journal): missing
        for terminal_id, journal, missing in GapRest.objects.order_by("id").values_list(
            "terminal_id", "journal", "missing"
        )
    }
    return [hole for hole in holes if hole.missing > rested.get((hole.terminal_id, hole.journal), 0)]


@transaction.atomic
def put_to_rest(
    terminal_id: int, journal: str, missing: int, reason: str, *, actor: Actor, now: datetime
) -> None:
    """Let the alarm about a journal be silent as long as no more than ``missing`` records are.

    Repeating it does nothing more. Raises ``NoHole``, ``NoReason`` and ``Terminal.DoesNotExist``.
    """
    Terminal.objects.select_for_update().get(pk=terminal_id)
    here = {hole.journal: hole for hole in selectors.holes(open_since=now) if hole.terminal_id == terminal_id}
    if journal not in here or here[journal].missing != missing:
        raise NoHole
    if not reason.strip():
        raise NoReason
    if not awake([here[journal]]):
        return
    GapRest.objects.create(
        terminal_id=terminal_id,
        journal=journal,
        missing=missing,
        rested_at=now,
        rested_by=actor.who,
        reason=reason,
    )
    after = {"journal": journal, "missing": missing}
    record(
        Deed("terminal.rest_gap", "terminal", terminal_id, after=after, reason=reason), actor=actor, now=now
    )
