"""Telling a holder something. The one door for it: whoever adds mail or messages to a phone reads what is told here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import Notice, NoticeKind


@dataclass(frozen=True, slots=True)
class Message:
    """What to tell, and about which thing (``dispute:12``). ``facts``: amounts in fen, places, reference numbers."""

    kind: NoticeKind
    about: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def tell(account_id: int, message: Message, *, now: datetime) -> None:
    """Leave a message for a holder, inside the transaction of the deed that it tells of."""
    Notice.objects.create(
        account_id=account_id, kind=message.kind, about=message.about, facts=dict(message.facts), at=now
    )


@transaction.atomic
def mark_read(account_id: int, notice_ids: list[int], *, now: datetime) -> int:
    """The holder has seen these. Another account's are left alone. Returns how many were new."""
    unread = Notice.objects.filter(
        account_id=account_id, pk__in=notice_ids, read_at__isnull=True, at__lte=now
    )
    return unread.update(read_at=now)
