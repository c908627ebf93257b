"""Terminals that are silent for as long as a test says, and gaps on real cards."""

from __future__ import annotations

from datetime import datetime, timedelta

from purse.policy import Policy
from reconciliation.services.reconcile import Outcome, RunOrder, reconcile
from terminals.models import Terminal, TerminalContact
from tests.campus import NOON, Counter, make_campus

FIVE_DAYS = timedelta(hours=5 * 24)
SECOND = timedelta(seconds=1)


def till(number: int, *, heard_at: datetime = NOON, offline: bool = True) -> Counter:
    """An enrolled till that may sell offline and spoke last at ``heard_at``."""
    campus, merchant = make_campus()
    Terminal.objects.create(
        id=number,
        name_zh=f"{number}号机",
        kind="till",
        campus=campus,
        merchant=merchant,
        may_sell_offline=offline,
        epoch=1,
        enrolled_at=NOON - timedelta(days=100),
    )
    TerminalContact.objects.create(terminal_id=number, last_contact_at=heard_at)
    return Counter(number)


def speaks(counter: Counter, at: datetime, *, unsent: int | None = None) -> None:
    """A signed contact; with ``unsent`` it is a heartbeat."""
    contact = TerminalContact.objects.filter(terminal_id=counter.till.id)
    contact.update(last_contact_at=at)
    if unsent is not None:
        contact.update(heartbeat_at=at, unsent=unsent)


def nightly(at: datetime, policy: Policy | None = None) -> Outcome:
    """One run of the comparison at a moment of the business clock."""
    return reconcile(RunOrder(now=at, policy=policy or Policy()))


def look(counter: Counter, person: object, at: datetime) -> None:
    """The card is seen at an online till; nothing is sold and nothing written."""
    counter.now = at
    counter.look(person)
