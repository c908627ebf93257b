"""Bring the hotlist of the offline tills in step with cards and accounts. Run every minute; safe to repeat."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from accounts.jobs import MINUTE
from accounts.services.runs import recorded
from accounts.wiring import now
from terminals.services import hotlist


class Command(BaseCommand):
    help = "Compare the hotlist with all cards and accounts and number what changed. Run every minute."

    def handle(self, *args: Any, **options: Any) -> None:
        with recorded("sync_hotlist", clock=now, every=MINUTE) as run:
            synced = hotlist.sync_hotlist(now=now())
            run.counts = {"changed": synced.changed, "version": synced.version}
        self.stdout.write(f"changed {synced.changed}")
        self.stdout.write(f"version {synced.version}")
