"""MODEL: whatever an honest campus does to a card, the book's items are the truth, and nobody is called a forger."""

from __future__ import annotations

import random

import pytest

from purse.evidence import (
    Finding,
    Leg,
    RingEntry,
    SideMirror,
    State,
    confirm,
    observe,
    open_items,
    prove,
    tell,
    with_told,
    withheld,
)
from tests import faults
from tests.purse.model import NEW, Broken, World

ZERO = State(0, 0, 0)
FRESH = SideMirror(ZERO, ZERO)
STEPS_A_LIFE = 40
LIVES = 3_150
"""Eight blocks of them are a million steps."""


def live(seed: int) -> tuple[int, list[str]]:
    """One honest life of a card; returns its steps and what was broken."""
    world = World(random.Random(seed))
    try:
        for _ in range(STEPS_A_LIFE):
            world.step()
        world.drain()
    except Broken as broken:
        return world.done.total(), [f"seed {seed}: {broken}"]
    return world.done.total(), []


@pytest.mark.parametrize("block", range(8))
def test_honest_histories_never_give_a_finding_and_their_items_are_the_truth(block):
    """tap-protocol.md: card − book = Σ open items, at every moment, for every card."""
    steps, broken = 0, []
    for seed in range(block * LIVES, block * LIVES + LIVES):
        taken, wrong = live(seed)
        steps += taken
        broken += wrong

    faults.report("MODEL", steps, len(broken))
    assert not broken, broken[:3]


@pytest.mark.long
@pytest.mark.parametrize("block", range(16))
def test_a_night_of_honest_histories(block):
    steps, broken = 0, []
    for seed in range(1_000_000 + block * 5000, 1_000_000 + block * 5000 + 5000):
        taken, wrong = live(seed)
        steps += taken
        broken += wrong

    faults.report("MODEL", steps, len(broken))
    assert not broken, broken[:3]


@pytest.mark.parametrize("block", range(4))
def test_a_dump_from_before_a_confirmed_write_always_shows(block):
    """reliability.md A8: detected at the first online contact, 100 %."""
    cases, missed = 0, []
    for seed in range(block * 250, block * 250 + 250):
        world = World(random.Random(seed))
        for _ in range(world.rng.randrange(25)):
            world.step()
        seen = world.sight()
        if seen is None:
            continue
        dump = world.cells["spend"].read(world.rng)
        image = world.tell("spend", seen["spend"], world.new("spend", 100), 999)
        world.cells["spend"].write(image, NEW)
        world.mirror["spend"] = confirm(
            world.mirror["spend"], seq=image.state.seq, total_fen=image.state.total_fen
        )
        cases += 1
        if not isinstance(observe(world.mirror["spend"], dump.state, world.ring.values()), Finding):
            missed.append(seed)

    faults.report("MODEL-dumps", cases, len(missed))
    assert not missed


def told(mirror: SideMirror, fen: int, *, entry: int | None = None) -> tuple[SideMirror, State]:
    image = tell(mirror, fen=fen)
    leg = Leg(entry, image.seq, fen, 7, entry) if entry else None
    return with_told(mirror, image, leg), image


def test_one_number_with_two_contents_is_a_fork():
    mirror, image = told(FRESH, 100, entry=1)

    assert observe(mirror, State(1, 101, 1)) is Finding.FORK
    mirror = confirm(mirror, seq=1, total_fen=100)
    assert observe(mirror, State(1, 101, 1)) is Finding.FORK
    assert observe(mirror, image) == mirror


@pytest.mark.parametrize("seen", [State(1, 50, 1), State(2, 200, 1), State(9, 0, 0)])
def test_a_state_that_nobody_told_is_an_excess(seen):
    assert observe(FRESH, seen) is Finding.EXCESS


def test_offline_spending_on_an_unknown_base_is_an_excess():
    assert observe(FRESH, State(5, 900, 1, offline_fen=100)) is Finding.EXCESS
    assert isinstance(observe(FRESH, State(5, 900, 1, offline_fen=900)), SideMirror)


def test_a_confirmed_write_closes_every_leg_and_a_late_one_for_an_earlier_image_closes_none():
    first, one = told(FRESH, 100, entry=1)
    second, two = told(first, 50, entry=2)

    late = confirm(second, seq=one.seq, total_fen=one.total_fen)
    last = confirm(second, seq=two.seq, total_fen=two.total_fen)

    assert late == second
    assert (last.legs, last.told, last.shown) == ((), (), two)
    assert confirm(second, seq=two.seq, total_fen=two.total_fen + 1) == second


def test_a_slot_in_doubt_is_the_one_that_is_written_again():
    """card.md: copying forward into the other slot can lose both."""
    mirror, image = told(FRESH, 100, entry=1)
    seen = observe(mirror, image)

    again = tell(seen, fen=0)

    assert (image.slot, again.slot) == (1, 1)
    assert tell(confirm(seen, seq=1, total_fen=100), fen=0).slot == 0


