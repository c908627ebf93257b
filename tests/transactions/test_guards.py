"""The locks on the ledger tables hold, whoever asks: the application, and the owner of the tables."""

from __future__ import annotations

import uuid
from contextlib import contextmanager

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from ecard.database import as_owner
from tests.campus import Counter, book, make_person
from transactions.models import Entry
from transactions.services.plain import sell_plainly

TABLES = [
    "transactions_entry",
    "transactions_answer",
    "transactions_reversal",
    "transactions_outcomenote",
    "transactions_cardfinding",
]


def refused(sql, *params):
    """The SQLSTATE with which the database refuses a statement of this connection, or None."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, params)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except DatabaseError as error:
        return error.__cause__.sqlstate
    return None


@contextmanager
def owner():
    """The owner of the tables, with every trigger in force; nothing it does stays."""
    with as_owner():
        params = connection.get_connection_params()
    with psycopg.connect(**params) as raw:
        yield raw
        raw.rollback()


def partitions():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'transactions_entry'::regclass"
        )
        return [name for (name,) in cursor.fetchall()]


@pytest.mark.django_db
def test_the_ledger_exists_as_partitions():
    assert len(partitions()) == 6


@pytest.mark.django_db
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE {} SET {} = {}",
        "DELETE FROM {}",
        "TRUNCATE {} CASCADE",
        "DROP TABLE {}",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
    ],
)
def test_the_application_may_only_add(table, sql):
    column = "entry_id" if table.endswith("reversal") else "account_id"

    assert refused(sql.format(table, column, column) if "SET" in sql else sql.format(table)) == "42501"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("verb", ["UPDATE {} SET note = note", "DELETE FROM {}", "TRUNCATE {}"])
def test_even_the_owner_changes_nothing_in_the_ledger_nor_in_any_partition(verb):
    """reliability.md finding 9: a row trigger alone lets TRUNCATE pass."""
    Counter().tap(make_person(), 1_00)
    full = [name for name in partitions() if Entry.objects.exists()]
    stopped = {}
    for table in ["transactions_entry", *full]:
        with owner() as raw:
            rows = raw.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            try:
                raw.execute(verb.format(table))
            except psycopg.errors.RestrictViolation:
                stopped[table] = True
            else:
                stopped[table] = rows == 0 and not verb.startswith("TRUNCATE")

    assert all(stopped.values()), stopped
    assert len(stopped) == 7


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", TABLES[1:2])
@pytest.mark.parametrize("verb", ["UPDATE {} SET op = op", "DELETE FROM {}", "TRUNCATE {}"])
def test_even_the_owner_forgets_no_answer(table, verb):
    Counter().tap(make_person(), 1_00)

    with owner() as raw, pytest.raises(psycopg.errors.RestrictViolation):
        raw.execute(verb.format(table))


# ------------------------------------------------------------------------------------------- the book is backed

INTEGRITY = "23000"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        "book_fen = book_fen + 1",
        "unclaimed_fen = unclaimed_fen + 1",
        "entry_seq = entry_seq + 1",
        "book_fen = book_fen + 1, entry_seq = entry_seq + 1",
        "book_fen = book_fen - 1, unclaimed_fen = unclaimed_fen + 1",
    ],
)
def test_a_book_does_not_change_without_its_entries(change):
    person = make_person(10_00)

    assert refused(f"UPDATE accounts_account SET {change} WHERE id = %s", person.account.id) == INTEGRITY


@pytest.mark.django_db
def test_a_plain_sale_lets_nobody_else_change_its_book():
    """``transactions_sell`` proves its own entry, and is let off at COMMIT for nothing but that."""
    person, till = make_person(10_00), Counter()

    with transaction.atomic():
        assert till.tap(person, 1_00).refusal is None
        found = refused(
            "UPDATE accounts_account SET book_fen = book_fen + 1 WHERE id = %s", person.account.id
        )

    assert found == INTEGRITY


@pytest.mark.django_db(transaction=True)
def test_a_plain_sale_whose_entry_gets_lost_is_refused():
    person, till = make_person(10_00), Counter()
    person.field.place(person.plastic)
    _, raw = till.read(person)
    order = till.order(raw, 1_00)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
            "CREATE TRIGGER entry_a_loses BEFORE INSERT ON transactions_entry FOR EACH ROW EXECUTE FUNCTION lose()"
        )
    try:
        with pytest.raises(DatabaseError) as caught:
            sell_plainly(order, book())
    finally:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER entry_a_loses ON transactions_entry; DROP FUNCTION lose()")
    person.account.refresh_from_db()

    assert caught.value.__cause__.sqlstate == INTEGRITY
    assert (person.account.book_fen, person.account.entry_seq) == (10_00, 1)


INSERT = """
    INSERT INTO transactions_entry (id, account_id, seq, kind, book_change_fen, unclaimed_change_fen, book_after_fen,
        unclaimed_after_fen, contra, source_key, occurred_at, posted_at, day, mode, card_id, purse_side, purse_seq)
    VALUES (%(id)s, %(account)s, %(seq)s, %(kind)s, %(book)s, %(unclaimed)s, %(after)s, %(unclaimed_after)s, %(contra)s,
        %(key)s, now(), %(at)s::timestamptz, %(day)s::date, %(mode)s, NULL, %(side)s, %(purse_seq)s)
