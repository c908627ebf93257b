"""Running one path with so many clients for so many seconds, in a few processes as those of a web server.

One process would measure Python's interpreter lock, one for each client the caches of the machine. What runs inside
the server is called by its worker threads, and each of those has one connection: clients beyond that wait their turn.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Barrier

from django.db import connections

from ecard import serving

Work = Callable[[], None]
Prepare = Callable[[int, int], Work]
"""(client, of how many) → one operation, ready to be repeated."""
PROCESSES = serving.WORKERS
LANES = serving.THREADS * PROCESSES
"""How many operations are under way at once where clients share the connections of a server."""


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


def run(prepare: Prepare, *, clients: int, seconds: float, lanes: int | None = None) -> Taken:
    """Start the clients, let them prepare, release them together, and add up what they did.

    With fewer ``lanes`` than clients they take turns, the one who waited longest first; waiting is part of a client's
    latency. Raises ``RuntimeError`` when any client failed.
    """
    lanes = min(clients, lanes or clients)
    plan = [range(lane, clients, lanes) for lane in range(lanes)]
    processes = min(lanes, PROCESSES)
    shares = [
        partial(_lanes, prepare, plan[number::processes], clients, seconds) for number in range(processes)
    ]
    return together(shares, gates=lanes, seconds=seconds)


@dataclass(frozen=True, slots=True)
class Part:
    """What the clients of one process did; times on the machine's one monotonic clock."""

    latencies_ms: list[float]
    cpu_s: float
    begun: float
    ended: float


def together(shares: Sequence[Callable[[Barrier], Part]], *, gates: int, seconds: float) -> Taken:
    """Run each share in a process of its own. ``gates`` of them all wait at the barrier when they are prepared.

    Raises ``RuntimeError`` when any share failed.
    """
    connections.close_all()
    context = multiprocessing.get_context("fork")
    gate, results = context.Barrier(gates), context.Queue()
    started = [context.Process(target=_process, args=(share, gate, results)) for share in shares]
    for process in started:
        process.start()
    parts = [results.get(timeout=seconds + 240) for _ in started]
    for process in started:
        process.join()
    if failed := [part for part in parts if isinstance(part, str)]:
        raise RuntimeError(failed[0])
    latencies = tuple(latency for part in parts for latency in part.latencies_ms)
    elapsed = max(part.ended for part in parts) - min(part.begun for part in parts)
    return Taken(len(latencies), elapsed, latencies, sum(part.cpu_s for part in parts))


def _process(
    share: Callable[[Barrier], Part], gate: Barrier, results: multiprocessing.Queue[Part | str]
) -> None:
    """Run one share and hand over what it did."""
    for connection in connections.all(initialized_only=True):
        connection.connection = None  # a forked process must never touch the connections of its parent
    gc.freeze()  # as the server's workers do (ecard.wsgi)
    try:
        results.put(share(gate))
    except Exception as error:  # noqa: BLE001 - handed to the parent, which raises it
        results.put(f"{type(error).__name__}: {error}")
        gate.abort()
    results.close()
    results.join_thread()
    os._exit(0)


def _lanes(prepare: Prepare, lanes: Sequence[range], clients: int, seconds: float, gate: Barrier) -> Part:
    """The lanes of one process, a thread each."""
    with ThreadPoolExecutor(len(lanes)) as pool:
        parts = list(pool.map(lambda lane: _lane(prepare, lane, clients, seconds, gate), lanes))
    return Part(
        [latency for part in parts for latency in part.latencies_ms],
        sum(part.cpu_s for part in parts),
        min(part.begun for part in parts),
        max(part.ended for part in parts),
    )


def _lane(prepare: Prepare, mine: range, clients: int, seconds: float, gate: Barrier) -> Part:
    """The clients of one lane on its one connection, in turn."""
    try:
        works = [prepare(client, clients) for client in mine]
        gate.wait(timeout=240)
        latencies: list[float] = []
        begun = time.monotonic()
        waiting = deque((work, begun) for work in works)
        cpu_s, until = time.thread_time(), begun + seconds
        while time.monotonic() < until:
            work, since = waiting.popleft()
            work()
            ended = time.monotonic()
            latencies.append((ended - since) * 1000)
            waiting.append((work, ended))
        return Part(latencies, time.thread_time() - cpu_s, begun, time.monotonic())
    finally:
        connections.close_all()
