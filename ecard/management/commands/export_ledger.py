"""Hand auditors the ledger of some days, signed; or check one that was handed out before."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.wiring import now
from ecard.ops.export import NotEntitled, NotGenuine, check, errand
from ecard.ops.ledger_copy import Span, WrongSpan, copy_of
from reconciliation.wiring import audit_key, exports_folder


class Command(BaseCommand):
    help = (
        "Write the ledger of some days as CSV in a signed zip; --check says whether one is as it was written."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which days, for whom, why; or which file to check."""
        parser.add_argument("--from", dest="first", type=date.fromisoformat, help="first ledger day")
        parser.add_argument("--to", dest="last", type=date.fromisoformat, help="last ledger day")
        parser.add_argument("--by", default="", help="user name of the member of staff who answers for it")
        parser.add_argument("--reason", default="", help="why")
        parser.add_argument(
            "--into", type=Path, help="a private directory; default: var/exports, emptied after 7 days"
        )
        parser.add_argument("--check", type=Path, metavar="FILE", help="an earlier export")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of a line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write or check once. Raises ``CommandError``: nothing was written, or the file is not genuine."""
        try:
            told = self._checked(options["check"]) if options["check"] else self._written(options)
        except (NotEntitled, WrongSpan, NotGenuine, OSError) as problem:
            raise CommandError(str(problem)) from problem
        line = " ".join(f"{name} {value}" for name, value in told.items())
        self.stdout.write(json.dumps(told) if options["json"] else line)

    def _checked(self, path: Path) -> dict[str, Any]:
        body = check(path, key=audit_key())
        return {"genuine": str(path)} | {name: body[name] for name in ("from", "to", "entries", "days")}

    def _written(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["first"] is None or options["last"] is None:
            raise WrongSpan("say --from and --to, as 2026-11-01")
        answering = errand(options["by"], options["reason"])
        span = Span(options["first"], options["last"])
        made = copy_of(span, answering, options["into"] or exports_folder(), audit_key=audit_key(), now=now())
        return {"path": str(made.path), "entries": made.entries, "days": made.days}
