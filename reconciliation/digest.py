"""The digest of a ledger day: HMAC over the day before and every row, with a tag a row to find the one that changed.

The rows are written out by PostgreSQL itself, column by column in a fixed order, so a column that comes later does not
change the digests of the past.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher
from typing import Final

from django.db.backends.utils import CursorWrapper

TAG_BYTES: Final = 4
NO_DAY: Final = bytes(32)
"""What stands in for the digest before the first day."""
_FETCH: Final = 5_000
FIXED_FORM: Final = "SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true)"
ROWS: Final = """
    SELECT id, account_id, seq, (id, account_id, seq, kind, book_change_fen, unclaimed_change_fen, book_after_fen,
        unclaimed_after_fen, contra, contra_ref, source_key, card_id, purse_side, purse_seq, occurred_at, posted_at,
        day, terminal_id, mode, reverses, corrects, note)::text
    FROM transactions_entry
    WHERE posted_at >= %(day)s::timestamp AT TIME ZONE 'Asia/Shanghai'
        AND posted_at < (%(day)s::timestamp + interval '1 day') AT TIME ZONE 'Asia/Shanghai'
    ORDER BY id
"""
"""A row is of the day in which it was posted; its column ``day`` must say the same (L7)."""


class UnknownDayKey(Exception):
    """A day names a key that is not in the ring (lost, or retired too early)."""


@dataclass(frozen=True, slots=True, repr=False)
class DayKeys:
    """The ring ``DAY_KEYS`` by id, the first being the current one."""

    ring: Mapping[int, bytes]

    def __repr__(self) -> str:
        return "DayKeys(…)"

    @property
    def current(self) -> int:
        """Id of the key that seals new days."""
        return next(iter(self.ring))

    def key(self, key_id: int) -> bytes:
        """One key of the ring. Raises ``UnknownDayKey``."""
        try:
            return self.ring[key_id]
        except KeyError:
            raise UnknownDayKey(str(key_id)) from None


@dataclass(frozen=True, slots=True)
class Row:
    """One entry as the digest sees it."""

    id: int
    account_id: int
    seq: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a day comes to."""

    digest: bytes
    tags: bytes
    entries: int


@dataclass(frozen=True, slots=True)
class Change:
    """One place where rows and tags do not agree. ``row`` is None where a row is gone, ``after`` the one before it."""

    what: str
    row: Row | None
    after: Row | None = None


def rows_of(cursor: CursorWrapper, day: date) -> Iterator[Row]:
    """The rows of one day in the order of their ids, a few thousand at a time."""
    cursor.execute(FIXED_FORM)
    cursor.execute(ROWS, {"day": day.isoformat()})
    while rows := cursor.fetchmany(_FETCH):
        for row_id, account_id, seq, text in rows:
            yield Row(row_id, account_id, seq, text.encode())


def seal(rows: Iterable[Row], *, day: date, previous: bytes, key: bytes) -> Sealed:
    """The digest of a day and the tags of its rows. Each row goes in with its length, so none can run into the next."""
    mac = hmac.new(key, previous + day.isoformat().encode(), hashlib.sha256)
    tag_key = _tag_key(key)
    tags = bytearray()
    entries = 0
    for row in rows:
        mac.update(len(row.text).to_bytes(4, "big") + row.text)
        tags += hmac.digest(tag_key, row.text, "sha256")[:TAG_BYTES]
        entries += 1
    return Sealed(mac.digest(), bytes(tags), entries)


def changed(rows: Iterable[Row], tags: bytes, *, key: bytes) -> Iterator[Change]:
    """Which rows are not as they were when the day was closed: changed, planted, or gone."""
    found, tag_key = list(rows), _tag_key(key)
    now = [hmac.digest(tag_key, row.text, "sha256")[:TAG_BYTES] for row in found]
    then = [tags[place : place + TAG_BYTES] for place in range(0, len(tags), TAG_BYTES)]
    matcher = SequenceMatcher(None, then, now, autojunk=False)
    for what, then_from, then_to, now_from, now_to in matcher.get_opcodes():
        if what == "equal":
            continue
        before = found[now_from - 1] if now_from else None
        both = min(then_to - then_from, now_to - now_from)
        for place in range(now_from, now_from + both):
            yield Change("changed", found[place])
        for place in range(now_from + both, now_to):
            yield Change("planted", found[place])
        for _ in range(then_to - then_from - both):
            yield Change("gone", None, before)


def _tag_key(key: bytes) -> bytes:
    return hmac.digest(key, b"tag of a row", "sha256")
