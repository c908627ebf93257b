"""The holder's pages on whatever campus the database holds: server time and statements of SQL for each page."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.test import Client

from accounts.models import Account, AccountLife, Secret, SecretKind
from accounts.pinhash import hash_pin
from accounts.wiring import now, secrets
from ecard.bench import longest

PAGES = (
    "/me/",
    "/me/statement/",
    "/me/statement/?older=100",
    "/me/analysis/",
    "/me/disputes/",
    "/me/security/",
)
HOLDERS = 300
LONG = 5_000
"""Movements of the longest statement that anything is promised about (performance.md)."""
VISITS = 200


@dataclass
class Seen:
    """What was measured of one page: server time, what of it this process computed, and how long the database took."""

    took_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    sql_ms: list[float] = field(default_factory=list)
    statements: int = 0

    def visit(self, client: Client, page: str, *, counts: bool) -> None:
        """Load the page once; ``counts`` False: only to warm up."""
        with _counted() as asked:
            begun, computed = time.perf_counter(), time.process_time()
            answer = client.get(page)
            took_ms = (time.perf_counter() - begun) * 1000
            cpu_ms = (time.process_time() - computed) * 1000
        if answer.status_code == 200 and counts:
            self.took_ms.append(took_ms)
            self.cpu_ms.append(cpu_ms)
            self.sql_ms.append(asked.took_ms)
            self.statements = max(self.statements, asked.statements)

    def percentile_ms(self, share: float) -> float:
        """The server time that this share of the visits stayed under."""
        ordered = sorted(self.took_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@transaction.atomic
def measure(holders: int = HOLDERS, *, seed: int = 1) -> dict[str, Seen]:
    """Visit every page as so many holders, drawn by chance. The first visits of each page warm up and do not count.

    Who has an initial password sees two pages only, so one is chosen for the visit; all of that is taken back.
    """
    chance = random.Random(seed)  # noqa: S311 - the same holders again
    numbers = list(Account.objects.filter(life=AccountLife.OPEN).order_by("pk").values_list("pk", flat=True))
    seen = {page: Seen() for page in PAGES}
    for visit, account_id in enumerate(chance.sample(numbers, min(holders, len(numbers)))):
        _choose_password(account_id)
        client = _browser(account_id)
        for page in PAGES:
            seen[page].visit(client, page, counts=visit >= min(5, holders // 4))
    transaction.set_rollback(True)
    return seen


@transaction.atomic
def measure_long(visits: int = VISITS, *, movements: int = LONG) -> dict[str, Seen]:
    """Visit the statement of one account with so many movements; it is made up for this, and all is taken back."""
    account_id = longest.add(movements, now=now())
    _choose_password(account_id)
    client = _browser(account_id)
    seen = {f"{page} of {movements} movements": Seen() for page in longest.pages(movements, now=now())}
    for visit in range(visits):
        for named, what in seen.items():
            what.visit(client, named.partition(" ")[0], counts=visit >= min(5, visits // 4))
    transaction.set_rollback(True)
    return seen


def rows(seen: dict[str, Seen]) -> Iterator[dict[str, Any]]:
    """One row for each page, as ``bench --json`` prints them."""
    for page, what in seen.items():
        if what.took_ms:
            yield {
                "path": f"portal {page}",
                "clients": 1,
                "visits": len(what.took_ms),
                "p50_ms": round(what.percentile_ms(0.5), 2),
                "p95_ms": round(what.percentile_ms(0.95), 2),
                "cpu_ms": round(median(what.cpu_ms), 2),
                "sql_ms": round(median(what.sql_ms), 2),
                "statements": what.statements,
            }


def _choose_password(account_id: int) -> None:
    """Let this holder have a password of his own."""
    chosen = hash_pin("275839", kind=SecretKind.QUERY, account_id=account_id, secrets=secrets())
    fields = {"pin_hash": chosen, "is_default": False, "changed_at": now() - timedelta(days=1)}
    Secret.objects.update_or_create(account_id=account_id, kind=SecretKind.QUERY, defaults=fields)


def _browser(account_id: int) -> Client:
    """A browser in which this holder is signed in."""
    client = Client(headers={"accept-language": "zh-hans"}, SERVER_NAME=settings.ALLOWED_HOSTS[0])
    session, moment = client.session, now().isoformat()
    session["holder"] = {"account": account_id, "since": moment, "seen": moment}
    session.save()
    return client


@dataclass
class _Asked:
    """What a visit asked of the database."""

    statements: int = 0
    took_ms: float = 0.0


@contextmanager
def _counted() -> Iterator[_Asked]:
    """Count the statements inside the block, and the time until each was answered."""
    asked = _Asked()

    def run(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        begun = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            asked.statements += 1
            asked.took_ms += (time.perf_counter() - begun) * 1000

    with connection.execute_wrapper(run):
        yield asked
