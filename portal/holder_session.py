"""A holder's session: who is signed in, since when, last seen when. Nothing of Django's staff login is used.

Ten minutes without a request or two hours in all, and the holder signs in again (security.md, sessions).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpRequest

IDLE = timedelta(minutes=10)
ABSOLUTE = timedelta(hours=2)
GRAIN = timedelta(seconds=15)
"""Being seen again is noted at most this often, so most pages write nothing."""
_KEY = "holder"


@dataclass(frozen=True, slots=True)
class HolderSession:
    """One signed-in holder."""

    account_id: int
    since_at: datetime
    seen_at: datetime

    @property
    def ends_at(self) -> datetime:
        """When it ends without another request."""
        return min(self.seen_at + IDLE, self.since_at + ABSOLUTE)

    @property
    def extendable(self) -> bool:
        """Whether another request would make it last longer."""
        return self.seen_at + IDLE < self.since_at + ABSOLUTE


def sign_in(request: HttpRequest, account_id: int, *, now: datetime) -> None:
    """Start a session under a new key; whatever this browser was signed in as before is over."""
    request.session.flush()
    _keep(request, HolderSession(account_id, now, now))


def sign_out(request: HttpRequest) -> None:
    """End the session and forget everything in it."""
    request.session.flush()


def current(request: HttpRequest, *, now: datetime) -> HolderSession | None:
    """The session if there is one and it has not ended; notes that the holder was seen."""
    kept = request.session.get(_KEY)
    if kept is None:
        return None
    found = HolderSession(
        kept["account"], datetime.fromisoformat(kept["since"]), datetime.fromisoformat(kept["seen"])
    )
    if now >= found.ends_at:
        sign_out(request)
        return None
    if now - found.seen_at >= GRAIN:
        found = HolderSession(found.account_id, found.since_at, now)
        _keep(request, found)
    return found


def is_signed_in(request: HttpRequest) -> bool:
    """Whether a holder's session is there, ended or not."""
    return _KEY in request.session


def _keep(request: HttpRequest, session: HolderSession) -> None:
    request.session[_KEY] = {
        "account": session.account_id,
        "since": session.since_at.isoformat(),
        "seen": session.seen_at.isoformat(),
    }
