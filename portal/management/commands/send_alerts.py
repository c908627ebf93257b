"""Tell holders what they asked to be told, on the site and by letters. Run every minute; safe to repeat and to kill."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.services.onerun import AlreadyRunning
from portal import alertjob


class Command(BaseCommand):
    help = "Look for what holders asked to be told of, and send what is due. Run every minute."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One JSON object for machines."""
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run once. Raises ``CommandError`` when another run is under way."""
        try:
            counts = alertjob.run()
        except AlreadyRunning as refusal:
            raise CommandError(str(refusal)) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(counts))
            return
        for name, count in counts.items():
            self.stdout.write(f"{name} {count}")
