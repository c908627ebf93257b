"""Two transactions brought to the very moment where they meet: one goes on only when the other waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connection

_BLOCKED = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""


class Other:
    """A deed in a thread of its own, with its own connection. ``outcome``: what it returned, or the exception."""

    def __init__(self, deed: Callable[[], Any]) -> None:
        self.outcome: Any = None
        self._thread = threading.Thread(target=self._run, args=(deed,))
        self._thread.start()

    def until_it_waits(self) -> None:
        """Return as soon as it waits for a lock, or is done."""
        until = time.monotonic() + 20
        while self._thread.is_alive() and time.monotonic() < until:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees one moment only
                cursor.execute(_BLOCKED)
                if cursor.fetchone()[0]:
                    return
            self._thread.join(0.02)

    def end(self) -> Any:
        """Wait for its end."""
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.outcome

    def _run(self, deed: Callable[[], Any]) -> None:
        try:
            self.outcome = deed()
        except Exception as error:  # noqa: BLE001 - whatever it was is for the test to look at
            self.outcome = error
        finally:
            connection.close()
