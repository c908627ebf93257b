"""A term of everybody's sales, worked out and written by the database, some hundred accounts at a time.

Whether somebody eats at a place on a day, when, and what it costs, is drawn from a hash of account, day and meal: the
same account always lives the same term, in whatever order it is written. Money is put on the card whenever the next
purchase would not be covered, so no book ever goes below zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db import connection, transaction

from transactions.days import local_day

DAYS: Final = 126
AT_ONCE: Final = 600
"""Accounts in one transaction: about a hundred thousand lines, which stay in memory."""
HABITS: Final = (
    # slot, how often on a working day, minutes after midnight, over how many minutes, what is bought
    (1, 0.38, 415, 85, "canteen"),
    (2, 0.58, 685, 80, "canteen"),
    (3, 0.46, 1030, 85, "canteen"),
    (4, 0.14, 1110, 200, "shop"),
    (5, 0.21, 1200, 140, "other"),
)
Progress = Callable[[int, int], None]
"""Accounts done, of how many."""


@dataclass(frozen=True, slots=True)
class Term:
    """Whose accounts are written, by number, and until when. They stand in ``demo_person`` (``crowd``)."""

    first: int
    last: int
    now: datetime

    @property
    def first_day(self) -> date:
        """The first day of the term, in Shanghai."""
        return local_day(self.now) - timedelta(days=DAYS)


def live(term: Term, *, done: Progress) -> int:
    """Write the term's entries, answers, books and cards. Returns how many entries. Each step is whole or not there."""
    _add_months(term)
    written = 0
    for first in range(term.first, term.last + 1, AT_ONCE):
        last = min(first + AT_ONCE - 1, term.last)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL work_mem = '128MB'")
            cursor.execute("SET LOCAL enable_nestloop = off")  # nobody has counted what is being made up
            cursor.execute("SET LOCAL synchronous_commit = off")  # a demo that is killed is made anew
            for statement in STEPS:
                cursor.execute(statement, _values(term, first, last) if "%(" in statement else None)
                written += cursor.rowcount if statement is ENTRIES else 0
        done(last - term.first + 1, term.last - term.first + 1)
    return written


def _values(term: Term, first: int, last: int) -> dict[str, int | date | datetime]:
    return {
        "first": first,
        "last": last,
        "first_day": term.first_day,
        "days": DAYS,
        "now": term.now,
        "today": local_day(term.now),
    }


def _add_months(term: Term) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(transactions_add_month(month::date))
            FROM generate_series(date_trunc('month', %s::date), date_trunc('month', %s::date), '1 month') AS month
            """,
            [term.first_day, local_day(term.now)],
        )


_HABITS: Final = ", ".join(
    f"({slot}, {often}, {start}, {span}, '{kind}')" for slot, often, start, span, kind in HABITS
)

LINES: Final = f"""
    CREATE TEMP TABLE demo_line ON COMMIT DROP AS
    WITH habit (slot, often, start, span, kind) AS (VALUES {_HABITS}),
    person AS MATERIALIZED (
        SELECT number, campus_id, staff, 0.45 + 0.85 * pg_temp.demo_chance(number, 1) AS appetite,
            (ARRAY[5000, 10000, 20000])[1 + floor(pg_temp.demo_chance(number, 2) * 3)::int] AS puts_in_fen,
            pg_temp.demo_chance(number, 3) < 0.55 AS from_bank
        FROM demo_person WHERE number BETWEEN %(first)s AND %(last)s),
    visit AS MATERIALIZED (
        SELECT person.number AS account_no, person.campus_id, puts_in_fen, from_bank, slot, kind,
            person.number * 1000003 + day * 8 + slot AS dice,
            (%(first_day)s::date + day)::timestamp + make_interval(mins => start) AS at, span, places,
            person.number * 8 + slot AS usual
        FROM person JOIN demo_trade USING (campus_id) JOIN habit USING (kind)
            CROSS JOIN generate_series(0, %(days)s) AS day
        WHERE pg_temp.demo_chance(person.number * 1000003 + day * 8 + slot, 4) < often * appetite
            * CASE WHEN staff AND slot <> 2 THEN 0.25 ELSE 1 END
            * CASE WHEN extract(isodow FROM %(first_day)s::date + day) > 5 THEN 0.7 ELSE 1 END),
    sale AS (
        SELECT visit.account_no, puts_in_fen, from_bank, shop.terminal_id, shop.merchant_id, shop.place,
            (at + make_interval(secs => floor(pg_temp.demo_chance(dice, 5) * span * 60))) AT TIME ZONE 'Asia/Shanghai'
                AS at,
            greatest(least_fen, floor((least_fen + span_fen * power(pg_temp.demo_chance(dice, 6), bend)) / step_fen)
                * step_fen)::int AS fen
        FROM (SELECT *, floor(places * pg_temp.demo_chance(
                CASE WHEN pg_temp.demo_chance(dice, 7) < 0.6 THEN usual ELSE dice END, 8))::int AS place_no
            FROM visit) AS visit JOIN demo_shop AS shop USING (kind, campus_id, place_no)),
    spent AS (
        SELECT *, sum(fen) OVER w AS sum_fen, lag(at) OVER w AS before_at,
            row_number() OVER w AS nth
        FROM sale WHERE at < %(now)s WINDOW w AS (PARTITION BY account_no ORDER BY at, terminal_id)),
    covered AS (
        SELECT *, (sum_fen + puts_in_fen - 1) / puts_in_fen AS loads,
            coalesce(lag((sum_fen + puts_in_fen - 1) / puts_in_fen) OVER (PARTITION BY account_no ORDER BY nth), 0)
                AS loads_before
        FROM spent),
    line AS (
        SELECT account_no, at, nth * 2 AS place_in_day, -fen AS fen, terminal_id, merchant_id, place, from_bank
        FROM covered
        UNION ALL
        SELECT account_no, greatest(at - interval '7 minutes', before_at + interval '1 second'), nth * 2 - 1,
            (loads - loads_before) * puts_in_fen, NULL, NULL, NULL, from_bank
        FROM covered WHERE loads > loads_before)
    SELECT account_no, fen, terminal_id, merchant_id, place, from_bank, at, row_number() OVER w AS seq,
        sum(fen) OVER w AS book_fen,
        count(*) FILTER (WHERE fen < 0) OVER w AS spend_seq, count(*) FILTER (WHERE fen > 0) OVER w AS load_seq
    FROM line WINDOW w AS (PARTITION BY account_no ORDER BY place_in_day)
