"""Restore a backup to a server of its own, look at everything there, and throw it away. Monthly, by cron or hand."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from accounts.services.runs import Running, recorded
from accounts.wiring import now
from ecard.ops.backup import backups
from ecard.ops.compare import Report
from ecard.ops.drill import Backup, RestoreFailed, drill
from ecard.ops.manifest import NAME, BadBackup, read
from ecard.ops.sealedfile import NotAKey, private_key
from ecard.pgprograms import DatabaseProblem
from reconciliation.wiring import audit_key

_VAR: Final = Path(__file__).resolve().parents[3] / "var"
_FAULTS = (BadBackup, RestoreFailed, DatabaseProblem, OSError)


class Command(BaseCommand):
    help = (
        "Restore a backup to a scratch server, verify it, hold it against its manifest, open what is sealed; "
        "exit status 1 and a list when something is wrong. Never writes to the live database but the job run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which backup, and where the scratch server may be."""
        parser.add_argument(
            "--from",
            dest="source",
            type=Path,
            required=True,
            help="a backup, or the directory of all: the newest",
        )
        parser.add_argument("--identity", type=Path, help="file with the private key, for a sealed backup")
        parser.add_argument("--scratch", type=Path, default=_VAR, help="where the scratch server may be made")
        parser.add_argument(
            "--elsewhere", action="store_true", help="this machine has no live database: record no job run"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was looked at and found. Raises ``CommandError`` when there is no copy to look at."""
        try:
            with self._noted(elsewhere=options["elsewhere"]) as run:
                report = drill(find(options["source"], options["identity"]), options["scratch"])
                if run is not None:
                    run.counts = dict(report.checked) | {"found": len(report.found)}
                    run.failed = (
                        "" if report.ok else f"{len(report.found)} found, the first: {report.found[0]}"
                    )
        except (*_FAULTS, NotAKey) as problem:
            raise CommandError(f"the backup cannot be restored: {problem}") from problem
        self._tell(report, as_json=options["json"])
        if not report.ok:
            sys.exit(1)

    def _noted(self, *, elsewhere: bool) -> AbstractContextManager[Running | None]:
        return nullcontext() if elsewhere else recorded("restore_drill", clock=now)

    def _tell(self, report: Report, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(report.to_json(), ensure_ascii=False))
            return
        for line in report.lines():
            self.stdout.write(line)


def find(source: Path, identity: Path | None) -> Backup:
    """The backup at ``source``, or the newest one in there. Raises ``BadBackup`` and ``NotAKey``."""
    folder = source.parent if source.name == NAME else source
    if not (folder / NAME).is_file() and (inside := backups(folder)):
        folder = inside[-1]
    key = private_key(identity.read_text()) if identity else None
    return Backup(folder, read(folder, key=audit_key()), key)