"""


def entry(person, **changes):
    """An entry that the table would take, and what is wrong with it."""
    seq = changes.get("seq", 2)
    row = {
        "id": person.account.id * 2**32 + seq,
        "account": person.account.id,
        "seq": seq,
        "kind": "top_up",
        "book": 5_00,
        "unclaimed": 0,
        "after": 15_00,
        "unclaimed_after": 0,
        "contra": "drawer",
        "key": uuid.uuid4(),
        "at": "now",
        "day": "now",
        "mode": "server",
        "side": None,
        "purse_seq": None,
    }
    return row | changes


def insert(person, book_fen, entries, **changes):
    """Add entries and move the book, in one transaction; returns the SQLSTATE that refuses it."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL timezone = 'Asia/Shanghai'")
            for row in (
                [entry(person, **changes)]
                if entries == 1
                else [entry(person, seq=n) for n in (2, 3)][:entries]
            ):
                cursor.execute(INSERT, row)
            cursor.execute(
                "UPDATE accounts_account SET book_fen = %s, entry_seq = entry_seq + 1 WHERE id = %s",
                [book_fen, person.account.id],
            )
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except DatabaseError as error:
        return error.__cause__.sqlstate
    return None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("book_fen", "entries", "state"),
    [(15_00, 1, None), (15_01, 1, INTEGRITY), (14_99, 1, INTEGRITY), (15_00, 0, INTEGRITY)],
    ids=["right", "a fen more", "a fen less", "no entry"],
)
def test_the_book_moves_by_just_what_its_entries_say(book_fen, entries, state):
    assert insert(make_person(10_00), book_fen, entries) == state


CHECK = "23514"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"seq": 0, "id": 0},
        {"id": 1},
        {"kind": "gift"},
        {"contra": "nobody"},
        {"contra": "none"},
        {"mode": "somehow"},
        {"book": 0, "after": 10_00},
        {"book": 10_000_001, "after": 10_010_001},
        {"unclaimed": -1, "unclaimed_after": -1},
        {"kind": "purchase", "book": -10_01, "after": -1},
        {"side": "spend"},
        {"side": "nowhere", "purse_seq": 1},
        {"day": "2020-01-01"},
    ],
    ids=str,
)
def test_an_impossible_entry_is_refused(wrong):
    assert insert(make_person(10_00), 15_00, 1, **wrong) == CHECK


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["offline_sale", "bank_load"])
def test_only_what_comes_late_may_take_the_book_below_zero(kind):
    """reliability.md L10."""
    changes = {"kind": kind, "book": -10_01, "after": -1}

    assert insert(make_person(10_00), -1, 1, **changes) is None
    assert insert(make_person(10_00), -1, 1, **changes | {"kind": "purchase"}) == CHECK


@pytest.mark.django_db
def test_one_number_of_an_account_is_posted_once():
    person = make_person(10_00)

    assert insert(person, 15_00, 1, seq=1, id=person.account.id * 2**32 + 1) is not None


@pytest.mark.django_db
def test_a_date_far_away_finds_a_partition_and_a_new_month_gets_its_own_from_the_application():
    with connection.cursor() as cursor:
        cursor.execute("SELECT transactions_add_month('2031-05-17')")
        made = cursor.fetchone()[0]
        cursor.execute("SELECT transactions_add_month('2031-05-01')")
        again = cursor.fetchone()[0]
        cursor.execute(
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'transactions_entry_203105'::regclass"
        )
        triggers = cursor.fetchone()[0]
    assert (made, again) == (True, False)
    assert triggers >= 2
    assert refused("TRUNCATE transactions_entry_203105") == "42501"

    person = make_person(10_00)
    assert insert(person, 15_00, 1, at="2099-01-01 12:00:00+08", day="2099-01-01") is None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text FROM transactions_entry"
            " WHERE posted_at > '2098-01-01' AND account_id = %s",
            [person.account.id],
        )
        assert cursor.fetchall() == [("transactions_entry_rest",)]


@pytest.mark.django_db
def test_the_application_makes_no_tables_by_that_door():
    assert refused("SELECT transactions_guard_partition('accounts_account')") is not None
    assert refused("CREATE TABLE mine (id int)") is not None


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "value"), [("lock_timeout", "2s"), ("statement_timeout", "5s")])
def test_the_limits_of_waiting_reach_the_connection(name, value):
    """reliability.md C3."""
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        assert cursor.fetchone()[0] == value
