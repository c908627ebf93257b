"""Whose movements this session may see: after saying why, or while the holder's own card lies on this desk's reader.

Either way a line stands in the audit first (reliability.md P6); the sight lasts a quarter of an hour.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from accounts.services import reading
from accounts.wiring import now
from counter.access import StaffRequest, actor_of

LASTS = timedelta(minutes=15)
CARD_HERE = "持卡人在场，卡在读卡器上"
"""The reason that the audit keeps when nobody had to type one."""
_SEEN = "statements_seen"
_KEPT = 100


def is_open(request: StaffRequest, account_id: int, *, card_here: bool) -> bool:
    """Whether the movements may be shown now; the card on the reader opens them by itself."""
    since = request.session.get(_SEEN, {}).get(str(account_id))
    if since is not None and now() - datetime.fromisoformat(since) < LASTS:
        return True
    if not card_here:
        return False
    open_for(request, account_id, reason=CARD_HERE)
    return True


def open_for(request: StaffRequest, account_id: int, *, reason: str) -> None:
    """Note the reason and show the movements from now on. Raises ``accounts.checks.Rejected`` without one."""
    moment = now()
    reading.note_statement(account_id, reason=reason, actor=actor_of(request), now=moment)
    seen = dict(list(request.session.get(_SEEN, {}).items())[-_KEPT:])
    request.session[_SEEN] = seen | {str(account_id): moment.isoformat()}
