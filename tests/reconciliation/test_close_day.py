"""A closed day stays as it was: no entry comes to it, and whoever changes one is found, day and row (L7, L8, C8)."""

from __future__ import annotations

import hmac
import json
import threading
from contextlib import suppress
from datetime import date, timedelta
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction

from accounts.services.onerun import AlreadyRunning
from ecard.database import as_owner
from purse.policy import Policy
from reconciliation.digest import DayKeys, Row, seal
from reconciliation.invariants import days
from reconciliation.models import DayClose
from reconciliation.services import close_day
from reconciliation.services.close_day import NotOver, close_days
from reconciliation.services.verify import verify
from tests.faults import report
from tests.reconciliation.books import ENTRY, Book
from transactions.models import Entry, ShutDay, entry_id

LOCK = "hashtextextended('ecard close_day ' || current_schema(), 0)"
pytestmark = pytest.mark.django_db(transaction=True)
KEYS = DayKeys({2: b"day" * 11, 1: b"old" * 11})


def today() -> date:
    with connection.cursor() as cursor:
        cursor.execute("SELECT (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date")
        return cursor.fetchone()[0]


def behind(sql, params=()):
    """Do what only the owner of the tables can do, with every trigger off."""
    with as_owner(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, params)


def history(days=3, each=4):
    """Accounts whose entries were posted on each of the last ``days`` days, the oldest first."""
    books = []
    for ago in range(days, 0, -1):
        with transaction.atomic():
            book = Book.open(50_00)
            for n in range(each - 1):
                book.pay(1_00 + n)
        behind(
            "UPDATE transactions_entry SET posted_at = posted_at - make_interval(days => %s), day = day - %s"
            " WHERE account_id = %s",
            [ago, ago, book.account.id],
        )
        books.append(book)
    return books


def broken(keys=KEYS):
    """What breaks L8: (account, entry, what)."""
    with transaction.atomic(), connection.cursor() as cursor:
        return list(days.broken(cursor, keys))


def test_every_finished_day_is_closed_once_and_rests_on_the_one_before():
    history()

    closed = close_days(keys=KEYS)

    assert [day.day for day in closed.days] == [today() - timedelta(days=ago) for ago in (3, 2, 1)]
    assert [day.entries for day in closed.days] == [4, 4, 4]
    assert closed.days[0].sums == {"top_up": [1, 50_00, 0], "purchase": [3, -3_03, 0]}
    assert {day.key_id for day in closed.days} == {2}
    kept = list(DayClose.objects.order_by("day"))
    assert bytes(kept[0].previous) == bytes(32)
    assert [bytes(day.previous) for day in kept[1:]] == [bytes(day.digest) for day in kept[:-1]]
    assert len({bytes(day.digest) for day in kept}) == 3
    assert close_days(keys=KEYS).days == ()
    verdict = verify(policy=Policy(), keys=KEYS)
    assert (verdict.broken, verdict.checked["L8"]) == ([], 3)


def test_the_digest_is_the_hmac_over_the_day_before_and_every_row():
    """reliability.md L8: digest(day) = HMAC(k, digest(day−1) ‖ canonical rows(day))."""
    day, before, rows = date(2026, 3, 2), b"b" * 32, [Row(1, 1, 1, b"(1,a)"), Row(2, 1, 2, b"(2,)")]
    text = before + b"2026-03-02" + b"\0\0\0\5(1,a)" + b"\0\0\0\4(2,)"

    sealed = seal(rows, day=day, previous=before, key=b"k" * 32)

    assert sealed.digest == hmac.digest(b"k" * 32, text, "sha256")
    assert (sealed.entries, len(sealed.tags)) == (2, 8)


def test_a_day_without_an_entry_is_closed_too():
    history(days=1)
    behind("UPDATE transactions_entry SET posted_at = posted_at - interval '2 days', day = day - 2")

    assert [day.entries for day in close_days(keys=KEYS).days] == [4, 0, 0]
    assert broken() == []


def test_books_without_an_entry_have_nothing_to_close():
    assert close_days(keys=KEYS).days == ()


def test_up_to_a_day_and_never_a_day_that_is_not_over():
    history()

    first = close_days(keys=KEYS, until=today() - timedelta(days=2))

    assert [day.day for day in first.days] == [today() - timedelta(days=ago) for ago in (3, 2)]
    with pytest.raises(NotOver):
        close_days(keys=KEYS, until=today())
    assert len(close_days(keys=KEYS, until=today() - timedelta(days=1)).days) == 1


def test_the_database_itself_shuts_no_day_that_is_not_over():
    with connection.cursor() as cursor, pytest.raises(IntegrityError, match="is not over"):
        cursor.execute("SELECT transactions_shut_day(%s)", [today()])


