"""What docs/operations.md says of the WAL archive: any moment comes back from a base backup and the WAL since (G3)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import contextmanager

import psycopg
import pytest

from accounts import wiring
from ecard import localdb
from ecard.ops import drill, pgtools
from ecard.ops.facts import differences, gather
from reconciliation.services.verify import verify
from reconciliation.wiring import audit_key, day_keys
from tests import faults
from tests.conftest import _empty_tables
from tests.house import restored
from tests.house.restored import books, pointed_at

POINTS = 5
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]


@contextmanager
def running(cluster):
    holding = localdb.hold(cluster)
    try:
        yield cluster
    finally:
        os.close(holding)
        deadline = time.monotonic() + 60
        while localdb._server_processes(cluster) and time.monotonic() < deadline:
            time.sleep(0.05)


def superuser(cluster, sql):
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as server:
        return server.execute(sql).fetchone()[0]


def archiving(folder, binaries):
    """A server as the document asks for it: each piece of the WAL goes to another directory."""
    cluster = localdb.Cluster(folder / "live", binaries)
    (folder / "archive").mkdir(mode=0o700)
    localdb._make_private(cluster.home)
    localdb._make_data(cluster)
    with (cluster.data / "postgresql.conf").open("a") as settings:
        settings.write("archive_mode = on\n")
        settings.write(f"archive_command = 'test ! -f {folder}/archive/%f && cp %p {folder}/archive/%f'\n")
    return cluster


def put_back(folder, binaries, point):
    """The base backup again, with the order to go on from the archive up to this point."""
    cluster = localdb.Cluster(folder / f"back-{point}", binaries)
    localdb._make_private(cluster.home)
    shutil.copytree(folder / "base", cluster.data)
    (cluster.data / "recovery.signal").touch()
    with (cluster.data / "postgresql.conf").open("a") as settings:
        settings.write("archive_mode = off\n")
        settings.write(f"restore_command = 'cp {folder}/archive/%f %p'\n")
        settings.write(f"recovery_target_name = 'point{point}'\nrecovery_target_action = 'promote'\n")
    return cluster


def facts():
    with pgtools.owner() as wrapper, wrapper.cursor() as cursor:
        return gather(cursor, day_keys())


def test_any_moment_comes_back_from_base_backup_and_wal_and_the_tills_bring_the_rest(tmp_path):
    with restored.past(tmp_path / "past") as past:
        _empty_tables(None)
        binaries = pgtools.programs(past.backup.manifest.facts.server_major)
        then, at = {}, {}
        with running(archiving(tmp_path, binaries)) as live:
            drill.restore_into(drill.settings_of(live), past.backup)
            copy = [binaries.bin_dir / "pg_basebackup", "-h", live.socket_dir, "-U", "postgres", "-X", "none"]
            subprocess.run(
                [*copy, "-D", tmp_path / "base", "--checkpoint=fast"], check=True, capture_output=True
            )
            with pointed_at(live):
                past.campus.start()
                for point in range(POINTS):
                    past.campus.sell(online=1, card="20001")
                    past.campus.sell(offline=1, card="20002")
                    then[point], at[point] = facts(), books()
                    superuser(live, f"SELECT pg_create_restore_point('point{point}')::text")
                past.campus.close()
            last = superuser(live, "SELECT pg_walfile_name(pg_switch_wal())")
            deadline = time.monotonic() + 30
            while not (tmp_path / "archive" / last).exists() and time.monotonic() < deadline:
                time.sleep(0.05)

        wrong = []
        for point in range(POINTS):
            journal = past.campus.journal
            shutil.copy(journal, journal.with_suffix(".kept"))
            with running(put_back(tmp_path, binaries, point)) as back, pointed_at(back):
                wrong += differences(then[point], facts())
                wrong += [] if books() == at[point] else [f"books of point {point}"]
                past.campus.start()
                past.campus.parts.background.greet()
                past.campus.close()
                wrong += (
                    [] if books()[20002] == at[POINTS - 1][20002] else [f"lost sales after point {point}"]
                )
                verdict = verify(policy=wiring.widest_policy(), keys=day_keys(), audit_key=audit_key())
                wrong += [broken.what for broken in verdict.broken]
            shutil.copy(journal.with_suffix(".kept"), journal)
        faults.report("RESTORE", POINTS, len(wrong))
        assert wrong == []
