"""The measured campus: a database of its own with 100,000 accounts, 500 tills and over a million ledger rows.

Made by the owner with a few set-based statements, and kept between runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from ecard.database import as_owner

DATABASE = "ecard_bench"
ACCOUNTS = 100_000
OPEN_ACCOUNTS = 90_000
"""Five digits give 90,000 numbers in use at once; the other accounts are closed."""
TILLS = 500
ENTRIES_EACH = 10
START_FEN = 900_00
FIRST_UID = 0x0BE00000
_SOLD_EACH_FEN = 100


@dataclass(frozen=True, slots=True)
class Size:
    """How much stands in the book before anything is measured."""

    accounts: int = ACCOUNTS
    tills: int = TILLS
    entries_each: int = ENTRIES_EACH

    def quick(self) -> Size:
        """A size that is made in seconds; its figures are for smoke tests only."""
        return replace(self, accounts=2_000, tills=200, entries_each=2)


def uid_of(account_id: int) -> bytes:
    """The UID of a measured account's card."""
    return (FIRST_UID + account_id).to_bytes(4, "big")


def number_of(account_id: int) -> int:
    """The five digits of a measured account."""
    return 10_000 + account_id % OPEN_ACCOUNTS


def till_of(client: int, size: Size, *, one_merchant: bool) -> int:
    """The terminal that a client plays. The last fifth of all tills sells for one single merchant."""
    single = size.tills // 5
    if one_merchant:
        return size.tills - client % single
    return 1 + client % (size.tills - single)


def use(size: Size) -> None:
    """Point this process at the measured campus, making it where it is missing, or has grown to twice its size."""
    name = f"{DATABASE}_{size.accounts}_{size.entries_each}_{size.tills}"
    if not _exists(name):
        _create(name)
    elsewhere = connection.settings_dict["NAME"]
    _point_to(name)
    call_command("migrate", verbosity=0)
    if _filled(size) and _entries() > 2 * size.accounts * size.entries_each:
        _point_to(elsewhere)
        _drop(name)
        _create(name)
        _point_to(name)
        call_command("migrate", verbosity=0)
    if not _filled(size):
        _fill(size)


def dsn(*, owner: bool = False) -> dict[str, object]:
    """Connection parameters of the measured database for programs without Django."""
    if not owner:
        return dict(connection.get_connection_params())
    with as_owner():
        return dict(connection.get_connection_params())


def _exists(name: str) -> bool:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return cursor.fetchone() is not None


def _point_to(name: str) -> None:
    connection.close()
    settings.DATABASES["default"]["NAME"] = name
    settings.DATABASE_OWNER["NAME"] = name
    connection.settings_dict["NAME"] = name


def _entries() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM transactions_entry")
        return int(cursor.fetchone()[0])


def _drop(name: str) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {connection.ops.quote_name(name)}")


def _create(name: str) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {connection.ops.quote_name(name)}")


def _filled(size: Size) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('accounts_account') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute("SELECT count(*) FROM accounts_account")
        return int(cursor.fetchone()[0]) == size.accounts


def _fill(size: Size) -> None:
    with as_owner():
        raw: psycopg.Connection[tuple[object, ...]] = psycopg.connect(
            **connection.get_connection_params(), autocommit=True
        )
        with raw, raw.transaction():
            raw.execute("SET LOCAL statement_timeout = 0")
            params = {
                "accounts": size.accounts,
                "tills": size.tills,
                "entries": size.entries_each,
                "start": START_FEN,
                "sold": _SOLD_EACH_FEN,
                "uid": FIRST_UID,
            }
            for statement in FILL:
                raw.execute(statement, params if "%(" in statement else None)
        raw = psycopg.connect(**connection.get_connection_params(), autocommit=True)
        with raw:
            raw.execute("SET statement_timeout = 0")
            raw.execute("VACUUM (FREEZE, ANALYZE)")


FILL = [
    "INSERT INTO accounts_campus (id, code, name_zh, name_en) VALUES (1, 'bench', '测试校区', 'Bench')",
    """
    INSERT INTO transactions_merchant (id, name_zh, name_en, campus_id, category, contract_from)
    SELECT n, '商户' || n, '', 1, 'canteen', '2020-01-01' FROM generate_series(1, 100) AS n
    """,
    """
    INSERT INTO terminals_terminal (id, name_zh, kind, campus_id, merchant_id, may_sell_offline, epoch, min_epoch,
        enrolled_at)
    SELECT n, '终端' || n, 'till', 1, CASE WHEN n > %(tills)s - %(tills)s / 5 THEN 1 ELSE 1 + n %% 100 END, true, 1, 1,
        now()
    FROM generate_series(1, %(tills)s) AS n
    """,
    "INSERT INTO terminals_terminalcontact (terminal_id) SELECT id FROM terminals_terminal",
    """
    INSERT INTO accounts_holder (id, uid, school_no, name, kind, document_kind, campus_id)
    SELECT n, gen_random_uuid(), (20230000000 + n)::text, '测试', 'student', 'none', 1
    FROM generate_series(1, %(accounts)s) AS n
    """,
    """
    INSERT INTO accounts_account (id, number, holder_id, campus_id, kind, life, closed_at, book_fen, entry_seq,
        daily_limit_fen)
    SELECT n, 10000 + n %% 90000, n, 1, 'formal', CASE WHEN n <= 90000 THEN 'open' ELSE 'closed' END,
        CASE WHEN n <= 90000 THEN NULL ELSE now() END, %(start)s - (%(entries)s - 1) * %(sold)s, %(entries)s, 60000
    FROM generate_series(1, %(accounts)s) AS n
    """,
    """
    INSERT INTO accounts_card (id, account_id, uid, issue_no, kind, life, load_total_fen)
    SELECT n, n, upper(lpad(to_hex(%(uid)s + n), 8, '0')), 1, 'formal', 'active',
        %(start)s - (%(entries)s - 1) * %(sold)s
    FROM generate_series(1, %(accounts)s) AS n
    """,
    """
    INSERT INTO transactions_entry (id, account_id, seq, kind, book_change_fen, unclaimed_change_fen, book_after_fen,
        unclaimed_after_fen, contra, contra_ref, source_key, occurred_at, posted_at, day, mode)
    SELECT a * 4294967296 + s, a, s, CASE s WHEN 1 THEN 'opening' ELSE 'purchase' END,
        CASE s WHEN 1 THEN %(start)s ELSE -%(sold)s END, 0, %(start)s - (s - 1) * %(sold)s, 0,
        CASE s WHEN 1 THEN 'opening' ELSE 'merchant' END, 1 + a %% 100, gen_random_uuid(), at, at,
        (at AT TIME ZONE 'Asia/Shanghai')::date, CASE s WHEN 1 THEN 'server' ELSE 'online' END
    FROM (SELECT a, s, now() - make_interval(days => (%(entries)s - s)::int) AS at
        FROM generate_series(1, %(accounts)s) AS a, generate_series(1, %(entries)s) AS s) AS lines
    """,
    """
    INSERT INTO transactions_answer (key, op, asked, account_id, card_id, entry_seq, terminal_id, journal_seq, reply,
        answered_at)
    SELECT source_key, 'debit', '\\x00', account_id, account_id, seq, 1, seq, '{}', posted_at FROM transactions_entry
    """,
    "SELECT setval(pg_get_serial_sequence('accounts_account', 'id'), max(id)) FROM accounts_account",
    "SELECT setval(pg_get_serial_sequence('accounts_card', 'id'), max(id)) FROM accounts_card",
]
