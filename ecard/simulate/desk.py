"""The desk after the run: two supervisors work through the same queue at once and give back what was deducted twice.

Whoever is second finds the case decided; above the bound the one's proposal waits for the other. Then holders bring
their frozen cards to the reader of a real agent, are unfrozen, and pay again.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from datetime import datetime

from django.db import connection

from accounts.actors import Actor
from accounts.models import Account, Campus, Card, OperatorRole
from accounts.services.operators import NewOperator, make_operator
from ecard.demo.desk import AgentDesk, Hands, settle
from ecard.simulate.campus import ACTOR
from ecard.simulate.crowd import Crowd, Plastic
from ecard.simulate.plan import Plan
from ecard.simulate.stall import Stall
from ecard.simulate.world import World
from reconciliation import selectors
from reconciliation.models import DecisionAction, Mismatch
from terminals.device.clock import Clock
from terminals.device.tapped import Ending
from terminals.models import TerminalKind
from terminals.services import enrolment
from terminals.services.enrolment import NewTerminal

PASSWORD = "simulated campus desk"
MOST = 12
"""So many holders come to the desk; each has to put his card on the reader."""
PRICE_FEN = 1_00
"""What each pays afterwards, to see that his card works again."""


def hire(now: datetime) -> Hands:
    """Make two supervisors."""
    names = ("desk-1", "desk-2")
    for name in names:
        wanted = NewOperator(name, OperatorRole.SUPERVISOR, name="主管")
        make_operator(wanted, PASSWORD, actor=Actor.system("simulate_campus"), now=now)
    return Hands.of(*names)


def refund_all(plan: Plan, hands: Hands, *, now: datetime) -> Counter[str]:
    """Refund every late item; returns what happened: ``refunded``, ``approved`` and why the others were refused."""
    cases = [row.id for row in selectors.open_cases(mismatch=Mismatch.DOUBLE)]
    told: Counter[str] = Counter()
    lock = threading.Lock()

    def walk(both: Hands, queue: list[int], who: int) -> None:
        chance = plan.chance("desk", who)
        try:
            for case_id in queue:
                key = uuid.UUID(int=chance.getrandbits(128), version=4)
                outcome = settle(case_id, DecisionAction.REFUND, key=key, hands=both, now=now)
                with lock:
                    told[outcome] += 1
                    told["refunded"] += outcome in ("done", "approved")
        finally:
            connection.close()

    threads = [
        threading.Thread(target=walk, args=(hands, cases, 1)),
        threading.Thread(target=walk, args=(hands.swapped(), cases[::-1], 2)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    del told["done"]
    return told


class UnfreezingDesk:
    """The one desk of the simulated campus with a reader."""

    def __init__(self, plan: Plan, world: World, crowd: Crowd, hands: Hands, url: str) -> None:
        campus = Campus.objects.order_by("id")[0]
        wanted = NewTerminal(
            name_zh="模拟柜台", kind=TerminalKind.DESK, campus_id=campus.pk, place="卡务中心"
        )
        code = enrolment.register(wanted, actor=ACTOR, now=world.now()).code
        clock = Clock(wall_ms=world.now_ms, mono=world.mono)
        folder = plan.folder / "desk"
        self._agent = AgentDesk(code, folder=folder, cards=crowd.folder, url=url, clock=clock)
        self._world = world
        self._crowd = crowd
        self._hands = hands
        self._chance = plan.chance("reader desk")

    def work(self, till: Stall) -> Counter[str]:
        """Unfreeze cards, one after the other, and let each pay; returns what happened."""
        told: Counter[str] = Counter()
        self._agent.start()
        try:
            for plastic in self._frozen()[:MOST]:
                told[self._reopen(plastic, till)] += 1
        finally:
            self._agent.stop()
        return told

    def _frozen(self) -> list[Plastic]:
        """The cards whose account is frozen, in good standing otherwise, and which nobody tampered with."""
        lost = set(Card.objects.filter(lost=True).values_list("account__number", flat=True))
        tampered = {plastic.account for plastic in self._crowd.all if plastic.tampered}
        stopped = set(Account.objects.exclude(frozen_reasons=[]).values_list("number", flat=True))
        return [plastic for plastic in self._crowd.all if plastic.account in stopped - lost - tampered]

    def _reopen(self, plastic: Plastic, till: Stall) -> str:
        account = Account.objects.get(number=plastic.account)
        cases = selectors.cases_of(account.pk)
        if not cases:
            return "no_case"
        self._agent.place(plastic.name)
        try:
            if not self._agent.read(account.pk, key=self._key(), now=self._world.now):
                return "not_read"
            outcome = settle(
                cases[0].id,
                DecisionAction.UNFREEZE,
                key=self._key(),
                hands=self._hands,
                now=self._world.now(),
                desk_id=self._agent.id,
            )
        finally:
            self._agent.lift()
        if outcome not in ("done", "approved"):
            return outcome
        tapped = till.sell(plastic, PRICE_FEN)
        return (
            "unfrozen" if tapped.ending is Ending.PAID else f"unfrozen_but_{tapped.refusal or tapped.ending}"
        )

    def _key(self) -> uuid.UUID:
        return uuid.UUID(int=self._chance.getrandbits(128), version=4)
