"""Restoring: a backup into an empty database, or for a drill into a server of its own that vanishes afterwards.

The live database is never written by a drill. The scratch server is held by a lock of this process (``ecard.localdb``):
its keeper stops and removes it when this process ends, however it ends, and the next drill sweeps what a killed keeper
left.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.db import connections

from ecard import localdb
from ecard.lifetime import bound
from ecard.localdb import Cluster
from ecard.ops import pgtools
from ecard.ops.compare import MIGRATE, Report, is_older
from ecard.ops.manifest import BadBackup, Manifest
from ecard.ops.sealedfile import Unreadable, opened

_ROOT: Final = Path(__file__).resolve().parents[2]
_BLOCK: Final = 1 << 18


class RestoreFailed(Exception):
    """pg_restore did not come to its end. The database holds nothing of the backup: it is one transaction."""


class NotEmpty(Exception):
    """The database has tables; a restore would mix two universities, or two moments of one."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that is there: its directory, its manifest, and the key that opens it (None: it is plain)."""

    folder: Path
    manifest: Manifest
    private: bytes | None


def check_parts(backup: Backup) -> None:
    """Compare every file with the manifest. Raises ``BadBackup``."""
    for part in backup.manifest.parts:
        path = backup.folder / part.name
        try:
            size = path.stat().st_size
        except OSError as error:
            raise BadBackup(f"{part.name} is missing: {error.strerror}") from error
        if size != part.size:
            raise BadBackup(f"{part.name} has {size} bytes, not {part.size}: it was cut or is not the one")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != part.sha256:
            raise BadBackup(f"{part.name} was changed: SHA-256 {found}, not {part.sha256}")
        if part.sealed and backup.private is None:
            raise BadBackup(f"{part.name} is sealed: name the private key with --identity")


def refuse_filled(database: dict[str, Any]) -> None:
    """Raises ``NotEmpty`` unless nobody has made a table there."""
    wrapper = connections["default"].copy()
    wrapper.settings_dict.update(database)
    try:
        with wrapper.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'S')"
                " AND relnamespace = 'public'::regnamespace"
            )
            found = cursor.fetchone()[0]
    finally:
        wrapper.close()
    if found:
        raise NotEmpty(
            f"{database['NAME']} has {found} tables and sequences; restore to an empty database only"
        )


def restore_into(database: dict[str, Any], backup: Backup) -> None:
    """Put the backup there, in one transaction. Raises ``RestoreFailed`` and ``BadBackup``; then nothing is there."""
    [part] = backup.manifest.parts
    conninfo, environment = pgtools.conninfo(database)
    command: list[str | Path] = [pgtools.programs(backup.manifest.facts.server_major).bin_dir / "pg_restore"]
    command += [f"--dbname={conninfo}", "--single-transaction", "--exit-on-error", "--no-owner"]
    with (backup.folder / part.name).open("rb") as file:
        process = pgtools.running(command, environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stderr is not None
        digest = hashlib.sha256()
        try:
            with suppress(BrokenPipeError), process.stdin:
                for block in _plain(file, backup.private if part.sealed else None):
                    digest.update(block)
                    with suppress(BrokenPipeError):  # it has ended, and says why below
                        process.stdin.write(block)
        except Unreadable as error:
            process.kill()
            raise BadBackup(f"{part.name}: {error}") from error
        finally:
            said = process.stderr.read().decode(errors="replace").strip()
            process.stderr.close()
            ended = process.wait()
    if ended != 0:
        raise RestoreFailed(said or f"pg_restore ended with {ended}")
    if digest.hexdigest() != part.plain_sha256:
        raise BadBackup(f"{part.name} holds something else than the manifest says")


def _plain(file: Any, private: bytes | None) -> Iterator[bytes]:
    return opened(file, private) if private else iter(lambda: file.read(_BLOCK), b"")


# ------------------------------------------------------------------------------------------------------ the drill


@contextmanager
def scratch(folder: Path, major: int) -> Iterator[Cluster]:
    """An empty server of its own for a drill; what died drills left there is cleared away first."""
    binaries = pgtools.programs(major)
    localdb.sweep(folder, binaries)
    cluster = localdb.ephemeral(folder, binaries)
    holding = localdb.hold(cluster)
    try:
        yield cluster
    finally:
        os.close(holding)
        _wait_until_gone(cluster)


def drill(backup: Backup, folder: Path) -> Report:
    """Restore into a scratch server below ``folder`` and look at everything there.

    Raises ``BadBackup``, ``RestoreFailed`` and ``ecard.pgprograms.DatabaseProblem``.
    """
    began = time.monotonic()
    check_parts(backup)
    with scratch(folder, backup.manifest.facts.server_major) as cluster:
        restore_into(settings_of(cluster), backup)
        restored = time.monotonic()
        report = look(cluster, backup)
    report.checked["restore_s"] = round(restored - began)
    report.checked["check_s"] = round(time.monotonic() - restored)
    return report


def look(cluster: Cluster, backup: Backup) -> Report:
    """Hold a restored copy against its manifest, in a process of its own: this one stays with the live database.

    A copy that is older than this program is compared first and migrated then, as it would be after a real restore.
    """
    if not is_older(backup.manifest.facts):
        return _asked(cluster, backup)
    report = _asked(cluster, backup, "--facts")
    _manage(cluster, "migrate", "--verbosity", "0")
    report.found = [told for told in report.found if not told.endswith(MIGRATE)]
    report.add(_asked(cluster, backup, "--promises"))
    report.checked["migrated"] = 1
    return report


def settings_of(cluster: Cluster) -> dict[str, Any]:
    """A scratch server as Django names a database, with the login that owns the tables."""
    return {
        "NAME": localdb.DATABASE,
        "USER": localdb.OWNER_ROLE,
        "PASSWORD": "",
        "HOST": str(cluster.socket_dir),
        "PORT": "",
        "OPTIONS": {},
    }


def _asked(cluster: Cluster, backup: Backup, *arguments: str) -> Report:
    told = _manage(cluster, "compare_backup", "--from", str(backup.folder), "--json", *arguments)
    try:
        found = json.loads(told.splitlines()[-1])
    except (IndexError, ValueError):
        raise RestoreFailed(f"the copy could not be looked at: {told[-2000:]}") from None
    return Report(Counter(found["checked"]), list(found["found"]))


def _manage(cluster: Cluster, *arguments: str) -> str:
    """Run a command on the scratch server. What it finds is in what it prints; 1 is no fault of the command."""
    environment = {
        **{name: text for name, text in os.environ.items() if not name.endswith("_URL_FILE")},
        "DATABASE_URL": cluster.url(localdb.APP_ROLE),
        "DATABASE_OWNER_URL": cluster.url(localdb.OWNER_ROLE),
    }
    command = bound([sys.executable, str(_ROOT / "manage.py"), *arguments])
    done = subprocess.run(command, env=environment, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1} or (done.returncode and not done.stdout):
        raise RestoreFailed(f"{arguments[0]}: {done.stderr[-2000:]}")
    return done.stdout


def _wait_until_gone(cluster: Cluster) -> None:
    """The keeper removes the server within a moment; a drill that says it is over leaves nothing behind."""
    deadline = time.monotonic() + 30
    while cluster.home.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
