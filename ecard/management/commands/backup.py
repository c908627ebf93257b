"""Back up the database. Cron runs it nightly; a person may run it at any time."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.services.runs import recorded
from accounts.wiring import now
from ecard.ops.backup import AlreadyRunning, DumpFailed, Made, NotSafe, Order, back_up
from ecard.ops.sealedfile import NotAKey, public_key
from ecard.pgprograms import DatabaseProblem
from reconciliation.wiring import audit_key, day_keys

_REFUSALS = (AlreadyRunning, NotSafe)
NOBODY = (
    "BACKUP_RECIPIENT is not set: a backup holds everybody's data. Make a key with backup_key and set its public half; "
    "or say --plain, when the disk itself is encrypted."
)


class Command(BaseCommand):
    help = "Back up the database to a directory, sealed for BACKUP_RECIPIENT. Safe to repeat and to kill."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to, and how many to keep."""
        parser.add_argument("--to", type=Path, required=True, help="a private directory outside the checkout")
        parser.add_argument("--keep", type=_positive, help="let go of the oldest beyond so many")
        parser.add_argument("--plain", action="store_true", help="not encrypted")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of a line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run once. Raises ``CommandError`` when there is no new backup, and says why."""
        try:
            recipient = None if options["plain"] else public_key(settings.BACKUP_RECIPIENT or "")
        except NotAKey as problem:
            raise CommandError(
                f"BACKUP_RECIPIENT: {problem}" if settings.BACKUP_RECIPIENT else NOBODY
            ) from None
        order = Order(options["to"], recipient, day_keys(), audit_key(), options["keep"])
        try:
            with recorded("backup", clock=now, refusals=_REFUSALS) as run:
                made = back_up(order, now=now(), say=self._say)
                run.counts = _counts(made)
        except (*_REFUSALS, DumpFailed, DatabaseProblem, OSError) as problem:
            raise CommandError(f"no backup was made: {problem}") from problem
        told = _counts(made)
        if options["json"]:
            self.stdout.write(json.dumps({"path": str(made.path)} | told))
        else:
            self.stdout.write(
                f"{made.path} {told['kilobytes']} KB, {told['tables']} tables, {told['rows']} rows"
            )

    def _say(self, text: str) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"\r{text} ", ending="")
            self.stderr.flush()


def _counts(made: Made) -> dict[str, int]:
    facts = made.manifest.facts
    return {
        "kilobytes": -(-sum(part.size for part in made.manifest.parts) // 1024),
        "tables": len(facts.rows),
        "rows": sum(facts.rows.values()),
        "entries": facts.rows["transactions_entry"],
        "days": len(facts.days),
        "dropped": len(made.dropped),
    }


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ArgumentTypeError("keep at least one")
    return number
