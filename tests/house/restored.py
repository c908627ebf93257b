"""One small university that was backed up, went on, and can be restored as often as a test likes.

Made once for a file of tests: copying a database on a server that runs takes a moment, making a server some seconds.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import StringIO
from itertools import count
from pathlib import Path

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from accounts.models import Account
from ecard import localdb
from ecard.database import as_owner
from ecard.ops import drill, manifest
from ecard.ops.sealedfile import new_pair, private_key
from reconciliation.wiring import audit_key
from tests.house.small_campus import SmallCampus


def behind(sql, params=()):
    """Do what only somebody with the disk or the owner's login can do."""
    with as_owner(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, params)
        return cursor.rowcount


@dataclass
class Past:
    """The backup of a moment, what happened after it, and a server on which that moment is back."""

    folder: Path
    identity: Path
    cluster: localdb.Cluster
    campus: SmallCampus
    books: dict[int, int]
    """By account number, at the moment of the backup."""
    later: dict[int, int]
    """The same after what went on."""
    _numbers: count = field(default_factory=lambda: count(1))

    @property
    def backup(self):
        return drill.Backup(
            self.folder, manifest.read(self.folder, key=audit_key()), private_key(self.identity.read_text())
        )

    def ask(self, sql):
        with psycopg.connect(self.cluster.url(localdb.OWNER_ROLE), autocommit=True) as owner:
            owner.execute(sql)

    @contextmanager
    def again(self, *, empty=False):
        """Inside, the application is connected to a fresh copy of the restored database, or to an empty one."""
        name = f"copy{next(self._numbers)}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {'template0' if empty else localdb.DATABASE}")
        with pointed_at(self.cluster, name):
            yield name
        self.ask(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def pointed_at(cluster, name=localdb.DATABASE):
    """Inside, the application is connected to a database of this server."""
    place = {"HOST": str(cluster.socket_dir), "PORT": "", "PASSWORD": ""}
    before, owner = dict(connection.settings_dict), dict(settings.DATABASE_OWNER)
    connection.close()
    connection.settings_dict.update(place, NAME=name, USER=localdb.APP_ROLE)
    settings.DATABASE_OWNER.update(place, USER=localdb.OWNER_ROLE)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)
        settings.DATABASE_OWNER.update(owner)


def books():
    return dict(Account.objects.values_list("number", "book_fen"))


@contextmanager
def past(folder):
    """Live, back up, go on; then restore the backup to a server of its own."""
    private, public = new_pair()
    folder.mkdir(exist_ok=True)
    identity = folder / "identity"
    identity.write_text(f"{private}\n")
    campus = SmallCampus(folder / "campus")
    campus.live()
    behind("UPDATE transactions_entry SET posted_at = posted_at - interval '1 day', day = day - 1")
    call_command("close_day", stdout=StringIO())
    campus.sell(online=1, offline=1, card="20001")
    campus.sell(offline=1, card="20002")
    out, then = StringIO(), books()
    before, settings.BACKUP_RECIPIENT = settings.BACKUP_RECIPIENT, public
    try:
        call_command("backup", "--to", str(folder / "backups"), "--json", stdout=out)
    finally:
        settings.BACKUP_RECIPIENT = before
    campus.sell(offline=2, card="20002", fen=2_00)
    campus.sell(online=1, card="20003", fen=3_00)
    campus.close()
    made = Path(json.loads(out.getvalue())["path"])
    backup = drill.Backup(made, manifest.read(made, key=audit_key()), private_key(private))
    with drill.scratch(folder / "scratch", backup.manifest.facts.server_major) as cluster:
        drill.restore_into(drill.settings_of(cluster), backup)
        with suppress(Exception):
            connection.close()
        yield Past(made, identity, cluster, campus, then, books())