def test_a_slot_written_again_leaves_its_next_number_to_what_may_be_torn_in_the_other():
    mirror, image = told(FRESH, 100)
    seen = observe(mirror, image)

    assert tell(FRESH, fen=1).seq == 1
    assert tell(seen, fen=1).seq == 3


def test_an_offline_sale_is_not_certain_until_its_record_comes():
    """Weak cells: shown today, gone tomorrow, and the card is honest. With the record it is a rollback."""
    offline = State(1, 100, 1, offline_fen=100)
    seen = observe(FRESH, offline)

    assert isinstance(observe(seen, ZERO), SideMirror)
    assert observe(prove(seen, offline), ZERO) is Finding.ROLLBACK
    assert tell(seen, fen=0).slot == 0


def test_records_in_any_order_prove_the_same():
    first, second = State(1, 100, 0, offline_fen=100), State(2, 130, 0, offline_fen=130)

    forwards = prove(prove(FRESH, first), second)
    backwards = prove(prove(FRESH, second), first)

    assert forwards == backwards
    assert forwards.floor == second


def test_two_records_with_one_number_are_a_fork():
    """reliability.md A8: two records with the same (card, seq) and different content: both kept, neither believed."""
    mirror = prove(FRESH, State(1, 100, 0, offline_fen=100))

    assert prove(mirror, State(1, 90, 0, offline_fen=90)) is Finding.FORK


def test_a_lost_answer_that_was_sold_offline_is_found_in_the_ring_also_behind_a_later_record():
    """The record of the next sale came first; without the ring the first one would be written twice."""
    mirror, _ = told(FRESH, 100, entry=1)
    ring = [RingEntry(1, 7, 1, 100), RingEntry(2, 7, 2, 30)]
    after_the_second = State(2, 130, 0, offline_fen=130)

    proved = prove(mirror, after_the_second)
    seen = observe(proved, after_the_second, ring)

    assert (proved.missing_fen, seen.missing_fen) == (100, 0)
    assert tell(seen, fen=1).total_fen == 131


@pytest.mark.parametrize(
    "entry",
    [RingEntry(1, 8, 1, 100), RingEntry(1, 7, 2, 100), RingEntry(1, 7, 1, 99), RingEntry(2, 7, 1, 100)],
    ids=["another till", "another sale", "another amount", "torn off, not on the card"],
)
def test_another_ring_record_does_not_stand_for_the_sale(entry):
    mirror, _ = told(FRESH, 100, entry=1)

    seen = observe(mirror, State(1, 100, 1, offline_fen=100), [entry])

    assert seen.missing_fen == 100


def test_open_items_of_the_guides_torn_debit():
    """指南 L101: 数据库 1.1 元，卡片中仍然为 2.4 元。"""
    spend, _ = told(FRESH, 1_30, entry=1)
    loaded = State(0, 2_40, 0)

    items = open_items(spend=spend, load=SideMirror(loaded, loaded), book_fen=1_10, late_fen=0)

    assert (items.torn_fen, items.unwritten_fen, items.offline_fen, items.late_fen) == (1_30, 0, 0, 0)


def test_a_replayed_image_is_written_only_where_it_adds_what_the_card_lacks():
    mirror, image = told(FRESH, 100, entry=1)
    offline = observe(told(mirror, 50, entry=2)[0], State(1, 30, 1, offline_fen=30))

    assert mirror.may_be_written(image.seq, image.slot)
    assert not mirror.may_be_written(image.seq, 1 - image.slot)
    assert observe(mirror, image).may_be_written(image.seq, image.slot)  # shown, but perhaps not kept
    assert not confirm(mirror, seq=1, total_fen=100).may_be_written(image.seq, image.slot)
    assert not offline.may_be_written(2, 1)


def test_the_report_of_a_sale_says_nothing_about_an_image_that_was_withheld():
    """Its terminal asked again and was given the other side's image alone; the card may still come to show this one."""
    mirror, image = told(FRESH, 100, entry=1)

    kept_back = withheld(mirror, image.seq)

    assert confirm(mirror, seq=1, total_fen=100).legs == ()
    assert confirm(kept_back, seq=1, total_fen=100) is kept_back
    assert observe(kept_back, image).shown == image
    assert observe(kept_back, image).missing_fen == 0


def test_only_the_image_of_that_number_is_withheld():
    mirror, _ = told(told(FRESH, 100, entry=1)[0], 50, entry=2)

    assert [image.withheld for image in withheld(mirror, 1).told] == [True, False]
    assert withheld(mirror, None) == withheld(mirror, 9) == mirror
