"""An account with thousands of movements, made up inside a transaction that is taken back."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from accounts.models import Account, AccountLife, Campus, Card, CardLife, Holder, HolderKind
from transactions.days import local_day

EVERY: Final = timedelta(minutes=36)
"""5,000 of them are a term."""

_MONTHS: Final = """
    SELECT count(transactions_add_month(month::date))
    FROM generate_series(date_trunc('month', %s::date), date_trunc('month', %s::date), '1 month') AS month
"""
_MERCHANTS: Final = """
    CREATE TEMP TABLE longest_merchant ON COMMIT DROP AS
    SELECT id, row_number() OVER (ORDER BY id) - 1 AS turn FROM transactions_merchant
"""
_ENTRIES: Final = """
    INSERT INTO transactions_entry (id, account_id, seq, kind, book_change_fen, unclaimed_change_fen, book_after_fen,
        unclaimed_after_fen, contra, contra_ref, source_key, occurred_at, posted_at, day, mode)
    SELECT %(account)s * 4294967296 + seq, %(account)s, seq, CASE place WHEN 0 THEN 'top_up' ELSE 'purchase' END,
        CASE place WHEN 0 THEN 24600 ELSE -400 - 50 * place END, 0, 24600 - 400 * place - 25 * place * (place + 1), 0,
        CASE place WHEN 0 THEN 'drawer' ELSE 'merchant' END,
        CASE WHEN place > 0 THEN (SELECT id FROM longest_merchant WHERE turn = seq %% %(merchants)s) END,
        gen_random_uuid(), at, at, (at AT TIME ZONE 'Asia/Shanghai')::date,
        CASE place WHEN 0 THEN 'server' ELSE 'online' END
    FROM (SELECT seq, (seq - 1) %% 25 AS place, %(now)s - (%(movements)s - seq) * %(every)s AS at
        FROM generate_series(1, %(movements)s) AS seq) AS line
    ORDER BY seq
"""
"""One top-up of 246.00 and then 24 meals between 4.50 and 16.00, over and over; whole rounds end at 0."""


def add(movements: int, *, now: datetime) -> int:
    """Make the account with its card and its movements, in whole rounds of 25; returns its id."""
    campus = Campus.objects.order_by("pk").first()
    assert campus is not None
    uid = uuid.uuid4()
    holder = Holder.objects.create(
        uid=uid, school_no=f"B{uid.hex[:12]}".upper(), name="长流水", kind=HolderKind.OTHER, campus=campus
    )
    number = next(n for n in range(99_999, 9_999, -1) if not Account.objects.filter(number=n).exists())
    account = Account.objects.create(
        number=number,
        holder=holder,
        campus=campus,
        kind="formal",
        life=AccountLife.OPEN,
        entry_seq=movements,
        opened_at=now - EVERY * movements,
    )
    Card.objects.create(account=account, uid=uid.hex[:8].upper(), kind="formal", life=CardLife.ACTIVE)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_MONTHS, [local_day(account.opened_at), local_day(now)])
        cursor.execute(_MERCHANTS)
        cursor.execute("SELECT count(*) FROM longest_merchant")
        merchants = cursor.fetchone()[0]
        told = {
            "account": account.pk,
            "movements": movements,
            "now": now,
            "every": EVERY,
            "merchants": merchants,
        }
        cursor.execute(_ENTRIES, told)
    return account.pk


def pages(movements: int, *, now: datetime) -> tuple[str, ...]:
    """Its statement: as it opens, over the whole term, far down, and narrowed."""
    term = f"start={local_day(now - EVERY * movements)}&end={local_day(now)}"
    return (
        "/me/statement/",
        f"/me/statement/?{term}",
        f"/me/statement/?{term}&older={movements // 10}",
        f"/me/statement/?{term}&kind=purchase&least=15.00",
    )
