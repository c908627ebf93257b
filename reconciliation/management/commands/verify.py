"""Check every promise about the books. Exit status 1 and a list when one is broken."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from accounts.services.runs import recorded
from accounts.wiring import now, widest_policy
from reconciliation.services.verify import verify
from reconciliation.wiring import audit_key, day_keys


class Command(BaseCommand):
    help = "Check every invariant of the books in one snapshot. Changes nothing; exit status 1 when one is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the option that interfaces.md fixes."""
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, print, and exit with 1 if anything is broken."""
        with recorded("verify", clock=now) as run:
            verdict = verify(policy=widest_policy(), keys=day_keys(), audit_key=audit_key())
            run.counts = {"checked": verdict.checked.total(), "broken": len(verdict.broken)}
            run.failed = "" if verdict.ok else f"{len(verdict.broken)} broken"
        if options["json"]:
            self.stdout.write(json.dumps(verdict.to_json(), ensure_ascii=False))
        else:
            for name, count in verdict.checked.items():
                self.stdout.write(f"{name} {count}")
            for broken in verdict.broken:
                place = " ".join(str(part) for part in (broken.account, broken.entry) if part is not None)
                self.stdout.write(f"BROKEN {broken.id} {place}: {broken.what}".replace("  ", " "))
            self.stdout.write("ok" if verdict.ok else f"{len(verdict.broken)} broken")
        if not verdict.ok:
            sys.exit(1)
