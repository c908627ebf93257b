"""`make_operator`: a new member of staff, with a password typed here and an authenticator printed once."""

from __future__ import annotations

from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.models import Campus, Operator, OperatorRole
from accounts.services import audit
from accounts.wiring import now


class Command(BaseCommand):
    """Asks for the password twice; nothing of it is printed or kept but its hash."""

    help = "Create an operator of one campus (or, without --campus, of all) and print the authenticator's address."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--role", choices=OperatorRole.values, required=True)
        parser.add_argument("--campus", help="code of the campus; without it every campus")
        parser.add_argument("--name", default="", help="the name shown on screens and receipts")
        parser.add_argument("--back-office", action="store_true", help="may also look things up at /admin/")

    def handle(
        self,
        *args: Any,
        username: str,
        role: str,
        campus: str | None,
        name: str,
        back_office: bool,
        **options: Any,
    ) -> None:
        place = Campus.objects.filter(code=campus).first()
        if campus and place is None:
            raise CommandError(f"there is no campus {campus}")
        rights = {"is_staff": back_office, "is_superuser": back_office and role == OperatorRole.ADMIN}
        operator = Operator(username=username, role=role, campus=place, display_name=name, **rights)
        operator.set_password(self._ask_password(operator))
        try:
            with transaction.atomic():
                operator.save(force_insert=True)
                after = {"role": role, "campus": campus or ""}
                deed = audit.Deed("operator.make", "operator", operator.pk, after=after)
                audit.record(deed, actor=Actor.system("make_operator"), now=now())
        except IntegrityError:
            raise CommandError(f"the name {username} is taken or not of the form a-z, 0-9, . _ -") from None
        call_command("set_authenticator", username, stdout=self.stdout)

    def _ask_password(self, operator: Operator) -> str:
        password = getpass("Password: ")
        try:
            validate_password(password, operator)
        except ValidationError as problem:
            raise CommandError(" ".join(problem.messages)) from None
        if getpass("Again: ") != password:
            raise CommandError("the two passwords differ")
        return password
