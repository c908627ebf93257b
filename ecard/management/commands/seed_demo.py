"""`seed_demo`: fill an empty database with the demo campus, and a folder with its cards."""

from __future__ import annotations

import shutil
import uuid
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from accounts import wiring
from accounts.actors import Actor
from accounts.models import Account
from accounts.services import standing
from ecard.demo import wallet
from ecard.demo.crowd import add_crowd
from ecard.demo.drift import BEFORE, DRIFTERS, Week
from ecard.demo.office import furnish
from ecard.demo.seed import Seeded, seed
from purse.keys import KeyBundle
from reconciliation.services.reconcile import RunOrder, reconcile
from transactions.days import local_day

SIZES = {"small": 0, "ouc": 30_400}
"""How many people live beside the 200 of the small campus, who are part of every size."""
SMALL = 200


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
        with TemporaryDirectory(prefix="ecard-demo-") as scratch:
            self._fill(size, number, folder or Path(scratch) / "wallet")

    def _fill(self, size: str, number: int, folder: Path) -> None:
        """Cards are written beside the wallet first: a wallet that is there is whole."""
        now, draft = wiring.now(), folder.with_name(f"{folder.name}.part")
        shutil.rmtree(draft, ignore_errors=True)
        version, master = next(iter(settings.CARD_MASTER.items()))
        keys = KeyBundle.from_master(version, master)

        def drift(early: Seeded) -> None:
            wallet.fill(draft, early.residents, keys=keys, today=local_day(now - BEFORE))
            Week(early.tills, draft, folder.with_name("tills"), keys, now).play()

        made = seed(SMALL, number=number, now=now, secrets=wiring.secrets(), say=self._say, drift=drift)
        for resident in made.residents:
            if resident.lost:
                account = Account.objects.get(number=resident.person.account_no)
                key = uuid.uuid5(uuid.NAMESPACE_OID, f"demo-loss-{account.number}")
                standing.report_lost(account.pk, key=key, actor=Actor.system("seed_demo"), now=now)
        found = reconcile(RunOrder(now=now))
        self._say(f"对账：{found.to_json()}")
        furnish(number=number, now=now)
        rest = [resident for resident in made.residents if resident.person.account_no not in DRIFTERS]
        wallet.fill(draft, rest, keys=keys, today=local_day(now))
        wallet.blanks(draft, 3)
        _put(draft, folder)
        self._say(f"{len(made.residents)} 张卡")
        call_command("load_articles", stdout=self.stdout)
        if SIZES[size]:
            add_crowd(SIZES[size], number=number, now=now, secrets=wiring.secrets(), say=self._say)

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _put(draft: Path, folder: Path) -> None:
    """Make the finished wallet the wallet; cards of the same name in an older one are replaced."""
    if not folder.is_dir():
        draft.rename(folder)
        return
    for path in draft.iterdir():
        path.replace(folder / path.name)
    draft.rmdir()
