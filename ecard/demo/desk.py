"""What clerks do at the desk, for demo and simulation: two supervisors who decide, and the real agent at a reader."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from accounts.actors import Actor
from accounts.models import Operator
from accounts.services.operators import Hand
from purse.policy import Policy
from reconciliation.models import Case, DecisionAction
from reconciliation.models_desk import Needs
from reconciliation.services.decisions import Wish, approve, decide, preview
from reconciliation.services.remedies import Refused
from terminals.device import config as configuration
from terminals.device.client import enrol
from terminals.device.clock import Clock
from terminals.device.desk import DeskParts, DeskStation
from terminals.device.reader.sim import SimReader
from terminals.device.store import Store
from terminals.models import JobKind, JobState
from terminals.services import jobs

JOB_S = 15.0
ACTOR = Actor.system("desk")
REASONS = {
    DecisionAction.REFUND: "按流水退还重复扣除的金额",
    DecisionAction.UNFREEZE: "卡库相符，解冻",
}


@dataclass(frozen=True, slots=True)
class Hands:
    """Two supervisors, by operator id. Their one-time codes are always fresh."""

    first: int
    second: int

    @classmethod
    def of(cls, first: str, second: str) -> Hands:
        """The operators of these names."""
        ids = dict(Operator.objects.filter(username__in=(first, second)).values_list("username", "id"))
        return cls(ids[first], ids[second])

    def swapped(self) -> Hands:
        """The other one decides, the first one approves."""
        return Hands(self.second, self.first)

    def at(self, now: datetime) -> tuple[Hand, Hand]:
        """Both, with the codes that they type now."""
        return Hand(self.first, "desk", now), Hand(self.second, "desk", now)


def settle(
    case_id: int,
    action: DecisionAction,
    *,
    key: uuid.UUID,
    hands: Hands,
    now: datetime,
    desk_id: int | None = None,
) -> str:
    """Look, decide, send the form twice, let the other one approve where it takes two.

    Returns ``done``, ``approved`` (done by two) or why it was refused.
    """
    policy, (mine, other) = Policy(), hands.at(now)
    try:
        shown = preview(case_id, action, hand=mine, now=now, policy=policy)
        wish = Wish(key, case_id, action, shown.plan.digest, REASONS[action], desk_id=desk_id)
        decision = decide(wish, hand=mine, now=now, policy=policy)
        decide(wish, hand=mine, now=now, policy=policy)
        if decision.needs == Needs.ALONE:
            return "done"
        approve(decision.pk, shown.plan.digest, hand=other, now=now, policy=policy, desk_id=desk_id)
    except Refused as refused:
        return f"refused_{refused.obstacle.value}"
    except Case.DoesNotExist:
        return "gone"
    return "approved"


class AgentDesk:
    """The desk's program beside its reader, with a hand that puts cards there."""

    def __init__(self, code: str, *, folder: Path, cards: Path, url: str, clock: Clock | None = None) -> None:
        path = folder / "desk.json"
        configuration.save(path, enrol(url, code))
        config = configuration.load(path)
        journal = configuration.journal_path(path, config)
        parts = DeskParts.assemble(config, url, lambda: Store(journal), clock)
        self.id = config.terminal
        self._reader = SimReader(cards)
        self._station = DeskStation(config, parts, self._reader)

    def start(self) -> None:
        """Begin to take jobs."""
        self._station.start()

    def stop(self) -> None:
        """End."""
        self._station.stop()

    def place(self, card: str) -> None:
        """Put a card on the reader."""
        self._reader.place(card)

    def lift(self) -> None:
        """Take it away."""
        self._reader.lift()

    def read(self, account_id: int, *, key: uuid.UUID, now: Callable[[], datetime]) -> bool:
        """Have the agent read the card that lies there, and write what it lacks. False when it did not come to that."""
        order = jobs.JobOrder(key, JobKind.READ, self.id, account_id, params={"heal": True})
        jobs.order_job(order, actor=ACTOR, now=now())
        deadline = time.monotonic() + JOB_S
        while time.monotonic() < deadline:
            state = jobs.job_state(key, now=now())
            if state.over:
                return state.state is JobState.DONE
            time.sleep(0.05)
        jobs.give_up_job(key, actor=ACTOR, now=now())
        return False
