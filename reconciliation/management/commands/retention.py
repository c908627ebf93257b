"""Let go of what was kept long enough. Cron runs it nightly; docs/retention.md has the table of periods."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from accounts.services.runs import recorded
from accounts.wiring import now
from reconciliation.services.retention import retain
from reconciliation.wiring import exports_folder


class Command(BaseCommand):
    help = "Erase and delete what was kept long enough (reconciliation/retention.py). Safe to repeat and to kill."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One of the two must be said: what was erased does not come back."""
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--dry-run", action="store_true", help="only say what would go")
        which.add_argument("--apply", action="store_true", help="let it go")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run once. A dry run changes nothing and is not noted as a run."""
        if options["dry_run"]:
            gone = retain(now=now(), exports=exports_folder(), dry_run=True)
        else:
            with recorded("retention", clock=now) as run:
                gone = retain(now=now(), exports=exports_folder())
                run.counts = gone
        if options["json"]:
            self.stdout.write(json.dumps(gone))
            return
        for name, count in gone.items():
            self.stdout.write(f"{name} {count}")