@pytest.mark.parametrize(("ago", "refused"), [(3, True), (1, True), (0, False)])
def test_a_closed_day_gets_no_entry(ago, refused):
    """L7, by the database: whatever the application believes."""
    book = history()[0]
    close_days(keys=KEYS)
    sql = ENTRY.replace("clock_timestamp() AS moment", f"clock_timestamp() - interval '{ago} days' AS moment")
    values = {
        "id": entry_id(book.account.id, 5), "account": book.account.id, "seq": 5, "kind": "purchase", "fen": -1,
        "unclaimed": 0, "after": 1, "unclaimed_after": 0, "contra": "merchant", "ref": 1, "key": "0" * 32,
        "card": None, "side": None, "purse_seq": None, "at": book.card.seen_at, "terminal": None, "mode": "online",
        "reverses": None, "corrects": None,
    }  # fmt: skip

    with suppress(Undone), transaction.atomic(), connection.cursor() as cursor:
        if refused:
            with pytest.raises(IntegrityError, match="is shut"):
                cursor.execute(sql, values)
        else:
            cursor.execute(sql, values)
        raise Undone


class Undone(Exception):
    """Leaves the block, so that nothing of it stays."""


def test_sales_go_on_today_while_yesterday_is_closed():
    history()
    close_days(keys=KEYS)

    with transaction.atomic():
        Book.open(10_00).pay(1_00)

    assert Entry.objects.filter(day=today()).count() == 2
    assert broken() == []


def test_shutting_a_day_waits_for_whoever_is_posting_and_loses_no_entry(monkeypatch):
    """A sale that began before midnight and commits after: its entry is in the digest, or it is refused."""
    history(days=1)
    begun, release = threading.Event(), threading.Event()

    def till():
        with suppress(DatabaseError), transaction.atomic():
            Book.open(1_00)
            begun.set()
            release.wait(5)
        connection.close()

    seller = threading.Thread(target=till)
    seller.start()
    begun.wait(5)
    waits = []
    sleep = close_day.time.sleep

    def waiting(seconds):
        waits.append(seconds)
        release.set()
        sleep(seconds)

    monkeypatch.setattr(close_day.time, "sleep", waiting)

    closed = close_days(keys=KEYS)

    seller.join()
    assert len(waits) >= 1
    assert [day.entries for day in closed.days] == [4]
    assert broken() == []


# ------------------------------------------------------------------------------------- single fields behind the books

FIELDS = {
    "id": "id + 1000", "account_id": "account_id + 1", "seq": "seq + 1", "kind": "'fee'",
    "book_change_fen": "book_change_fen + 1", "unclaimed_change_fen": "unclaimed_change_fen + 1",
    "book_after_fen": "book_after_fen + 1", "unclaimed_after_fen": "unclaimed_after_fen + 1", "contra": "'fee'",
    "contra_ref": "coalesce(contra_ref, 0) + 1", "source_key": "gen_random_uuid()", "card_id": "card_id + 1",
    "purse_side": "CASE purse_side WHEN 'load' THEN 'spend' ELSE 'load' END", "purse_seq": "purse_seq + 1",
    "occurred_at": "occurred_at + interval '1 microsecond'", "posted_at": "posted_at + interval '1 microsecond'",
    "day": "day - 1", "terminal_id": "coalesce(terminal_id, 0) + 1", "mode": "'server'", "reverses": "1",
    "corrects": "1", "note": "' '",
}  # fmt: skip


def edits(books):
    """At least fifty: every column of an entry of the first, the middle and the last day."""
    for book, seq in zip(books, (1, 2, 4), strict=True):
        for column, value in FIELDS.items():
            where = f"WHERE account_id = {book.account.id} AND seq = {seq}"
            yield book, seq, f"UPDATE transactions_entry SET {column} = {value} {where}"


def test_every_field_that_is_edited_is_found_with_its_day_and_row():
    books = history()
    close_days(keys=KEYS)
    cases, missed = 0, []
    with as_owner():
        for place, (book, seq, sql) in enumerate(edits(books)):
            with suppress(Undone), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL session_replication_role = replica")
                cursor.execute(sql)
                assert cursor.rowcount == 1
                found = list(days.broken(cursor, KEYS))
                day = books.index(book)
                wanted = f"day {today() - timedelta(days=3 - day)}"
                named = {(account, entry) for account, entry, what in found if what.startswith(wanted)}
                cases += 1
                if not names(named, book, seq, sql):
                    missed.append((place, sql, found))
                raise Undone
    report("DIGEST", cases, len(missed))
    assert cases >= 50
    assert missed == []


