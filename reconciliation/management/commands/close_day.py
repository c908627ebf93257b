"""Close the ledger days that are over. Cron runs it nightly; a person may run it at any time."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import AuditSeal
from accounts.services.onerun import AlreadyRunning
from accounts.services.runs import recorded
from accounts.wiring import now
from reconciliation.services.close_day import NotOver, close_days
from reconciliation.services.reconcile import ClockWrong, refuse_wrong_clock
from reconciliation.services.seal_audit import seal_audit
from reconciliation.wiring import audit_key, day_keys


class Command(BaseCommand):
    help = (
        "Close every finished ledger day (partitions ahead, no entry any more, a digest) and seal the audit. "
        "Safe to repeat and to kill."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options that interfaces.md fixes."""
        parser.add_argument(
            "--date", type=date.fromisoformat, help="the last day to close, default yesterday"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run once. Raises ``CommandError`` when another run is under way or the day is not over."""
        try:
            with recorded("close_day", clock=now, refusals=(AlreadyRunning, ClockWrong, NotOver)) as run:
                refuse_wrong_clock(datetime.now(UTC))
                closed = close_days(keys=day_keys(), until=options["date"])
                sealed = seal_audit(key=audit_key())
                events = sealed.events if sealed else 0
                run.counts = {
                    "days": len(closed.days),
                    "months_added": closed.months_added,
                    "audit_events": events,
                }
        except (AlreadyRunning, ClockWrong, NotOver) as refusal:
            raise CommandError(str(refusal)) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(closed.to_json() | {"audit": _told(sealed)}))
            return
        for day in closed.days:
            self.stdout.write(f"closed {day.day} {day.entries} {day.hexdigest}")
        if closed.months_added:
            self.stdout.write(f"months added {closed.months_added}")
        if sealed is not None:
            self.stdout.write(f"audit sealed {sealed.events} up to {sealed.last_id} {sealed.digest.hex()}")
        self.stdout.write(f"total {len(closed.days)}")


def _told(sealed: AuditSeal | None) -> dict[str, Any] | None:
    """The new head of the audit's chain; to be kept off the machine, like the digests of the days."""
    if sealed is None:
        return None
    return {"events": sealed.events, "last_id": sealed.last_id, "digest": sealed.digest.hex()}
