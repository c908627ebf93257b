"""How the site is served: the one truth for the unit file (``deploy/ecard.service``), the bench and the simulation."""

from __future__ import annotations

import os
from typing import Final

WORKERS: Final = os.cpu_count() or 1
"""One process for each core."""
THREADS: Final = 4
"""For each process: they wait for PostgreSQL, not for each other, and each has one connection. More of them only spoil
the caches of the machine (docs/measurements.md); some may wait for a desk's job (``terminals.api.jobs.WAITERS``)."""
APPLICATION: Final = "ecard.wsgi:application"


def command(port: int, *, workers: int = WORKERS, threads: int = THREADS) -> list[str]:
    """The arguments after ``python -m``, on this machine's own address."""
    return [
        *("granian", "--interface", "wsgi", "--no-ws", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", str(workers), "--blocking-threads", str(threads), "--log-level", "error"),
        APPLICATION,
    ]
