"""How card writes ended, as terminals report them. A plain success settles the card; the rest is kept as a note."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import OperationalError

from transactions import ledger
from transactions.models import Answer, OutcomeNote
from transactions.services.orders import Busy, Till
from transactions.services.running import sqlstate
from transactions.services.void import give_up


class CardWrite(StrEnum):
    """The ending of a journalled key, in the words of the wire."""

    WRITTEN = "written"
    NOT_WRITTEN = "not_written"
    UNKNOWN = "unknown"
    ABANDONED = "abandoned"
    WRITTEN_OFFLINE = "written_offline"


@dataclass(frozen=True, slots=True)
class Report:
    """One key of the reporting terminal, and how it ended."""

    key: uuid.UUID
    outcome: CardWrite


def report_outcomes(reports: Sequence[Report], *, till: Till, now: datetime) -> tuple[uuid.UUID, ...]:
    """Take in what a till says of its earlier keys; returns those that it need not report again.

    Safe to repeat, in any order; a report that is lost is harmless, because the next sighting shows the card itself.
    What a till says of another's keys changes nothing.
    Raises ``Busy``.
    """
    try:
        written = tuple(report.key for report in reports if report.outcome is CardWrite.WRITTEN)
        busy = ledger.confirm(written, terminal_id=till.id) if written else frozenset()
        for report in reports:
            if report.outcome is CardWrite.ABANDONED:
                give_up(report.key, till=till, now=now)
        _note([report for report in reports if report.outcome is not CardWrite.WRITTEN], till=till, now=now)
    except OperationalError as error:
        raise Busy(sqlstate(error) or "connection") from error
    return tuple(report.key for report in reports if report.key not in busy)


def _note(reports: Sequence[Report], *, till: Till, now: datetime) -> None:
    """Keep what was not a plain success: the timeline of a case is drawn from it."""
    if not reports:
        return
    known = Answer.objects.filter(terminal_id=till.id).in_bulk([report.key for report in reports])
    OutcomeNote.objects.bulk_create(
        [
            OutcomeNote(
                key=report.key,
                outcome=report.outcome.value,
                account_id=answer.account_id if (answer := known.get(report.key)) else None,
                entry_seq=answer.entry_seq if answer else None,
                terminal_id=till.id,
                noted_at=now,
            )
            for report in reports
        ],
        ignore_conflicts=True,
    )
