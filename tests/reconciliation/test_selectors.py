"""What the reconciliation desk is shown."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciliation import selectors
from reconciliation.models import Mismatch, ReconcileRun
from reconciliation.services import cases
from reconciliation.services.reconcile import ACTOR, RunOrder, reconcile
from terminals.models import Terminal, TerminalContact
from tests.reconciliation.books import NOW, Book, campus, merchant

pytestmark = pytest.mark.django_db


def torn(fen=1_30, at="laoshan"):
    book = Book.open(20_00, at=at)
    book.pay(fen, torn=True)
    return book


def test_the_queue_shows_card_book_and_difference():
    book = torn()
    reconcile(RunOrder(now=NOW))

    (row,) = selectors.open_cases()

    assert (row.mismatch, row.account_number) == (Mismatch.TORN, book.account.number)
    assert (row.card_fen, row.book_fen, row.difference_fen, row.at_risk_fen) == (20_00, 18_70, 1_30, 1_30)
    assert row == selectors.case(row.id)


def test_a_campus_sees_its_own_queue():
    here, there = torn(), torn(at="yushan")
    reconcile(RunOrder(now=NOW))

    rows = selectors.open_cases(there.account.campus_id)

    assert [row.account_id for row in rows] == [there.account.id]
    assert selectors.open_counts(here.account.campus_id)[Mismatch.TORN] == 1
    assert selectors.open_counts()[Mismatch.TORN] == 2
    assert selectors.open_counts()[Mismatch.FORK] == 0


def test_a_remark_stands_between_what_happened_by_itself():
    book = torn()
    reconcile(RunOrder(now=NOW))
    (row,) = selectors.open_cases(mismatch=Mismatch.TORN)

    cases.remark(row.id, "已电话通知持卡人", actor=ACTOR, now=NOW)

    assert [(note.kind, note.text) for note in selectors.notes(row.id)] == [
        ("opened", ""),
        ("remark", "已电话通知持卡人"),
    ]
    assert [each.id for each in selectors.cases_of(book.account.id)] == [row.id]


@pytest.mark.parametrize(("hours", "late"), [(26, False), (26.001, True)])
def test_a_missed_night_is_noticed(hours, late):
    ReconcileRun.objects.create(started_at=NOW, finished_at=NOW)

    assert selectors.is_late(now=NOW + timedelta(hours=hours)) is late


def test_a_killed_run_does_not_count():
    ReconcileRun.objects.create(started_at=NOW)

    assert selectors.last_run() is None
    assert selectors.is_late(now=NOW)


@pytest.mark.parametrize(
    ("days", "shown"), [(2.99, []), (3, [(3, False)]), (4.99, [(4, False)]), (5, [(5, True)])]
)
def test_silent_terminals_turn_amber_after_three_days_and_red_after_five(days, shown):
    """指南: 如果脱机POS机5天以上不能与系统通讯时……进行平账处理。"""
    till = Terminal.objects.create(
        name_zh="学苑1号", kind="till", campus=campus(), merchant=merchant(), may_sell_offline=True, epoch=1
    )
    TerminalContact.objects.create(terminal=till, last_contact_at=NOW - timedelta(days=days))

    rows = selectors.silent_terminals(now=NOW)

    assert [(row.silent_days, row.red) for row in rows] == shown


steps = st.lists(
    st.tuples(
        st.sampled_from(["pay", "torn", "top_up", "unwritten", "offline", "upload", "heal", "level"]),
        st.integers(1, 20_00),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_the_items_always_add_up_to_the_difference(steps):
    """``card − book = Σ open items`` holds at every moment, for every card (tap-protocol.md)."""
    book = Book.open(500_00)
    gap = 0

    for what, fen in steps:
        if what == "pay":
            book.pay(fen)
        elif what == "torn":
            book.pay(fen, torn=True)
        elif what in {"top_up", "unwritten"}:
            book.top_up(fen, written=what == "top_up")
        elif what == "offline":
            book.pay_offline(fen)
            gap += fen
        elif what == "heal":
            book.heal()
        elif gap and what == "upload":
            book.upload(gap)
            gap = 0
        elif gap and what == "level":
            book.level(gap)
            book.upload(gap, late=True)
            gap = 0

    told = selectors.explain(book.account.id)
    assert told.difference_fen == sum(item.fen for item in told.items)
    assert {item.mismatch for item in told.items if item.fen == -gap} >= (
        {Mismatch.OFFLINE_GAP} if gap else set()
    )


def test_an_unknown_account_has_no_explanation():
    assert selectors.explain(0) is None


def test_a_torn_leg_names_its_entry_and_terminal():
    book = torn()

    (item,) = selectors.explain(book.account.id).items

    assert (item.mismatch, item.fen, item.entry_seq, item.terminal_id) == (Mismatch.TORN, 1_30, 2, 7)
