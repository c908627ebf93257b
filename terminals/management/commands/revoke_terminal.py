"""Shut a terminal out: stolen, sold or broken. Holds within a second; what it still uploads is kept in quarantine."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.actors import Actor
from accounts.wiring import now
from terminals.models import Terminal
from terminals.services import enrolment


class Command(BaseCommand):
    help = "Shut a terminal out for good. Safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("terminal", type=int)
        parser.add_argument("--reason", required=True, help="goes into the audit")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, terminal: int, reason: str, **options: Any) -> None:
        try:
            changed = enrolment.revoke(
                terminal, actor=Actor.system("revoke_terminal"), now=now(), reason=reason
            )
        except Terminal.DoesNotExist:
            raise CommandError(f"no terminal {terminal}") from None
        if options["json"]:
            self.stdout.write(json.dumps({"terminal": terminal, "revoked": True, "changed": changed}))
        else:
            self.stdout.write(f"terminal {terminal} " + ("is revoked" if changed else "was revoked already"))
