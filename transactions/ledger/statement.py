"""Running a prepared statement of the ledger on this thread's connection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.types.numeric import Int8Dumper


def array(items: Iterable[object]) -> str:
    """An array of UUIDs or plain words as PostgreSQL writes it; cheaper than the driver's general way."""
    return "{" + ",".join(map(str, items)) + "}"


def dump(value: object) -> str:
    """JSON as short as it can be."""
    return json.dumps(value, separators=(",", ":"))


def run(text: str, params: Mapping[str, Any]) -> tuple[Any, ...]:
    """Like ``fetch``, for statements that always return a row."""
    row = fetch(text, params)
    if row is None:
        raise AssertionError("a ledger statement always returns one row")
    return row


def fetch(text: str, params: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Run one prepared statement with server-side binding; Django's own cursors do neither."""
    numbered, names = _numbered(text)
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    raw: psycopg.Connection[tuple[Any, ...]] = database.connection
    if raw.prepare_threshold != 0:
        # Every integer goes as bigint: psycopg would choose a type by its size, and PostgreSQL plan anew for each.
        raw.prepare_threshold = 0
        raw.adapters.register_dumper(int, Int8Dumper)
    with database.wrap_database_errors, psycopg.RawCursor(raw) as cursor:
        cursor.execute(numbered, [params[name] for name in names])
        return cursor.fetchone()


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
