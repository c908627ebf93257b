"""The pictures a cut write leaves, one by one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purse.link import KeySlot
from terminals.device.reader.tearing import Tear, tear
from tests.readers.bench import KEY_A, KEY_B, NEW, OLD, SPEND_BLOCK, school_card

BLOCK = st.binary(min_size=16, max_size=16)
SEED = st.integers(0, 2**32)


def torn(kind, old, new, seed, **options):
    return tear(kind, old, new, rng=random.Random(seed), **options).data


@given(old=BLOCK, new=BLOCK, seed=SEED)
def test_the_borders_of_a_write_are_the_old_and_the_new_block(old, new, seed):
    assert torn(Tear.BEFORE, old, new, seed) == old
    assert torn(Tear.AFTER, old, new, seed) == new


@given(old=BLOCK, new=BLOCK, seed=SEED, keep=st.integers(0, 16))
def test_a_prefix_is_new_and_the_rest_old(old, new, seed, keep):
    assert torn(Tear.PREFIX, old, new, seed, keep=keep) == new[:keep] + old[keep:]


def test_a_random_prefix_has_every_length_inside_the_block():
    lengths = {torn(Tear.PREFIX, bytes(16), b"\xff" * 16, seed).count(0xFF) for seed in range(300)}

    assert lengths == set(range(1, 16))


def test_erased_blocks_are_all_zeros_or_all_ones():
    assert torn(Tear.ZEROS, OLD, NEW, 1) == bytes(16)
    assert torn(Tear.ONES, OLD, NEW, 1) == b"\xff" * 16


@given(old=BLOCK, new=BLOCK, seed=SEED)
def test_erasing_only_takes_bits_from_the_old_and_programming_only_lacks_bits_of_the_new(old, new, seed):
    erased, programmed = torn(Tear.ERASING, old, new, seed), torn(Tear.PROGRAMMING, old, new, seed)

    assert all(left & ~before == 0 for left, before in zip(erased, old, strict=True))
    assert all(left & ~after == 0 for left, after in zip(programmed, new, strict=True))


@given(old=BLOCK, new=BLOCK, seed=SEED)
def test_a_mix_has_no_bit_that_neither_block_had(old, new, seed):
    mixed = torn(Tear.MIX, old, new, seed)

    assert all((m ^ o) & (m ^ n) == 0 for m, o, n in zip(mixed, old, new, strict=True))


@given(old=BLOCK, new=BLOCK, seed=SEED)
def test_a_spoilt_tail_differs_in_each_of_the_last_four_bytes(old, new, seed):
    spoilt = torn(Tear.TAIL, old, new, seed)

    assert spoilt[:12] == new[:12]
    assert all(left != right for left, right in zip(spoilt[12:], new[12:], strict=True))


@pytest.mark.parametrize("kind", list(Tear))
def test_the_same_seed_tears_the_same_way(kind):
    first, second = (tear(kind, OLD, NEW, rng=random.Random(7)) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("new", [NEW, OLD], ids=["other bytes", "same bytes"])
def test_a_flipping_cell_reads_the_other_way_every_time_until_written_again(new):
    card = school_card()
    card.authenticate(SPEND_BLOCK, KEY_B, KeySlot.B)
    card.write_torn(SPEND_BLOCK, new, Tear.FLIPPING)

    reads = [card.read(SPEND_BLOCK) for _ in range(6)]
    card.write(SPEND_BLOCK, NEW)

    assert reads[0] != reads[1]
    assert reads == [reads[0], reads[1]] * 3
    assert new in reads
    assert {card.read(SPEND_BLOCK) for _ in range(6)} == {NEW}


def test_weak_cells_read_old_or_new_bits_and_seldom_twice_the_same():
    card = school_card()
    card.authenticate(SPEND_BLOCK, KEY_B, KeySlot.B)
    card.write_torn(SPEND_BLOCK, NEW, Tear.WEAK)

    reads = {card.read(SPEND_BLOCK) for _ in range(50)}

    assert len(reads) > 40
    assert all((r ^ o) & (r ^ n) == 0 for read in reads for r, o, n in zip(read, OLD, NEW, strict=True))


@pytest.mark.parametrize("kind", list(Tear))
def test_a_torn_write_that_the_card_would_refuse_changes_nothing(kind):
    card = school_card()
    card.authenticate(SPEND_BLOCK, KEY_A, KeySlot.A)

    card.write_torn(SPEND_BLOCK, NEW, kind)

    assert card.blocks == school_card().blocks
    assert not card.weak


@pytest.mark.parametrize("kind", [kind for kind in Tear if kind is not Tear.BEFORE])
def test_a_later_tear_replaces_the_weak_cells_of_an_earlier_one(kind):
    card = school_card()
    card.authenticate(SPEND_BLOCK, KEY_B, KeySlot.B)
    card.write_torn(SPEND_BLOCK, NEW, Tear.WEAK)

    card.write_torn(SPEND_BLOCK, NEW, kind)

    assert bool(card.weak) == (kind in (Tear.FLIPPING, Tear.WEAK))
