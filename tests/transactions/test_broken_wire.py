"""CUT and KILL: the line or the server dies at every message and every statement; the same key ends it right."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, replace

import psycopg
import pytest
from django.db import connection

from tests import faults
from tests.campus import NOON, POLICY, Counter, book, make_person
from tests.transactions.broken import killing, proxied, quietly
from tests.transactions.test_offline import sell_offline
from transactions.models import Entry, Reversal
from transactions.services.credit import Credit, credit_unclaimed
from transactions.services.debit import debit
from transactions.services.offline import post_offline
from transactions.services.orders import Busy
from transactions.services.outcomes import CardWrite, Report, report_outcomes
from transactions.services.void import void

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Case:
    """One service with a key of its own, and the book as it must be in the end: (book, unclaimed, entries)."""

    person: object
    act: object
    done: tuple[int, int, int]

    @property
    def state(self):
        account = self.person.fresh()
        return account.book_fen, account.unclaimed_fen, account.entry_seq

    def broken(self, before):
        """All or nothing: either as before or done; and the entries say the same as the book."""
        account = self.person.fresh()
        if self.state not in (before, self.done):
            return [f"half done: {self.state}"]
        entries = list(Entry.objects.filter(account=account).order_by("seq"))
        if [entry.seq for entry in entries] != list(range(1, account.entry_seq + 1)):
            return ["a gap in the entries"]
        if sum(entry.book_change_fen for entry in entries) != account.book_fen:
            return ["the book is not what its entries say"]
        return []


def read(till, person):
    person.field.place(person.plastic)
    return till.read(person)[1]


def a_debit():
    till, person = Counter(), make_person(20_00)
    order = till.order(read(till, person), 3_00)
    return Case(person, lambda: debit(order, book=book()), (17_00, 0, 2))


def a_freezing_debit():
    till, person = Counter(), make_person(90_00, limit_fen=600_00)
    till.tap(person, 60_00, leave_after=11)
    till.pending.clear()
    order = till.order(read(till, person), 3_00)
    return Case(person, lambda: debit(order, book=book()), (30_00, 0, 2))


def a_void():
    till, person = Counter(), make_person(20_00)
    sale = till.tap(person, 3_00)
    order = till.order(read(till, person), 0)
    return Case(person, lambda: void(order, of=sale.key, book=book()), (20_00, 0, 3))


def a_given_up_sale():
    till, person = Counter(), make_person(20_00)
    order = till.order(read(till, person), 3_00)
    debit(order, book=book())
    report = [Report(order.key, CardWrite.ABANDONED)]
    return Case(person, lambda: report_outcomes(report, till=till.till, now=NOON), (20_00, 0, 3))


def a_reported_sale():
    till, person = Counter(), make_person(20_00)
    sale = till.tap(person, 3_00)
    report = [Report(sale.key, CardWrite.WRITTEN), Report(uuid.uuid4(), CardWrite.UNKNOWN)]
    return Case(person, lambda: report_outcomes(report, till=till.till, now=NOON), (17_00, 0, 2))


def a_credit():
    person = make_person(20_00)
    credit = Credit(uuid.uuid4(), person.account.id, 5_00)
    return Case(person, lambda: credit_unclaimed(credit, now=NOON), (20_00, 5_00, 2))


def an_upload():
    till, person = Counter(), make_person(20_00)
    sale = sell_offline(till, person, 3_00)
    return Case(person, lambda: post_offline(sale, till=till.till, policy=POLICY, now=NOON), (17_00, 0, 2))


SERVICES = [a_debit, a_freezing_debit, a_void, a_given_up_sale, a_reported_sale, a_credit, an_upload]


def counted(wire, make):
    """How many statements the undisturbed service has."""
    case = make()
    wire.arm(None)
    case.act()
    assert case.state == case.done
    return wire.seen


def one(wire, make, number, after):
    case = make()
    before = case.state
    wire.arm(number, after=after)
    quietly(case.act, Busy)
    wire.arm(None)
    connection.close()
    wrong = case.broken(before)
    case.act()
    case.act()
    if case.state != case.done:
        wrong.append(f"after the retry {case.state}, not {case.done}")
    return wrong + case.broken(case.done)


@pytest.mark.parametrize("make", SERVICES, ids=lambda make: make.__name__)
def test_a_line_cut_at_every_message_moves_money_once(make):
    """reliability.md finding 1: a lost answer to COMMIT looks like any other error; only the key tells."""
    wrong = []
    with proxied() as proxy:
        for after in (False, True):
            for number in itertools.count():
                cuts = proxy.cuts
                wrong += [(number, after, what) for what in one(proxy, make, number, after)]
                if proxy.cuts == cuts:  # the service was through before its turn came
                    break
        cases = proxy.cuts

    faults.report("CUT", cases, len(wrong))
    assert wrong == []


def test_without_a_key_the_same_cuts_charge_twice():
    """The proof that the harness can fail: a till that asks again under a new key."""
    doubles = 0
    with proxied() as proxy:
        for number in itertools.count():
            till, person = Counter(), make_person(20_00)
            order, cuts = till.order(read(till, person), 3_00), proxy.cuts
            proxy.arm(number, after=True)
            quietly(lambda order=order: debit(order, book=book()), Busy)
            if proxy.cuts == cuts:
                break
            proxy.arm(None)
            debit(replace(order, key=uuid.uuid4()), book=book())
            doubles += person.book_fen == 14_00
        cases = proxy.cuts

    assert doubles >= 1
    assert doubles < cases


@pytest.mark.parametrize("make", SERVICES, ids=lambda make: make.__name__)
def test_a_server_killed_at_every_statement_leaves_all_or_nothing(make, monkeypatch):
    cases, wrong = 0, []
    with killing(monkeypatch) as killer:
        for number in range(counted(killer, make)):
            for after in (False, True):
                cases += 1
                wrong += [(number, after, what) for what in one(killer, make, number, after)]

    faults.report("KILL", cases, len(wrong))
    assert wrong == []
    if make is a_void:
        assert Reversal.objects.count() == cases + 1


# ---------------------------------------------------------------------------------------- locks and retries


def holding(sql, *params):
    """A second session that holds a lock."""
    side = psycopg.connect(**connection.get_connection_params())
    side.execute(sql, params)
    return side


def test_an_account_held_for_ever_is_busy_after_its_lock_timeouts_and_nothing_moved():
    case = a_debit()
    side = holding("SELECT 1 FROM accounts_account WHERE id = %s FOR UPDATE", case.person.account.id)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '30ms'")
        with pytest.raises(Busy) as busy:
            case.act()
    finally:
        side.close()
        connection.close()

    assert str(busy.value) == "55P03"
    assert case.state == (20_00, 0, 1)
    case.act()
    assert case.state == case.done


@pytest.mark.parametrize(
    ("state", "ends"), [("40001", "done"), ("40P01", "done"), ("55P03", "done"), ("57P01", "busy")]
)
def test_a_plain_sale_that_postgresql_undid_is_left_to_the_general_path(state, ends, monkeypatch):
    from django.db import OperationalError

    from transactions.ledger import plain

    def undone(sale, prelude):
        raise OperationalError(state) from psycopg.errors.lookup(state)()

    case = a_debit()
    monkeypatch.setattr(plain, "sell", undone)

    reply = quietly(case.act, Busy)

    assert (reply is not None) == (ends == "done")
    monkeypatch.undo()
    case.act()
    assert case.state == case.done


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
@pytest.mark.parametrize(("failures", "ends"), [(1, "done"), (3, "done"), (4, "busy")])
def test_what_postgresql_asks_to_repeat_is_repeated_three_times(state, failures, ends, monkeypatch):
    """reliability.md C3: the whole transaction, decisions included."""
    from django.db import OperationalError

    from transactions import ledger

    monkeypatch.setattr("transactions.services.debit.sell_plainly", lambda order, book: order)
    case, left = a_debit(), [failures]
    write = ledger.write

    def failing(change):
        if left[0]:
            left[0] -= 1
            cause = psycopg.errors.lookup(state)()
            raise OperationalError(state) from cause
        return write(change)

    monkeypatch.setattr(ledger, "write", failing)
    reply = quietly(case.act, Busy)

    assert (reply is not None) == (ends == "done")
    monkeypatch.undo()
    case.act()
    assert case.state == case.done
