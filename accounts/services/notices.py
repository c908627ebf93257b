"""Telling a holder something. The one door for it: letters by mail or SMS are made of it (``alertqueue``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def tell_once(told: Iterable[tuple[int, Message, datetime]]) -> None:
    """Leave messages, each (account, what, when), of kinds that are told once per cause: once more is nothing new."""
    Notice.objects.bulk_create(
        [
            Notice(account_id=account_id, kind=said.kind, about=said.about, facts=dict(said.facts), at=at)
            for account_id, said, at in told
        ],
        ignore_conflicts=True,
    )


@transaction.atomic
def mark_read(account_id: int, notice_ids: list[int], *, now: datetime) -> int:
    """The holder has seen these. Another account's are left alone. Returns how many were new."""
    unread = Notice.objects.filter(
        account_id=account_id, pk__in=notice_ids, read_at__isnull=True, at__lte=now
    )
    return unread.update(read_at=now)
