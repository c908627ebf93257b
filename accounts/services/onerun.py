"""One run of a job at a time, for all processes of a university."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import InterfaceError, OperationalError, connection


class AlreadyRunning(Exception):
    """Another run of this job is under way; nothing was done."""


@contextmanager
def alone(job: str) -> Iterator[None]:
    """Hold the lock of a job in this schema; PostgreSQL lets go of it when the connection ends, however it ends.

    Raises ``AlreadyRunning``.
    """
    if not _ask("pg_try_advisory_lock", job):
        raise AlreadyRunning(f"another {job} is running; nothing was done")
    try:
        yield
    finally:
        with suppress(OperationalError, InterfaceError):  # a lost connection has let go already
            _ask("pg_advisory_unlock", job)


def _ask(function: str, job: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {function}(hashtextextended('ecard ' || %s || ' ' || current_schema(), 0))", [job]
        )
        return bool(cursor.fetchone()[0])
