"""Which movements are told: thresholds from both sides, once per crossing, again only after a load."""

from __future__ import annotations

import pytest

from accounts.kinds import NoticeKind
from transactions.alerts import Line, Watch, findings
from transactions.models import EntryKind

LOW, SPEND, WAITING = NoticeKind.LOW_BOOK, NoticeKind.LARGE_SPEND, NoticeKind.MONEY_WAITING
NOTHING = Watch(None, None, waiting=False, low_told=False)


def watch(**fields) -> Watch:
    known = {"low_fen": None, "spend_fen": None, "waiting": False, "low_told": False} | fields
    return Watch(**known)


def lines(*moves: tuple[EntryKind, int], book: int) -> list[Line]:
    """Movements one after the other, from this book on."""
    made = []
    for seq, (kind, fen) in enumerate(moves, start=1):
        book += fen
        made.append(Line(seq, kind, fen, book))
    return made


def buy(fen: int) -> tuple[EntryKind, int]:
    return EntryKind.PURCHASE, -fen


@pytest.mark.parametrize(("after", "is_told"), [(49_99, True), (50_00, False), (50_01, False)])
def test_below_means_below(after, is_told):
    found, told = findings(watch(low_fen=50_00), lines(buy(10_00), book=after + 10_00))

    assert [(each.kind, each.seq, each.fen) for each in found] == ([(LOW, 1, after)] if is_told else [])
    assert told is is_told


@pytest.mark.parametrize(("price", "is_told"), [(49_99, False), (50_00, False), (50_01, True)])
@pytest.mark.parametrize("kind", [EntryKind.PURCHASE, EntryKind.OFFLINE_SALE])
def test_above_means_above(kind, price, is_told):
    found, _ = findings(watch(spend_fen=50_00), lines((kind, -price), book=100_00))

    assert [(each.kind, each.fen) for each in found] == ([(SPEND, price)] if is_told else [])


@pytest.mark.parametrize("kind", [kind for kind in EntryKind if not kind.endswith(("purchase", "sale"))])
def test_what_is_no_purchase_is_no_large_one(kind):
    assert findings(watch(spend_fen=1), lines((kind, -60_00), book=100_00)) == ([], False)


def test_a_low_book_is_told_once_and_not_at_each_purchase_below():
    found, told = findings(watch(low_fen=20_00), lines(buy(5_00), buy(5_00), buy(5_00), book=24_00))

    assert [each.seq for each in found] == [1]
    assert told


def test_told_before_it_stays_told():
    assert findings(watch(low_fen=20_00, low_told=True), lines(buy(1_00), book=10_00)) == ([], True)


@pytest.mark.parametrize(
    "kind", [EntryKind.TOP_UP, EntryKind.BANK_LOAD, EntryKind.SUBSIDY, EntryKind.CLAIM, EntryKind.OPENING]
)
def test_after_a_load_over_the_threshold_the_next_crossing_is_told(kind):
    found, _ = findings(watch(low_fen=20_00), lines(buy(5_00), (kind, 30_00), buy(30_00), book=24_99))

    assert [each.seq for each in found] == [1, 3]


def test_a_load_that_does_not_reach_the_threshold_changes_nothing():
    found, _ = findings(watch(low_fen=20_00), lines(buy(5_00), (EntryKind.TOP_UP, 50), buy(1_00), book=24_00))

    assert [each.seq for each in found] == [1]


@pytest.mark.parametrize("kind", [EntryKind.VOID, EntryKind.REVERSAL, EntryKind.REFUND, EntryKind.ADJUSTMENT])
def test_what_comes_back_is_no_load(kind):
    found, _ = findings(watch(low_fen=20_00), lines(buy(5_00), (kind, 5_00), buy(5_00), book=24_00))

    assert [each.seq for each in found] == [1]


def test_one_purchase_can_be_large_and_leave_the_book_low():
    found, _ = findings(watch(low_fen=20_00, spend_fen=50_00), lines(buy(90_00), book=100_00))

    assert [each.kind for each in found] == [SPEND, LOW]


def test_money_that_waits_is_told():
    line = Line(4, EntryKind.SUBSIDY, 0, 10_00, unclaimed_change_fen=200_00, unclaimed_after_fen=200_00)

    found, _ = findings(watch(waiting=True), [line])

    assert [(each.kind, each.seq, each.fen) for each in found] == [(WAITING, 4, 200_00)]


def test_money_that_was_claimed_at_once_is_not():
    waits = Line(4, EntryKind.SUBSIDY, 0, 10_00, unclaimed_change_fen=200_00, unclaimed_after_fen=200_00)
    claimed = Line(5, EntryKind.CLAIM, 200_00, 210_00, unclaimed_change_fen=-200_00)

    assert findings(watch(waiting=True), [waits, claimed]) == ([], False)


def test_who_wants_nothing_hears_nothing():
    waits = Line(9, EntryKind.SUBSIDY, 0, 0, unclaimed_change_fen=1_00, unclaimed_after_fen=1_00)

    assert findings(NOTHING, [*lines(buy(90_00), book=91_00), waits]) == ([], False)
