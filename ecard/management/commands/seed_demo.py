"""`seed_demo`: fill an empty database with the demo campus, and a folder with its cards."""

from __future__ import annotations

import uuid
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts import wiring
from accounts.actors import Actor
from accounts.models import Account
from accounts.services import standing
from ecard.demo import wallet
from ecard.demo.seed import seed
from purse.keys import KeyBundle
from reconciliation.services.reconcile import RunOrder, reconcile
from transactions.days import local_day

SIZES = {"small": 200}


class Command(BaseCommand):
    """Deterministic: the same ``--seed`` on the same day makes the same campus."""

    help = "Fill an empty database with the demo campus; --wallet writes its cards for simulated readers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--size", choices=sorted(SIZES), default="small")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--wallet", type=Path, help="folder for the card files")

    def handle(self, *args: Any, size: str, seed: int, wallet: Path | None, **options: Any) -> None:
        """Refuses on a database that is in use: nothing may be invented beside real accounts."""
        if not settings.DEMO:
            raise CommandError("只在演示环境中可用 (ECARD_DEMO=1)")
        if Account.objects.exists():
            raise CommandError("数据库中已有账户，未作任何改动")
        self._seed(size, seed, wallet)

    def _seed(self, size: str, number: int, folder: Path | None) -> None:
        now = wiring.now()
        made = seed(SIZES[size], number=number, now=now, secrets=wiring.secrets(), say=self._say)
        for resident in made.residents:
            if resident.lost:
                account = Account.objects.get(number=resident.person.account_no)
                key = uuid.uuid5(uuid.NAMESPACE_OID, f"demo-loss-{account.number}")
                standing.report_lost(account.pk, key=key, actor=Actor.system("seed_demo"), now=now)
        found = reconcile(RunOrder(now=now))
        self._say(f"对账：{found.to_json()}")
        if folder is not None:
            version, master = next(iter(settings.CARD_MASTER.items()))
            keys = KeyBundle.from_master(version, master)
            count = wallet.fill(folder, made.residents, keys=keys, today=local_day(now))
            wallet.blanks(folder, 3)
            self._say(f"{count} 张卡")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
