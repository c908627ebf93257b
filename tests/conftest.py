"""The house rules of every test: real PostgreSQL, the application's role, no warnings, faults counted.

Tables are made and emptied by their owner; everything a test itself does, threads and live servers
included, it does with the rights of the application in production.
"""

from __future__ import annotations

import os
import time
from collections import Counter

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase
from django.test.utils import setup_databases, teardown_databases
from django.utils import translation

from ecard.ctl import debian
from ecard.database import as_owner
from tests import faults

os.environ.setdefault(
    "DJANGO_ALLOW_ASYNC_UNSAFE", "true"
)  # Playwright keeps an event loop in the main thread

STRAGGLERS_S = 10.0
_AT_WORK = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend' AND state <> 'idle'"""
_CLOSING = pytest.StashKey[str]()
_FAULTS = pytest.StashKey[tuple[Counter[str], Counter[str]]]()


# --------------------------------------------------------------------------------------------- database


class _Owner:
    """The owner's connection to the test database, kept open between the tests."""

    connection: psycopg.Connection | None = None


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_modify_db_settings, django_db_blocker):
    """Make the test database as the owner of the tables, then leave it to the application's role."""
    with django_db_blocker.unblock():
        with as_owner():
            made = setup_databases(verbosity=0, interactive=False, serialized_aliases=set())
            _Owner.connection = psycopg.connect(**connection.get_connection_params(), autocommit=True)
        _remember_what_migrations_wrote(_Owner.connection)
    yield
    with django_db_blocker.unblock(), as_owner():
        _Owner.connection.close()
        teardown_databases(made, verbosity=0)


def _remember_what_migrations_wrote(owner: psycopg.Connection) -> None:
    owner.execute("SET session_replication_role = replica")  # the ledger's triggers refuse to be emptied
    owner.execute("CREATE SCHEMA baseline")
    for table in _filled_tables(owner):
        owner.execute(f'CREATE TABLE baseline."{table}" AS TABLE public."{table}"')


def _filled_tables(owner: psycopg.Connection) -> list[str]:
    """The tables that hold rows; a partitioned table counts as one."""
    tables = owner.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
        " AND relnamespace = 'public'::regnamespace AND relname <> 'django_migrations'"
    ).fetchall()
    asked = [f"SELECT '{name}' WHERE EXISTS (SELECT FROM public.\"{name}\")" for (name,) in tables]
    return [name for (name,) in owner.execute(" UNION ALL ".join(asked)).fetchall()]


def _empty_tables(test: TransactionTestCase) -> None:
    """Take away what a test with real commits has written, and put back what the migrations had written."""
    connection.close()  # a transaction that the test left open would block us
    owner = _Owner.connection
    _let_others_finish(owner)
    kept = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'baseline'").fetchall()
    with owner.transaction():
        for table in _filled_tables(owner):
            owner.execute(f'DELETE FROM public."{table}"')
        for (table,) in kept:
            owner.execute(f'INSERT INTO public."{table}" TABLE baseline."{table}"')


def _let_others_finish(owner: psycopg.Connection) -> None:
    """Wait for a request that a closed window had still sent: it would write into the next test, or lock against us."""
    deadline = time.monotonic() + STRAGGLERS_S
    while owner.execute(_AT_WORK).fetchone()[0] and time.monotonic() < deadline:
        time.sleep(0.02)


TransactionTestCase._fixture_teardown = _empty_tables


# --------------------------------------------------------------------------------------------- language


@pytest.fixture(autouse=True)
def begins_in_chinese():
    """A page that was asked for in English leaves its thread in English; the next test begins in Chinese."""
    translation.activate(settings.LANGUAGE_CODE)


# -------------------------------------------------------------------------------------------- passwords


@pytest.fixture(scope="session", autouse=True)
def quick_passwords():
    """Passwords cost next to nothing, except where ``passwords_as_in_production`` is asked for."""
    from tests import hashing  # its models want Django set up, and this file is read before

    with hashing.quick():
        yield


@pytest.fixture
def passwords_as_in_production():
    """For the tests that are about what a password costs."""
    from tests import hashing

    with hashing.as_in_production():
        yield


# ---------------------------------------------------------------------------------------------- browser


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """Use the system's Chromium; a browser of our own would be a large download per machine."""
    chromium = debian.browser()
    if chromium is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": chromium, "args": sandbox}


# ---------------------------------------------------------------------------------- long runs and faults


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also the nightly runs: minutes instead of seconds")


def pytest_configure(config):
    config.stash[_FAULTS] = (Counter(), Counter())
    config.stash[_CLOSING] = ""


def pytest_collection_modifyitems(config, items):
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if counts := faults.take():
        report.user_properties = [*report.user_properties, ("faults", counts)]
    return report


class _Collector:
    """Adds up, in the one process that prints, the counts that came with the reports of all processes."""

    def __init__(self, config):
        self.cases, self.violations = config.stash[_FAULTS]

    def pytest_runtest_logreport(self, report):
        for name, value in report.user_properties:
            if name == "faults":
                for run, cases, violations in value:
                    self.cases[run] += cases
                    self.violations[run] += violations


def pytest_sessionstart(session):
    if not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(_Collector(session.config))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    """Fail a run that broke a promise, and in CI one that left something out."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if hasattr(session.config, "workerinput") or reporter is None:
        return
    counts = {name: len(reporter.stats.get(name, [])) for name in ("passed", "failed", "error", "skipped")}
    failed = counts["failed"] + counts["error"]
    session.config.stash[_CLOSING] = (
        f"{counts['passed']} passed, {failed} failed, {counts['skipped']} skipped"
    )
    refused = counts["skipped"] and os.environ.get("CI") == "true"
    if session.exitstatus == 0 and (refused or session.config.stash[_FAULTS][1].total()):
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter, config):
    cases, violations = config.stash[_FAULTS]
    for name in sorted(cases):
        terminalreporter.write_line(f"FAULTS {name} {cases[name]} {violations[name]}")
    if terminalreporter.stats.get("skipped") and os.environ.get("CI") == "true":
        terminalreporter.write_line("CI refuses skipped tests.", red=True)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    if closing := config.stash.get(_CLOSING, ""):
        print(closing)
