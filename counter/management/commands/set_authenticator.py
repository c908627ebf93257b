"""`set_authenticator`: a new authenticator (TOTP, RFC 6238) for an operator, with all wrong guesses forgotten."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.actors import Actor
from accounts.services import operators
from accounts.wiring import now, secrets


class Command(BaseCommand):
    """Prints the address that an authenticator app takes in, once; it is nowhere to be read again."""

    help = "Give an operator a new authenticator and print its otpauth:// address. Needed before the first sign-in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        actor = Actor.system("set_authenticator")
        try:
            address = operators.set_authenticator(username, actor=actor, now=now(), secrets=secrets())
        except operators.NoSuchOperator:
            raise CommandError(f"there is no active operator {username}") from None
        self.stdout.write(address)
