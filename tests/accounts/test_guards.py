"""What the database itself refuses, whoever asks: append-only tables, life cycles, flags, grants."""

from __future__ import annotations

import itertools

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts.models import Account, AccountLife, AuditEvent, Card, CardLife, LossReport
from accounts.services import standing
from accounts.services.cards import NEXT_LIVES
from purse.rules import FreezeReason
from tests.accounts.conftest import BY, CLERK, NOW, undone
from tests.conftest import _Owner

ACCOUNT_STEPS = {
    ("pending", "open"),
    ("pending", "closed"),
    ("open", "closing"),
    ("closing", "open"),
    ("closing", "closed"),
}


def refused(sql: str, *params: object) -> bool:
    """Whether the database refuses a statement of the application's role."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, params)
    except DatabaseError:
        return True
    return False


def test_the_tests_run_as_the_role_that_owns_nothing(world):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, tableowner FROM pg_tables WHERE tablename = 'accounts_auditevent'"
        )
        role, owner = cursor.fetchone()

    assert role == "ecard_app"
    assert owner != role


@pytest.mark.parametrize("table", ["accounts_auditevent", "accounts_lossreport"])
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE {} SET channel = 'x'",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "DROP TABLE {}",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
    ],
)
def test_the_application_cannot_change_what_is_append_only(world, table, sql):
    assert refused(sql.format(table))


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (
            "accounts_auditevent",
            (
                "(at, actor, role, channel, action, object_kind, object_id, before, after)"
                " VALUES (now(), 'a', 'r', 'c', 'd', 'k', '1', '{}', '{}')"
            ),
        ),
        (
            "accounts_lossreport",
            (
                "(key, reference, account_id, effect, channel, reported_at)"
                " VALUES (gen_random_uuid(), '261123000000', 0, 'card_lost', 'web', now())"
            ),
        ),
    ],
)
@pytest.mark.parametrize("sql", ["UPDATE {} SET channel = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_even_the_owner_of_the_tables_meets_the_triggers(world, table, row, sql):
    """The lock behind the grants: the login that migrates cannot change a row by accident either."""
    owner = _Owner.connection
    with owner.transaction(force_rollback=True):
        owner.execute(f"INSERT INTO {table} {row}")
        owner.execute("SET LOCAL session_replication_role = origin")
        with pytest.raises(Exception, match="only ever added"):
            owner.execute(sql.format(table))


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM accounts_account",
        "DELETE FROM accounts_card",
        "DELETE FROM accounts_holder",
        "DELETE FROM accounts_secret",
        "DELETE FROM accounts_operator",
        "DELETE FROM accounts_campus",
        "UPDATE accounts_loginrecord SET succeeded = true",
        "TRUNCATE accounts_attempt",
    ],
)
def test_the_application_has_only_the_rights_it_needs(world, sql):
    assert refused(sql)


def test_an_account_takes_only_the_steps_of_its_life(world):
    """Requirements 3.1, all pairs."""
    account = world.account(card=False)
    for before, after in itertools.permutations(AccountLife.values, 2):
        with transaction.atomic():
            other = Account.objects.create(
                number=account.number + 1 if account.number < 99999 else 10000,
                holder=account.holder,
                campus=account.campus,
                life=before,
                closed_at=NOW if before == "closed" else None,
            )
            closed_at = "now()" if after == "closed" else "NULL"
            sql = f"UPDATE accounts_account SET life = %s, closed_at = {closed_at} WHERE id = %s"

            assert refused(sql, after, other.pk) is ((before, after) not in ACCOUNT_STEPS), (before, after)

            transaction.set_rollback(True)


def test_a_card_takes_only_the_steps_of_its_life(world):
    """The services' table and the database's trigger say the same, for all pairs."""
    account = world.account(card=False)
    for number, (before, after) in enumerate(itertools.permutations(CardLife.values, 2), start=1):
        with transaction.atomic():
            card = Card.objects.create(account=account, uid="0A0B0C0D", issue_no=number, life=before)
            allowed = CardLife(after) in NEXT_LIVES[CardLife(before)]

            assert (
                refused("UPDATE accounts_card SET life = %s WHERE id = %s", after, card.pk) is not allowed
            ), (before, after)

            transaction.set_rollback(True)


@pytest.mark.parametrize(("book_fen", "stays"), [(-1, True), (0, False)])
def test_the_database_keeps_an_account_frozen_while_its_book_is_negative(world, book_fen, stays):
    account = world.account()
    standing.freeze(account.pk, [FreezeReason.BOOK_NEGATIVE], by=BY)
    with undone():
        Account.objects.filter(pk=account.pk).update(book_fen=book_fen)

        unfrozen = "UPDATE accounts_account SET frozen_reasons = '{}', frozen_at = NULL WHERE id = %s"
        assert refused(unfrozen, account.pk) is stays


@pytest.mark.parametrize(
    ("life", "stays"), [("replaced", True), ("returned", True), ("void", True), ("active", False)]
)
def test_the_database_keeps_an_ended_card_lost(world, life, stays):
    account = world.account()
    Card.objects.filter(account=account).update(life=life, lost=True, lost_at=NOW)

    found = "UPDATE accounts_card SET lost = false, lost_at = NULL WHERE account_id = %s"
    assert refused(found, account.pk) is stays


@pytest.mark.parametrize(
    "change",
    [
        "number = 9999",
        "number = 100000",
        "daily_limit_fen = -1",
        "daily_limit_fen = 60001",
        "frozen_reasons = '{because}', frozen_at = now()",
        "frozen_reasons = '{by_hand}'",
        "frozen_at = now()",
        "life = 'gone'",
        "kind = 'gold'",
        "closed_at = now()",
        "unclaimed_fen = -1",
        "spent_fen = -1",
        "version = -1",
    ],
)
def test_the_database_refuses_an_impossible_account(world, change):
    account = world.account(card=False)

    assert refused(f"UPDATE accounts_account SET {change} WHERE id = %s", account.pk)


@pytest.mark.parametrize(
    "change",
    ["number = 10000", "number = 99999", "daily_limit_fen = 0", "daily_limit_fen = 60000", "book_fen = -1"],
)
def test_the_database_accepts_the_bounds_themselves(world, change):
    account = world.account(card=False)

    with undone():
        assert not refused(f"UPDATE accounts_account SET {change} WHERE id = %s", account.pk)


@pytest.mark.parametrize(
    "change",
    [
        "uid = 'a0b0c0d0'",
        "uid = ''",
        "uid = 'A0B0C0D'",
        "uid = 'A0B0C0D0E0'",
        "lost = true",
        "lost_at = now()",
        "issue_no = 0",
        "life = 'stolen'",
        "kind = 'gold'",
        "late_fen = -1",
        "spend_seq = -1",
    ],
)
def test_the_database_refuses_an_impossible_card(world, change):
    account = world.account()

    assert refused(f"UPDATE accounts_card SET {change} WHERE account_id = %s", account.pk)


def test_an_account_has_one_live_card_and_a_chip_is_one_live_card(world):
    first, second = world.account(), world.account(card=False)
    chip = Card.objects.get(account=first).uid

    with pytest.raises(IntegrityError, match="card_one_live_per_account"), transaction.atomic():
        Card.objects.create(account=first, uid="01020304", issue_no=2, life=CardLife.ISSUED)
    with pytest.raises(IntegrityError, match="card_uid_unique_live"), transaction.atomic():
        Card.objects.create(account=second, uid=chip, issue_no=1, life=CardLife.ACTIVE)
    Card.objects.filter(account=first).update(life=CardLife.RETURNED)
    Card.objects.create(account=second, uid=chip, issue_no=1, life=CardLife.ACTIVE)


def test_the_hot_tables_keep_free_space_and_no_index_on_what_a_tap_changes(world):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reloptions FROM pg_class WHERE relname IN ('accounts_account', 'accounts_card')"
        )
        options = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename IN ('accounts_account', 'accounts_card')"
        )
        indexes = " ".join(row[0] for row in cursor.fetchall())

    assert options == [["fillfactor=70"]] * 2
    hot = [
        "book_fen",
        "unclaimed",
        "entry_seq",
        "version",
        "spent_",
        "seen_",
        "spend_",
        "load_",
        "legs",
        "images",
    ]
    assert not [column for column in hot if column in indexes]


def test_the_audit_and_the_loss_reports_can_be_added_to(world):
    account = world.account()

    assert AuditEvent.objects.filter(actor=CLERK.who).count() >= 4
    assert not LossReport.objects.filter(account=account).exists()
