"""The audit as a chain of seals: HMAC over the seal before and every row since, with a tag a row (security.md 6).

The key never goes to the database, so whoever can write there, its owner included, cannot make a row, change one or
take one away without breaking a seal; whoever puts the whole database back breaks the head that was copied elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Final

from django.db.backends.utils import CursorWrapper

from reconciliation.digest import FIXED_FORM, NO_DAY, Row, changed, seal

ID: Final = "S6"
COUNTED: Final = "SELECT count(*) FROM accounts_auditseal"
_FETCH: Final = 5_000
_ROWS: Final = """
    SELECT id, (id, at, actor, role, channel, place, action, object_kind, object_id, before, after, reason)::text
    FROM accounts_auditevent WHERE id > %s AND id <= %s ORDER BY id
"""
_SEALS: Final = (
    "SELECT id, day, last_id, events, key_mark, previous, digest, tags FROM accounts_auditseal ORDER BY id"
)


def mark_of(key: bytes) -> bytes:
    """By which a key is known again without telling it."""
    return hmac.digest(key, b"which key sealed the audit", hashlib.sha256)[:8]


def rows_between(cursor: CursorWrapper, first: int, last: int) -> Iterator[Row]:
    """The rows behind ``first`` up to ``last``, a few thousand at a time."""
    cursor.execute(FIXED_FORM)
    cursor.execute(_ROWS, [first, last])
    while rows := cursor.fetchmany(_FETCH):
        for row_id, text in rows:
            yield Row(row_id, 0, 0, text.encode())


def broken(cursor: CursorWrapper, key: bytes | None) -> Iterator[tuple[None, None, str]]:
    """What breaks the chain. Without the key only that the seals follow each other."""
    cursor.execute(_SEALS)
    expected, first = NO_DAY, 0
    for number, day, last, events, key_mark, previous, digest, tags in cursor.fetchall():
        if bytes(previous) != expected:
            yield None, None, f"audit seal {number} does not rest on the seal before"
        if key is not None and bytes(key_mark) != mark_of(key):
            yield None, None, f"audit seal {number} was made with another key"
        elif key is not None:
            found = seal(rows_between(cursor, first, last), day=day, previous=bytes(previous), key=key)
            if (found.digest, found.entries, found.tags) != (bytes(digest), events, bytes(tags)):
                yield from _named(cursor, key, bytes(tags), (number, first, last))
        expected, first = bytes(digest), last


def _named(
    cursor: CursorWrapper, key: bytes, tags: bytes, about: tuple[int, int, int]
) -> Iterator[tuple[None, None, str]]:
    number, first, last = about
    named = list(changed(rows_between(cursor, first, last), tags, key=key))
    for change in named:
        row = change.row or change.after
        place = f"row {row.id}" if row is not None else "the beginning"
        yield (
            None,
            None,
            f"audit seal {number}: {change.what}, {'after ' if change.row is None else ''}{place}",
        )
    if not named:
        yield None, None, f"audit seal {number}: its digest, count or tags were changed"
