"""Setting a value from a moment on, and calling one off that has not begun.

What bounds money is set by two people: an administrator asks, a supervisor of all campuses agrees, and exactly what
both saw is written, once (``approvals``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from accounts import policies
from accounts.actors import Actor
from accounts.models import NOTICE, PolicyChange, PolicyWithdrawal
from accounts.policies import Book, Change, Value
from accounts.services import approvals
from accounts.services.audit import Deed, record
from accounts.termlist import TERMS, contradiction
from accounts.terms import BadValue, Words

KIND: Final = "policy.set"
"""The kind of request of a value that takes two people."""
_AS_NEW: Final = 2**62
"""Stands for the id of a change that is not written yet: of two beginnings at one moment it is the later one."""


class Why(StrEnum):
    """Why a value is not set or called off; nothing was written."""

    TOO_SOON = "too_soon"
    NOT_IN_BOUNDS = "not_in_bounds"
    CONTRADICTION = "contradiction"
    NO_CHANGE = "no_change"
    NO_REASON = "no_reason"
    CHANGED = "changed"
    SECOND_PERSON = "second_person"
    BEGUN = "begun"
    UNKNOWN = "unknown"
    KEY_REUSED = "key_reused"


class NotSet(Exception):
    """The value cannot be set or called off; ``detail`` is the sentence of a bound that it breaks, if any."""

    def __init__(self, why: Why, detail: Words = "") -> None:
        super().__init__(f"{why.value} {detail}".strip())
        self.why = why
        self.detail = detail


@dataclass(frozen=True, slots=True)
class NewValue:
    """What is to hold from when on, and why. ``key`` comes with the form."""

    key: UUID
    name: str
    value: Value
    effective_at: datetime
    reason: str

    def content(self) -> dict[str, Any]:
        """What a second person agrees to: all of it."""
        return {
            "name": self.name,
            "value": policies.to_json(self.value),
            "effective_at": self.effective_at.astimezone(UTC).isoformat(),
            "reason": self.reason,
        }

    @classmethod
    def from_content(cls, key: UUID, content: Mapping[str, Any]) -> NewValue:
        """Inverse of ``content``."""
        name = content["name"]
        value = policies.from_json(name, content["value"])
        at = datetime.fromisoformat(content["effective_at"])
        return cls(key, name, value, at, content["reason"])


@dataclass(frozen=True, slots=True)
class Preview:
    """What a new value changes: from ``before`` to ``after`` at its moment. ``until``: the next value set already."""

    before: Value
    after: Value
    effective_at: datetime
    until: Change | None
    two: bool
    digest: bytes


def preview(wanted: NewValue, *, now: datetime) -> Preview:
    """What would change. Raises ``NotSet``."""
    return _preview(wanted, policies.read(), now=now)


@transaction.atomic
def set_value(
    wanted: NewValue, *, shown: bytes | None, actor: Actor, now: datetime, request_id: int | None = None
) -> int:
    """Write the value; returns the id of the change. The same key again returns the first one.

    ``shown``: the digest of the preview that was confirmed; None where a second person saw the content instead, in the
    request ``request_id``; who asked for it then counts as who set it, whoever of the two carries it out.
    Raises ``NotSet`` and ``approvals.NotApproved``.
    """
    _lock()
    known = PolicyChange.objects.filter(key=wanted.key).first()
    if known is not None:
        if (known.name, known.value) != (wanted.name, policies.to_json(wanted.value)):
            raise NotSet(Why.KEY_REUSED)
        return known.pk
    found = _preview(wanted, policies.read(), now=now)
    if shown is not None and shown != found.digest:
        raise NotSet(Why.CHANGED)
    set_by, agreed_by = actor.who, ""
    if found.two:
        if request_id is None:
            raise NotSet(Why.SECOND_PERSON)
        request = approvals.use(request_id, kind=KIND, content=wanted.content(), actor=actor, now=now)
        set_by, agreed_by = f"operator:{request.maker_id}", f"operator:{request.ruling.checker_id}"
    made = PolicyChange.objects.create(
        key=wanted.key,
        name=wanted.name,
        value=policies.to_json(wanted.value),
        effective_at=wanted.effective_at,
        set_at=now,
        set_by=set_by,
        agreed_by=agreed_by,
        reason=wanted.reason,
    )
    after = {"value": made.value, "effective_at": made.effective_at.isoformat(), "set_by": set_by}
    deed = Deed(
        "policy.set", "policy", wanted.name, before={"value": policies.to_json(found.before)}, after=after,
        reason=wanted.reason,
    )  # fmt: skip
    record(deed, actor=actor, now=now)
    return made.pk


@transaction.atomic
def call_off(change_id: int, reason: str, *, actor: Actor, now: datetime) -> None:
    """Call off a value that has not begun. Repeating it does nothing. Raises ``NotSet``.

    One person may: what held goes on to hold.
    """
    _lock()
    change = PolicyChange.objects.filter(pk=change_id).first()
    if change is None:
        raise NotSet(Why.UNKNOWN)
    if PolicyWithdrawal.objects.filter(change=change).exists():
        return
    if not reason.strip():
        raise NotSet(Why.NO_REASON)
    if now + NOTICE > change.effective_at:
        raise NotSet(Why.BEGUN)
    book = policies.read()
    _refuse_contradiction(Book(each for each in book.changes if each.id != change_id), since=now)
    PolicyWithdrawal.objects.create(change=change, withdrawn_at=now, withdrawn_by=actor.who, reason=reason)
    before = {"value": change.value, "effective_at": change.effective_at.isoformat()}
    deed = Deed("policy.call_off", "policy", change.name, before=before, reason=reason)
    record(deed, actor=actor, now=now)


def _preview(wanted: NewValue, book: Book, *, now: datetime) -> Preview:
    term = TERMS.get(wanted.name)
    if term is None:
        raise NotSet(Why.UNKNOWN)
    try:
        term.check(wanted.value)
    except BadValue as problem:
        raise NotSet(Why.NOT_IN_BOUNDS, str(problem)) from None
    if not wanted.reason.strip():
        raise NotSet(Why.NO_REASON)
    if wanted.effective_at < now + NOTICE:
        raise NotSet(Why.TOO_SOON)
    before = book.at(wanted.effective_at).value(wanted.name)
    if before == wanted.value:
        raise NotSet(Why.NO_CHANGE)
    change = Change(_AS_NEW, wanted.name, wanted.value, wanted.effective_at)
    _refuse_contradiction(Book([*book.changes, change]), since=wanted.effective_at)
    later = [
        each for each in book.changes if each.name == wanted.name and each.effective_at > wanted.effective_at
    ]
    shown = wanted.content() | {"before": policies.to_json(before), "until": later[0].id if later else 0}
    digest = hashlib.sha256(approvals.canonical(shown).encode()).digest()
    return Preview(before, wanted.value, wanted.effective_at, later[0] if later else None, term.two, digest)


def _refuse_contradiction(book: Book, *, since: datetime) -> None:
    """Now and after each change to come the numbers must go together."""
    for span in book.from_on(since):
        words = contradiction(span)
        if words is not None:
            raise NotSet(Why.CONTRADICTION, words)


def _lock() -> None:
    """One change at a time: each is judged beside all the others."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('ecard policy ' || current_schema(), 0))"
        )
