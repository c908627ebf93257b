"""Letting go of what was kept long enough (``reconciliation.retention``). Safe to repeat and to kill.

``dry_run`` does the very same and takes it back, so what it tells is what would happen.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.contrib.sessions.models import Session
from django.db import transaction

from accounts.actors import Actor
from accounts.services import holders, lostposts, photos, roster, throttle
from banking.services import bindings
from terminals.services import asking

ACTOR: Final = Actor.system("retention")
EXPORTS_KEPT: Final = timedelta(days=7)


def retain(*, now: datetime, exports: Path, dry_run: bool = False) -> dict[str, int]:
    """Let go of everything whose time is over; how many, by the names of ``reconciliation.retention``.

    One transaction for each person and each kind. Not to be called inside a transaction.
    """
    people, cards = _erase_people(now=now, dry_run=dry_run)
    gone = {"holders": people, "bank_cards": cards}
    steps: dict[str, Callable[[], int]] = {
        "logins": lambda: throttle.forget_old(now=now),
        "lost_found": lambda: lostposts.forget_old(now=now),
        "rosters": lambda: roster.forget_old(now=now),
        "photo_files": lambda: photos.forget_old(now=now),
        "door_refusals": lambda: asking.forget_refusals(now=now),
        "web_sessions": lambda: Session.objects.filter(expire_date__lt=now).delete()[0],
    }
    for name, step in steps.items():
        with transaction.atomic():
            gone[name] = step()
            transaction.set_rollback(dry_run)
    gone["exports"] = _forget_exports(exports, now=now, dry_run=dry_run)
    return gone


def _erase_people(*, now: datetime, dry_run: bool) -> tuple[int, int]:
    """Each person in one piece: name and bank card go together or not at all."""
    people = cards = 0
    for holder_id in list(holders.to_erase(now=now).values_list("pk", flat=True)):
        with transaction.atomic():
            if holders.erase(holder_id, actor=ACTOR, now=now):
                people += 1
                cards += bindings.forget(holders.account_ids(holder_id), now=now)
            transaction.set_rollback(dry_run)
    return people, cards


def _forget_exports(folder: Path, *, now: datetime, dry_run: bool) -> int:
    before = (now - EXPORTS_KEPT).timestamp()
    old = [path for path in folder.glob("ecard-*") if path.is_file() and path.stat().st_mtime < before]
    for path in [] if dry_run else old:
        path.unlink(missing_ok=True)
    return len(old)
