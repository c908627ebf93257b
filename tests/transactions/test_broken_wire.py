"""CUT and BACKEND: the line, or the server process behind it, dies at every message; the same key ends it right.

Workers that are killed themselves: tests/faultruns/test_kill.py.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace

import psycopg
import pytest
from django.db import connection

from tests import faults
from tests.campus import Counter, book, make_person
from tests.faultruns.desk_scenes import ALL_SCENES
from tests.faultruns.scenes import (
    a_credit,
    a_freezing_debit,
    a_given_up_sale,
    a_plain_debit,
    a_void,
    an_offline_sale,
    read,
    reported_sales,
)
from tests.transactions.broken import killing, proxied, quietly
from transactions.models import Reversal
from transactions.services.debit import debit
from transactions.services.orders import Busy

pytestmark = pytest.mark.django_db(transaction=True)
BACKEND = [
    a_plain_debit,
    a_freezing_debit,
    a_void,
    a_given_up_sale,
    reported_sales,
    a_credit,
    an_offline_sale,
]


def one(wire, make, number, after):
    """Break the wire at one message or statement, then ask again twice; what is wrong then."""
    scene = make()
    before = scene.money()
    wire.arm(number, after=after)
    quietly(scene.act, Busy)
    wire.arm(None)
    connection.close()
    wrong = scene.half_done(before)
    scene.act()
    scene.act()
    if scene.money() != scene.wanted():
        wrong.append(f"after the retry {scene.money()}, not {scene.wanted()}")
    return wrong + scene.half_done(before)


@pytest.mark.parametrize("make", ALL_SCENES, ids=lambda make: make.__name__)
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


@pytest.mark.parametrize("make", BACKEND, ids=lambda make: make.__name__)
def test_a_server_process_ended_at_every_statement_leaves_all_or_nothing(make, monkeypatch):
    cases, wrong, reversals = 0, [], Reversal.objects.count()
    with killing(monkeypatch) as killer:
        scene = make()
        killer.arm(None)
        scene.act()
        assert scene.money() == scene.wanted()
        for number in range(killer.seen):
            for after in (False, True):
                cases += 1
                wrong += [(number, after, what) for what in one(killer, make, number, after)]

    faults.report("BACKEND", cases, len(wrong))
    assert wrong == []
    if make is a_void:
        assert Reversal.objects.count() == reversals + cases + 1


# ---------------------------------------------------------------------------------------- locks and retries


def holding(sql, *params):
    """A second session that holds a lock."""
    side = psycopg.connect(**connection.get_connection_params())
    side.execute(sql, params)
    return side


def test_an_account_held_for_ever_is_busy_after_its_lock_timeouts_and_nothing_moved():
    scene = a_plain_debit()
    side = holding("SELECT 1 FROM accounts_account WHERE id = %s FOR UPDATE", scene.people[0].account.id)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '30ms'")
        with pytest.raises(Busy) as busy:
            scene.act()
    finally:
        side.close()
        connection.close()

    assert str(busy.value) == "55P03"
    assert scene.money() == [(20_00, 0, 1)]
    scene.act()
    assert scene.money() == scene.wanted()


@pytest.mark.parametrize(
    ("state", "ends"), [("40001", "done"), ("40P01", "done"), ("55P03", "done"), ("57P01", "busy")]
)
def test_a_plain_sale_that_postgresql_undid_is_left_to_the_general_path(state, ends, monkeypatch):
    from django.db import OperationalError

    from transactions.ledger import plain

    def undone(sale, prelude):
        raise OperationalError(state) from psycopg.errors.lookup(state)()

    scene = a_plain_debit()
    monkeypatch.setattr(plain, "sell", undone)

    reply = quietly(scene.act, Busy)

    assert (reply is not None) == (ends == "done")
    monkeypatch.undo()
    scene.act()
    assert scene.money() == scene.wanted()


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
@pytest.mark.parametrize(("failures", "ends"), [(1, "done"), (3, "done"), (4, "busy")])
def test_what_postgresql_asks_to_repeat_is_repeated_three_times(state, failures, ends, monkeypatch):
    """reliability.md C3: the whole transaction, decisions included."""
    from django.db import OperationalError

    from transactions import ledger

    monkeypatch.setattr("transactions.services.debit.sell_plainly", lambda order, book: order)
    scene, left = a_plain_debit(), [failures]
    write = ledger.write

    def failing(change):
        if left[0]:
            left[0] -= 1
            cause = psycopg.errors.lookup(state)()
            raise OperationalError(state) from cause
        return write(change)

    monkeypatch.setattr(ledger, "write", failing)
    reply = quietly(scene.act, Busy)

    assert (reply is not None) == (ends == "done")
    monkeypatch.undo()
    scene.act()
    assert scene.money() == scene.wanted()
