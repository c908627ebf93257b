"""Making a backup: one snapshot, dumped by pg_dump, sealed on its way to the disk, described by a signed manifest.

A backup is a directory that appears under its name when everything in it is on the disk, and not before. What a killed
run leaves begins with a dot and is cleared away by the next one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from ecard.ops import manifest as papers
from ecard.ops import pgtools
from ecard.ops.facts import Facts, gather
from ecard.ops.manifest import Manifest, Part
from ecard.ops.sealedfile import Sealer
from reconciliation.digest import DayKeys

DUMP: Final = "database.dump"
SEALED: Final = "database.dump.sealed"
PREFIX: Final = "ecard-"
_DRAFT: Final = ".ecard-draft-"
_BLOCK: Final = 1 << 18
_SAY_EVERY_S: Final = 1.0

Say = Callable[[str], None]
"""Shows how far it is; called every second or so."""


class NotSafe(Exception):
    """A backup there could be read by others, or served by the web server; nothing was written."""


class AlreadyRunning(Exception):
    """Another backup goes to the same place."""


class DumpFailed(Exception):
    """pg_dump did not come to its end; the text is what it said. There is no new backup."""


@dataclass(frozen=True, slots=True)
class Order:
    """Where to, for whom (32 bytes; None: plain), and how many to keep in all (None: every one)."""

    folder: Path
    recipient: bytes | None
    day_keys: DayKeys
    audit_key: bytes
    keep: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """The new backup, and the older ones that were let go."""

    path: Path
    manifest: Manifest
    dropped: tuple[Path, ...]


def back_up(order: Order, *, now: datetime, say: Say) -> Made:
    """Make one. Whole or not at all; the application goes on working meanwhile.

    Raises ``NotSafe``, ``AlreadyRunning``, ``DumpFailed`` and ``ecard.pgprograms.DatabaseProblem``.
    """
    refuse_unsafe(order.folder)
    order.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(order.folder):
        _clear_drafts(order.folder)
        draft = order.folder / f"{_DRAFT}{os.getpid()}"
        draft.mkdir(mode=0o700)
        with _snapshot() as (cursor, snapshot):
            facts = gather(cursor, order.day_keys)
            part = _dump(order, draft, facts.server_major, snapshot, say)
        manifest = _described(facts, part, now)
        papers.write(manifest, draft / papers.NAME, key=order.audit_key)
        _to_disk(draft / papers.NAME, draft)
        path = order.folder / f"{PREFIX}{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        draft.rename(path)
        _to_disk(order.folder)
        return Made(path, manifest, tuple(_rotate(order)))


def backups(folder: Path) -> list[Path]:
    """The finished ones, oldest first."""
    return sorted(path for path in folder.glob(f"{PREFIX}[0-9]*Z") if (path / papers.NAME).is_file())


def refuse_unsafe(folder: Path) -> None:
    """Raises ``NotSafe`` for a place from which a web server or another user could take the backup."""
    whole = folder.resolve()
    inside = [Path(settings.BASE_DIR).resolve(), Path(settings.STATIC_ROOT).resolve()]
    if settings.MEDIA_ROOT:
        inside.append(Path(settings.MEDIA_ROOT).resolve())
    for served in inside:
        if whole == served or served in whole.parents:
            raise NotSafe(
                f"{whole} is inside {served}: choose a directory of its own, better on another disk"
            )
    if whole.exists():
        if not whole.is_dir():
            raise NotSafe(f"{whole} is not a directory")
        if whole.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise NotSafe(f"other users may enter {whole}: chmod 700 {whole}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".ecard-backup.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"another backup to {folder} is under way") from None
        yield


def _clear_drafts(folder: Path) -> None:
    """Nobody else works here: what is unfinished was left by a run that died."""
    for draft in folder.glob(f"{_DRAFT}*"):
        shutil.rmtree(draft)


@contextmanager
def _snapshot() -> Iterator[tuple[CursorWrapper, str]]:
    """One moment of the database, which pg_dump can share: so the manifest tells of exactly what the dump holds."""
    with pgtools.owner() as wrapper, wrapper.cursor() as cursor:
        cursor.execute("SET idle_in_transaction_session_timeout = 0")
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        yield cursor, cursor.fetchone()[0]
        cursor.execute("COMMIT")


def _dump(order: Order, draft: Path, major: int, snapshot: str, say: Say) -> Part:
    conninfo, environment = pgtools.conninfo(pgtools.owner_settings())
    command: list[str | Path] = [pgtools.programs(major).bin_dir / "pg_dump", f"--dbname={conninfo}"]
    command += ["--format=custom", f"--snapshot={snapshot}", "--lock-wait-timeout=60s"]
    path = draft / (SEALED if order.recipient else DUMP)
    with private_file(path) as file, private_file(draft / "errors") as errors:
        process = pgtools.running(command, environment, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        with process.stdout:
            size, digest = _copy(process.stdout, file, order.recipient, say)
        if process.wait() != 0:
            errors.seek(0)
            raise DumpFailed(errors.read().decode(errors="replace").strip() or f"exit {process.returncode}")
        os.fsync(file.fileno())
    (draft / "errors").unlink()
    return Part(path.name, path.stat().st_size, sha256_of(path), size, digest, bool(order.recipient))


def _copy(source: IO[bytes], target: IO[bytes], recipient: bytes | None, say: Say) -> tuple[int, str]:
    sealer = Sealer(target, recipient) if recipient else None
    digest, size, said_at = hashlib.sha256(), 0, time.monotonic()
    while block := source.read(_BLOCK):
        digest.update(block)
        size += len(block)
        (sealer or target).write(block)
        if time.monotonic() - said_at >= _SAY_EVERY_S:
            said_at = time.monotonic()
            say(f"{size / 1e6:.0f} MB")
    if sealer:
        sealer.close()
    target.flush()
    return size, digest.hexdigest()


def sha256_of(path: Path) -> str:
    """Of a whole file, read anew: what is named is what lies on the disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _described(facts: Facts, part: Part, now: datetime) -> Manifest:
    keys = papers.fingerprints()
    return Manifest(now.isoformat(timespec="seconds"), papers.app_version(), (part,), keys, facts)


def _rotate(order: Order) -> Iterator[Path]:
    """Let go of the oldest beyond ``keep``, never of the newest."""
    if order.keep is None:
        return
    for path in backups(order.folder)[: -max(1, order.keep)]:
        gone = path.with_name(f"{_DRAFT}{path.name}")
        path.rename(gone)
        shutil.rmtree(gone)
        yield path


def private_file(path: Path) -> IO[bytes]:
    """A new file that only this user may read. Raises ``FileExistsError``."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")


def _to_disk(*paths: Path) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
