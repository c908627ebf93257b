"""Running a prepared statement of the ledger on this thread's connection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult
from psycopg.types.numeric import Int8Dumper

Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]


def array(items: Iterable[object]) -> str:
    """An array of UUIDs or plain words as PostgreSQL writes it; cheaper than the driver's general way."""
    return "{" + ",".join(map(str, items)) + "}"


def dump(value: object) -> str:
    """JSON as short as it can be."""
    return json.dumps(value, separators=(",", ":"))


def run(text: str, params: Mapping[str, Any]) -> Row:
    """Like ``fetch``, for statements that always return a row."""
    row = fetch(text, params)
    if row is None:
        raise AssertionError("a ledger statement always returns one row")
    return row


def fetch(text: str, params: Mapping[str, Any]) -> Row | None:
    """Run one prepared statement with server-side binding; Django's own cursors do neither. Returns the first row.

    A statement that is a transaction of its own goes to libpq at once, which takes half the time of a cursor; within
    a transaction the driver has to see every statement, because it is the one who says BEGIN.
    """
    numbered, names = _numbered(text)
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    raw: Connection = database.connection
    if raw.prepare_threshold != 0:
        # Every integer goes as bigint: psycopg would choose a type by its size, and PostgreSQL plan anew for each.
        raw.prepare_threshold = 0
        raw.adapters.register_dumper(int, Int8Dumper)
    values = [params[name] for name in names]
    with database.wrap_database_errors:
        if raw.autocommit:
            return _at_once(raw, numbered, values)
        with psycopg.RawCursor(raw) as cursor:
            cursor.execute(numbered, values)
            return cursor.fetchone()


_prepared: WeakKeyDictionary[Connection, dict[tuple[bytes, tuple[int, ...]], bytes]] = WeakKeyDictionary()
"""What each connection has prepared, by text and parameter types. A new connection begins with nothing."""
_NOT_PREPARED = b"26000"


def _at_once(raw: Connection, text: bytes, values: Sequence[object]) -> Row | None:
    adapter = Transformer(raw)
    dumped = adapter.dump_sequence(values, [PyFormat.AUTO] * len(values))
    types = tuple(adapter.types or ())
    for _ in range(2):
        name = _name(raw, text, types)
        result = raw.pgconn.exec_prepared(name, dumped, adapter.formats)  # type: ignore[arg-type]  # its stub forgets NULL
        if result.error_field(DiagnosticField.SQLSTATE) != _NOT_PREPARED:
            break
        _prepared.pop(
            raw, None
        )  # the driver had the server forget every statement, as it does after a rollback
    _checked(raw, result, ExecStatus.TUPLES_OK)
    adapter.set_pgresult(result)
    return adapter.load_row(0, tuple) if result.ntuples else None


def _name(raw: Connection, text: bytes, types: tuple[int, ...]) -> bytes:
    """Under which name the statement is prepared on this connection; prepares it where it is not."""
    known = _prepared.setdefault(raw, {})
    name = known.get((text, types))
    if name is None:
        name = b"ecard_%d" % len(known)
        _checked(raw, raw.pgconn.prepare(name, text, types), ExecStatus.COMMAND_OK)
        known[text, types] = name
    return name


def _checked(raw: Connection, result: PGresult, wanted: ExecStatus) -> None:
    """Raise what a cursor would have raised."""
    if result.status == wanted:
        return
    if raw.pgconn.status == ConnStatus.BAD:
        raise psycopg.OperationalError(raw.pgconn.get_error_message() or "the connection is lost")
    raise psycopg.errors.error_from_result(result)


@lru_cache(maxsize=64)
def _numbered(text: str) -> tuple[bytes, tuple[str, ...]]:
    """Turn ``%(name)s`` into ``$n`` once for each text; psycopg would parse a statement this long at every call."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return _NAMED.sub(number, text).encode(), tuple(names)


_NAMED = re.compile(r"%\((\w+)\)s")
