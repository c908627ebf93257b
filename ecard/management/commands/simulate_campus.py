"""`simulate_campus`: tills × cards through the real API with every fault, then all the sums."""

from __future__ import annotations

import json
import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import Account
from ecard.demo.stage import NotReady
from ecard.simulate import campus, report
from ecard.simulate.plan import FAIR, FAULTY, Plan
from ecard.simulate.run import Run
from ecard.simulate.summary import lines, summary


class Command(BaseCommand):
    """Makes a database of its own beside the configured one; with ``--here`` it fills the configured, empty one."""

    help = "Simulate a campus through the real HTTP API, with --faults under every fault; ends with verify."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tills", type=int, default=8)
        parser.add_argument("--cards", type=int, help="default: fifteen for each till")
        parser.add_argument("--minutes", type=float, default=2.0)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument(
            "--pace", type=float, default=1.0, help="mean seconds between two customers of a till"
        )
        parser.add_argument("--faults", action="store_true")
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--folder", type=Path, default=settings.BASE_DIR / "var" / "simulate")
        parser.add_argument("--report", type=Path, help="default: FOLDER/seed-N.html")
        parser.add_argument(
            "--here", action="store_true", help="use the configured database, which must be empty"
        )

    def handle(self, *args: Any, tills: int, minutes: float, seed: int, **options: Any) -> None:
        """Status 1 when an invariant or a sum does not hold."""
        if not settings.DEMO:
            raise CommandError("只在演示环境中可用 (ECARD_DEMO=1)")
        if tills < 1 or minutes <= 0 or options["pace"] <= 0:
            raise CommandError("--tills, --minutes and --pace are positive")
        folder = options["folder"] / f"seed-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        plan = Plan(
            tills=tills,
            cards=options["cards"] or tills * 15,
            minutes=minutes,
            seed=seed,
            folder=folder,
            odds=FAULTY if options["faults"] else FAIR,
            pace_s=options["pace"],
        )
        if options["here"]:
            if Account.objects.exists():
                raise CommandError("数据库中已有账户，未作任何改动")
        else:
            campus.use_own_database()
        try:
            played = Run(plan, now=timezone.now(), say=self._say).play()
        except NotReady as problem:
            raise CommandError(str(problem)) from problem
        except KeyboardInterrupt:
            self._say("ended; nothing was compared")
            raise SystemExit(130) from None
        found = summary(played)
        page = options["report"] or folder.with_suffix(".html")
        report.write(page, played, found)
        if options["json"]:
            self.stdout.write(json.dumps(found, ensure_ascii=False, indent=1))
        else:
            self.stdout.write("\n".join([*lines(found), f"report     {page}"]))
        if not played.ok:
            raise SystemExit(1)

    def _say(self, line: str) -> None:
        self.stderr.write(line)
        self.stderr.flush()
