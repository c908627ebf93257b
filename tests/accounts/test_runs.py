"""The health of what cron runs: every run is seen, the one that failed, died or never came most of all (A04)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError, connection, transaction

from accounts import jobs, wiring
from accounts.jobs import JobState
from accounts.models import JobRun
from accounts.services import runs
from accounts.services.onerun import AlreadyRunning
from accounts.services.runs import recorded
from tests import faults
from transactions.days import SHANGHAI

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=SHANGHAI)
DAY = timedelta(days=1)
NEEDED = ["close_day", "backup", "reconcile", "verify", "restore_drill"]
OTHERS = [name for name in NEEDED if name != "reconcile"]


class Clock:
    def __init__(self, at=NOW):
        self.at = at

    def __call__(self):
        return self.at


def fail():
    raise ZeroDivisionError("planted")


def ran(job="reconcile", *, at=NOW, took=timedelta(minutes=2), result="ok", error="") -> JobRun:
    return JobRun.objects.create(job=job, started_at=at, ended_at=at + took, result=result, error=error)


def row_of(name: str, *, now=NOW):
    return next(row for row in jobs.jobs(now=now) if row.job.name == name)


# ------------------------------------------------------------------------------------------------ recording


def test_a_run_is_there_while_it_goes_on_and_whole_when_it_has_ended(db):
    clock = Clock()
    with recorded("reconcile", clock=clock) as run:
        under_way = row_of("reconcile")
        clock.at += timedelta(minutes=3)
        run.counts = {"compared": 7}

    assert (under_way.state, under_way.last.died, under_way.last.took) == (JobState.RUNNING, False, None)
    found = row_of("reconcile")
    assert (found.state, found.last.took, found.last.counts) == (
        JobState.GOOD,
        timedelta(minutes=3),
        {"compared": 7},
    )


def test_an_error_is_noted_and_goes_on_its_way(db):
    with pytest.raises(ZeroDivisionError), recorded("reconcile", clock=Clock()):
        fail()

    found = row_of("reconcile")
    assert (found.state, found.last.error) == (JobState.FAILED, "ZeroDivisionError: planted")


def test_a_refusal_is_no_failure_and_no_success(db):
    ran(at=NOW - timedelta(hours=27))
    with pytest.raises(KeyError), recorded("reconcile", clock=Clock(), refusals=(KeyError,)):
        raise KeyError("another run")

    found = row_of("reconcile")
    assert (found.last.result, found.state) == ("refused", JobState.LATE)


def test_a_stopped_run_is_a_failed_one(db):
    with pytest.raises(SystemExit), recorded("verify", clock=Clock()):
        sys.exit(3)

    assert row_of("verify").state is JobState.FAILED


def test_the_error_of_the_work_is_told_even_when_the_database_is_gone(db, monkeypatch):
    def gone(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(runs, "_end", gone)
    with pytest.raises(ZeroDivisionError), recorded("verify", clock=Clock()):
        fail()


def test_a_clock_that_was_turned_back_ends_no_run_before_it_began(db):
    clock = Clock()
    with recorded("verify", clock=clock):
        clock.at -= timedelta(hours=1)

    assert row_of("verify").last.took == timedelta(0)


# ------------------------------------------------------------------------------------------------- judging


@pytest.mark.parametrize(
    ("ended_ago", "late"),
    [(timedelta(hours=26), False), (timedelta(hours=26, seconds=1), True), (timedelta(0), False)],
)
def test_a_night_without_a_good_end_is_late_after_26_hours(db, ended_ago, late):
    """A04, screens.md 6.5: cron missed."""
    for name in OTHERS:
        ran(name)
    ran(at=NOW - ended_ago - timedelta(minutes=2))

    assert (row_of("reconcile").state is JobState.LATE) == late
    assert [job.name for job in jobs.late_jobs(now=NOW)] == (["reconcile"] if late else [])


def test_what_never_ran_is_late_from_the_first_day(db):
    assert [job.name for job in jobs.late_jobs(now=NOW)] == NEEDED
    assert {row.state for row in jobs.jobs(now=NOW)} == {JobState.NEVER}


def test_a_failure_after_a_good_night_is_a_failure_but_not_late_yet(db):
    for name in NEEDED:
        ran(name, at=NOW - timedelta(hours=7))
    ran(result="failed", error="x")

    assert row_of("reconcile").state is JobState.FAILED
    assert row_of("reconcile").good_at == NOW - timedelta(hours=7) + timedelta(minutes=2)
    assert jobs.late_jobs(now=NOW) == []


@pytest.mark.parametrize(
    ("started", "due"),
    [
        ("2026-11-23 02:00", "2026-11-24 02:00"), ("2026-11-23 01:59:59", "2026-11-23 02:00"),
        ("2026-11-22 14:30", "2026-11-23 02:00"),
    ],
)  # fmt: skip
def test_a_job_is_due_at_its_minute_of_the_next_night(db, started, due):
    ran(at=datetime.fromisoformat(started).replace(tzinfo=SHANGHAI))

    assert row_of("reconcile").due_at == datetime.fromisoformat(due).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(("days", "late"), [(35, False), (35.001, True)])
def test_a_drill_is_late_after_35_days(db, days, late):
    """security.md section 6: monthly in operation."""
    for name in [*OTHERS, "reconcile"]:
        ran(
            name,
            at=NOW
            - timedelta(minutes=2)
            - (timedelta(days=days) if name == "restore_drill" else timedelta()),
        )

    assert (row_of("restore_drill").state is JobState.LATE) == late
    assert [job.name for job in jobs.late_jobs(now=NOW)] == (["restore_drill"] if late else [])


def test_a_job_of_every_minute_is_due_in_a_minute_and_missed_by_nobody(db):
    ran("sync_hotlist", at=NOW - DAY * 3)

    assert row_of("sync_hotlist").state is JobState.GOOD
    assert row_of("sync_hotlist").due_at == NOW - DAY * 3 + timedelta(minutes=1)


def test_a_job_that_we_do_not_know_is_shown_too(db):
    ran("import_bank_file")

    assert row_of("import_bank_file").state is JobState.GOOD


# ------------------------------------------------------------------------------------------------ commands


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["reconcile", "close_day", "verify", "sync_hotlist"])
def test_every_command_of_cron_leaves_a_row(name):
    call_command(name, stdout=StringIO())

    run = JobRun.objects.get(job=name)
    assert (run.result, run.error) == ("ok", "")
    assert run.counts
    assert all(isinstance(number, int) for number in run.counts.values())


@pytest.mark.django_db
def test_a_dry_run_is_no_run():
    call_command("reconcile", "--dry-run", stdout=StringIO())

    assert not JobRun.objects.exists()


@pytest.mark.django_db
def test_a_second_run_beside_the_first_is_noted_as_one_that_did_nothing(monkeypatch):
    def busy(order):
        raise AlreadyRunning("planted")

    monkeypatch.setattr("reconciliation.management.commands.reconcile.reconcile", busy)
    with pytest.raises(CommandError):
        call_command("reconcile", stdout=StringIO())

    assert JobRun.objects.get().result == "refused"


@pytest.mark.django_db
def test_a_broken_promise_makes_the_run_of_verify_a_failed_one(monkeypatch):
    from reconciliation.services.verify import Broken, Verdict

    bad = Verdict(broken=[Broken("L1", None, None, "planted")])
    monkeypatch.setattr("reconciliation.management.commands.verify.verify", lambda **_: bad)
    with pytest.raises(SystemExit):
        call_command("verify", stdout=StringIO())

    run = JobRun.objects.get()
    assert (run.result, run.error, run.counts["broken"]) == ("failed", "1 broken", 1)


_DYING = """
import django, os, sys, time
django.setup()
from datetime import timedelta
from accounts.services.runs import recorded
from accounts.wiring import now
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
with recorded("reconcile", clock=now):
    print("working", flush=True)
    time.sleep(60)
