"""Compare card and book of every account. Cron runs it nightly; a person may run it at any time."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.actors import Actor
from accounts.services.onerun import AlreadyRunning
from accounts.services.runs import recorded
from accounts.wiring import now, policy
from reconciliation.services.reconcile import (
    ClockWrong,
    Outcome,
    RunOrder,
    reconcile,
    refuse_wrong_clock,
)
from terminals.services import holes
from terminals.services.uploads import reconsider, resume
from transactions.services.holds import release_due


class Command(BaseCommand):
    help = "Compare every card with its book, freeze and open cases by the rules. Safe to repeat and to kill."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options that interfaces.md fixes."""
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run once. Raises ``CommandError`` when another run is under way or the clocks are apart."""
        try:
            outcome = _compare_only() if options["dry_run"] else _night()
        except (AlreadyRunning, ClockWrong) as refusal:
            raise CommandError(str(refusal)) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(outcome.to_json()))
        else:
            self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        self.stdout.write(f"compared {outcome.compared}")
        for reason, count in sorted(outcome.frozen.items()):
            self.stdout.write(f"frozen {reason.value} {count}")
        self.stdout.write(f"levelled {outcome.levelled}")
        for title, counts in (("opened", outcome.opened), ("closed", outcome.closed)):
            for mismatch, count in sorted(counts.items()):
                self.stdout.write(f"{title} {mismatch.value} {count}")
        if outcome.postponed:
            self.stdout.write(f"postponed {outcome.postponed}")


def _compare_only() -> Outcome:
    refuse_wrong_clock(datetime.now(UTC))
    return reconcile(RunOrder(now=now(), policy=policy(), dry_run=True))


def _night() -> Outcome:
    """First what lies there undecided, the alarms and held money that is due, then the comparison, with less to do."""
    with recorded("reconcile", clock=now, refusals=(AlreadyRunning, ClockWrong)) as run:
        refuse_wrong_clock(datetime.now(UTC))
        resume(policy=policy(), now=now())
        reconsider(policy=policy(), now=now())
        holes.alarm(now=now())
        release_due(actor=Actor.system("reconcile"), policy=policy(), now=now())
        outcome = reconcile(RunOrder(now=now(), policy=policy()))
        run.counts = {
            "compared": outcome.compared,
            "frozen": outcome.frozen.total(),
            "levelled": outcome.levelled,
            "opened": outcome.opened.total(),
            "closed": outcome.closed.total(),
            "postponed": outcome.postponed,
        }
    return outcome
