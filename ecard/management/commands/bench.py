"""`bench`: our paths against ``pgbench -N`` on the same PostgreSQL, interleaved. Only ratios mean anything."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ecard.bench import campus, drain, http, portal, reconcile, service, upload
from ecard.bench.lines import Lunch
from ecard.bench.runs import LANES, Taken, run
from ecard.bench.yardstick import Yardstick
from purse.keys import KeyBundle

CLIENTS = (1, 8, 32)
ROUNDS = 3
SECONDS = 4.0
STATEMENTS = 1
"""Round trips to PostgreSQL of a plain purchase, as ``tests/terminals/test_taps.py`` counts them."""


@dataclass
class Row:
    """One path at one number of clients, over all rounds."""

    path: str
    clients: int
    taken: list[Taken] = field(default_factory=list)
    yard: list[float] = field(default_factory=list)

    def to_json(self, rows: int) -> dict[str, Any]:
        """The shape that is fixed for outsiders; medians over the rounds."""
        return {
            "path": self.path,
            "clients": self.clients,
            "rows": rows,
            "ops_per_s": round(median(taken.per_second for taken in self.taken), 1),
            "p50_ms": round(median(taken.percentile_ms(0.50) for taken in self.taken), 2),
            "p99_ms": round(median(taken.percentile_ms(0.99) for taken in self.taken), 2),
            "client_cpu_us": round(
                median(taken.client_cpu_s / taken.operations * 1e6 for taken in self.taken)
            ),
            "ratio": round(
                median(t.per_second / yard for t, yard in zip(self.taken, self.yard, strict=True)), 3
            ),
            "statements": STATEMENTS,
        }


class Command(BaseCommand):
    """Makes its own database beside the demo's the first time (about a minute), and keeps it."""

    help = (
        "Measure debits against pgbench -N. --quick: smoke test on a small campus; its figures mean nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--quick", action="store_true")
        parser.add_argument("--drain", action="store_true", help="only hand in a lunch of offline records")
        parser.add_argument("--portal", action="store_true", help="only the holder's pages, on this database")
        parser.add_argument("--rounds", type=int, default=ROUNDS)
        parser.add_argument("--seconds", type=float, default=SECONDS)

    def handle(self, *args: Any, quick: bool, rounds: int, seconds: float, **options: Any) -> None:
        """Interleaved: in every round and for every number of clients, first the yardstick, then each path."""
        if not settings.DEMO:
            raise CommandError("bench 只在演示环境中运行：它会另建一个数据库")
        if options["portal"]:
            for row in portal.rows(portal.measure() | portal.measure_long()):
                self.stdout.write(json.dumps(row))
            return
        size = campus.Size().quick() if quick else campus.Size()
        if quick:
            rounds, seconds = 1, 1.0
        campus.use(size)
        if options["drain"]:
            with http.server() as port:
                self.stdout.write(json.dumps(drain.row(size, port=port)))
            return
        found = self._measure(size, rounds=rounds, seconds=seconds)
        rows = [row.to_json(size.accounts * size.entries_each) for row in found]
        rows.append(upload.row(size, rounds=rounds))
        rows.append(reconcile.row(rounds=rounds, cards=20_000 if quick else reconcile.CARDS))
        if options["json"]:
            self.stdout.write(json.dumps({"yardstick": "pgbench -N", "rows": rows}, indent=1))
            return
        for row in rows:
            self.stdout.write(
                "{path:<26}{clients:>4} clients {ops_per_s:>9} /s  p50 {p50_ms:>8} ms  p99 {p99_ms:>8} ms"
                "  ratio {ratio:>6}  client CPU {client_cpu_us} µs".format(**row)
            )

    def _measure(self, size: campus.Size, *, rounds: int, seconds: float) -> list[Row]:
        version, master = next(iter(settings.CARD_MASTER.items()))
        keys = KeyBundle.from_master(version, master)
        yardstick = Yardstick()
        with http.server() as port:
            paths: dict[str, Callable[..., Taken]] = {
                "debit_service": partial(run, service.debits(keys, size), seconds=seconds, lanes=LANES),
                "debit_http": partial(Lunch(keys, size, port).run, seconds=seconds),
                "debit_http_hot_merchant": partial(
                    Lunch(keys, size, port, one_merchant=True).run, seconds=seconds
                ),
            }
            rows = {(path, clients): Row(path, clients) for clients in CLIENTS for path in paths}
            for _ in range(rounds):
                for clients in CLIENTS:
                    before, _latency = yardstick.run(clients=clients, seconds=seconds)
                    for path, measured in paths.items():
                        rows[path, clients].taken.append(measured(clients=clients))
                    after, _latency = yardstick.run(clients=clients, seconds=seconds)
                    for path in paths:
                        rows[path, clients].yard.append((before + after) / 2)
        return list(rows.values())
