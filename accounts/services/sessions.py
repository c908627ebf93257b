"""Where an operator is signed in: noted when it begins, ended one by one or all at once (P5, E10, ASVS 7.4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet

from accounts.actors import Actor
from accounts.models import StaffSession
from accounts.services import audit

AGENT_MAX: Final = 200
KEPT: Final = timedelta(days=90)
"""For so long a session that is over is still shown."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One sign-in as screens show it. ``alive``: a request with it would still be answered."""

    id: int
    began_at: datetime
    seen_at: datetime | None
    ended_at: datetime | None
    place: str
    agent: str
    alive: bool
    here: bool
    """Whether it is the session of whoever looks."""


def begin(operator_id: int, session_key: str, *, place: str, agent: str, now: datetime) -> None:
    """Note a sign-in."""
    StaffSession.objects.create(
        operator_id=operator_id, session_key=session_key, began_at=now, place=place, agent=agent[:AGENT_MAX]
    )


def note_end(session_key: str | None, *, now: datetime) -> None:
    """Note that somebody signed out; a session that nobody noted is none of ours."""
    StaffSession.objects.filter(session_key=session_key or "", ended_at=None).update(ended_at=now)


def sessions_of(
    operator_id: int, *, now: datetime, here: str | None = None, newest: int = 20
) -> tuple[SessionRow, ...]:
    """The latest sign-ins of an operator, newest first. Two statements."""
    rows = list(
        StaffSession.objects.filter(operator_id=operator_id, began_at__gt=now - KEPT).order_by("-id")[:newest]
    )
    living = _living([row.session_key for row in rows if row.ended_at is None])
    seen: dict[str, str] = {each.session_key: each.get_decoded().get("staff_seen", "") for each in living}
    return tuple(
        SessionRow(
            id=row.pk,
            began_at=row.began_at,
            seen_at=datetime.fromisoformat(seen[row.session_key]) if seen.get(row.session_key, "") else None,
            ended_at=row.ended_at,
            place=row.place,
            agent=row.agent,
            alive=row.session_key in seen,
            here=row.session_key == here,
        )
        for row in rows
    )


def end_all(operator_id: int, *, actor: Actor, now: datetime, keep: str | None = None) -> int:
    """End every session of an operator but ``keep``, at once; part of the caller's transaction. Returns how many."""
    open_rows = StaffSession.objects.filter(operator_id=operator_id, ended_at=None).exclude(
        session_key=keep or ""
    )
    keys = list(open_rows.values_list("session_key", flat=True))
    ended, _ = _living(keys).delete()
    open_rows.update(ended_at=now)
    if ended:
        deed = audit.Deed("operator.end_sessions", "operator", operator_id, after={"ended": ended})
        audit.record(deed, actor=actor, now=now)
    return ended


@transaction.atomic
def end_others(operator_id: int, *, keep: str | None, actor: Actor, now: datetime) -> int:
    """End every own session but the one that asks. Returns how many."""
    return end_all(operator_id, actor=actor, now=now, keep=keep)


def move(old: str | None, new: str | None) -> None:
    """Follow a session that got another key, as after a change of password."""
    if old and new and old != new:
        StaffSession.objects.filter(session_key=old).update(session_key=new)


def _living(keys: list[str]) -> QuerySet[Session]:
    return Session.objects.filter(session_key__in=keys)
