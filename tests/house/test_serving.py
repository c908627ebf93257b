"""What is measured and simulated is what the unit file starts."""

from __future__ import annotations

import shlex
from pathlib import Path

from django.conf import settings

from ecard import serving
from terminals.api.jobs import WAITERS


def test_the_unit_file_serves_as_it_was_measured():
    unit = Path(settings.BASE_DIR, "deploy", "ecard.service").read_text()
    (start,) = (line for line in unit.splitlines() if line.startswith("ExecStart="))
    started = shlex.split(start.partition("=")[2])
    measured = serving.command(8000, workers=2)

    def option(words: list[str], name: str) -> str:
        return words[words.index(name) + 1]

    for name in ("--interface", "--port", "--workers", "--blocking-threads"):
        assert option(started, name) == option(measured, name)
    assert started[-1] == measured[-1] == serving.APPLICATION


def test_tills_are_served_while_every_desk_waits():
    assert WAITERS < serving.THREADS
