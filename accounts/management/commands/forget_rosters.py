"""Forget what files of the roster and archives of photos left behind on their way in. Cron runs it nightly."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from accounts.services import photos, roster
from accounts.services.runs import recorded
from accounts.wiring import now


class Command(BaseCommand):
    help = (
        "Forget staged rows of rosters and pictures of archives after seven days. Safe to repeat and to kill."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One JSON object for machines."""
        parser.add_argument("--json", action="store_true", help="one JSON object instead of a line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run once."""
        with recorded("forget_rosters", clock=now) as run:
            run.counts = {"rows": roster.forget_old(now=now()), "pictures": photos.forget_old(now=now())}
        told = " ".join(f"{name} {count}" for name, count in run.counts.items())
        self.stdout.write(json.dumps(run.counts) if options["json"] else told)