"""  # noqa: S608 - numbers of the table above
ACCOUNTS: Final = """
    INSERT INTO accounts_account (number, holder_id, campus_id, kind, life, book_fen, entry_seq, spent_on, spent_fen,
        opened_at)
    SELECT number, holder_id, campus_id, kind, 'open', coalesce(book_fen, 0), coalesce(entries, 0), %(today)s,
        coalesce(today_fen, 0), coalesce(first_at, %(now)s)
    FROM demo_person LEFT JOIN (
        SELECT account_no AS number, sum(fen) AS book_fen, count(*) AS entries, min(at) AS first_at,
            -sum(fen) FILTER (WHERE fen < 0 AND (at AT TIME ZONE 'Asia/Shanghai')::date = %(today)s) AS today_fen
        FROM demo_line GROUP BY account_no) AS total USING (number)
    WHERE number BETWEEN %(first)s AND %(last)s ORDER BY number
"""
CARDS: Final = """
    INSERT INTO accounts_card (account_id, uid, issue_no, kind, life, expires_on, spend_seq, spend_total_fen, load_seq,
        load_total_fen, seen_at, seen_terminal, seen_place)
    SELECT account.id, person.uid, 1, person.kind, 'active', expires_on, coalesce(spends, 0),
        coalesce(total.spent_fen, 0), coalesce(loads, 0), coalesce(loaded_fen, 0), last.at, last.terminal_id,
        coalesce(last.place, '')
    FROM demo_person AS person JOIN accounts_account AS account USING (holder_id)
    LEFT JOIN (SELECT account_no, count(*) FILTER (WHERE fen < 0) AS spends, max(seq) AS seq,
            coalesce(-sum(fen) FILTER (WHERE fen < 0), 0) AS spent_fen,
            count(*) FILTER (WHERE fen > 0) AS loads, sum(fen) FILTER (WHERE fen > 0) AS loaded_fen
        FROM demo_line GROUP BY account_no) AS total ON total.account_no = person.number
    LEFT JOIN demo_line AS last USING (account_no, seq)
    WHERE person.number BETWEEN %(first)s AND %(last)s ORDER BY person.number
"""
SECRETS: Final = """
    INSERT INTO accounts_secret (account_id, kind, is_default, changed_at)
    SELECT account.id, secret.kind, true, %(now)s
    FROM demo_person JOIN accounts_account AS account USING (holder_id)
    CROSS JOIN (VALUES ('query'), ('consumption')) AS secret (kind)
    WHERE demo_person.number BETWEEN %(first)s AND %(last)s AND initial
"""
WHOSE: Final = """
    CREATE TEMP TABLE demo_whose ON COMMIT DROP AS
    SELECT line.*, account.id AS account_id, card.id AS card_id, md5('demo ' || account_no || ' ' || seq)::uuid AS key
    FROM demo_line AS line JOIN demo_person AS person ON person.number = line.account_no
    JOIN accounts_account AS account USING (holder_id)
    JOIN accounts_card AS card ON card.account_id = account.id
"""
ENTRIES: Final = """
    INSERT INTO transactions_entry (id, account_id, seq, kind, book_change_fen, unclaimed_change_fen, book_after_fen,
        unclaimed_after_fen, contra, contra_ref, source_key, card_id, purse_side, purse_seq, occurred_at, posted_at,
        day, terminal_id, mode)
    SELECT account_id * 4294967296 + seq, account_id, seq,
        CASE WHEN fen < 0 THEN 'purchase' WHEN from_bank THEN 'bank_load' ELSE 'top_up' END, fen, 0, book_fen, 0,
        CASE WHEN fen < 0 THEN 'merchant' WHEN from_bank THEN 'bank' ELSE 'drawer' END, merchant_id, key, card_id,
        CASE WHEN fen < 0 THEN 'spend' ELSE 'load' END, CASE WHEN fen < 0 THEN spend_seq ELSE load_seq END,
        at, at + interval '1 second', ((at + interval '1 second') AT TIME ZONE 'Asia/Shanghai')::date, terminal_id,
        CASE WHEN fen < 0 THEN 'online' ELSE 'server' END
    FROM demo_whose ORDER BY 1
"""
ANSWERS: Final = """
    INSERT INTO transactions_answer (key, op, asked, account_id, card_id, entry_seq, terminal_id, reply, answered_at)
    SELECT key, CASE WHEN fen < 0 THEN 'debit' ELSE 'credit' END, 'demo', account_id, card_id, seq, terminal_id,
        '{"demo": true}', at + interval '1 second'
    FROM demo_whose ORDER BY key
"""
STEPS: Final = (LINES, "ANALYZE demo_line", ACCOUNTS, CARDS, SECRETS, WHOSE, ENTRIES, ANSWERS)
