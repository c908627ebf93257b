"""`make_operator`: a new member of staff, with a password typed here and an authenticator printed once."""

from __future__ import annotations

from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from accounts.actors import Actor
from accounts.kinds import OperatorRole
from accounts.services import operators
from accounts.wiring import now


class Command(BaseCommand):
    """Asks for the password twice; nothing of it is printed or kept but its hash."""

    help = "Create an operator of one campus (or, without --campus, of all) and print the authenticator's address."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--role", choices=OperatorRole.values, required=True)
        parser.add_argument("--campus", default="", help="code of the campus; without it every campus")
        parser.add_argument("--name", default="", help="the name shown on screens and receipts")
        parser.add_argument(
            "--school-no",
            default="",
            help="the operator's own school number: nobody decides about his own card",
        )
        parser.add_argument("--back-office", action="store_true", help="may also look things up at /admin/")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        new = operators.NewOperator(
            username=username,
            role=OperatorRole(options["role"]),
            campus=options["campus"] or "",
            name=options["name"],
            school_no=options["school_no"],
            back_office=options["back_office"],
        )
        try:
            operators.refuse(new)
            password = getpass("Password: ")
            if getpass("Again: ") != password:
                raise CommandError("the two passwords differ")
            operators.make_operator(new, password, actor=Actor.system("make_operator"), now=now())
        except operators.NotMade as problem:
            raise CommandError(str(problem)) from None
        call_command("set_authenticator", username, stdout=self.stdout)
