"""Forget what people wrote on the lost-and-found board once its time is over. Cron runs it nightly."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from accounts.services.lostposts import forget_old
from accounts.services.runs import recorded
from accounts.wiring import now


class Command(BaseCommand):
    help = "Forget the words of searches and finders' tips after thirty days. Safe to repeat and to kill."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One JSON object for machines."""
        parser.add_argument("--json", action="store_true", help="one JSON object instead of a line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run once."""
        with recorded("forget_lost_found", clock=now) as run:
            forgotten = forget_old(now=now())
            run.counts = {"forgotten": forgotten}
        self.stdout.write(
            json.dumps({"forgotten": forgotten}) if options["json"] else f"forgotten {forgotten}"
        )
