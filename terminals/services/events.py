"""Noting what somebody should look at. The same thing of the same terminal is told once an hour."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from terminals.models import SecurityEvent, SecurityEventKind

QUIET: Final = timedelta(hours=1)
BAD_SIGNATURES_PER_MINUTE: Final = 5

_log = logging.getLogger("ecard.terminals")

_NOTE = """
    INSERT INTO terminals_securityevent (at, kind, terminal_id, detail)
    SELECT %(at)s, %(kind)s, %(terminal)s, %(detail)s::jsonb
    WHERE NOT EXISTS (
        SELECT FROM terminals_securityevent
        WHERE terminal_id IS NOT DISTINCT FROM %(terminal)s AND kind = %(kind)s AND at > %(quiet_since)s
            AND detail @> %(alike)s::jsonb
    )
"""
_COUNT = """
    INSERT INTO terminals_badsignature AS b (terminal_id, since_at, count) VALUES (%(terminal)s, %(now)s, 1)
    ON CONFLICT (terminal_id) DO UPDATE SET
        count = CASE WHEN b.since_at > %(window)s THEN b.count + 1 ELSE 1 END,
        since_at = CASE WHEN b.since_at > %(window)s THEN b.since_at ELSE %(now)s END
    RETURNING count
"""


def note(
    kind: SecurityEventKind,
    terminal: int | None,
    *,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
    quiet: timedelta = QUIET,
    alike: Mapping[str, Any] | None = None,
) -> None:
    """Add an event unless the same kind was noted for this terminal within ``quiet``; zero: always add it.

    ``alike``: only what has these details too counts as the same.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _NOTE,
            {
                "at": now,
                "kind": kind.value,
                "terminal": terminal,
                "detail": json.dumps(dict(detail or {}), ensure_ascii=True),
                "quiet_since": now - quiet,
                "alike": json.dumps(dict(alike or {}), ensure_ascii=True),
            },
        )
        added = cursor.rowcount
    if added:
        _log.warning("terminal.%s", kind.value, extra={"terminal": terminal})


def forked_journals(terminal: int, journals: Collection[str]) -> frozenset[str]:
    """Which of these journals of a terminal were seen to be put back, shortened or copied. Asks nothing for none."""
    if not journals:
        return frozenset()
    kinds = (SecurityEventKind.FORK, SecurityEventKind.JOURNAL_LOST)
    found = SecurityEvent.objects.filter(
        terminal_id=terminal, kind__in=kinds, detail__journal__in=list(journals)
    )
    return frozenset(found.values_list("detail__journal", flat=True))


def note_bad_signature(terminal: int, *, now: datetime) -> None:
    """Count a wrong signature in the name of a known terminal; the fifth within a minute raises the alarm."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"terminal": terminal, "now": now, "window": now - timedelta(minutes=1)})
        row = cursor.fetchone()
    if row and row[0] == BAD_SIGNATURES_PER_MINUTE:
        note(SecurityEventKind.BAD_SIGNATURES, terminal, now=now, detail={"count": row[0]})
