"""What a holder was told: the newest messages, and how many he has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.models import Account, FoundCard, FoundState, Notice, NoticeKind


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
    return tuple(notice_row(row) for row in found.order_by("-id")[:size])


def notice_row(notice: Notice) -> NoticeRow:
    """One message from its row."""
    kind = NoticeKind(notice.kind)
    return NoticeRow(notice.pk, kind, notice.about, notice.facts, notice.at, notice.read_at is not None)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a holder: messages that he has not seen, cards of his in a drawer."""

    unread: int
    kept: int


def waiting_for(account_id: int) -> Waiting:
    """What the frame of every page of a holder says. One statement, each part on its own small index."""
    unread = Notice.objects.filter(account_id=OuterRef("pk"), read_at__isnull=True)
    kept = FoundCard.objects.filter(account_id=OuterRef("pk"), state=FoundState.KEPT)
    row = Account.objects.filter(pk=account_id).values_list(_count(unread), _count(kept)).get()
    return Waiting(*row)


def _count(rows: QuerySet[Any]) -> Coalesce:
    by_account = rows.order_by().values("account_id").annotate(n=Count("pk"))
    return Coalesce(Subquery(by_account.values("n")), 0)
