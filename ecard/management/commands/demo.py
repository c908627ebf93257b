"""`demo`: the site on this machine."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Becomes the web server; `ecardctl demo` has migrated before."""

    help = "Run the site on this machine."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        self.stdout.write(f"http://127.0.0.1:{port}/")
        self.stdout.flush()
        granian = [
            sys.executable,
            "-m",
            "granian",
            "--interface",
            "wsgi",
            "--no-ws",
            "--blocking-threads",
            "8",
        ]
        os.execv(granian[0], [*granian, "--host", "127.0.0.1", "--port", str(port), "ecard.wsgi:application"])
