"""A desk with a reader: the real agent over the real API. Frozen cards are read there, unfrozen, and pay again."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from pathlib import Path

from accounts.models import Account, Campus, Card
from ecard.simulate.campus import ACTOR
from ecard.simulate.crowd import Plastic
from ecard.simulate.desk import Hands
from ecard.simulate.plan import Plan
from ecard.simulate.stall import Stall
from ecard.simulate.world import World
from purse.policy import Policy
from reconciliation import selectors
from reconciliation.models import DecisionAction
from reconciliation.models_desk import Needs
from reconciliation.services.decisions import Wish, approve, decide, preview
from reconciliation.services.remedies import Refused
from terminals.device import config as configuration
from terminals.device.client import enrol
from terminals.device.clock import Clock
from terminals.device.desk import DeskParts, DeskStation
from terminals.device.reader.sim import SimReader
from terminals.device.store import Store
from terminals.device.tapped import Ending
from terminals.models import JobKind, JobState, TerminalKind
from terminals.services import enrolment, jobs
from terminals.services.enrolment import NewTerminal

JOB_S = 10.0
MOST = 12
"""So many holders come to the desk; each has to put his card on the reader."""
REASON = "卡库相符，解冻"
PRICE_FEN = 1_00
"""What each pays afterwards, to see that his card works again."""


class ReaderDesk:
    """One desk of the simulated campus."""

    def __init__(self, plan: Plan, world: World, cards: Path, url: str) -> None:
        campus = Campus.objects.order_by("id")[0]
        wanted = NewTerminal(
            name_zh="模拟柜台", kind=TerminalKind.DESK, campus_id=campus.pk, place="卡务中心"
        )
        code = enrolment.register(wanted, actor=ACTOR, now=world.now()).code
        path = plan.folder / "desk" / "desk.json"
        configuration.save(path, enrol(url, code))
        config = configuration.load(path)
        journal = configuration.journal_path(path, config)
        clock = Clock(wall_ms=world.now_ms, mono=world.mono)
        parts = DeskParts.assemble(config, url, lambda: Store(journal), clock)
        self.id = config.terminal
        self._world = world
        self._chance = plan.chance("reader desk")
        self._reader = SimReader(cards)
        self._station = DeskStation(config, parts, self._reader)

    def reopen(self, plastics: list[Plastic], hands: Hands, till: Stall) -> Counter[str]:
        """Unfreeze the cards of these holders, one after the other, and let each pay; returns what happened."""
        told: Counter[str] = Counter()
        self._station.start()
        try:
            for plastic in plastics[:MOST]:
                told[self._reopen(plastic, hands, till)] += 1
        finally:
            self._station.stop()
        return told

    def _reopen(self, plastic: Plastic, hands: Hands, till: Stall) -> str:
        account = Account.objects.get(number=plastic.account)
        cases = selectors.cases_of(account.pk)
        if not cases:
            return "no_case"
        self._reader.place(plastic.name)
        try:
            if not self._read(account.pk):
                return "not_read"
            refused = self._unfreeze(cases[0].id, hands)
        finally:
            self._reader.lift()
        if refused:
            return refused
        tapped = till.sell(plastic, PRICE_FEN)
        return (
            "unfrozen" if tapped.ending is Ending.PAID else f"unfrozen_but_{tapped.refusal or tapped.ending}"
        )

    def _read(self, account_id: int) -> bool:
        """Let the agent read the card that lies there, and write what it lacks."""
        key = self._key()
        order = jobs.JobOrder(key, JobKind.READ, self.id, account_id, params={"heal": True})
        jobs.order_job(order, actor=ACTOR, now=self._world.now())
        deadline = time.monotonic() + JOB_S
        while time.monotonic() < deadline:
            state = jobs.job_state(key, now=self._world.now())
            if state.over:
                return state.state is JobState.DONE
            time.sleep(0.05)
        jobs.give_up_job(key, actor=ACTOR, now=self._world.now())
        return False

    def _unfreeze(self, case_id: int, hands: Hands) -> str:
        """Why it is not done, or nothing."""
        now, policy = self._world.now(), Policy()
        mine, other = hands.at(now)
        try:
            shown = preview(case_id, DecisionAction.UNFREEZE, hand=mine, now=now, policy=policy)
            wish = Wish(
                self._key(), case_id, DecisionAction.UNFREEZE, shown.plan.digest, REASON, desk_id=self.id
            )
            decision = decide(wish, hand=mine, now=now, policy=policy)
            if decision.needs != Needs.ALONE:
                approve(decision.pk, shown.plan.digest, hand=other, now=now, policy=policy, desk_id=self.id)
        except Refused as refused:
            return f"refused_{refused.obstacle.value}"
        return ""

    def _key(self) -> uuid.UUID:
        return uuid.UUID(int=self._chance.getrandbits(128), version=4)


def frozen(plastics: tuple[Plastic, ...]) -> list[Plastic]:
    """The cards whose account is frozen, in good standing otherwise, and which nobody tampered with."""
    lost = set(Card.objects.filter(lost=True).values_list("account__number", flat=True))
    tampered = {plastic.account for plastic in plastics if plastic.tampered}
    stopped = set(Account.objects.exclude(frozen_reasons=[]).values_list("number", flat=True))
    wanted = stopped - lost - tampered
    return [plastic for plastic in plastics if plastic.account in wanted]
