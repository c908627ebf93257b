"""What is to run by itself stands in the cron file and in the document, at the minute that is waited for."""

from __future__ import annotations

import re

from django.conf import settings
from django.core.management import get_commands

from accounts.jobs import JOBS

BY_HAND = {"restore_drill"}
"""It wants a key that does not belong on the server."""
LINE = re.compile(r"(\S+)\s+(\S+)\s+\*\s+\*\s+\*\s+root\s+\$RUN .*\$PYTHON manage\.py (\w+)(.*)")


def cron_lines():
    lines = (settings.BASE_DIR / "deploy" / "ecard.cron").read_text().splitlines()
    return {found[3]: (found[1], found[2]) for line in lines if (found := LINE.fullmatch(line.strip()))}


def test_cron_runs_every_job_at_its_minute_and_nothing_else():
    wanted = {
        job.name: ("*", "*") if job.at is None else (str(job.at.minute), str(job.at.hour))
        for job in JOBS
        if job.name not in BY_HAND
    }

    assert cron_lines() == wanted
    assert set(wanted) | BY_HAND <= set(get_commands())


def test_the_document_names_every_job():
    told = (settings.BASE_DIR / "docs" / "operations.md").read_text()

    for job in JOBS:
        at = f"{job.at:%H:%M}" if job.at else ""
        assert re.search(rf"\| {at}.*`manage\.py {job.name}\b", told), job.name
