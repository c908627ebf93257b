"""ALERTS: the job is killed with SIGKILL at every moment of what it says to PostgreSQL, and run twice at once.

Whatever happened, the next round ends the same: each cause told once, each letter sent at least once, and none to
somebody who did not ask for it.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from accounts.kinds import AlertGroup, AlertWay, NoticeKind
from accounts.models import Account, AlertDelivery, JobRun
from accounts.services import alertpost
from accounts.services.audit import Deed, record
from accounts.services.onerun import AlreadyRunning
from portal import alertjob
from tests import faults
from tests.accounts.conftest import CLERK
from tests.alerts.world import DAYTIME, address, by, move, told, wish
from tests.campus import make_person
from tests.faultruns.doomed import Survivors, killed, killed_at, moments_of, started

pytestmark = pytest.mark.django_db(transaction=True)
GROUPS = (AlertGroup.LOW, AlertGroup.SPEND, AlertGroup.STANDING)
STEP = 12
"""The daily run takes every twelfth moment, the nightly one all of them."""


@dataclass
class Ledger:
    """A carrier that writes down what it carries, so that it is still there when its process is gone."""

    path: Path

    @contextmanager
    def open(self):
        yield self.carry

    def carry(self, letter: alertpost.Letter) -> None:
        with self.path.open("a") as out:
            for row in letter.notices:
                out.write(f"{letter.address} {row.kind}\n")

    def lines(self) -> Counter[str]:
        return Counter(self.path.read_text().splitlines() if self.path.exists() else ())


class Minute:
    """Two holders with something to tell of each kind; one of them wants letters."""

    def __init__(self, number: int) -> None:
        self.mail = f"a{number}@example.com"
        self.writes, self.silent = self.person(), self.person()
        address(self.writes, self.mail)
        wish(self.writes, letters=by(*GROUPS))

    @staticmethod
    def person() -> Account:
        account = make_person(200_00).account
        wish(account, low_fen=150_00, spend_fen=50_00, quiet=False)
        move(account, -60_00)
        deed = Deed(
            "account.freeze", "account", account.pk, {"frozen_reasons": []}, {"frozen_reasons": ["by_hand"]}
        )
        record(deed, actor=CLERK, now=DAYTIME)
        return account

    def wrong(self, sent: Counter[str], *, twice: bool) -> list[str]:
        """What is not as it must be. ``twice``: whether a letter may have gone out a second time."""
        problems = []
        for account in (self.writes, self.silent):
            kinds = sorted(kind for kind, _ in told(account))
            if kinds != sorted([NoticeKind.LOW_BOOK, NoticeKind.LARGE_SPEND, NoticeKind.FROZEN]):
                problems.append(f"told {kinds}")
        rows = AlertDelivery.objects.filter(contact__account__in=[self.writes, self.silent])
        if sorted(rows.values_list("state", flat=True)) != ["sent"] * 3:
            problems.append(f"letters {list(rows.values_list('state', flat=True))}")
        own = [count for line, count in sent.items() if line.startswith(f"{self.mail} ")]
        if len(own) != 3 or max(own) > 1 + twice:
            problems.append(f"sent {own}")
        return problems


@pytest.fixture
def clock(monkeypatch) -> list[datetime]:
    at = [DAYTIME]
    monkeypatch.setattr(alertjob, "now", lambda: at[0])
    return at


@pytest.fixture
def ledger(monkeypatch, tmp_path) -> Ledger:
    made = Ledger(tmp_path / "letters")
    monkeypatch.setattr(alertjob, "carriers", lambda: {AlertWay.MAIL: made})
    return made


def kills(clock: list[datetime], ledger: Ledger, step: int) -> tuple[int, int]:
    """Kill a round at every ``step``-th moment and let the next one finish. How many, and how many ended wrong."""
    watch, cases, wrong = Survivors(), 0, []
    try:
        Minute(0)
        moments = moments_of(alertjob.run)
        for number, due in enumerate(range(0, moments, step), start=1):
            minute = Minute(number)
            clock[0] = DAYTIME
            if not killed_at(alertjob.run, due):
                continue
            watch.wait()
            clock[0] = DAYTIME + timedelta(minutes=2)
            alertjob.run()
            cases += 1
            wrong += [(due, problem) for problem in minute.wrong(ledger.lines(), twice=True)]
    finally:
        watch.close()
    assert cases >= moments // step - 10, moments
    assert wrong == []
    return cases, len(wrong)


def test_a_round_killed_at_many_moments_is_finished_by_the_next(clock, ledger):
    cases, wrong = kills(clock, ledger, STEP)
    faults.report("ALERTS", cases, wrong)


@pytest.mark.long
def test_a_round_killed_at_every_moment_is_finished_by_the_next(clock, ledger):
    cases, wrong = kills(clock, ledger, 1)
    faults.report("ALERTS", cases, wrong)


def test_two_rounds_at_once_do_the_work_of_one(clock, ledger):
    wrong = []
    for number in range(3):
        minute = Minute(number)

        def one():
            with suppress(AlreadyRunning):
                alertjob.run()

        assert [killed(worker) for worker in [started(one), started(one)]] == [False, False]
        wrong += minute.wrong(ledger.lines(), twice=False)
    faults.report("ALERTS-twice", 3, len(wrong))
    assert wrong == []


def test_even_without_the_lock_of_the_job_nothing_is_told_or_sent_twice(clock, ledger, monkeypatch):
    """The lock saves work; that each thing happens once is held by the tables."""

    @contextmanager
    def no_lock(job):
        yield

    monkeypatch.setattr(alertjob, "alone", no_lock)
    wrong = []
    for number in range(3):
        minute = Minute(number)
        workers = [started(alertjob.run), started(alertjob.run)]
        assert [killed(worker) for worker in workers] == [False, False]
        alertjob.run()
        wrong += minute.wrong(ledger.lines(), twice=False)
    faults.report("ALERTS-twice", 3, len(wrong))
    assert wrong == []


def test_a_second_round_is_refused_while_one_is_under_way_and_the_record_says_so(clock, ledger, monkeypatch):
    refused = []

    def again():
        with pytest.raises(AlreadyRunning):
            _on_another_connection(alertjob.run)
        refused.append(True)
        return {}

    monkeypatch.setattr(alertjob, "carriers", again)
    alertjob.run()

    assert refused == [True]
    assert sorted(JobRun.objects.values_list("result", flat=True)) == ["ok", "refused"]


def _on_another_connection(act):
    """In a thread of its own, whose errors come back."""
    import threading

    from django.db import connections

    problems = []

    def work():
        try:
            act()
        except BaseException as problem:  # noqa: BLE001
            problems.append(problem)
        finally:
            connections.close_all()

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    if problems:
        raise problems[0]
