"""Closing the ledger days that are over: partitions ahead, no entry any more, a seal on what was posted (L7, L8).

Safe to repeat and to kill: a day is shut by one statement and sealed by another, and each is whole or not there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django.db import OperationalError, connection, transaction

from accounts.services.onerun import alone
from reconciliation.digest import NO_DAY, DayKeys, rows_of, seal
from reconciliation.models import DayClose

MONTHS_AHEAD: Final = 3
_TODAY: Final = "SELECT (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date"
_FIRST: Final = "SELECT min((posted_at AT TIME ZONE 'Asia/Shanghai')::date) FROM transactions_entry"
_AHEAD: Final = """
    SELECT count(*) FILTER (WHERE transactions_add_month((date_trunc('month', %s::date)
        + make_interval(months => step))::date)) FROM generate_series(0, %s) AS step
"""
_SUMS: Final = """
    SELECT coalesce(jsonb_object_agg(kind, jsonb_build_array(entries, book_fen, unclaimed_fen)), '{}')::text FROM (
        SELECT kind, count(*) AS entries, sum(book_change_fen) AS book_fen, sum(unclaimed_change_fen) AS unclaimed_fen
        FROM transactions_entry
        WHERE posted_at >= %(day)s::timestamp AT TIME ZONE 'Asia/Shanghai'
            AND posted_at < (%(day)s::timestamp + interval '1 day') AT TIME ZONE 'Asia/Shanghai'
        GROUP BY kind) AS kinds
"""
WAIT_FOR_TILLS: Final = "200ms"
"""How long new postings may queue behind those that are under way when a day is shut; then it is tried again."""
TRIES: Final = 50


class NotOver(Exception):
    """The day that was asked for is not over yet, by the database's clock."""


@dataclass(frozen=True, slots=True)
class Closed:
    """What a run did. ``days``: those it sealed; ``months_added``: partitions made ahead."""

    days: tuple[DayClose, ...]
    months_added: int

    def to_json(self) -> dict[str, Any]:
        """The shape that interfaces.md fixes; the digests are to be kept off the machine as well."""
        return {
            "closed": [
                {"day": str(day.day), "entries": day.entries, "sums": day.sums, "digest": day.hexdigest}
                for day in self.days
            ],
            "months_added": self.months_added,
        }


def close_days(*, keys: DayKeys, until: date | None = None) -> Closed:
    """Close every ledger day that is over and not closed yet, up to ``until`` (default: yesterday).

    The days are the database's own, as those of the entries are. Not to be called inside a transaction. Raises
    ``AlreadyRunning`` and ``NotOver``.
    """
    with alone("close_day"):
        today: date = _ask(_TODAY)
        if until is not None and until >= today:
            raise NotOver(f"{until} is not over")
        added = int(_ask(_AHEAD, [today, MONTHS_AHEAD]))
        closed = [_close(day, keys) for day in _open_days(until or today - timedelta(days=1))]
        return Closed(tuple(closed), added)


def _open_days(last: date) -> Iterator[date]:
    newest = DayClose.objects.order_by("-day").values_list("day", flat=True).first()
    first: date | None = _ask(_FIRST) if newest is None else newest + timedelta(days=1)
    if first is None:
        return
    for step in range((last - first).days + 1):
        yield first + timedelta(days=step)


def _close(day: date, keys: DayKeys) -> DayClose:
    _shut(day)
    with transaction.atomic(durable=True):
        before = DayClose.objects.order_by("-day").first()
        previous = bytes(before.digest) if before else NO_DAY
        key_id = keys.current
        with connection.cursor() as cursor:
            sealed = seal(rows_of(cursor, day), day=day, previous=previous, key=keys.key(key_id))
        return DayClose.objects.create(
            day=day,
            closed_at=_ask("SELECT clock_timestamp()"),
            entries=sealed.entries,
            sums=_sums(day),
            key_id=key_id,
            previous=previous,
            digest=sealed.digest,
            tags=sealed.tags,
        )


def _shut(day: date) -> None:
    """Let no entry come to the day any more; tills wait for this as little as possible."""
    for attempt in range(TRIES):
        try:
            with transaction.atomic(durable=True):
                _ask("SELECT set_config('lock_timeout', %s, true)", [WAIT_FOR_TILLS])
                _ask("SELECT transactions_shut_day(%s)", [day])
                return
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) != "55P03" or attempt == TRIES - 1:
                raise
            time.sleep(0.1)


def _sums(day: date) -> dict[str, list[int]]:
    found: dict[str, list[int]] = json.loads(_ask(_SUMS, {"day": day.isoformat()}))
    return found


def _ask(query: str, params: Any = None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchone()[0]
