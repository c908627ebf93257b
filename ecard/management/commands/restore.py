"""Restore a backup for real: into the configured database, which must be empty (docs/operations.md)."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from accounts.wiring import now, widest_policy
from ecard.database import as_owner, ensure_app_role
from ecard.management.commands.restore_drill import find
from ecard.ops import pgtools
from ecard.ops.compare import Report, check_promises, compare_facts, is_older, ring_here
from ecard.ops.drill import Backup, NotEmpty, RestoreFailed, check_parts, refuse_filled, restore_into
from ecard.ops.manifest import BadBackup, strange_keys
from ecard.ops.sealedfile import NotAKey
from ecard.ops.waking import wake
from ecard.pgprograms import DatabaseProblem


class Command(BaseCommand):
    help = "Restore a backup to the configured database, which must be empty; whole or not at all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which backup."""
        parser.add_argument(
            "--from",
            dest="source",
            type=Path,
            required=True,
            help="a backup, or the directory of all: the newest",
        )
        parser.add_argument("--identity", type=Path, help="file with the private key, for a sealed backup")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore, compare, migrate, verify, and end what must not live on. Raises ``CommandError``."""
        try:
            backup = find(options["source"], options["identity"])
            _restore(backup)
        except (BadBackup, RestoreFailed, NotEmpty, NotAKey, DatabaseProblem, OSError) as problem:
            raise CommandError(f"nothing was restored: {problem}") from problem
        report = _looked_at(backup)
        woken = wake(made_at=backup.manifest.made_at, now=now())
        for line in report.lines():
            self.stdout.write(line)
        for name, count in woken.items():
            self.stdout.write(f"{name} {count}")
        if not report.ok:
            raise CommandError("the database was restored, but is not as it was: do not open it")
        self.stdout.write(f"restored to {backup.manifest.made_at}")


def _restore(backup: Backup) -> None:
    """Refuse first whatever would only be found afterwards."""
    check_parts(backup)
    if strange := list(strange_keys(backup.manifest.keys)):
        raise BadBackup("; ".join(strange))
    database = pgtools.owner_settings()
    refuse_filled(database)
    with as_owner():
        ensure_app_role()
    restore_into(database, backup)


def _looked_at(backup: Backup) -> Report:
    ring = ring_here()
    report = compare_facts(backup.manifest, ring)
    if is_older(backup.manifest.facts):
        report.found = [told for told in report.found if not told.startswith("migration")]
    call_command("migrate", verbosity=0)
    report.add(check_promises(ring, policy=widest_policy()))
    return report
