"""Random histories of gaps, levellings, late records and refunds: nobody loses, nobody gains (reliability.md 0.6)."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from purse.policy import Policy
from reconciliation.services.verify import verify
from tests import faults
from tests.purse.model import Broken
from tests.reconciliation.campus_life import Life
from tests.reconciliation.levelled_world import LevelledWorld, Tearer

STEPS_A_LIFE = 60


def live(world_class: type[LevelledWorld], seed: int, done: Counter[str]) -> list[str]:
    world = world_class(random.Random(seed))
    try:
        for _ in range(STEPS_A_LIFE):
            world.step()
        world.drain()
    except Broken as broken:
        return [f"seed {seed}: {broken}"]
    finally:
        done.update(world.done)
    return []


@pytest.mark.parametrize("world_class", [LevelledWorld, Tearer])
@pytest.mark.parametrize("block", range(4))
def test_the_books_are_exact_whatever_is_levelled_and_comes_late(world_class, block):
    """Literal rule books were wrong in 890 and 1,848 of 2,000 histories; "open items" in none."""
    done: Counter[str] = Counter()
    broken = [
        wrong for seed in range(block * 1000, block * 1000 + 1000) for wrong in live(world_class, seed, done)
    ]

    faults.report(f"LEVELLING-{world_class.__name__}", 1000, len(broken))
    assert not broken, broken[:3]
    assert min(done[deed] for deed in ("levelled", "late", "refunded")) > 100, done


def lead(seed: int, done: Counter[str], *, tearer: bool) -> list[str]:
    life = Life(random.Random(seed), tearer=tearer)
    for _ in range(25):
        life.step()
    life.drain()
    done.update(life.done)
    wrong = life.wrong()
    return [] if wrong is None else [f"seed {seed}: {wrong}"]


def lives(name: str, seeds: range, *, tearer: bool) -> Counter[str]:
    done: Counter[str] = Counter()
    broken = [wrong for seed in seeds for wrong in lead(seed, done, tearer=tearer)]
    faults.report(name, len(seeds), len(broken))
    assert not broken, broken[:3]
    # The opening entries of the test campus have no key, and nobody decided about its refunds.
    assert [broken for broken in verify(policy=Policy()).broken if broken.id not in ("L6", "L9")] == []
    return done


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("tearer", [False, True], ids=["honest", "tearer"])
def test_on_the_real_services_everybody_ends_with_what_he_paid(tearer):
    """Honest or pulling his card away on purpose: what is left is what he had, less what he bought."""
    done = lives("LEVELLING-services", range(12), tearer=tearer)
    assert done["levelled"] > 2, done
    assert done["refunded"] > 2, done


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("block", range(20))
def test_four_thousand_lives_on_the_real_services(block):
    lives("LEVELLING-services", range(10_000 + block * 200, 10_200 + block * 200), tearer=block % 2 == 1)
