"""Saying in the audit that somebody took a copy of it away."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from accounts.actors import Actor
from accounts.services import audit


@transaction.atomic
def note_export(query: Mapping[str, str], reason: str, *, actor: Actor, now: datetime) -> None:
    """Note what was searched for, and why a copy was needed."""
    deed = audit.Deed("audit.export", "audit", "csv", after=dict(query), reason=reason)
    audit.record(deed, actor=actor, now=now)
