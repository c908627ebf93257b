"""The nightly comparison: level what is due (L109), freeze by the rules (L95), open, renew and close cases.

Safe to repeat and to kill: every account is a unit of work of its own, so whatever a killed run had done is whole, and
the next run does the rest. An account is locked only while its money or its standing changes: no till waits for a run.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction

from accounts.actors import Actor
from accounts.services import standing
from accounts.services.onerun import alone
from accounts.services.rows import By, lock
from purse.policy import Policy
from purse.rules import FreezeReason
from reconciliation import comparison
from reconciliation.gaps import Gap
from reconciliation.mismatch import CLOCK_LIMIT, GRACE, Compared, diagnose, freeze_reasons
from reconciliation.models import Case, CaseState, Mismatch, ReconcileRun
from reconciliation.services import cases, levelling

ACTOR = Actor.system("reconcile")
BATCH = 1000
"""Accounts read at once: little memory, and facts a moment old."""
BUSY = frozenset({"55P03", "40P01"})
"""Lock timeout and deadlock: somebody works on this account now; the next run comes back to it."""
_RULE_REASONS = (FreezeReason.BOOK_NEGATIVE, FreezeReason.CARD_ABOVE_BOOK, FreezeReason.LATE_UPLOAD)


class ClockWrong(Exception):
    """The clocks of application and database are apart, so ages of differences cannot be trusted."""


@dataclass(frozen=True, slots=True)
class RunOrder:
    """How to run. ``now`` is the business clock, ``grace`` the age at which an unwritten card becomes a case."""

    now: datetime
    policy: Policy = field(default_factory=Policy)
    grace: timedelta = GRACE
    dry_run: bool = False


@dataclass(slots=True)
class Outcome:
    """What a run did, or in a dry run would do. ``postponed``: accounts that somebody else held."""

    compared: int = 0
    frozen: Counter[FreezeReason] = field(default_factory=Counter)
    levelled: int = 0
    opened: Counter[Mismatch] = field(default_factory=Counter)
    closed: Counter[Mismatch] = field(default_factory=Counter)
    postponed: int = 0

    def to_json(self) -> dict[str, Any]:
        """The shape that interfaces.md fixes."""
        return {
            "compared": self.compared,
            "frozen": {reason.value: self.frozen[reason] for reason in _RULE_REASONS},
            "levelled": self.levelled,
            "cases_opened": {
                mismatch.value: self.opened[mismatch] for mismatch in Mismatch if mismatch != Mismatch.DISPUTE
            },
        }


def reconcile(order: RunOrder) -> Outcome:
    """Compare every live card with its book and act on what differs. Not to be called inside a transaction.

    A dry run writes nothing and needs no lock. Raises ``AlreadyRunning``.
    """
    if order.dry_run:
        return _compare(order)
    with alone("reconcile"):
        began_s = time.monotonic()
        run = ReconcileRun.objects.create(started_at=order.now)
        outcome = _compare(order)
        run.finished_at = order.now + timedelta(seconds=time.monotonic() - began_s)
        run.compared = outcome.compared
        run.result = outcome.to_json() | {"postponed": outcome.postponed}
        run.save(update_fields=["finished_at", "compared", "result"])
        return outcome


def refuse_wrong_clock(wall_at: datetime) -> None:
    """Raise ``ClockWrong`` when the database's clock and the application's real one are more than 2 s apart (C9)."""
    apart = _database_time() - wall_at
    if abs(apart) > CLOCK_LIMIT:
        raise ClockWrong(f"the database's clock is {apart.total_seconds():+.1f} s from the application's")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one account needs. False when it needs nothing."""

    freeze: tuple[FreezeReason, ...]
    changes: tuple[cases.Change, ...]
    level: Gap | None = None

    def __bool__(self) -> bool:
        return bool(self.freeze or self.changes or self.level)


def _compare(order: RunOrder) -> Outcome:
    screened = comparison.screen()
    outcome = Outcome(compared=screened.compared)
    for start in range(0, len(screened.account_ids), BATCH):
        for found, plan in _plans(screened.account_ids[start : start + BATCH], order):
            done = plan if order.dry_run else _carry_out(found, plan, order)
            _count(outcome, done)
    return outcome


def _plans(account_ids: Sequence[int], order: RunOrder) -> Iterator[tuple[Compared, _Plan]]:
    """What the accounts of one batch need; those that need nothing are left out."""
    open_cases: dict[int, list[Case]] = {}
    for case in Case.objects.filter(account_id__in=account_ids, state=CaseState.OPEN):
        open_cases.setdefault(case.account_id, []).append(case)
    compared = comparison.read(account_ids)
    due = levelling.due(compared, now=order.now, policy=order.policy)
    for found in compared:
        plan = _Plan(
            level=due.get(found.account_id),
            freeze=freeze_reasons(found, policy=order.policy, now=order.now),
            changes=cases.changes(
                diagnose(found, now=order.now, grace=order.grace), open_cases.get(found.account_id, ())
            ),
        )
        if plan:
            yield found, plan


def _carry_out(found: Compared, plan: _Plan, order: RunOrder) -> _Plan | None:
    """Do what one account needs, all of it or nothing. None: somebody else held the account."""
    try:
        with transaction.atomic(durable=True):
            before = found.frozen_reasons
            levelled = _level(found, order) if plan.level else None
            if plan.freeze or plan.level:
                lock(found.account_id)
                found, plan = next(_plans([found.account_id], order), (found, _Plan((), ())))
            for change in plan.changes:
                cases.apply(change, found, actor=ACTOR, now=order.now)
            if plan.freeze:
                standing.freeze(found.account_id, plan.freeze, by=By(ACTOR, order.now, _arithmetic(found)))
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) not in BUSY:
            raise
        return None
    if levelled is None:
        return plan
    # A book that the levelling took below zero was frozen with it.
    by_level = tuple(FreezeReason(reason) for reason in found.frozen_reasons - before)
    return replace(plan, level=levelled, freeze=(*by_level, *plan.freeze))


def _level(found: Compared, order: RunOrder) -> Gap | None:
    """Level what is still due under the account's lock; the contacts of the terminals are read once more, too."""
    lock(found.account_id)
    gap = levelling.due(comparison.read([found.account_id]), now=order.now, policy=order.policy).get(
        found.account_id
    )
    if gap is not None:
        levelling.carry_out(gap, actor=ACTOR, now=order.now, policy=order.policy)
    return gap


def _arithmetic(found: Compared) -> str:
    return f"book {found.book_fen}" + (f" card {found.card.card_fen}" if found.card else "")


def _count(outcome: Outcome, done: _Plan | None) -> None:
    if done is None:
        outcome.postponed += 1
        return
    outcome.frozen.update(done.freeze)
    outcome.levelled += done.level is not None
    for change in done.changes:
        if change.case is None and change.diagnosis is not None:
            outcome.opened[change.diagnosis.mismatch] += 1
        elif change.case is not None and change.diagnosis is None:
            outcome.closed[Mismatch(change.case.mismatch)] += 1


def _database_time() -> datetime:
    moment: datetime = _ask("SELECT clock_timestamp()")
    return moment


def _ask(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]