def names(named, book, seq, sql):
    """Whether the row is named; a row whose own name was edited is named by its new name."""
    for column, name in (("account_id", (None, seq)), ("seq", (book.account.number, seq + 1))):
        if f"SET {column} =" in sql and (name in named or any(entry == name[1] for _, entry in named)):
            return True
    return (book.account.number, seq) in named


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("DELETE FROM transactions_entry WHERE account_id = {second} AND seq = 2", "gone"),
        (
            """INSERT INTO transactions_entry SELECT id + 77, account_id, 81, kind, 0, 0, 0, 0, contra, contra_ref,
            gen_random_uuid(), NULL, NULL, NULL, occurred_at, posted_at, day, NULL, mode, NULL, NULL, ''
            FROM transactions_entry WHERE account_id = {second} AND seq = 2""",
            "planted",
        ),
        ("UPDATE reconciliation_dayclose SET digest = sha256('x') WHERE day = {middle}", "digest"),
        ("UPDATE reconciliation_dayclose SET previous = sha256('x') WHERE day = {middle}", "does not rest"),
        ("UPDATE reconciliation_dayclose SET tags = reverse(encode(tags, 'escape'))::bytea", None),
        ("UPDATE reconciliation_dayclose SET sums = '{{}}' WHERE day = {middle}", "sums"),
        ("UPDATE reconciliation_dayclose SET key_id = 1 WHERE day = {middle}", "changed"),
        ("UPDATE reconciliation_dayclose SET key_id = 3 WHERE day = {middle}", "not in the ring"),
        ("DELETE FROM reconciliation_dayclose WHERE day = {middle}", "no digest between"),
        ("DELETE FROM transactions_shutday WHERE day = {middle}", "shut and sealed"),
    ],
)
def test_what_else_somebody_may_try(sql, what):
    second = history()[1]
    close_days(keys=KEYS)
    if what is None:
        sql, what = "UPDATE reconciliation_dayclose SET tags = substr(tags, 5) || substr(tags, 1, 4)", "tags"
    middle = f"'{today() - timedelta(days=2)}'"

    behind(sql.format(second=second.account.id, middle=middle))

    found = [what for _, _, what in broken()]
    assert any(what in each for each in found), found


def test_without_the_key_nobody_can_seal_a_day_anew():
    history()
    close_days(keys=KEYS)
    behind("UPDATE transactions_entry SET note = 'x' WHERE seq = 1")
    behind("DELETE FROM reconciliation_dayclose")

    close_days(keys=DayKeys({2: b"guessed" * 5}))

    assert len(broken()) >= 3


# ----------------------------------------------------------------------------------------- killed anywhere, run twice


def test_a_run_killed_at_every_statement_ends_as_one_that_was_not():
    history()
    statements = count_statements()
    wanted = ends()
    cases = violations = 0
    for point in range(statements):
        start_again()
        with suppress(OperationalError, DatabaseError), connection.execute_wrapper(kill_at(point)):
            close_days(keys=KEYS)  # the last statement only lets go of the lock, and may fail unheard
        connection.close()
        wait_for_the_lock()
        close_days(keys=KEYS)
        cases += 1
        violations += ends() != wanted or broken() != []
    report("CRON-close-day", cases, violations)
    assert (cases > 15, violations) == (True, 0)


def ends():
    return [(day.day, day.entries, day.sums, bytes(day.digest)) for day in DayClose.objects.order_by("day")]


def start_again():
    behind("DELETE FROM reconciliation_dayclose")
    behind("DELETE FROM transactions_shutday")


def count_statements():
    seen = []

    def note(execute, sql, params, many, context):
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        close_days(keys=KEYS)
    return len(seen)


def wait_for_the_lock():
    """PostgreSQL notices a closed connection a moment later, and lets go of its lock then."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({LOCK}), pg_advisory_unlock({LOCK})")


def kill_at(point):
    """The connection is gone when the n-th statement has been sent; whether it was done nobody knows."""
    passed = [0]

    def kill(execute, sql, params, many, context):
        passed[0] += 1
        if passed[0] == point + 1:
            if point % 2:
                execute(sql, params, many, context)
            connection.connection.close()
            raise OperationalError("the connection is gone")
        return execute(sql, params, many, context)

    return kill


def test_two_runs_at_once_close_each_day_once():
    history()
    connection.ensure_connection()
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        other.execute(f"SELECT pg_advisory_lock({LOCK})")

        with pytest.raises(AlreadyRunning):
            close_days(keys=KEYS)
        other.execute(f"SELECT pg_advisory_unlock({LOCK})")

    assert len(close_days(keys=KEYS).days) == 3
    assert ShutDay.objects.count() == 3


# -------------------------------------------------------------------------------------------------------- the command


def test_the_command_tells_day_count_and_digest_and_refuses_a_day_that_is_not_over():
    history(days=1)
    out = StringIO()

    call_command("close_day", "--json", stdout=out)

    told = json.loads(out.getvalue())
    assert told["closed"][0]["day"] == str(today() - timedelta(days=1))
    assert told["closed"][0]["digest"] == DayClose.objects.get().hexdigest
    assert told["months_added"] == 0
    with pytest.raises(CommandError, match="is not over"):
        call_command("close_day", "--date", str(today()))
    call_command("verify", stdout=StringIO())


def test_partitions_are_made_ahead():
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SELECT to_char(now() + interval '3 months', 'YYYYMM')")
        name = f"transactions_entry_{cursor.fetchone()[0]}"
        cursor.execute(f"DROP TABLE {name}")

    assert close_days(keys=KEYS).months_added == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        assert cursor.fetchone()[0]
    assert close_days(keys=KEYS).months_added == 0
