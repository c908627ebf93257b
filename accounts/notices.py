"""What a holder was told: the newest messages, and how many he has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import Notice, NoticeKind


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """One message. ``about`` names the thing (``dispute:12``); amounts in ``facts`` are fen."""

    id: int
    kind: NoticeKind
    about: str
    facts: Mapping[str, Any]
    at: datetime
    read: bool

    @property
    def thing(self) -> tuple[str, int]:
        """Which kind of thing it is about, and its number."""
        kind, number = self.about.split(":")
        return kind, int(number)


def notices_of(account_id: int, *, before: int | None = None, size: int = 20) -> tuple[NoticeRow, ...]:
    """The messages of an account, newest first, below ``before`` if that is given. One statement."""
    found = Notice.objects.filter(account_id=account_id)
    if before is not None:
        found = found.filter(pk__lt=before)
    return tuple(
        NoticeRow(row.pk, NoticeKind(row.kind), row.about, row.facts, row.at, row.read_at is not None)
        for row in found.order_by("-id")[:size]
    )


def unread_count(account_id: int) -> int:
    """How many messages the holder has not seen. One statement on a partial index."""
    return Notice.objects.filter(account_id=account_id, read_at__isnull=True).count()
