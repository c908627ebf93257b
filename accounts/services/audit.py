"""Writing the audit: called inside the transaction of the deed it tells of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from accounts.actors import Actor
from accounts.models import AuditEvent


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done to which row. ``before`` and ``after`` hold only what changed, as JSON values."""

    action: str
    object_kind: str
    object_id: object
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


def record(deed: Deed, *, actor: Actor, now: datetime) -> None:
    """Add one row to the audit."""
    _event(deed, actor, now).save(force_insert=True)


def record_many(deeds: Iterable[Deed], *, actor: Actor, now: datetime) -> None:
    """Add a row for each of many deeds of one person, in few statements."""
    AuditEvent.objects.bulk_create([_event(deed, actor, now) for deed in deeds], batch_size=4000)


def _event(deed: Deed, actor: Actor, now: datetime) -> AuditEvent:
    return AuditEvent(
        at=now,
        actor=actor.who,
        role=actor.role,
        channel=actor.channel,
        place=actor.place,
        action=deed.action,
        object_kind=deed.object_kind,
        object_id=str(deed.object_id),
        before=dict(deed.before),
        after=dict(deed.after),
        reason=deed.reason,
    )
