"""A PostgreSQL of our own in a directory, for machines where nobody runs one. Standard library only.

Whoever uses the server holds a shared lock on `users.lock`; a keeper process starts the server, starts
it again when it was killed, and stops it when the last user has ended, however that user ended. The
kernel drops a lock with its process, so nothing here can be left in a wrong state by kill -9.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ecard.pgprograms import NOBODY, Binaries, DatabaseProblem, unprivileged

DATABASE = "ecard"
OWNER_ROLE = "ecard_owner"
APP_ROLE = "ecard_app"
START_SECONDS = 60.0
_SOCKET_PATH_LIMIT = 107 - len("/.s.PGSQL.5432.lock")  # sun_path of Linux is 108 bytes with the NUL
_BOOTSTRAP = (
    f"CREATE ROLE {OWNER_ROLE} LOGIN CREATEDB;\n"
    f"CREATE ROLE {APP_ROLE} LOGIN;\n"
    f"CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE};\n"
)
# Tests empty the ledger between two tests; its triggers forbid that to everybody, its owner included. Before that they
# wait until nobody works in the database any more.
_BOOTSTRAP_FOR_TESTS = (
    f"GRANT SET ON PARAMETER session_replication_role TO {OWNER_ROLE};\n"
    f"GRANT pg_read_all_stats TO {OWNER_ROLE};\n"
)


@dataclass(frozen=True)
class Cluster:
    """One server with its data in `home`; `ephemeral` means: remove the data when the last user ends."""

    home: Path
    binaries: Binaries
    ephemeral: bool = False

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def socket_dir(self) -> Path:
        """Inside `home` when the path fits into a socket address, else a private short directory."""
        inside = self.home / "socket"
        if len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT:
            return inside
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return _private_root() / f"ecard-{os.geteuid()}-{name}"

    def url(self, role: str) -> str:
        """A libpq connection URL for one of the two roles, as DATABASE_URL takes it."""
        return f"postgresql://{role}@/{DATABASE}?host={self.socket_dir}"


# --------------------------------------------------------------------------------------- using a server


def hold(cluster: Cluster) -> int:
    """Make sure the server runs and keep it running until this process, or what it execs, has ended.

    Returns:
        The inheritable descriptor whose shared lock means "in use"; closing it lets go of the server.

    Raises:
        DatabaseProblem: the server did not come up; the text ends with the tail of its log.
    """
    if not Path("/proc/self/cwd").exists():
        raise DatabaseProblem("A local server needs Linux: set DATABASE_URL to a PostgreSQL you run.")
    _make_private(cluster.home)
    with _locked(cluster.home / "start.lock"):
        users = os.open(cluster.home / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(users, fcntl.LOCK_SH)  # waits while a keeper is stopping the server
        _make_data(cluster)
        deadline = time.monotonic() + START_SECONDS
        while not is_serving(cluster):
            if not _is_locked(cluster.home / "keeper.lock"):
                _start_keeper(cluster)
            if time.monotonic() > deadline:
                os.close(users)
                raise DatabaseProblem(f"PostgreSQL did not start: {_log_tail(cluster)}")
            time.sleep(0.05)
        if not _is_locked(cluster.home / "keeper.lock"):
            _start_keeper(cluster)  # the server outlived a killed keeper: the new one adopts it
    os.set_inheritable(users, True)
    return users


def is_serving(cluster: Cluster) -> bool:
    """Whether the server accepts connections now (also false while it still recovers)."""
    ready = cluster.data / "postmaster.pid"
    try:
        if ready.read_text().splitlines()[7].strip() != "ready":
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(cluster.socket_dir / ".s.PGSQL.5432"))
    except (OSError, IndexError):
        return False
    return True


def sweep(parent: Path, binaries: Binaries) -> None:
    """Stop and remove what ephemeral clusters under `parent` were left by a killed keeper."""
    for home in parent.glob("test-*"):
        if (home / "users.lock").exists() and not _is_locked(home / "users.lock"):
            cluster = Cluster(home, binaries, ephemeral=True)
            with _locked(home / "start.lock"):
                if not _is_locked(home / "users.lock") and not _is_locked(home / "keeper.lock"):
                    _stop(cluster)


def ephemeral(parent: Path, binaries: Binaries) -> Cluster:
    """A new, empty cluster that vanishes with its last user."""
    parent.mkdir(parents=True, exist_ok=True)
    return Cluster(Path(tempfile.mkdtemp(prefix="test-", dir=parent)), binaries, ephemeral=True)


# ------------------------------------------------------------------------------------------- the keeper


def _start_keeper(cluster: Cluster) -> None:
    command = [
        sys.executable,
        "-E",
        "-s",
        "-m",
        "ecard.localdb",
        str(cluster.home),
        str(cluster.binaries.bin_dir),
    ]
    with (cluster.home / "keeper.log").open("ab") as log:
        subprocess.run(
            [*command, str(cluster.binaries.major), "ephemeral" if cluster.ephemeral else "kept"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=Path(__file__).resolve().parents[1],
            start_new_session=True,  # Ctrl-C in the terminal ends the users, not the server under them
            check=True,
        )
    deadline = time.monotonic() + 5
    while not _is_locked(cluster.home / "keeper.lock") and time.monotonic() < deadline:
        time.sleep(0.01)


def keep(cluster: Cluster) -> None:
    """Run the server until nobody uses it. The body of the keeper process."""
    lock = os.open(cluster.home / "keeper.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    users = os.open(cluster.home / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    server: subprocess.Popen[bytes] | None = None
    while True:
        running = server is not None and server.poll() is None
        if not running and not _server_processes(cluster):
            server = _start(cluster)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.2)
        else:
            break
    _stop(cluster, server)


def _start(cluster: Cluster) -> subprocess.Popen[bytes]:
    # No process works in the data directory any more, so a pid file there is a leftover. PostgreSQL
    # itself would refuse to start when the number has meanwhile been given to some other process.
    (cluster.data / "postmaster.pid").unlink(missing_ok=True)
    _make_private(cluster.socket_dir)
    _give(cluster.socket_dir)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(cluster.socket_dir).replace(",", "\\,"),
        "max_connections": "200",
        # The default of 128 MB is made for machines of long ago; memory is only taken as it is used.
        "shared_buffers": "512MB",
        "max_wal_size": "2GB",
        "log_line_prefix": "%m [%p] %q%u@%d ",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (cluster.home / "server.log").open("ab") as log:
        return subprocess.Popen(
            [*unprivileged(), cluster.binaries.bin_dir / "postgres", "-D", cluster.data, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )


def _stop(cluster: Cluster, server: subprocess.Popen[bytes] | None = None) -> None:
    """End the server politely, then firmly; remove the directory of an ephemeral cluster."""
    for how, seconds in ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + seconds
        _signal_postmaster(cluster, how)
        while _server_processes(cluster) and time.monotonic() < deadline:
            if server is not None:
                server.poll()
            time.sleep(0.02)
    if cluster.ephemeral:
        shutil.rmtree(cluster.socket_dir, ignore_errors=True)
        shutil.rmtree(cluster.home, ignore_errors=True)


def _signal_postmaster(cluster: Cluster, how: signal.Signals) -> None:
    processes = _server_processes(cluster)
    try:
        postmaster = int((cluster.data / "postmaster.pid").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        postmaster = min(processes, default=0)
    for pid in processes if how is signal.SIGKILL else processes & {postmaster}:
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            continue


def _server_processes(cluster: Cluster) -> set[int]:
    """The server's processes: all of them work in the data directory, and nothing else does."""
    data, found = str(cluster.data.resolve()), set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "cwd").readlink()) == data:
                found.add(int(process.name))
        except OSError:
            continue
    return found


