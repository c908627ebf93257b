"""The register of what a desk did: the same key is the same deed, and its receipt can be shown again.

Each deed's service calls ``begin`` first and ``note`` last, inside its one transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from accounts.actors import AtCounter
from accounts.models import CounterDeed, DeedKind, DocumentKind


class KeyReused(Exception):
    """The key stands for another deed. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page asks for. ``content``: everything that makes the same key the same deed, as JSON values."""

    key: UUID
    kind: DeedKind
    content: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> bytes:
        """SHA-256 of kind and content."""
        canonical = json.dumps([self.kind.value, dict(self.content)], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).digest()


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: whose account, which card, and what the receipt says."""

    account_id: int
    card_id: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def begin(asked: Asked) -> CounterDeed | None:
    """The deed that this key did before, or None; until the transaction ends nobody else does it either.

    Raises ``KeyReused`` for another content under the same key.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"deed {asked.key}"])
    known = CounterDeed.objects.filter(key=asked.key).first()
    if known is not None and bytes(known.content_hash) != asked.digest:
        raise KeyReused(str(asked.key))
    return known


def note(asked: Asked, done: Done, *, door: AtCounter, now: datetime, reason: str = "") -> CounterDeed:
    """Write the deed down, with who did it and the document that was seen at ``door``."""
    seen = door.document is not DocumentKind.NONE
    return CounterDeed.objects.create(
        key=asked.key,
        kind=asked.kind,
        account_id=done.account_id,
        card_id=done.card_id,
        content_hash=asked.digest,
        facts=dict(done.facts),
        document=door.document.value if seen else "",
        document_check=door.document_note if seen else "",
        reason=reason,
        made_by=door.actor.who,
        made_role=door.actor.role,
        made_place=door.actor.place,
        made_at=now,
    )
