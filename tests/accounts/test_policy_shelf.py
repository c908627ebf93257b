"""The policy in force without a statement for each sale, and every process changing over at the same moment."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from accounts import policies, wiring
from accounts.models import PolicyChange
from accounts.policies import FRESH_S, STALE_S, Book, Change, Shelf
from accounts.services import policy
from transactions.days import SHANGHAI

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=SHANGHAI)


@pytest.fixture(autouse=True)
def fresh():
    wiring.forget_policy()
    yield
    wiring.forget_policy()


def raw(name: str, value, at: datetime) -> None:
    PolicyChange.objects.create(
        key=uuid4(), name=name, value=value, effective_at=at, set_at=NOW, set_by="operator:1", reason="x"
    )


def test_the_numbers_are_read_every_few_seconds_and_not_for_each_sale(db, django_assert_num_queries):
    raw("double_tap", 5, NOW + timedelta(seconds=20))
    shelf = Shelf(policies.read)

    with django_assert_num_queries(1):
        for step in range(1000):
            shelf.in_force(NOW, monotonic_s=100 + step * FRESH_S / 1001)
    with django_assert_num_queries(1):
        shelf.in_force(NOW, monotonic_s=100 + FRESH_S)


def test_without_a_statement_the_value_changes_at_its_moment(db, django_assert_num_queries):
    raw("double_tap", 5, NOW + timedelta(seconds=20))
    shelf = Shelf(policies.read)
    shelf.in_force(NOW, monotonic_s=0)

    with django_assert_num_queries(0):
        before = shelf.in_force(NOW + timedelta(seconds=19, microseconds=999_999), monotonic_s=1)
        after = shelf.in_force(NOW + timedelta(seconds=20), monotonic_s=1)
        back = shelf.in_force(NOW, monotonic_s=1)

    assert [each.policy.double_tap.seconds for each in (before, after, back)] == [10, 5, 10]


def test_a_change_gives_more_notice_than_any_process_needs_to_learn_of_it():
    """Else two processes would judge by two policies."""
    assert policy.NOTICE.total_seconds() > STALE_S > FRESH_S


def test_while_one_thread_reads_the_others_use_what_they_have_but_nothing_too_old():
    reading, go_on, asked = threading.Event(), threading.Event(), []

    def read() -> Book:
        asked.append(1)
        if len(asked) > 1:
            reading.set()
            assert go_on.wait(10)
        return Book([Change(len(asked), "double_tap", timedelta(seconds=len(asked)), NOW)])

    shelf = Shelf(read)
    shelf.in_force(NOW, monotonic_s=0)
    first = threading.Thread(target=lambda: shelf.in_force(NOW, monotonic_s=FRESH_S))
    first.start()
    assert reading.wait(10)
    assert shelf.in_force(NOW, monotonic_s=FRESH_S).policy.double_tap.seconds == 1
    late = []
    second = threading.Thread(target=lambda: late.append(shelf.in_force(NOW, monotonic_s=STALE_S)))
    second.start()
    second.join(0.1)
    assert second.is_alive()
    go_on.set()
    for thread in (first, second):
        thread.join(10)

    assert late[0].policy.double_tap.seconds >= 2


def test_the_doors_read_the_same_numbers(db, monkeypatch):
    """Till, desk and commands ask one place."""
    from counter import wiring as counter
    from terminals.api import wiring as till

    raw("double_tap", 5, NOW + timedelta(seconds=10))
    monkeypatch.setattr(wiring, "now", lambda: NOW + timedelta(seconds=11))
    raw("card_fee_fen", 25_00, NOW + timedelta(seconds=10))
    wiring.forget_policy()

    assert till.policy().double_tap == counter.policy().double_tap == timedelta(seconds=5)
    assert counter.options().card_fee_fen == 25_00
