"""Sealing what the audit has grown by since the last seal. Safe to repeat and to kill."""

from __future__ import annotations

import time
from datetime import date, datetime
from typing import Any, Final

from django.db import OperationalError, connection, transaction

from accounts.models import AuditSeal
from reconciliation.audit_chain import mark_of, rows_between
from reconciliation.digest import NO_DAY, seal
from reconciliation.services.close_day import TRIES, WAIT_FOR_TILLS

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('ecard seal_audit ' || current_schema(), 0))"


def seal_audit(*, key: bytes) -> AuditSeal | None:
    """Seal every row that is not sealed yet; None when there is none. Not to be called inside a transaction.

    ``key``: AUDIT_KEY. The moment is the database's own.
    """
    head = _head()
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_LOCK)
        before = AuditSeal.objects.order_by("-id").first()
        first = before.last_id if before else 0
        if head is None or head <= first:
            return None
        cursor.execute("SELECT clock_timestamp(), (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date")
        moment, day = _moment(cursor.fetchone())
        previous = bytes(before.digest) if before else NO_DAY
        sealed = seal(rows_between(cursor, first, head), day=day, previous=previous, key=key)
        if not sealed.entries:
            return None
        return AuditSeal.objects.create(
            day=day,
            sealed_at=moment,
            last_id=head,
            events=sealed.entries,
            key_mark=mark_of(key),
            previous=previous,
            digest=sealed.digest,
            tags=sealed.tags,
        )


def _head() -> int | None:
    """The newest row below which none can still come; deeds under way are waited for, as little as possible."""
    for attempt in range(TRIES):
        try:
            with transaction.atomic(durable=True), connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [WAIT_FOR_TILLS])
                cursor.execute("SELECT accounts_audit_head()")
                found: int | None = cursor.fetchone()[0]
                return found
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) != "55P03" or attempt == TRIES - 1:
                raise
            time.sleep(0.1)
    return None


def _moment(row: Any) -> tuple[datetime, date]:
    return row[0], row[1]
