"""Make the campuses and service points of the guide that are not there yet; what the staff has changed stays."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from accounts.actors import Actor
from accounts.wiring import now
from terminals.services.places import seed_places


class Command(BaseCommand):
    help = "Make the campuses and service points of the guide. Once at the beginning; safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        made = seed_places(actor=Actor.system("seed_places"), now=now())
        self.stdout.write(f"places {made}")
