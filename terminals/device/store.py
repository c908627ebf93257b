"""The till's one SQLite file: what the journal and the lists have in common.

WAL with ``synchronous=FULL``: a commit that returned survives a power cut (reliability.md, section 0 item 7; NORMAL
loses acknowledged records).
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PRAGMAS = (
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    terminal INTEGER NOT NULL,
    last_boot INTEGER NOT NULL DEFAULT 0,
    pruned_step INTEGER NOT NULL DEFAULT 0,
    pruned_record INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS step (
    seq INTEGER PRIMARY KEY,
    key_seq INTEGER NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS step_by_key ON step (key_seq);
CREATE TABLE IF NOT EXISTS record (
    seq INTEGER PRIMARY KEY,
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS open_key (key_seq INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS to_report (key_seq INTEGER PRIMARY KEY, outcome TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS to_send (seq INTEGER PRIMARY KEY REFERENCES record);
CREATE TABLE IF NOT EXISTS answer (
    seq INTEGER PRIMARY KEY, result TEXT NOT NULL, why TEXT NOT NULL, at_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS sold_offline (
    key_seq INTEGER PRIMARY KEY, uid TEXT NOT NULL, day TEXT NOT NULL, fen INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS sold_offline_by_card ON sold_offline (uid, day);
CREATE TABLE IF NOT EXISTS hotlist (uid TEXT PRIMARY KEY, refusal TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hotlist_state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL, checked_ms INTEGER NOT NULL, seen_until_ms INTEGER NOT NULL, mac TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS last_seen (uid TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS step_is_never_edited BEFORE UPDATE ON step
BEGIN SELECT RAISE(ABORT, 'a step is never edited'); END;
CREATE TRIGGER IF NOT EXISTS record_is_never_edited BEFORE UPDATE ON record
BEGIN SELECT RAISE(ABORT, 'a record is never edited'); END;
CREATE TRIGGER IF NOT EXISTS step_is_kept BEFORE DELETE ON step
WHEN OLD.seq > (SELECT pruned_step FROM journal)
BEGIN SELECT RAISE(ABORT, 'a step is kept'); END;
CREATE TRIGGER IF NOT EXISTS record_is_kept BEFORE DELETE ON record
WHEN OLD.seq > (SELECT pruned_record FROM journal)
BEGIN SELECT RAISE(ABORT, 'a record is kept'); END;
"""


class JournalBroken(Exception):
    """The disk is full, read-only or failing, or the file was damaged. Nothing may be sold: it could not be noted."""


class Store:
    """One connection for all threads of the device; exclusive, so no second program can open the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        self.failing = False
        """Whether the last write, or a read since, went wrong."""
        try:
            self._connection = _open(path)
        except (sqlite3.Error, OSError) as error:
            raise JournalBroken(f"{path}: {error}") from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction; a nested call joins the outer one. Raises ``JournalBroken`` with nothing written."""
        with self._lock:
            if self._depth:
                yield self._connection
                return
            self._depth = 1
            try:
                self._roll_back()  # one that failed may have left its transaction behind, when that failed too
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
                self.failing = False
            except sqlite3.Error as error:
                self.failing = True
                self._roll_back()
                raise JournalBroken(str(error)) from error
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._depth = 0

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection for reading. Raises ``JournalBroken``."""
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                self.failing = True
                raise JournalBroken(str(error)) from error

    def free_mb(self) -> int:
        """Free space where the journal lives, in MiB."""
        try:
            return shutil.disk_usage(self.path.parent).free >> 20
        except OSError:
            return 0

    def probe(self) -> None:
        """Open the file anew after a failure and see whether the disk takes writes again. Raises ``JournalBroken``.

        After some failures the open connection holds a picture of the file that is no longer true.
        """
        with self._lock:
            with suppress(sqlite3.Error):
                self._connection.close()
            try:
                self._connection = _open(self.path)
            except (sqlite3.Error, OSError) as error:
                raise JournalBroken(f"{self.path}: {error}") from error
            with self.writing() as db:
                db.execute("UPDATE journal SET last_boot = last_boot")

    def close(self) -> None:
        """Fold the WAL back and let go of the file."""
        with self._lock, suppress(sqlite3.Error):
            self._connection.close()

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2)
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        found = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if found != "ok":
            raise JournalBroken(f"{path} is damaged: {found}")
        connection.execute("BEGIN IMMEDIATE")
        for statement in _statements(_SCHEMA):
            connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _statements(script: str) -> Iterator[str]:
    """Split a script; ``executescript`` would commit in between."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
