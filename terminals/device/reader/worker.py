"""A thread for calls that may never come back.

A driver can block for ever (another program's transaction, a hung USB reader). The caller waits for a bounded
time, then leaves the thread alone with its call and takes a new one; the old thread clears up after itself if
it ever returns.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Stuck(Exception):
    """The call did not come back in time; this worker takes no more of them."""


class Worker:
    """One thread, one call after the other."""

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._stuck = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread still exists, if only inside a call that hangs."""
        return self._thread.is_alive()

    def call(self, work: Callable[[], T], timeout: float) -> T:
        """Do ``work`` on the thread and return or raise what it does. Raises ``Stuck`` after ``timeout`` seconds."""
        if self._stuck:
            raise Stuck
        done = threading.Event()
        results: list[T] = []
        errors: list[Exception] = []

        def step() -> None:
            try:
                results.append(work())
            except Exception as error:  # noqa: BLE001 - carried over to the caller, whatever it is
                errors.append(error)
            done.set()

        self._work.put(step)
        if not done.wait(timeout):
            self._stuck = True
            raise Stuck
        if errors:
            raise errors[0]
        return results[0]

    def finish(self, cleanup: Callable[[], object]) -> None:
        """Let the thread end after ``cleanup``, as soon as it is free; never waits for that."""
        self._stuck = True
        self._work.put(lambda: _quietly(cleanup))
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()


def _quietly(cleanup: Callable[[], object]) -> None:
    try:
        cleanup()
    except Exception:  # noqa: BLE001 - nobody is left to tell: all this is already given up
        return
