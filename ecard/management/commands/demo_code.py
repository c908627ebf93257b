"""`demo_code`: the one-time code of the demo's staff, as an authenticator would show it now."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ecard.demo import staff


class Command(BaseCommand):
    """Works in the demo only; real staff have their own devices."""

    help = "Print the present one-time code of the demo's staff."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("只在演示环境中可用 (ECARD_DEMO=1)")
        self.stdout.write(staff.present_code())
