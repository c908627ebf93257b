"""Hand somebody everything that is kept about him, when he asks for it (PIPL art. 45). The reading is in the audit."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.wiring import now, secrets
from ecard.ops.export import NotEntitled, errand
from ecard.ops.person import NobodyHere, copy_of
from reconciliation.wiring import audit_key, exports_folder


class Command(BaseCommand):
    help = (
        "Write everything about one holder, unmasked, as JSON and CSV in a zip. Whoever asks and why is kept."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose, for whom, why."""
        parser.add_argument("--account", type=int, required=True, help="the five digits")
        parser.add_argument("--by", required=True, help="user name of the member of staff who answers for it")
        parser.add_argument("--reason", required=True, help="why, and which document was seen")
        parser.add_argument(
            "--to", type=Path, help="a private directory; default: var/exports, emptied after 7 days"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object instead of a line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write once. Raises ``CommandError`` and writes nothing when it may not be."""
        try:
            made = copy_of(
                options["account"],
                errand(options["by"], options["reason"]),
                options["to"] or exports_folder(),
                secrets=secrets(),
                audit_key=audit_key(),
                now=now(),
            )
        except (NotEntitled, NobodyHere, OSError) as problem:
            raise CommandError(f"nothing was exported: {problem}") from problem
        told = {"path": str(made.path), "tables": made.tables, "rows": made.rows}
        self.stdout.write(
            json.dumps(told) if options["json"] else f"{made.path} {made.tables} tables, {made.rows} rows"
        )
