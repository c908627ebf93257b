"""Make the key pair that backups are sealed with. For the machine that keeps the private half, not for the server."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ecard.ops.backup import private_file
from ecard.ops.sealedfile import new_pair


class Command(BaseCommand):
    help = (
        "Make a key pair for backups: the private half into a new file, the public half for BACKUP_RECIPIENT."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file must not be there yet."""
        parser.add_argument("--to", type=Path, required=True, help="new file for the private half")

    def handle(self, *args: Any, to: Path, **options: Any) -> None:
        """Never writes over a key: what it sealed would be lost."""
        private, public = new_pair()
        try:
            with private_file(to) as file:
                file.write(f"{private}\n".encode())
        except OSError as problem:
            raise CommandError(f"{to}: {problem.strerror}") from problem
        self.stdout.write(f"BACKUP_RECIPIENT={public}")