# ------------------------------------------------------------------------------- directories and rights


def _make_data(cluster: Cluster) -> None:
    """Create the data directory, whole or not at all: a killed attempt leaves only `data.new`."""
    if cluster.data.exists():
        return
    new = cluster.home / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    _give(new)
    programs = cluster.binaries.bin_dir
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
    _run([programs / "initdb", "-D", new, *options])
    feed = _BOOTSTRAP + (_BOOTSTRAP_FOR_TESTS if cluster.ephemeral else "")
    _run([programs / "postgres", "--single", "-D", new, "template1"], feed=feed)
    new.rename(cluster.data)


def _run(command: Sequence[str | Path], *, feed: str = "") -> None:
    done = subprocess.run(
        [*unprivileged(), *command], input=feed, capture_output=True, text=True, cwd="/", check=False
    )
    if done.returncode != 0 or "ERROR" in done.stderr or "FATAL" in done.stderr:
        raise DatabaseProblem(f"{command[0]} failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")


def _give(directory: Path) -> None:
    """Hand a directory of ours to nobody where the server runs as nobody for real."""
    if unprivileged()[:1] == ["setpriv"]:
        os.chown(directory, int(NOBODY), int(NOBODY))


def _private_root() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(runtime) if os.access(runtime or "/nowhere", os.W_OK) else Path(tempfile.gettempdir())


def _make_private(directory: Path) -> None:
    """Make a directory that only we can enter, and refuse one that somebody else prepared for us."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    info = directory.lstat()
    ours = info.st_uid in {os.geteuid(), int(NOBODY)} if os.geteuid() == 0 else info.st_uid == os.geteuid()
    if not stat.S_ISDIR(info.st_mode) or not ours or info.st_mode & 0o077:
        raise DatabaseProblem(f"{directory} is not a private directory of this user; remove it.")


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _log_tail(cluster: Cluster) -> str:
    log = cluster.home / "server.log"
    return log.read_text(errors="replace")[-2000:] if log.exists() else "no log"


if __name__ == "__main__":
    if os.fork():
        os._exit(0)  # whoever started us need not wait for us
    home, bin_dir, major, kind = sys.argv[1:]
    keep(Cluster(Path(home), Binaries(Path(bin_dir), int(major)), ephemeral=kind == "ephemeral"))
