"""Add a terminal, or give one that exists a new code, and print the one-time code to type at the machine."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from accounts.actors import Actor
from accounts.models import Campus
from accounts.wiring import now
from terminals.models import Terminal, TerminalKind
from terminals.services import enrolment
from transactions.models import Merchant


class Command(BaseCommand):
    help = "Print a one-time code that enrols a terminal: a new one, or with --terminal one that exists."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--terminal", type=int, help="number of an existing terminal: repair, new keys")
        parser.add_argument("--name", help="name of a new terminal, in Chinese")
        parser.add_argument("--name-en", default="", help="its English name")
        parser.add_argument("--kind", choices=TerminalKind.values, default=TerminalKind.TILL)
        parser.add_argument("--campus", help="code of its campus")
        parser.add_argument("--merchant", type=int, help="number of the merchant whose sales a till makes")
        parser.add_argument("--place", default="", help="where it stands")
        parser.add_argument("--offline", action="store_true", help="may sell without the network")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        issued = self._again(options["terminal"]) if options["terminal"] else self._new(options)
        if options["json"]:
            found = {
                "terminal": issued.terminal,
                "code": issued.code,
                "expires_at": issued.expires_at.isoformat(),
            }
            self.stdout.write(json.dumps(found))
            return
        self.stdout.write(f"terminal {issued.terminal}")
        self.stdout.write(f"code     {issued.code}")
        self.stdout.write(f"expires  {issued.expires_at:%F %T %Z} (good once)")

    def _new(self, options: dict[str, Any]) -> enrolment.IssuedCode:
        if not options["name"] or not options["campus"]:
            raise CommandError("a new terminal needs --name and --campus")
        if (options["kind"] == TerminalKind.TILL) != (options["merchant"] is not None):
            raise CommandError("a till needs --merchant, other kinds have none")
        campus = Campus.objects.filter(code=options["campus"]).first()
        if campus is None:
            raise CommandError(f"no campus {options['campus']}")
        if options["merchant"] and not Merchant.objects.filter(id=options["merchant"]).exists():
            raise CommandError(f"no merchant {options['merchant']}")
        wanted = enrolment.NewTerminal(
            name_zh=options["name"],
            name_en=options["name_en"],
            kind=options["kind"],
            campus_id=campus.pk,
            merchant_id=options["merchant"],
            place=options["place"],
            may_sell_offline=options["offline"],
        )
        try:
            return enrolment.register(wanted, actor=_actor(), now=now())
        except IntegrityError as error:
            raise CommandError(f"such a terminal cannot be: {error}") from error

    def _again(self, terminal: int) -> enrolment.IssuedCode:
        try:
            return enrolment.issue_code(terminal, actor=_actor(), now=now())
        except Terminal.DoesNotExist:
            raise CommandError(f"no terminal {terminal}") from None
        except enrolment.AlreadyRevoked:
            raise CommandError(f"terminal {terminal} is revoked; add a new one") from None


def _actor() -> Actor:
    return Actor.system("enrol_terminal")
