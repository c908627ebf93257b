"""Chains of signed entries: each names the one before, so nothing in the middle can be changed or taken out unseen.

What stands beside the chains (what is open, what must go up, what was sold today) is told by the chains themselves and
made anew at every start, so damage there has no effect either.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from terminals.device.store import JournalBroken
from terminals.messages import strictjson
from terminals.messages.signing import NO_RECORD_MAC, document_genuine, document_mac


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a chain as it lies on the disk; ``beside`` are the columns that repeat what the text says."""

    seq: int
    text: str
    beside: dict[str, Any]


def follow(
    entries: Iterable[Entry], key: bytes, *, name: str, first: int, prev_mac: str | None
) -> Iterator[dict[str, Any]]:
    """The documents of a chain in order, each checked. Raises ``JournalBroken`` at the first that is not as written.

    ``first`` is the number that the chain must begin with; ``prev_mac`` None leaves open what came before it.
    """
    expected = first
    for entry in entries:
        try:
            document = strictjson.loads(entry.text.encode())
        except (strictjson.WireError, UnicodeError) as error:
            raise JournalBroken(f"{name} {entry.seq} was changed") from error
        follows = prev_mac is None or document.get("prev_mac") == prev_mac
        told = {column: document.get(column) for column in entry.beside}
        if entry.seq != expected or document.get("seq") != expected or not follows or told != entry.beside:
            raise JournalBroken(f"{name} {entry.seq} does not follow its predecessor")
        if not document_genuine(key, document):
            raise JournalBroken(f"{name} {entry.seq} was changed")
        prev_mac, expected = str(document["mac"]), expected + 1
        yield document


def steps(db: sqlite3.Connection, key: bytes) -> Iterator[dict[str, Any]]:
    """Every step that is kept, checked."""
    rows = db.execute("SELECT seq, body, key_seq, name FROM step ORDER BY seq")
    entries = (Entry(seq, text, {"key_seq": key_seq, "name": name}) for seq, text, key_seq, name in rows)
    return _whole(db, entries, key, "step")


def records(db: sqlite3.Connection, key: bytes) -> Iterator[dict[str, Any]]:
    """Every record that is kept, checked."""
    rows = db.execute("SELECT seq, body FROM record ORDER BY seq")
    return _whole(db, (Entry(seq, text, {}) for seq, text in rows), key, "record")


def signed(db: sqlite3.Connection, table: str, document: dict[str, Any], key: bytes) -> tuple[int, str]:
    """Number and text of the next entry of ``step`` for this content."""
    seq, prev_mac = tail(db, table)
    whole = {"seq": seq, "prev_mac": prev_mac, **document}
    return seq, strictjson.dumps({**whole, "mac": document_mac(key, whole)}).decode()


def tail(db: sqlite3.Connection, table: str) -> tuple[int, str]:
    """The number that the next entry takes, and the MAC that it names."""
    row = db.execute(f"SELECT seq, body FROM {table} ORDER BY seq DESC LIMIT 1").fetchone()  # noqa: S608 - fixed names
    return (row[0] + 1, mac_of(row[1])) if row else (1, NO_RECORD_MAC)


def mac_of(text: str) -> str:
    """The MAC of an entry."""
    return str(strictjson.loads(text.encode())["mac"])


def _whole(
    db: sqlite3.Connection, entries: Iterable[Entry], key: bytes, table: str
) -> Iterator[dict[str, Any]]:
    first = db.execute(f"SELECT pruned_{table} + 1 FROM journal").fetchone()[0]  # noqa: S608 - two fixed names
    return follow(entries, key, name=table, first=first, prev_mac=NO_RECORD_MAC if first == 1 else None)
