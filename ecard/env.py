"""Reads settings from text: key rings, single keys, database URLs. No Django, no defaults: fails closed."""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

_RING_ENTRY = re.compile(r"([0-9]{1,4}):((?:[0-9a-fA-F]{2})*)")
_DJANGO_NAMES = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}


def key_ring(name: str, text: str) -> dict[int, bytes]:
    """Parse `id:hex,id:hex…`; the first key is the current one, the others only still open old data.

    Raises:
        ImproperlyConfigured: another form, or one id twice. Length and presence are for `ecard.checks`.
    """
    ring: dict[int, bytes] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _RING_ENTRY.fullmatch(part)
        if match is None or int(match[1]) in ring:
            raise ImproperlyConfigured(f"{name} is not a list of id:hex with different ids.")
        ring[int(match[1])] = bytes.fromhex(match[2])
    return ring


def single_key(name: str, text: str) -> bytes:
    """Parse one key in hex.

    Raises:
        ImproperlyConfigured: not hex.
    """
    try:
        return bytes.fromhex(text.strip())
    except ValueError:
        raise ImproperlyConfigured(f"{name} is not hex.") from None


def database(name: str, url: str, *, limits: dict[str, str], role: str = "") -> dict[str, Any]:
    """Turn a libpq URL into a Django database: several hosts and any libpq option are allowed.

    Args:
        limits: server settings of every connection, such as ``{"lock_timeout": "2s"}``.
        role: the role to take on after logging in; empty means the login itself.

    Raises:
        ImproperlyConfigured: not a connection URL, or one without a database name.
    """
    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError as problem:
        raise ImproperlyConfigured(f"{name}: {problem}") from None
    if "dbname" not in parts:
        raise ImproperlyConfigured(f"{name} names no database.")
    settings: dict[str, Any] = {"ENGINE": "django.db.backends.postgresql"}
    settings |= {django: str(parts.pop(libpq, None) or "") for libpq, django in _DJANGO_NAMES.items()}
    server = limits | ({"role": role} if role else {})
    given = [str(parts.pop("options"))] if "options" in parts else []
    options = " ".join([*given, *(f"-c {key}={value}" for key, value in server.items())])
    return settings | {"OPTIONS": {**parts, "options": options}}
