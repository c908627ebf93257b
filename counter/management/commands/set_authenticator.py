"""`set_authenticator`: a new authenticator (TOTP, RFC 6238) for an operator, with all wrong guesses forgotten."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.actors import Actor
from accounts.models import Attempt, Operator
from accounts.services import audit
from accounts.wiring import now
from counter.forms import subject_of


class Command(BaseCommand):
    """Prints the address that an authenticator app takes in, once; it is nowhere to be read again."""

    help = "Give an operator a new authenticator and print its otpauth:// address. Needed before the first sign-in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        operator = Operator.objects.filter(username=username, is_active=True).first()
        if operator is None:
            raise CommandError(f"there is no active operator {username}")
        with transaction.atomic():
            TOTPDevice.objects.filter(user=operator).delete()
            Attempt.objects.filter(subject=subject_of(username)).delete()
            device = TOTPDevice.objects.create(user=operator, name="authenticator", confirmed=True)
            deed = audit.Deed("operator.set_authenticator", "operator", operator.pk)
            audit.record(deed, actor=Actor.system("set_authenticator"), now=now())
        self.stdout.write(device.config_url)
