"""Take in the journal of a till that cannot upload any more: the file from its disk, or records as lines of JSON."""

from __future__ import annotations

import json
import sqlite3
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.wiring import now
from terminals.api import wiring
from terminals.messages import strictjson
from terminals.models import Terminal
from terminals.services import registry, uploads
from terminals.services.postings import Poster
from transactions.services.orders import Busy

_SQLITE = b"SQLite format 3\0"


class Command(BaseCommand):
    help = "Post the records of a journal file, each exactly once; any size, any number of times."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="journal.sqlite of a till, or one record a line")
        parser.add_argument("--terminal", type=int, required=True, help="number of the till that wrote it")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *args: Any, file: Path, terminal: int, **options: Any) -> None:
        """Every record is checked as if the till had sent it; what is not its own is refused and kept as evidence."""
        try:
            machine = registry.machine(terminal)
            records = list(_records(file))
            at = now()
            answers = uploads.take_in(
                records,
                machine,
                keyring=wiring.keyring(),
                post=Poster(machine, wiring.policy(), at),
                now=at,
            )
        except Terminal.DoesNotExist:
            raise CommandError(f"no terminal {terminal}") from None
        except (OSError, sqlite3.Error) as error:
            raise CommandError(f"{file} cannot be read: {error}") from error
        except Busy as error:
            raise CommandError(
                f"the book is out of reach ({error}); run it again, nothing is posted twice"
            ) from error
        counts = Counter(answer.result.value for answer in answers)
        if options["json"]:
            self.stdout.write(json.dumps({"records": len(answers), **counts}))
            return
        self.stdout.write(f"records {len(answers)}")
        for result, count in sorted(counts.items()):
            self.stdout.write(f"{result} {count}")


def _records(file: Path) -> Iterator[object]:
    with file.open("rb") as opened:
        if opened.read(len(_SQLITE)) == _SQLITE:
            lines: Iterator[bytes] = _of_a_till(file)
        else:
            opened.seek(0)
            lines = iter(opened.read().splitlines())
    for line in lines:
        try:
            yield strictjson.loads(line)
        except strictjson.WireError:
            yield line.decode("utf-8", "replace")


def _of_a_till(file: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as journal:
        rows = journal.execute("SELECT body FROM record ORDER BY seq").fetchall()
    return iter([str(body).encode() for (body,) in rows])
