"""Bring the hotlist of the offline tills in step with cards and accounts. Run every minute; safe to repeat."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from accounts.wiring import now
from terminals.services import hotlist


class Command(BaseCommand):
    help = "Compare the hotlist with all cards and accounts and number what changed. Run every minute."

    def handle(self, *args: Any, **options: Any) -> None:
        synced = hotlist.sync_hotlist(now=now())
        self.stdout.write(f"changed {synced.changed}")
        self.stdout.write(f"version {synced.version}")
