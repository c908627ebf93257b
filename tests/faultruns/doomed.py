"""A worker process that is killed with SIGKILL at a chosen moment of what it says to PostgreSQL.

The moments are found by watching, not built into the product: before a statement (or COMMIT) is sent, while the server
works on it and its answer is under way, and after the answer came. The worker is forked from a warm parent.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection
from psycopg.pq.abc import PGconn
from psycopg.waiting import Ready, Wait

from transactions.ledger import statement

NAME = "ecard-doomed"
"""What the worker's connection is called, so that one can wait for the server to have done with it."""


class Moments:
    """Counts the moments of this process; at the one that is ``due`` the process is gone."""

    def __init__(self, due: int | None = None) -> None:
        self.seen = 0
        self._due = due

    def reached(self) -> None:
        number, self.seen = self.seen, self.seen + 1
        if number == self._due:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(self, talk):
        """A statement as psycopg talks it over: each time it turns to listening is a moment."""
        try:
            wanted = next(talk)
            told = Ready.R
            while True:
                if wanted == Wait.R and told != Ready.NONE:
                    self.reached()
                told = yield wanted
                wanted = talk.send(told)
        except StopIteration as end:
            return end.value


class Overheard:
    """A connection whose ledger statements go straight to libpq: what is said there is heard too."""

    def __init__(self, raw: psycopg.Connection, moments: Moments) -> None:
        self.connection, self.adapters, self.pgconn = raw, raw.adapters, OverheardLibpq(raw.pgconn, moments)


class OverheardLibpq:
    """libpq's connection, with its calls taken apart into sending and listening."""

    def __init__(self, pgconn: PGconn, moments: Moments) -> None:
        self._pgconn, self._moments = pgconn, moments

    def __getattr__(self, name: str):
        return getattr(self._pgconn, name)

    def prepare(self, *args):
        return self._ask(self._pgconn.send_prepare, *args)

    def exec_prepared(self, *args):
        return self._ask(self._pgconn.send_query_prepared, *args)

    def _ask(self, send: Callable[..., None], *args):
        self._moments.reached()
        send(*args)
        while self._pgconn.flush():
            pass
        self._moments.reached()
        answer = self._pgconn.get_result()
        while self._pgconn.get_result():
            pass
        self._moments.reached()
        return answer


@contextmanager
def watching(due: int | None = None) -> Iterator[Moments]:
    """Everything that this process says to PostgreSQL on a new connection, statements and COMMIT alike."""
    moments, talk_over, at_once = Moments(due), psycopg.Connection.wait, statement._at_once
    overheard: WeakKeyDictionary[psycopg.Connection, Overheard] = WeakKeyDictionary()

    def wait(self, talk, *args, **kwargs):
        moments.reached()
        answer = talk_over(self, moments.watched(talk), *args, **kwargs)
        moments.reached()
        return answer

    def straight(raw, *args):
        return at_once(overheard.setdefault(raw, Overheard(raw, moments)), *args)

    connection.close()
    psycopg.Connection.wait, statement._at_once = wait, straight
    try:
        yield moments
    finally:
        psycopg.Connection.wait, statement._at_once = talk_over, at_once
        connection.close()  # what was prepared on it is noted under another name


def moments_of(act: Callable[[], object]) -> int:
    """How many moments the undisturbed act has."""
    with watching() as moments:
        act()
    return moments.seen


def killed_at(act: Callable[[], object], due: int) -> bool:
    """Do it in a process of its own that is killed at a moment. False: it was through before.

    Raises ``AssertionError`` when it ended in any other way.
    """
    return killed(started(act, due))


def started(act: Callable[[], object], due: int | None = None) -> int:
    """A process that does it; its number. ``killed`` waits for its end."""
    connection.close()  # a connection cannot be shared with a fork
    worker = os.fork()
    if worker == 0:
        _work(act, due)
    return worker


def killed(worker: int) -> bool:
    """Wait for a worker's end, and say which it was."""
    _, status = os.waitpid(worker, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the worker failed by itself"
    return False


def _work(act: Callable[[], object], due: int | None) -> None:
    """The whole life of the worker; never returns into the tests of its parent."""
    try:
        connection.settings_dict["OPTIONS"] = {
            **connection.settings_dict["OPTIONS"],
            "application_name": NAME,
        }
        with watching(due):
            act()
    except BaseException as error:  # noqa: BLE001 - nothing may get out of a forked test
        os.write(2, f"worker: {error!r}\n".encode())
        os._exit(1)
    os._exit(0)


class Survivors:
    """What a dead worker leaves behind on the server: a backend that goes on until it notices."""

    def __init__(self) -> None:
        self._side = psycopg.connect(**connection.get_connection_params(), autocommit=True)

    def wait(self, seconds: float = 20) -> None:
        """Until the server has done, or undone, what the dead had asked."""
        deadline = time.monotonic() + seconds
        while self._count():
            assert time.monotonic() < deadline, "the backend of a dead worker does not end"
            time.sleep(0.001)

    def _count(self) -> int:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
        return self._side.execute(asked, [NAME]).fetchone()[0]

    def close(self) -> None:
        self._side.close()
