"""A doubtful offline write is decided by what is proven later of the card, and by nothing less."""

from __future__ import annotations

import pytest

from purse.doubt import Doubt, sales_of, settle
from purse.evidence import SideMirror, State

# The card stood at (10, 100.00), all written online; then an offline sale of 5.00 took number 11, perhaps.
AFTER = State(11, 105_00, 0, 5_00)


def doubt(**changed):
    told = {
        "state": AFTER,
        "fen": 5_00,
        "offline": (),
        "online": frozenset(),
        "unexplained_fen": 5_00,
        "levelled": False,
    }
    return Doubt(**told | changed)


def proven(seq, total_fen, offline_fen=0, **mirror):
    state = State(seq, total_fen, 0, offline_fen)
    return SideMirror(**{"shown": state, "floor": state} | mirror)


@pytest.mark.parametrize(
    ("mirror", "written"),
    [
        (proven(10, 100_00), None),
        (SideMirror(shown=AFTER, floor=State(10, 100_00, 0)), None),
        (proven(11, 105_00, 5_00), True),
        (proven(11, 104_99, 4_99), False),
        (proven(11, 105_00), False),
    ],
    ids=["nothing later", "only shown", "its own state", "another amount", "an online write took the number"],
)
def test_what_is_proven_at_its_own_number(mirror, written):
    assert settle(mirror, doubt()) is written


def test_another_sale_that_was_read_back_under_its_number_says_no():
    assert settle(proven(11, 105_00, 5_00), doubt(offline=((11, 5_00),))) is False


@pytest.mark.parametrize(
    ("offline", "floor", "written"),
    [
        (((12, 3_00),), proven(12, 108_00, 8_00), True),
        ((), proven(12, 108_00, 8_00), None),
        (((12, 3_00), (13, 1_00)), proven(13, 109_00, 9_00), True),
        (((13, 1_00),), proven(13, 109_00, 9_00), None),
        (((12, 3_00),), proven(12, 107_99, 7_99), False),
    ],
    ids=["one on top", "not here yet", "two on top", "one of two here", "the sums say no"],
)
def test_later_offline_sales_of_the_same_run_tell_once_all_are_here(offline, floor, written):
    assert settle(floor, doubt(offline=offline)) is written


@pytest.mark.parametrize(
    ("unexplained_fen", "written"), [(0, False), (4_99, False), (5_00, True), (5_01, None), (-1, None)]
)
def test_below_an_online_write_the_sums_tell(unexplained_fen, written):
    mirror = proven(12, 107_00)

    assert settle(mirror, doubt(unexplained_fen=unexplained_fen, online=frozenset({12}))) is written


@pytest.mark.parametrize(
    "changed",
    [
        {"levelled": True},
        {"unexplained_fen": None},
        {"online": frozenset({11})},
        {"state": State(11, 105_00, 0, 9_00)},
    ],
    ids=["levelled", "no card in force", "an online sale claims the number", "an earlier record is missing"],
)
def test_the_sums_prove_nothing_where_something_else_may_explain_them(changed):
    assert settle(proven(12, 107_00), doubt(**changed)) is None


@pytest.mark.parametrize(
    ("unexplained_fen", "traced", "written"),
    [(50_00, True, True), (4_99, True, False), (5_00, False, None), (50_00, None, None)],
    ids=[
        "others are missing too",
        "but nothing is missing",
        "the ring named another sale",
        "the ring said nothing",
    ],
)
def test_what_the_card_told_of_its_ring_decides_where_sums_do_not(unexplained_fen, traced, written):
    asked = doubt(unexplained_fen=unexplained_fen, traced=traced, state=State(11, 105_00, 0, 9_00))

    assert settle(proven(12, 107_00), asked) is written


def test_the_ring_alone_proves_nothing_while_nothing_later_is_proven():
    assert settle(proven(10, 100_00), doubt(traced=True)) is None


def test_sums_on_a_card_that_may_still_turn_do_not_say_yes():
    floor = State(12, 107_00, 0)
    mirror = SideMirror(shown=State(13, 112_00, 1, 5_00), floor=floor)

    assert settle(mirror, doubt()) is None


def test_earlier_offline_sales_count_back_without_a_gap():
    after = State(13, 111_00, 0, 11_00)
    whole = doubt(state=after, offline=((11, 4_00), (12, 2_00)))

    assert settle(proven(14, 112_00), whole) is True
    assert settle(proven(14, 112_00), doubt(state=after, offline=((11, 4_00),))) is None


def test_claims_are_split_by_who_wrote_them():
    assert sales_of([(3, True, 50), (4, False, 60), (5, True, 70)]) == (((3, 50), (5, 70)), frozenset({4}))
