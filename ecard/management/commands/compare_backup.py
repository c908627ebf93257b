"""Hold the connected database against the manifest of a backup. For a copy that was just restored; changes nothing."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.wiring import widest_policy
from ecard.ops import manifest as papers
from ecard.ops.compare import check_promises, compare_facts, ring_here
from reconciliation.wiring import audit_key


class Command(BaseCommand):
    help = "Hold the connected database against a backup's manifest, and check every promise and every key on it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which backup; of an older one, facts before and promises after ``migrate``."""
        parser.add_argument("--from", dest="folder", type=Path, required=True, help="the backup's directory")
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--facts", action="store_true", help="only rows, sums, days, seals and keys")
        only.add_argument("--promises", action="store_true", help="only verify, and open what is sealed")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was looked at and found; exit status 1 when something was."""
        try:
            manifest = papers.read(options["folder"], key=audit_key())
        except papers.BadBackup as problem:
            raise CommandError(str(problem)) from problem
        ring = ring_here()
        report = compare_facts(manifest, ring)
        if options["promises"]:
            report = check_promises(ring, policy=widest_policy())
        elif not options["facts"] and not any(told.startswith("migration") for told in report.found):
            report.add(check_promises(ring, policy=widest_policy()))
        if options["json"]:
            self.stdout.write(json.dumps(report.to_json(), ensure_ascii=False))
        else:
            for line in report.lines():
                self.stdout.write(line)
        if not report.ok:
            sys.exit(1)
