"""What is done each minute so that holders hear of things: look, tell, make letters, send, forget."""

from __future__ import annotations

from accounts.jobs import MINUTE
from accounts.services import alertcontacts, alertpost, alertqueue
from accounts.services.onerun import AlreadyRunning, alone
from accounts.services.runs import recorded
from accounts.wiring import now, secrets
from portal.wiring import carriers
from transactions.services.alerts import tell_of_movements

JOB = "send_alerts"


def run() -> dict[str, int]:
    """One round. Returns what was done, by name. Raises ``AlreadyRunning``.

    Safe to repeat and to kill anywhere: each step is whole or not done, and the next round does the rest.
    """
    with recorded(JOB, clock=now, every=MINUTE, refusals=(AlreadyRunning,)) as run, alone(JOB):
        told = alertqueue.tell_standing(now=now()) + tell_of_movements(now=now())
        letters = alertqueue.pass_on(now=now())
        tally = alertpost.send_due(carriers(), clock=now, secrets=secrets())
        forgotten = alertqueue.forget_sent(now=now()) + alertcontacts.forget(now=now())
        run.counts = {
            "told": told,
            "letters": letters,
            **{state.value: count for state, count in tally.letters.items()},
            "undelivered": alertqueue.undelivered(now=now()),
            "forgotten": forgotten,
        }
        if tally.unreachable:
            run.failed = f"unreachable: {', '.join(tally.unreachable)}"
    return dict(run.counts)
