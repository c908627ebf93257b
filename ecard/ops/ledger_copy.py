"""The ledger of some days for an auditor: every entry as CSV by COPY, the digests of closed days, sums, a signature.

One snapshot. Names nobody: accounts appear by number, merchants by id. The only free text, the note, is guarded like
every cell that a spreadsheet could take for a formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from accounts.csvfile import MARK
from ecard.ops import export
from ecard.ops.export import Errand, Writing

ENTRIES: Final = "entries.csv"
DAYS: Final = "days.csv"
_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
_ENTRIES: Final = r"""
    SELECT e.id AS entry, a.number AS account, e.seq, e.kind, e.book_change_fen, e.unclaimed_change_fen,
        e.book_after_fen, e.unclaimed_after_fen, e.contra, e.contra_ref, e.source_key, e.card_id, e.purse_side,
        e.purse_seq, to_char(e.occurred_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD"T"HH24:MI:SS.US"+08:00"')
            AS occurred_at,
        to_char(e.posted_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD"T"HH24:MI:SS.US"+08:00"') AS posted_at,
        e.day, e.terminal_id, e.mode, e.reverses, e.corrects,
        CASE WHEN e.note ~ '^ *[-=+@\t\r\n]' THEN '''' || e.note ELSE e.note END AS note
    FROM transactions_entry e JOIN accounts_account a ON a.id = e.account_id
    WHERE e.day BETWEEN {first} AND {last} ORDER BY e.day, e.id
"""
_DAYS: Final = """
    SELECT day, entries, encode(digest, 'hex') AS digest, encode(previous, 'hex') AS previous, key_id
    FROM reconciliation_dayclose WHERE day BETWEEN {first} AND {last} ORDER BY day
"""
_SUMS: Final = """
    SELECT kind, contra, count(*), sum(book_change_fen), sum(unclaimed_change_fen) FROM transactions_entry
    WHERE day BETWEEN %s AND %s GROUP BY kind, contra ORDER BY kind, contra
"""


class WrongSpan(Exception):
    """The last day is before the first."""


@dataclass(frozen=True, slots=True)
class Span:
    """Ledger days, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Copy:
    """What was written."""

    path: Path
    entries: int
    days: int


def copy_of(span: Span, errand: Errand, folder: Path, *, audit_key: bytes, now: datetime) -> Copy:
    """Write the days of a span. In the audit before the file stands there. Raises ``WrongSpan`` and ``OSError``.

    Not to be called inside a transaction.
    """
    if span.last < span.first:
        raise WrongSpan(f"{span.last} is before {span.first}")
    path = folder / f"ecard-ledger-{span.first:%Y%m%d}-{span.last:%Y%m%d}-{now:%Y%m%dT%H%M%S}.zip"
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_SNAPSHOT)
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL DateStyle = 'ISO, YMD'")
        with export.writing(path) as file:
            entries = _put(cursor, file, ENTRIES, _ENTRIES, span)
            days = _put(cursor, file, DAYS, _DAYS, span)
            facts = {
                "what": "ledger",
                "from": span.first.isoformat(),
                "to": span.last.isoformat(),
                "made_at": now.isoformat(timespec="seconds"),
                "entries": entries,
                "days": days,
                "sums": _sums(cursor, span),
            }
            about = ("ledger", f"{span.first}/{span.last}")
            export.note("ledger.export", about, errand, after={"entries": entries, "days": days}, now=now)
            file.archive.writestr(export.MANIFEST, export.sign(facts, file.digests, key=audit_key))
    return Copy(path, entries, days)


def _put(cursor: CursorWrapper, file: Writing, name: str, query: str, span: Span) -> int:
    """Stream what a query finds into the archive; never held whole. Returns how many rows."""
    text = query.format(first=f"'{span.first}'::date", last=f"'{span.last}'::date")
    with file.member(name) as member:
        member.write(MARK.encode())
        with cursor.cursor.copy(f"COPY ({text}) TO STDOUT (FORMAT csv, HEADER)") as copy:
            for block in copy:
                member.write(bytes(block))
    return int(cursor.cursor.rowcount)


def _sums(cursor: CursorWrapper, span: Span) -> list[dict[str, Any]]:
    cursor.execute(_SUMS, [span.first, span.last])
    names = ("kind", "contra", "entries", "book_fen", "unclaimed_fen")
    return [
        dict(zip(names, (kind, contra, *map(int, numbers)), strict=True))
        for kind, contra, *numbers in cursor.fetchall()
    ]
