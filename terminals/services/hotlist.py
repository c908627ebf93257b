"""Keeping the hotlist in step with cards and accounts, and telling terminals what changed.

One statement compares the whole list with the whole campus and writes only what differs; every change takes the next
version. It may run as often as one likes: without a change nothing is written but the time of the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import connection, transaction

from purse.rules import Refusal
from terminals.messages.upkeep import HOTLIST_PAGE, LAST_SEEN_MAX, HotlistAnswer, HotlistRequest
from terminals.models import Hotlist, HotlistEntry

SEEN_DAYS: Final = timedelta(days=7)
FRESH: Final = timedelta(seconds=30)

# The same order as purse.rules.refuse_standing. Of several cards with one UID the live one counts, else the last.
_SYNC = """
    WITH wanted AS (
        SELECT lower(uid) AS uid, refusal FROM (
            SELECT DISTINCT ON (c.uid) c.uid, CASE
                WHEN c.life IN ('replaced', 'returned', 'damaged', 'void') THEN 'card_replaced'
                WHEN a.life <> 'open' THEN 'account_closed'
                WHEN c.lost THEN 'card_lost'
                WHEN a.frozen_reasons <> '{}' THEN 'card_frozen'
                WHEN c.life = 'expired' THEN 'card_expired'
            END AS refusal
            FROM accounts_card c JOIN accounts_account a ON a.id = c.account_id
            WHERE c.uid <> ''
            ORDER BY c.uid, c.life IN ('issued', 'active') DESC, c.id DESC
        ) AS judged WHERE refusal IS NOT NULL
    ), changed AS (
        SELECT coalesce(w.uid, e.uid) AS uid, coalesce(w.refusal, e.refusal) AS refusal, w.uid IS NULL AS removed,
            row_number() OVER (ORDER BY coalesce(w.uid, e.uid)) AS step
        FROM wanted w FULL JOIN terminals_hotlistentry e ON e.uid = w.uid
        WHERE (w.uid IS NULL AND NOT e.removed)
            OR (w.uid IS NOT NULL AND (e.uid IS NULL OR e.removed OR e.refusal <> w.refusal))
    ), written AS (
        INSERT INTO terminals_hotlistentry AS e (uid, refusal, removed, version, changed_at)
        SELECT uid, refusal, removed, %(version)s + step, %(now)s FROM changed
        ON CONFLICT (uid) DO UPDATE SET refusal = excluded.refusal, removed = excluded.removed,
            version = excluded.version, changed_at = excluded.changed_at
        RETURNING version
    )
    SELECT count(*), coalesce(max(version), %(version)s) FROM written
"""
_CHANGES = """
    SELECT uid, CASE WHEN removed THEN NULL ELSE refusal END, version
    FROM terminals_hotlistentry WHERE version > %(have)s ORDER BY version LIMIT %(most)s
"""
# The proven floor, not what was shown last: a torn cell may still fall back to it, and that is no forgery.
_SEEN = """
    SELECT lower(uid), coalesce((images->'spend'->'floor'->>0)::int, spend_seq), seen_at
    FROM accounts_card WHERE seen_at >= %(since)s AND life IN ('issued', 'active')
    ORDER BY seen_at LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Synced:
    """How many cards came, went or changed their reason, and how far the list is now."""

    changed: int
    version: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed after the version that somebody has: (UID, refusal), or (UID, None) for a card that is off the list.

    ``whole``: the list begins anew. ``more``: another question is due, from ``version`` on.
    """

    version: int
    whole: bool
    more: bool
    entries: tuple[tuple[str, Refusal | None], ...]


@transaction.atomic(durable=True)
def sync_hotlist(*, now: datetime) -> Synced:
    """Bring the list up to date. Safe to repeat, safe to kill, one at a time."""
    return _sync(Hotlist.objects.select_for_update().get(id=1), now=now)


@transaction.atomic(durable=True)
def keep_fresh(*, now: datetime) -> int:
    """Bring the list up to date if nobody has for half a minute or is about to; return how far it is.

    Called with every heartbeat, so a loss reaches the tills also where no cron job runs.
    """
    hotlist = (
        Hotlist.objects.select_for_update(skip_locked=True)
        .exclude(checked_at__gt=now - FRESH)
        .filter(id=1)
        .first()
    )
    return _sync(hotlist, now=now).version if hotlist else version()


def version() -> int:
    """How far the list is."""
    return Hotlist.objects.values_list("version", flat=True).get(id=1)


def changes(have: int) -> Changes:
    """What changed after version ``have``, a page of it. Two statements.

    Whoever is ahead of us met a server that was since restored from a backup: only the whole list is safe.
    """
    known = have if have <= version() else 0
    with connection.cursor() as cursor:
        cursor.execute(_CHANGES, {"have": known, "most": HOTLIST_PAGE})
        found = cursor.fetchall()
    return Changes(
        version=found[-1][2] if found else known,
        whole=known == 0,
        more=len(found) == HOTLIST_PAGE,
        entries=tuple((uid, Refusal(refusal) if refusal else None) for uid, refusal, _ in found),
    )


def deltas(asked: HotlistRequest, *, now: datetime) -> HotlistAnswer:
    """What changed since the version that the terminal has, and the cards seen anywhere since it asked last.

    Both in pages; ``more`` says that another question is due. At most seven days of seen cards are given.
    """
    since = max(datetime.fromtimestamp(min(asked.seen_since_ms, _ms(now)) / 1000, UTC), now - SEEN_DAYS)
    changed = changes(asked.have)
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, {"since": since, "most": LAST_SEEN_MAX})
        seen = cursor.fetchall()
    full = len(seen) == LAST_SEEN_MAX
    return HotlistAnswer(
        version=changed.version,
        whole=changed.whole,
        more=changed.more or full,
        entries=changed.entries,
        seen=tuple((uid, seq) for uid, seq, _ in seen),
        seen_until_ms=_ms(seen[-1][2]) if full else _ms(now),
    )


def listed(uid: str) -> Refusal | None:
    """What the list says of one card (lower case hex), or None."""
    entry = HotlistEntry.objects.filter(uid=uid, removed=False).first()
    return Refusal(entry.refusal) if entry else None


def _sync(hotlist: Hotlist, *, now: datetime) -> Synced:
    with connection.cursor() as cursor:
        cursor.execute(_SYNC, {"version": hotlist.version, "now": now})
        changed, version = cursor.fetchone()
    hotlist.checked_at = now
    if changed:
        hotlist.version, hotlist.changed_at = version, now
    hotlist.save(update_fields=["checked_at", "version", "changed_at"])
    return Synced(changed, version)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
