"""A million cards compared with their books when all of them are level: the whole nightly run against a plain scan.

The plain scan reads both tables once, in whatever order is cheapest, and adds up the columns that are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from accounts.wiring import now
from ecard.bench.campus import DATABASE
from ecard.database import as_owner
from reconciliation.services.reconcile import RunOrder, reconcile

CARDS = 1_000_000
BOOK_FEN = 100_00
SCANS = (
    "SELECT sum(book_fen) FROM accounts_account",
    "SELECT sum(load_total_fen - spend_total_fen) FROM accounts_card WHERE life IN ('issued', 'active')",
)
# Five digits give 90,000 accounts in use; the others are closed, and their cards are compared all the same.
FILL = (
    "INSERT INTO accounts_campus (id, code, name_zh, name_en) VALUES (1, 'bench', '测试校区', 'Bench')",
    """
    INSERT INTO accounts_holder (id, uid, school_no, name, kind, document_kind, campus_id)
    VALUES (1, gen_random_uuid(), '20230000001', '测试', 'student', 'none', 1)
    """,
    """
    INSERT INTO accounts_account (id, number, holder_id, campus_id, kind, life, closed_at, book_fen)
    SELECT n, 10000 + n %% 90000, 1, 1, 'formal', CASE WHEN n <= 90000 THEN 'open' ELSE 'closed' END,
        CASE WHEN n <= 90000 THEN NULL ELSE now() END, %(book)s
    FROM generate_series(1, %(cards)s) AS n
    """,
    """
    INSERT INTO accounts_card (id, account_id, uid, issue_no, kind, life, load_total_fen)
    SELECT n, n, upper(lpad(to_hex(n), 8, '0')), 1, 'formal', 'active', %(book)s
    FROM generate_series(1, %(cards)s) AS n
    """,
)


class NotLevel(Exception):
    """The run found something to do: the figures would be of something else."""


def row(*, rounds: int, cards: int = CARDS) -> dict[str, Any]:
    """The line ``reconcile`` of the bench: ``ratio`` is how many plain scans the run takes (the bound is 3)."""
    use(cards)
    compare(cards)  # warm
    taken = [(_timed(scan), _timed(lambda: compare(cards))) for _ in range(max(3, rounds))]
    runs_s = sorted(run_s for _, run_s in taken)
    return {
        "path": "reconcile",
        "clients": 1,
        "rows": cards,
        "ops_per_s": round(cards / median(runs_s), 1),
        "p50_ms": round(median(runs_s) * 1000, 1),
        "p99_ms": round(runs_s[-1] * 1000, 1),
        "client_cpu_us": 0,
        "ratio": round(median(run_s / scan_s for scan_s, run_s in taken), 2),
        "scan_ms": round(median(scan_s for scan_s, _ in taken) * 1000, 1),
        "statements": _statements(cards),
    }


def compare(cards: int) -> None:
    """The service that cron runs."""
    outcome = reconcile(RunOrder(now=now()))
    if outcome.compared != cards or outcome.opened or outcome.postponed:
        raise NotLevel(str(outcome))


def scan() -> None:
    """Read both tables and nothing else, with all that the planner may use."""
    with connection.cursor() as cursor:
        for statement in SCANS:
            cursor.execute(statement)
            cursor.fetchall()


def use(cards: int) -> None:
    """Point this process at a university of so many cards, making it first where it is missing."""
    name = f"{DATABASE}_reconcile_{cards}"
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE DATABASE {connection.ops.quote_name(name)}")
    connection.close()
    settings.DATABASES["default"]["NAME"] = name
    settings.DATABASE_OWNER["NAME"] = name
    connection.settings_dict["NAME"] = name
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts_card")
        if cursor.fetchone()[0] != cards:
            _fill(cards)


def _fill(cards: int) -> None:
    with as_owner():
        raw: psycopg.Connection[tuple[object, ...]] = psycopg.connect(
            **connection.get_connection_params(), autocommit=True
        )
    with raw:
        raw.execute("SET statement_timeout = 0")
        with raw.transaction():
            for statement in FILL:
                raw.execute(statement, {"cards": cards, "book": BOOK_FEN} if "%(" in statement else None)
        raw.execute("VACUUM (FREEZE, ANALYZE)")


def _statements(cards: int) -> int:
    seen: list[str] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        compare(cards)
    return len(seen)


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
