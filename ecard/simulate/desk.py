"""The desk after the run: two supervisors work through the same queue at once and give back what was deducted twice.

Whoever is second finds the case decided; above the bound the one's proposal waits for the other. Unfreezing takes the
card on a reader: ``reader_desk``.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from accounts.actors import Actor
from accounts.models import OperatorRole
from accounts.services.operators import NewOperator, make_operator
from ecard.simulate.plan import Plan
from purse.policy import Policy
from reconciliation import selectors
from reconciliation.models import Case, DecisionAction, Mismatch
from reconciliation.models_desk import Needs
from reconciliation.services.decisions import Hand, Wish, approve, decide, preview
from reconciliation.services.remedies import Refused

PASSWORD = "simulated campus desk"
REASON = "按流水退还重复扣除的金额"


@dataclass(frozen=True, slots=True)
class Hands:
    """The two supervisors of the desk. Their one-time codes are always fresh."""

    first: int
    second: int

    @classmethod
    def hire(cls, now: datetime) -> Hands:
        """Make both operators."""
        first, second = (
            make_operator(
                NewOperator(f"desk-{number}", OperatorRole.SUPERVISOR, name=f"主管{number}"),
                PASSWORD,
                actor=Actor.system("simulate_campus"),
                now=now,
            )
            for number in (1, 2)
        )
        return cls(first, second)

    def at(self, now: datetime) -> tuple[Hand, Hand]:
        """Both, with the codes that they type now."""
        return Hand(self.first, "desk", now), Hand(self.second, "desk", now)


def refund_all(plan: Plan, both: Hands, *, now: datetime) -> Counter[str]:
    """Refund every late item; returns what happened: ``refunded``, ``approved`` and why the others were refused."""
    cases = [row.id for row in selectors.open_cases(mismatch=Mismatch.DOUBLE)]
    hands = both.at(now)
    told: Counter[str] = Counter()
    lock = threading.Lock()

    def walk(number: int) -> None:
        chance = plan.chance("desk", number)
        queue = list(cases) if number == 0 else list(reversed(cases))
        try:
            for case_id in queue:
                key = uuid.UUID(int=chance.getrandbits(128), version=4)
                outcome = _refund(case_id, key, mine=hands[number], other=hands[1 - number], now=now)
                with lock:
                    told.update(outcome)
        finally:
            connection.close()

    threads = [threading.Thread(target=walk, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def _refund(case_id: int, key: uuid.UUID, *, mine: Hand, other: Hand, now: datetime) -> list[str]:
    policy, action = Policy(), DecisionAction.REFUND
    try:
        shown = preview(case_id, action, hand=mine, now=now, policy=policy)
        wish = Wish(key, case_id, action, shown.plan.digest, REASON)
        decision = decide(wish, hand=mine, now=now, policy=policy)
        decide(wish, hand=mine, now=now, policy=policy)  # the form is sent twice
        if decision.needs == Needs.ALONE:
            return ["refunded"]
        approve(decision.pk, shown.plan.digest, hand=other, now=now, policy=policy)
    except Refused as refused:
        return [f"refused_{refused.obstacle.value}"]
    except Case.DoesNotExist:
        return ["gone"]
    return ["refunded", "approved"]
