"""KILL: a worker is killed with SIGKILL at every moment of every money service; the same key then ends it right.

Three ways to go on: ask again when the server has done with the dead worker; ask again at once, while the dead
worker's backend may still be at it; ask again and be killed once more. ``--long`` goes all three at every moment.
"""

from __future__ import annotations

import random

import pytest

from tests import faults
from tests.campus import Counter, book
from tests.faultruns.desk_scenes import ALL_SCENES
from tests.faultruns.doomed import Survivors, killed_at, moments_of
from tests.faultruns.scenes import a_plain_debit, read
from transactions.services.debit import debit

pytestmark = pytest.mark.django_db(transaction=True)
WAYS = ("when the server has done", "at once", "and killed again")


@pytest.fixture
def survivors():
    watch = Survivors()
    yield watch
    watch.close()


def one(make, due, way, moments, expected, survivors):
    """Kill at one moment and go on in one way; what is wrong then."""
    scene = make()
    before = scene.money()
    if not killed_at(scene.act, due):
        return None
    if way != "at once":
        survivors.wait()
    wrong = scene.half_done(before)
    if way == "and killed again":
        killed_at(scene.act, random.Random(f"{make.__name__}/{due}").randrange(moments))
    scene.act()
    survivors.wait()
    scene.act()
    if scene.money() != scene.wanted():
        wrong.append(f"after the retry {scene.money()}, not {scene.wanted()}")
    elif scene.picture() != expected:
        wrong.append(f"left {scene.picture()}, not {expected}")
    return wrong + scene.half_done(before)


def undisturbed(make):
    """What the service leaves when nothing happens, asked twice; and its moments."""
    scene = make()
    moments = moments_of(scene.act)
    scene.act()
    assert scene.money() == scene.wanted()
    return moments, scene.picture()


def run(make, survivors, ways):
    """Kill at every moment; ``ways(moment)`` says how to go on."""
    moments, expected = undisturbed(make)
    cases, wrong = 0, []
    for due in range(moments):
        for way in ways(due):
            found = one(make, due, way, moments, expected, survivors)
            if found is not None:
                cases += 1
                wrong += [(due, way, what) for what in found]
    assert cases
    faults.report("KILL", cases, len(wrong))
    assert wrong == []


@pytest.mark.parametrize("make", ALL_SCENES, ids=lambda make: make.__name__)
def test_a_worker_killed_at_nearly_every_moment_moves_money_once(make, survivors):
    """Three moments of four, each in one of the ways; all of them in all ways below."""
    run(make, survivors, lambda due: [WAYS[due % 3]] if due % 4 else [])


@pytest.mark.long
@pytest.mark.parametrize("make", ALL_SCENES, ids=lambda make: make.__name__)
def test_a_worker_killed_at_every_moment_in_every_way_moves_money_once(make, survivors):
    run(make, survivors, lambda due: WAYS)


def test_the_moments_are_before_during_and_after(survivors):
    """The proof that the harness kills where it says: the book has moved from some moment on, and stays moved."""
    ends = []
    for due in range(moments_of(a_plain_debit().act)):
        scene = a_plain_debit()
        before = scene.money()
        assert killed_at(scene.act, due)
        survivors.wait()
        ends.append(scene.money() != before)

    assert ends == sorted(ends)
    assert {True, False} == set(ends)
    assert ends.count(True) == 2, "while the answer is under way, and after it"


def test_without_a_key_the_same_kills_charge_twice(survivors):
    """The proof that the harness can fail: a till that asks again under a new key."""

    def without_a_key():
        scene = a_plain_debit()
        till, (person,) = Counter(), scene.people
        raw = read(till, person)
        scene.act = lambda: debit(till.order(raw, 3_00), book=book())
        return scene

    moments = moments_of(without_a_key().act)
    doubles = 0
    for due in range(moments):
        scene = without_a_key()
        assert killed_at(scene.act, due)
        survivors.wait()
        scene.act()
        doubles += scene.money() == [(14_00, 0, 3)]
        assert scene.money() in ([(14_00, 0, 3)], scene.wanted())

    assert 0 < doubles < moments
