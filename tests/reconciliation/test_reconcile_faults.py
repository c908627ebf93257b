"""The run is killed anywhere, meets tills at work, and still ends where an undisturbed run ends (CRON, C7)."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import psycopg
import pytest
from django.db import Error, connection, transaction

from accounts.models import AuditEvent
from reconciliation.models import Case
from reconciliation.services.reconcile import RunOrder, reconcile
from tests.faults import report
from tests.reconciliation.books import NOW, Book
from transactions.models import Entry

pytestmark = pytest.mark.django_db(transaction=True)
TOMORROW = NOW + timedelta(days=1)


def run():
    return reconcile(RunOrder(now=TOMORROW))


@pytest.fixture
def other():
    """A second connection of the application: a till, or the one who pulls the plug."""
    connection.ensure_connection()
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        yield other


class Scene:
    """One account for each thing a run may do."""

    def __init__(self, kinds=("gone", "to_freeze", "negative", "torn", "suspect")):
        first = [self.gone()] if "gone" in kinds else []
        with transaction.atomic():
            self.books = [*first, *(getattr(self, kind)() for kind in kinds if kind != "gone")]

    @staticmethod
    def to_freeze():
        book = Book.open(80_00)
        book.pay(52_00, torn=True)
        return book

    @staticmethod
    def negative():
        book = Book.open(10_00)
        book.pay(8_00, torn=True)
        book.pay_offline(9_00)
        book.upload(9_00)
        return book

    @staticmethod
    def torn():
        book = Book.open(2_40)
        book.pay(1_30, torn=True)
        return book

    @staticmethod
    def suspect():
        book = Book.open(20_00)
        book.find("fork", card_fen=21_00, book_fen=20_00)
        return book

    @staticmethod
    def to_level():
        book = Book.open(20_00)
        book.pay_offline(4_00)
        book.trace(4_00)
        return book

    @staticmethod
    def below_zero():
        """Pulled away from an online till, and spent once more offline: levelling freezes him."""
        book = Book.open(10_00)
        book.pay(8_00, torn=True)
        book.pay_offline(9_00)
        book.trace(9_00)
        return book

    @staticmethod
    def gone():
        """Comes first: it needs a run of its own."""
        with transaction.atomic():
            book = Book.open(2_40)
            book.pay(1_30, torn=True)
        reconcile(RunOrder(now=NOW))
        book.heal()
        return book

    def end(self):
        """What is left when all is done, without ids and times."""
        return [self._end_of(book) for book in self.books]

    @staticmethod
    def _end_of(book):
        account = book.fresh()
        return {
            "frozen": account.frozen_reasons,
            "version": account.version,
            "entries": list(
                Entry.objects.filter(account=account)
                .order_by("seq")
                .values_list("kind", "book_change_fen", "book_after_fen")
            ),
            "levelled": book.fresh_card().levelled_seq,
            "audit": list(
                AuditEvent.objects.filter(object_kind="account", object_id=str(account.id))
                .order_by("id")
                .values_list("action", "before", "after")
            ),
            "cases": [
                (
                    case.mismatch,
                    case.state,
                    case.at_risk_fen,
                    case.numbers,
                    case.findings.count(),
                    list(case.notes.order_by("id").values_list("kind", "numbers")),
                )
                for case in Case.objects.filter(account=account).order_by("mismatch")
            ],
        }


class Plug:
    """Notes every statement, and cuts the connection before or after the n-th."""

    def __init__(self, other, at=None, *, after=False):
        self.other, self.at, self.after, self.statements = other, at, after, []

    def __call__(self, execute, sql, params, many, context):
        self.statements.append(sql)
        if len(self.statements) != self.at:
            return execute(sql, params, many, context)
        if not self.after:
            self._cut()
        result = execute(sql, params, many, context)
        if self.after:
            self._cut()
        return result

    def _cut(self):
        pid = connection.connection.info.backend_pid
        self.other.execute("SELECT pg_terminate_backend(%s, 2000)", [pid])


def cuts(statements):
    """Before every statement; after every write too, because a commit may follow it."""
    for at, sql in enumerate(statements, start=1):
        yield at, False
        if sql.startswith(("INSERT", "UPDATE")):
            yield at, True


@pytest.mark.parametrize(
    "kinds",
    [("gone", "to_freeze", "negative", "torn", "suspect"), ("to_level", "below_zero")],
    ids=["cases", "levelling"],
)
def test_killed_at_every_statement_the_next_run_ends_the_same(other, kinds):
    undisturbed, noting = Scene(kinds), Plug(other)
    with connection.execute_wrapper(noting):
        run()
    expected = undisturbed.end()
    assert [account["levelled"] for account in expected] == [int(kinds[0] == "to_level")] * len(kinds)
    cases = violations = 0

    for at, after in cuts(noting.statements):
        scene = Scene(kinds)
        with connection.execute_wrapper(Plug(other, at, after=after)), suppress(Error):
            run()
        connection.close()
        run()
        cases += 1
        violations += scene.end() != expected

    report("CRON", cases, violations)
    assert cases > 30
    assert violations == 0


def test_a_difference_that_went_away_meanwhile_freezes_nobody(other):
    book = Scene.to_freeze()

    def heal_first(execute, sql, params, many, context):
        if "FOR UPDATE" in sql and book.fresh_card().legs:
            other.execute(
                "UPDATE accounts_card SET legs = '{}', images = '{}', spend_seq = spend_seq + 1,"
                " spend_total_fen = spend_total_fen + 5200 WHERE id = %s",
                [book.card.id],
            )
            other.execute(
                "UPDATE accounts_account SET version = version + 1 WHERE id = %s", [book.account.id]
            )
        return execute(sql, params, many, context)

    with connection.execute_wrapper(heal_first):
        outcome = run()

    assert book.fresh().frozen_reasons == []
    assert not Case.objects.exists()
    assert outcome.frozen.total() == 0


def test_an_account_that_somebody_holds_is_left_for_the_next_run(other):
    held, free = Scene.to_freeze(), Scene.negative()
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")

    with other.transaction():
        other.execute("SELECT FROM accounts_account WHERE id = %s FOR NO KEY UPDATE", [held.account.id])
        first = run()
    between = held.fresh().frozen_reasons, free.fresh().frozen_reasons
    second = run()
    connection.close()

    assert (first.postponed, second.postponed) == (1, 0)
    assert between == ([], ["book_negative"])
    assert held.fresh().frozen_reasons == ["card_above_book"]


def test_a_till_can_always_take_the_account_of_a_mere_case(other):
    books = [Scene.gone(), Scene.torn(), Scene.suspect()]
    waits = []

    def tap(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        for book in books:
            try:
                other.execute(
                    "SELECT FROM accounts_account WHERE id = %s FOR NO KEY UPDATE NOWAIT", [book.account.id]
                )
            except psycopg.errors.LockNotAvailable:
                waits.append(sql)
        return result

    with connection.execute_wrapper(tap):
        outcome = run()

    assert outcome.opened.total() == 2
    assert waits == []


def test_debits_that_come_in_between_are_neither_lost_nor_frozen_twice(other):
    book = Scene.to_freeze()
    taps = 0

    def bump(execute, sql, params, many, context):
        nonlocal taps
        try:
            other.execute("SET lock_timeout = '1ms'")
            other.execute(
                "UPDATE accounts_account SET version = version + 1 WHERE id = %s", [book.account.id]
            )
            taps += 1
        except psycopg.errors.LockNotAvailable:
            pass
        return execute(sql, params, many, context)

    before = book.fresh().version
    with connection.execute_wrapper(bump):
        run()

    assert taps > 5
    assert book.fresh().version == before + taps + 1
    assert AuditEvent.objects.filter(object_id=str(book.account.id), action="account.freeze").count() == 1


def test_a_run_inside_somebody_elses_transaction_is_refused():
    Scene.to_freeze()

    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        run()
