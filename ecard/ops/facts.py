"""What can be told of a database in a few lines, so that a copy of it can be held against the original.

Read through the owner's connection in one snapshot: how far the migrations are, how many rows each table has, the sums
of the money, the digests of all closed days, those of the open ones, and the seals of the audit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

from django.db.backends.utils import CursorWrapper

from reconciliation.digest import NO_DAY, DayKeys, UnknownDayKey, rows_of, seal

NO_KEY: Final = "key missing"
_TABLES: Final = """
    SELECT relname FROM pg_class
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace ORDER BY relname
"""
_SUMS: Final = """
    SELECT count(*), coalesce(sum(book_fen), 0), coalesce(sum(unclaimed_fen), 0), coalesce(sum(entry_seq), 0)
    FROM accounts_account
"""
_OPEN_DAYS: Final = """
    SELECT DISTINCT (posted_at AT TIME ZONE 'Asia/Shanghai')::date FROM transactions_entry
    WHERE posted_at >= coalesce((SELECT max(day) + 1 FROM reconciliation_dayclose), '2000-01-01')::timestamp
        AT TIME ZONE 'Asia/Shanghai'
    ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """Equal for two databases that say the same. Digests in hex, days in ISO form, sums in fen."""

    migrations: Mapping[str, list[str]]
    """The applied ones, by app."""
    rows: Mapping[str, int]
    sums: Mapping[str, int]
    days: Mapping[str, str]
    """The digest of every closed day."""
    open_days: Mapping[str, list[Any]]
    """``[key id, entries, digest]`` of each day that nobody has closed: what a backup at noon holds of the morning."""
    audit: Mapping[str, str]
    """The digest of every seal of the audit, by the last row it covers."""
    server_major: int

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Facts:
        """Inverse of ``to_json``. Raises ``TypeError`` for other fields."""
        return cls(**data)


def gather(
    cursor: CursorWrapper, keys: DayKeys, *, sealed_with: Mapping[str, list[Any]] | None = None
) -> Facts:
    """Read them in the transaction of ``cursor``. ``sealed_with``: the open days of a manifest, whose keys are used."""
    cursor.execute("SELECT app, name FROM django_migrations ORDER BY app, id")
    migrations: dict[str, list[str]] = {}
    for app, name in cursor.fetchall():
        migrations.setdefault(app, []).append(name)
    cursor.execute("SELECT day, digest FROM reconciliation_dayclose ORDER BY day")
    days = {day.isoformat(): bytes(digest).hex() for day, digest in cursor.fetchall()}
    cursor.execute("SELECT last_id, digest FROM accounts_auditseal ORDER BY id")
    audit = {str(last): bytes(digest).hex() for last, digest in cursor.fetchall()}
    cursor.execute(_SUMS)
    accounts, book, unclaimed, entries = cursor.fetchone()
    sums = {
        "accounts": accounts,
        "book_fen": int(book),
        "unclaimed_fen": int(unclaimed),
        "entries": int(entries),
    }
    cursor.execute("SHOW server_version_num")
    major = int(cursor.fetchone()[0]) // 10_000
    head = bytes.fromhex(days[max(days)]) if days else NO_DAY
    opened = _open_days(cursor, keys, head, sealed_with or {})
    return Facts(migrations, _rows(cursor), sums, days, opened, audit, major)


def _rows(cursor: CursorWrapper) -> dict[str, int]:
    cursor.execute(_TABLES)
    tables = [name for (name,) in cursor.fetchall()]
    counted = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM public.\"{name}\"" for name in tables)  # noqa: S608
    cursor.execute(counted)
    return {name: int(count) for name, count in cursor.fetchall()}


def _open_days(
    cursor: CursorWrapper, keys: DayKeys, head: bytes, sealed_with: Mapping[str, list[Any]]
) -> dict[str, list[Any]]:
    """Each rests on the last closed day, not on each other: one that is broken does not break the next."""
    cursor.execute(_OPEN_DAYS)
    found: dict[str, list[Any]] = {}
    for (day,) in cursor.fetchall():
        name = day.isoformat()
        key_id = sealed_with[name][0] if name in sealed_with else keys.current
        found[name] = [key_id, *_digest_of(cursor, keys, key_id, day, head)]
    return found


def _digest_of(cursor: CursorWrapper, keys: DayKeys, key_id: int, day: date, head: bytes) -> tuple[int, str]:
    try:
        key = keys.key(key_id)
    except UnknownDayKey:
        return 0, NO_KEY
    sealed = seal(rows_of(cursor, day), day=day, previous=head, key=key)
    return sealed.entries, sealed.digest.hex()


def differences(then: Facts, now: Facts) -> list[str]:
    """In which a database is not what the facts say, one sentence each; empty when it is."""
    found = [*_tables(then.rows, now.rows)]
    for what, before, after in (
        ("sum", then.sums, now.sums),
        ("digest of day", then.days, now.days),
        ("entries of the open day", then.open_days, now.open_days),
        ("audit seal up to row", then.audit, now.audit),
    ):
        found += [
            f"{what} {name}: {_told(before.get(name))} then, {_told(after.get(name))} now"
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name)
        ]
    return found


def _tables(then: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    return [
        f"table {name}: {then.get(name, 'no')} rows then, {now.get(name, 'no')} now"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]


def _told(value: object) -> str:
    return "nothing" if value is None else str(value)
