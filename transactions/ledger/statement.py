"""Running a prepared statement of the ledger on this thread's connection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.abc import Transformer as Adapter
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
    if database.connection is None:
        database.ensure_connection()
    raw: Connection = database.connection
    if raw.prepare_threshold != 0:
        # Every integer goes as bigint: psycopg would choose a type by its size, and PostgreSQL plan anew for each.
        raw.prepare_threshold = 0
        raw.adapters.register_dumper(int, Int8Dumper)
    values = [params[name] for name in names]
    try:
        if raw.autocommit:
            return _at_once(raw, numbered, values)
        with psycopg.RawCursor(raw) as cursor:
            cursor.execute(numbered, values)
            return cursor.fetchone()
    except psycopg.Error:
        with database.wrap_database_errors:  # entered only now: most statements do not fail
            raise


@dataclass(slots=True)
class _Session:
    """What one connection knows by now: how to write values of each type, and what it has prepared."""

    adapter: Adapter
    prepared: dict[tuple[bytes, tuple[int, ...]], bytes] = field(default_factory=dict)


_SESSION = "_ecard_session"
"""Kept on the connection itself, so that it goes with it."""
_NOT_PREPARED = b"26000"


def _at_once(raw: Connection, text: bytes, values: Sequence[object]) -> Row | None:
    session: _Session | None = getattr(raw, _SESSION, None)
    if session is None:
        session = _Session(Transformer(raw))
        setattr(raw, _SESSION, session)
    adapter = session.adapter
    dumped = adapter.dump_sequence(values, [PyFormat.AUTO] * len(values))
    types = tuple(adapter.types or ())
    for _ in range(2):
        name = session.prepared.get((text, types)) or _prepare(raw, session, text, types)
        result = raw.pgconn.exec_prepared(name, dumped, adapter.formats)  # type: ignore[arg-type]  # its stub forgets NULL
        if result.status == ExecStatus.TUPLES_OK:
            adapter.set_pgresult(result)
            return adapter.load_row(0, tuple) if result.ntuples else None
        if result.error_field(DiagnosticField.SQLSTATE) != _NOT_PREPARED:
            break
        session.prepared.clear()  # the driver had the server forget every statement, as it does after a rollback
    raise _fault(raw, result)


def _prepare(raw: Connection, session: _Session, text: bytes, types: tuple[int, ...]) -> bytes:
    """Prepare a statement for these types of parameters; returns its name."""
    name = b"ecard_%d" % len(session.prepared)
    result = raw.pgconn.prepare(name, text, types)
    if result.status != ExecStatus.COMMAND_OK:
        raise _fault(raw, result)
    session.prepared[text, types] = name
    return name


def _fault(raw: Connection, result: PGresult) -> psycopg.Error:
    """What a cursor would have raised."""
    if raw.pgconn.status == ConnStatus.BAD:
        return psycopg.OperationalError(raw.pgconn.get_error_message() or "the connection is lost")
    return psycopg.errors.error_from_result(result)


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
