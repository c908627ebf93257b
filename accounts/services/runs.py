"""Recording the runs of jobs, so that somebody sees the one that failed, died or never came.

``with recorded(job, clock=now) as run:`` around the work of a command; ``run.counts`` is what it did. The row is
committed before the work begins, and an error goes on its way after it was noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import DatabaseError, connection

from accounts.models import RUN_LOCK, JobRun, RunResult

KEPT: Final = timedelta(days=400)
KEPT_OF_EVERY_MINUTE: Final = timedelta(days=35)
"""A job that runs each minute makes half a million rows a year, and the last month says as much."""
OFTEN: Final = timedelta(hours=1)
ERROR_MAX: Final = 500


@dataclass(slots=True)
class Running:
    """A run under way. ``failed``: the work came to its end but what it found is bad; the words say what."""

    id: int
    counts: Mapping[str, int] = field(default_factory=dict)
    failed: str = ""


@contextmanager
def recorded(
    job: str,
    *,
    clock: Callable[[], datetime],
    every: timedelta = timedelta(days=1),
    refusals: tuple[type[Exception], ...] = (),
) -> Iterator[Running]:
    """Note that a run began, and how it ended; ``refusals`` are errors that say that nothing was to be done."""
    began = clock()
    _forget_old(job, began, KEPT_OF_EVERY_MINUTE if every < OFTEN else KEPT)
    row = JobRun.objects.create(job=job, started_at=began)
    _hold(row.pk)
    run = Running(row.pk)
    try:
        yield run
    except refusals as refusal:
        _end(run, RunResult.REFUSED, clock, error=_words(refusal))
        raise
    except BaseException as error:
        with suppress(DatabaseError):
            _end(run, RunResult.FAILED, clock, error=_words(error))
        raise
    _end(run, RunResult.FAILED if run.failed else RunResult.OK, clock, error=run.failed)


def alive(ids: list[int]) -> frozenset[int]:
    """Which of these runs still have their process. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT objid::bigint FROM pg_locks
            WHERE locktype = 'advisory' AND objsubid = 2 AND classid = %s AND objid::bigint = ANY(%s)
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """,
            [RUN_LOCK, ids],
        )
        return frozenset(int(row[0]) for row in cursor.fetchall())


def _hold(run_id: int) -> None:
    """As long as this connection lives, the run does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [RUN_LOCK, run_id])


def _end(run: Running, result: RunResult, clock: Callable[[], datetime], *, error: str) -> None:
    """Note the end. Somebody may have turned the clock back meanwhile: a run never ends before it began."""
    row = JobRun.objects.get(pk=run.id)
    row.ended_at = max(clock(), row.started_at)
    row.result, row.counts, row.error = result, dict(run.counts), error[:ERROR_MAX]
    row.save(update_fields=["ended_at", "result", "counts", "error"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [RUN_LOCK, run.id])


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip().rstrip(":")


def _forget_old(job: str, now: datetime, kept: timedelta) -> None:
    JobRun.objects.filter(job=job, started_at__lt=now - kept).delete()
