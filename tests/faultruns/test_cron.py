"""CRON: the nightly jobs are killed with SIGKILL at every moment, and run twice at once; the next run ends the same."""

from __future__ import annotations

import itertools
from contextlib import suppress

import pytest

from accounts.services.onerun import AlreadyRunning
from reconciliation.services.close_day import close_days
from tests import faults
from tests.campus import Counter, make_person
from tests.faultruns.desk_scenes import LATER
from tests.faultruns.doomed import Survivors, killed, killed_at, moments_of, started
from tests.reconciliation import silence
from tests.reconciliation.test_close_day import KEYS, broken, ends, history, start_again
from tests.reconciliation.test_reconcile_faults import Scene
from transactions.models import Entry

pytestmark = pytest.mark.django_db(transaction=True)
NUMBERS = itertools.count(70_000)  # those below are given out by tests.reconciliation.books
PARTS = 12
"""So many times the tables are emptied in between, or every run would go through all the cases of those before."""


@pytest.fixture
def survivors():
    watch = Survivors()
    yield watch
    watch.close()


class Night:
    """Accounts for everything a nightly run may do: freeze for both reasons, open, renew and close cases, level."""

    def __init__(self):
        self.scene = Scene()
        self.gaps = [self.gap(20_00), self.gap(60_00)]

    @staticmethod
    def gap(fen):
        """Seen five days before the run, its till silent since."""
        away, online, person = Counter(3), Counter(8), make_person(80_00, number=next(NUMBERS))
        away.sell_offline(person, fen)
        online.look(person)
        return person

    def end(self):
        """What is left, without ids and times."""
        return self.scene.end(), [self.end_of(person) for person in self.gaps]

    @staticmethod
    def end_of(person):
        account = person.fresh()
        entries = Entry.objects.filter(account=account).order_by("seq").values_list("kind", "book_change_fen")
        return account.book_fen, account.frozen_reasons, person.card_row.levelled_seq > 0, list(entries)


def run():
    return silence.nightly(LATER)


@pytest.fixture
def tills():
    silence.till(3)
    silence.till(8)


def nights(part, step):
    """Kill the run at every ``step``-th moment, beginning with number ``part``."""
    night, watch = Night(), Survivors()
    try:
        moments = moments_of(run)
        wanted = night.end()
        assert [entry for entry in wanted[1][0][3] if entry[0] == "levelling"] == [("levelling", -20_00)]
        cases, wrong = 0, []
        for due in range(part, moments, step):
            night = Night()
            if not killed_at(run, due):
                continue
            watch.wait()
            run()
            cases += 1
            wrong += [due] if night.end() != wanted else []
    finally:
        watch.close()
    faults.report("CRON-reconcile", cases, len(wrong))
    assert wrong == []


@pytest.mark.parametrize("part", range(3))
def test_a_night_killed_anywhere_is_finished_by_the_next(tills, part):
    nights(part * 11, 31)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_a_night_killed_at_every_moment_is_finished_by_the_next(tills, part):
    nights(part, PARTS)


def test_closing_the_day_killed_at_every_moment_is_finished_by_the_next(survivors):
    history()
    moments = moments_of(lambda: close_days(keys=KEYS))
    wanted = ends()
    cases, wrong = 0, []
    for due in range(moments):
        start_again()
        if not killed_at(lambda: close_days(keys=KEYS), due):
            continue
        survivors.wait()
        close_days(keys=KEYS)
        cases += 1
        wrong += [due] if ends() != wanted or broken() != [] else []
    faults.report("CRON-close-day", cases, len(wrong))
    assert wrong == []


def test_two_nights_at_once_do_the_work_of_one(tills):
    night = Night()
    run()
    wanted, wrong = night.end(), 0
    for _ in range(6):
        night = Night()

        def one():
            with suppress(AlreadyRunning):
                run()

        workers = [started(one), started(one)]
        assert [killed(worker) for worker in workers] == [False, False]
        wrong += night.end() != wanted
    faults.report("CRON-twice", 6, wrong)
    assert wrong == 0


def test_two_closings_at_once_do_the_work_of_one():
    history()
    close_days(keys=KEYS)
    wanted, wrong = ends(), 0
    for _ in range(6):
        start_again()

        def one():
            with suppress(AlreadyRunning):
                close_days(keys=KEYS)

        workers = [started(one), started(one)]
        assert [killed(worker) for worker in workers] == [False, False]
        wrong += ends() != wanted
    faults.report("CRON-twice", 6, wrong)
    assert wrong == 0
