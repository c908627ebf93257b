"""Which cards a till without the network must refuse, and how far it knows other cards to have come.

The list came in signed answers; kept here it carries a MAC of its own. Its version only goes up, its age counts from
the last time the server confirmed it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from purse.rules import Refusal
from terminals.device.store import Store
from terminals.messages.signing import document_genuine, document_mac
from terminals.messages.upkeep import HotlistAnswer


@dataclass(frozen=True, slots=True)
class Kept:
    """What this till has of the list: its version, when it was confirmed last, and up to when cards were seen."""

    version: int = 0
    checked_ms: int | None = None
    seen_until_ms: int = 0


class Hotlist:
    """The kept list and the last-seen marks. Raises ``JournalBroken`` when the disk fails."""

    def __init__(self, store: Store, key: bytes) -> None:
        self._store = store
        self._key = key
        self.kept = self._load()

    def refusal(self, uid: bytes) -> Refusal | None:
        """Why this card may not be accepted, None when it is not on the list."""
        with self._store.reading() as db:
            row = db.execute("SELECT refusal FROM hotlist WHERE uid = ?", (uid.hex(),)).fetchone()
        return Refusal(row[0]) if row else None

    def last_seen(self, uid: bytes) -> int:
        """The highest spend sequence that this card was proven to have, 0 when it is not known here."""
        with self._store.reading() as db:
            row = db.execute("SELECT seq FROM last_seen WHERE uid = ?", (uid.hex(),)).fetchone()
        return int(row[0]) if row else 0

    def saw(self, uid: bytes, seq: int) -> None:
        """Note how far a card has come; a card that shows less later is a restored dump."""
        if seq > self.last_seen(uid):
            with self._store.writing() as db:
                _saw(db, uid.hex(), seq)

    def age_s(self, now_ms: int) -> float | None:
        """Seconds since the server confirmed the list, None without one."""
        checked_ms = self.kept.checked_ms
        return None if checked_ms is None else max(0, now_ms - checked_ms) / 1000

    def apply(self, answer: HotlistAnswer, now_ms: int) -> bool:
        """Take in a page of changes. False, and nothing changes, when the list would go back to an older version.

        Only a ``whole`` list may: a server restored from a backup starts it anew, and says so in a signed answer to
        this very question, which cannot be a replay.
        """
        if answer.version < self.kept.version and not answer.whole:
            return False
        checked_ms = self.kept.checked_ms if answer.more else now_ms
        kept = Kept(answer.version, checked_ms, max(answer.seen_until_ms, self.kept.seen_until_ms))
        with self._store.writing() as db:
            if answer.whole:
                db.execute("DELETE FROM hotlist")
            for uid, refusal in answer.entries:
                if refusal is None:
                    db.execute("DELETE FROM hotlist WHERE uid = ?", (uid,))
                else:
                    db.execute("INSERT OR REPLACE INTO hotlist VALUES (?, ?)", (uid, refusal.value))
            for uid, seq in answer.seen:
                _saw(db, uid, seq)
            self._keep(db, kept)
        self.kept = kept
        return True

    def confirmed(self, version: int, now_ms: int) -> bool:
        """The server named its version: the same as here makes the list young again. False when ours is older."""
        if version != self.kept.version or self.kept.checked_ms is None:
            return version <= self.kept.version and self.kept.checked_ms is not None
        kept = Kept(version, now_ms, self.kept.seen_until_ms)
        with self._store.writing() as db:
            self._keep(db, kept)
        self.kept = kept
        return True

    def _keep(self, db: sqlite3.Connection, kept: Kept) -> None:
        mac = document_mac(self._key, _document(db, kept))
        checked_ms = -1 if kept.checked_ms is None else kept.checked_ms
        values = (kept.version, checked_ms, kept.seen_until_ms, mac)
        db.execute("INSERT OR REPLACE INTO hotlist_state VALUES (1, ?, ?, ?, ?)", values)

    def _load(self) -> Kept:
        """What is kept, or nothing when its MAC is wrong: an edited list is no list, and is fetched anew."""
        with self._store.writing() as db:
            row = db.execute("SELECT version, checked_ms, seen_until_ms, mac FROM hotlist_state").fetchone()
            if row is None:
                return Kept()
            kept = Kept(row[0], None if row[1] < 0 else row[1], row[2])
            if document_genuine(self._key, {**_document(db, kept), "mac": row[3]}):
                return kept
            for table in ("hotlist", "hotlist_state", "last_seen"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - three fixed names
            return Kept()


def _document(db: sqlite3.Connection, kept: Kept) -> dict[str, object]:
    rows = db.execute("SELECT uid, refusal FROM hotlist ORDER BY uid").fetchall()
    return {
        "version": kept.version,
        "checked_ms": kept.checked_ms,
        "seen_until_ms": kept.seen_until_ms,
        "entries": [list(row) for row in rows],
    }


def _saw(db: sqlite3.Connection, uid: str, seq: int) -> None:
    db.execute(
        "INSERT INTO last_seen VALUES (?, ?) ON CONFLICT (uid) DO UPDATE SET seq = max(seq, excluded.seq)",
        (uid, seq),
    )
