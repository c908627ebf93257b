"""Journals of earlier enrolments of this terminal: what they still hold goes up under the present one.

Their keys are gone with the old configuration, so nothing is checked or added here; the server checks each record with
the keys of its own time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from terminals.device.client import Client
from terminals.device.store import JournalBroken, Store
from terminals.messages import strictjson
from terminals.messages.records import MAX_RECORDS, UploadRequest
from terminals.messages.wire import MAX_OUTCOMES, OutcomeReport

_log = logging.getLogger("terminals.device")


class Leftovers:
    """The old journals beside the present one. One that is empty is left alone from then on, and never deleted."""

    def __init__(self, paths: Iterable[Path], opened: Callable[[Path], Store] = Store) -> None:
        self._stores: list[Store] = []
        for path in paths:
            try:
                self._stores.append(opened(path))
            except JournalBroken as error:
                _log.warning("leftover.broken", extra={"why": str(error)})

    def hand_over(self, client: Client) -> None:
        """Send what waits, records and outcomes. Raises ``NoAnswer``, ``Rejected`` or ``JournalBroken``."""
        while self._stores:
            store = self._stores[0]
            while records := _unsent(store):
                client.upload(UploadRequest(tuple(record for _, record in records)))
                # Whatever the answer says, the server keeps the record now.
                _forget(store, "to_send", "seq", [seq for seq, _ in records])
            while reports := _unreported(store):
                client.outcomes(reports)
                _forget(store, "to_report", "key_seq", [report.seq for report in reports])
            store.close()
            self._stores.pop(0)

    def close(self) -> None:
        """Let go of the files."""
        for store in self._stores:
            store.close()


def _unsent(store: Store) -> list[tuple[int, dict[str, Any]]]:
    with store.reading() as db:
        rows = db.execute(
            "SELECT seq, body FROM record JOIN to_send USING (seq) ORDER BY seq LIMIT ?", (MAX_RECORDS,)
        ).fetchall()
    return [(seq, strictjson.loads(text.encode())) for seq, text in rows]


def _unreported(store: Store) -> tuple[OutcomeReport, ...]:
    with store.reading() as db:
        rows = db.execute(
            "SELECT id, key_seq, outcome FROM to_report, journal ORDER BY key_seq LIMIT ?", (MAX_OUTCOMES,)
        ).fetchall()
    return tuple(OutcomeReport(*row) for row in rows)


def _forget(store: Store, table: str, column: str, numbers: list[int]) -> None:
    with store.writing() as db:
        db.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(number,) for number in numbers])  # noqa: S608 - fixed
