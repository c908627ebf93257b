"""Running one path with so many clients for so many seconds, each client a process with one connection.

Clients are processes, because threads of one Python would measure its interpreter lock.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

from django.db import connections

Work = Callable[[], None]
Prepare = Callable[[int, int], Work]
"""(client, of how many) → one operation, ready to be repeated."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What all clients of one run did together."""

    operations: int
    seconds: float
    latencies_ms: tuple[float, ...]
    client_cpu_s: float

    @property
    def per_second(self) -> float:
        """Operations a second, all clients together."""
        return self.operations / self.seconds

    def percentile_ms(self, share: float) -> float:
        """The latency that this share of the operations stayed under."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def run(prepare: Prepare, *, clients: int, seconds: float) -> Taken:
    """Start the clients, let them prepare, release them together, and add up what they did.

    Raises ``RuntimeError`` when any client failed.
    """
    connections.close_all()
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(clients + 1)
    results = context.Queue()
    started = [
        context.Process(target=_client, args=(prepare, number, clients, seconds, gate, results))
        for number in range(clients)
    ]
    for process in started:
        process.start()
    gate.wait(timeout=120)
    begun = time.monotonic()
    parts = [results.get(timeout=seconds + 120) for _ in started]
    elapsed = max(time.monotonic() - begun, seconds)
    for process in started:
        process.join()
    if failed := [part for part in parts if isinstance(part, str)]:
        raise RuntimeError(failed[0])
    latencies = tuple(latency for part in parts for latency in part[0])
    return Taken(len(latencies), elapsed, latencies, sum(part[1] for part in parts))


def _client(
    prepare: Prepare,
    number: int,
    clients: int,
    seconds: float,
    gate: Barrier,
    results: multiprocessing.Queue[Any],
) -> None:
    try:
        with _own_connections():
            work = prepare(number, clients)
            gate.wait(timeout=120)
            latencies, until = [], time.perf_counter() + seconds
            cpu = resource.getrusage(resource.RUSAGE_SELF)
            while (begun := time.perf_counter()) < until:
                work()
                latencies.append((time.perf_counter() - begun) * 1000)
            spent = resource.getrusage(resource.RUSAGE_SELF)
            used = spent.ru_utime + spent.ru_stime - cpu.ru_utime - cpu.ru_stime
            results.put((latencies, used))
    except Exception as error:  # noqa: BLE001 - handed to the parent, which raises it
        results.put(f"client {number}: {type(error).__name__}: {error}")
        gate.abort()
    results.close()
    results.join_thread()
    os._exit(0)


@contextmanager
def _own_connections() -> Iterator[None]:
    """A forked client must never touch the connections of its parent."""
    for connection in connections.all(initialized_only=True):
        connection.connection = None
    yield
    connections.close_all()