"""


@pytest.mark.django_db(transaction=True)
def test_a_run_whose_process_was_killed_is_seen_to_have_died_at_once():
    """Crashed runs are visible: kill -9 in the middle, no guess from the clock."""
    child = subprocess.Popen(
        [sys.executable, "-c", _DYING, connection.settings_dict["NAME"]],
        stdout=subprocess.PIPE,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "ecard.settings"},
        text=True,
    )
    try:
        assert child.stdout.readline() == "working\n"
        assert row_of("reconcile", now=wiring.now()).state is JobState.RUNNING
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(10)
        child.stdout.close()
    patience = time.monotonic() + 10
    while row_of("reconcile").state is JobState.RUNNING and time.monotonic() < patience:
        time.sleep(0.02)  # the server notices the closed socket

    found = row_of("reconcile")
    assert (found.state, found.last.died) == (JobState.FAILED, True)
    faults.report("JOB-KILLED", 1, 0 if found.last.died else 1)


# -------------------------------------------------------------------------------------------- the database


def test_a_run_ends_once_and_is_kept_a_month(db):
    run = ran(at=wiring.now() - timedelta(days=29))
    with pytest.raises(DatabaseError, match="job_run_ends_once"), transaction.atomic():
        JobRun.objects.filter(pk=run.pk).update(error="")
    with pytest.raises(DatabaseError, match="job_run_kept_a_month"), transaction.atomic():
        run.delete()
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        JobRun.objects.filter(pk=run.pk).update(started_at=NOW)


def test_old_runs_are_forgotten_those_of_every_minute_sooner(db):
    for name in ("sync_hotlist", "reconcile"):
        for days in (34, 36, 399, 401):
            ran(name, at=wiring.now() - timedelta(days=days))
    for name, every in (("sync_hotlist", timedelta(minutes=1)), ("reconcile", DAY)):
        with recorded(name, clock=wiring.now, every=every):
            pass

    assert JobRun.objects.filter(job="sync_hotlist").count() == 2
    assert JobRun.objects.filter(job="reconcile").count() == 4


@pytest.mark.django_db
def test_health_names_what_is_late(client):
    """/healthz stays 200: a missed night is no reason to take the site from the people."""
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["late"]) == (200, NEEDED)

    for name in NEEDED:
        ran(name, at=wiring.now() - timedelta(hours=1))
    assert client.get("/healthz").json() == {"ok": True, "database": "writable", "late": []}
