"""L8: every closed day, computed again, comes to the digest that was kept, and the days are one chain.

Not one SQL query like the other promises, because the key never goes to the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from django.db.backends.utils import CursorWrapper

from reconciliation.digest import NO_DAY, DayKeys, UnknownDayKey, changed, rows_of, seal

ID = "L8"
COUNTED = "SELECT count(*) FROM reconciliation_dayclose"
_DAYS = "SELECT day, entries, key_id, previous, digest, tags FROM reconciliation_dayclose ORDER BY day"
_SUMS = """
    SELECT closed.day FROM reconciliation_dayclose closed
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_object_agg(kind, jsonb_build_array(entries, book_fen, unclaimed_fen)), '{}') AS sums
        FROM (
            SELECT kind, count(*) AS entries, sum(book_change_fen) AS book_fen,
                sum(unclaimed_change_fen) AS unclaimed_fen
            FROM transactions_entry
            WHERE posted_at >= closed.day::timestamp AT TIME ZONE 'Asia/Shanghai'
                AND posted_at < (closed.day::timestamp + interval '1 day') AT TIME ZONE 'Asia/Shanghai'
            GROUP BY kind) AS kinds) AS now
    WHERE now.sums <> closed.sums ORDER BY closed.day
"""
_NOT_SEALED = """
    SELECT shut.day FROM transactions_shutday shut
    LEFT JOIN reconciliation_dayclose closed ON closed.day = shut.day
    WHERE closed.day IS NULL AND shut.day < (SELECT max(day) FROM reconciliation_dayclose)
    UNION
    SELECT closed.day FROM reconciliation_dayclose closed
    LEFT JOIN transactions_shutday shut ON shut.day = closed.day
    WHERE shut.day IS NULL ORDER BY 1
"""
_NUMBERS = "SELECT id, number FROM accounts_account WHERE id = ANY(%s)"

Row = tuple[int | None, int | None, str]
"""Account number, entry, what is wrong: as the SQL promises give them."""


def broken(cursor: CursorWrapper, keys: DayKeys | None) -> Iterator[Row]:
    """What breaks L8. Without keys only what needs none: the chain, the sums, and that closed days are shut."""
    cursor.execute(_DAYS)
    days = cursor.fetchall()
    expected, previous_day = NO_DAY, None
    for day, entries, key_id, previous, digest, tags in days:
        if previous_day is not None and day != previous_day + timedelta(days=1):
            yield None, None, f"no digest between {previous_day} and {day}"
        if bytes(previous) != expected:
            yield None, None, f"day {day} does not rest on the digest of the day before"
        if keys is not None:
            yield from _day(cursor, keys, (day, entries, key_id), bytes(previous), bytes(digest), bytes(tags))
        expected, previous_day = bytes(digest), day
    for query, what in (
        (_SUMS, "its sums are not what was kept"),
        (_NOT_SEALED, "shut and sealed do not agree"),
    ):
        cursor.execute(query)
        for (day,) in cursor.fetchall():
            yield None, None, f"day {day}: {what}"


def _day(
    cursor: CursorWrapper,
    keys: DayKeys,
    about: tuple[date, int, int],
    previous: bytes,
    digest: bytes,
    tags: bytes,
) -> Iterator[Row]:
    day, entries, key_id = about
    try:
        key = keys.key(key_id)
    except UnknownDayKey:
        yield None, None, f"day {day} was sealed with key {key_id}, which is not in the ring"
        return
    sealed = seal(rows_of(cursor, day), day=day, previous=previous, key=key)
    if (sealed.digest, sealed.entries) == (digest, entries):
        if sealed.tags != tags:
            yield None, None, f"day {day}: its tags were changed"
        return
    named = list(changed(rows_of(cursor, day), tags, key=key))
    rows = [change.row or change.after for change in named]
    cursor.execute(_NUMBERS, [[row.account_id for row in rows if row is not None]])
    numbers = dict(cursor.fetchall())
    for change, row in zip(named, rows, strict=True):
        place = "after this one" if change.row is None else "this row"
        number, seq = (None, None) if row is None else (numbers.get(row.account_id), row.seq)
        yield number, seq, f"day {day}: {change.what}, {place}"
    if not named:
        yield None, None, f"day {day}: its digest or count was changed"
