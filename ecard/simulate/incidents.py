"""What happens to people and machines beside the counter: loss reports in flight, clones, dumps, subsidies, thieves.

Each has its share of the day at which it is due; the director lets it happen when its time has come.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from accounts.models import Account
from accounts.services import standing
from ecard.simulate.campus import ACTOR
from ecard.simulate.crowd import Crowd, Plastic
from ecard.simulate.notes import Notes
from ecard.simulate.plan import Plan
from ecard.simulate.stall import Stall
from ecard.simulate.world import World
from purse.policy import Policy
from terminals.services import enrolment, hotlist
from transactions.services.credit import Credit, credit_unclaimed

SUBSIDY_FEN = (20_00, 80_00)
ROOM_FEN = 300_00
"""Nobody is given more than fits on a card."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that happens, at a share (0 … 1) of its day."""

    at: float
    act: Callable[[], None]


@dataclass
class Incidents:
    """Everything that happens beside the tills."""

    plan: Plan
    world: World
    crowd: Crowd
    notes: Notes
    stalls: list[Stall]

    def __post_init__(self) -> None:
        self._chance = self.plan.chance("incidents")
        self._dumps: dict[str, str] = {}

    def first_day(self) -> list[Incident]:
        """What the plan's seed has in store for the first day, in order."""
        return sorted(self._first_day(), key=lambda incident: incident.at)

    def second_day(self) -> list[Incident]:
        """The silent tills come back, the thieves go on."""
        return sorted(self._second_day(), key=lambda incident: incident.at)

    def _first_day(self) -> Iterator[Incident]:
        yield from (Incident(at / 20, self._subsidy) for at in range(20))
        if not self.plan.faults:
            return
        for stall in self.stalls:
            fate = stall.fate
            if fate.silent_from is not None:
                yield Incident(fate.silent_from, partial(self._cut_off, stall, "silent_till"))
            if fate.wiped_at is not None:
                yield Incident(fate.wiped_at - 0.15, partial(self._cut_off, stall, "outage"))
                yield Incident(fate.wiped_at, partial(self._wipe, stall))
            if fate.put_back_at is not None:
                yield Incident(fate.put_back_at / 2, partial(stall.orders.put, stall.keep_disk))
                yield Incident(fate.put_back_at, partial(stall.orders.put, stall.put_disk_back))
            if fate.revoked_at is not None:
                yield Incident(fate.revoked_at - 0.2, partial(self._cut_off, stall, "outage"))
                yield Incident(fate.revoked_at, partial(self._revoke, stall))
        for _ in range(max(1, self.plan.cards // 30)):
            at = self._chance.uniform(0.2, 0.7)
            yield Incident(at, self._clone)
            yield Incident(at - 0.15, self._take_dump)
            yield Incident(at + 0.15, self._restore_dump)
        for _ in range(max(2, self.plan.cards // 20)):
            yield Incident(self._chance.uniform(0.1, 0.9), self._lose)

    def _second_day(self) -> Iterator[Incident]:
        yield from (Incident(at / 20, self._subsidy) for at in range(20))
        if not self.plan.faults:
            return
        for stall in self.stalls:
            if stall.fate.silent_from is not None:
                yield Incident(stall.fate.back_at, partial(self._back, stall))
        for _ in range(max(1, self.plan.cards // 40)):
            yield Incident(self._chance.uniform(0.1, 0.8), self._lose)
            yield Incident(self._chance.uniform(0.1, 0.8), self._restore_dump)

    # ------------------------------------------------------------------------------------------ machines

    def _cut_off(self, stall: Stall, name: str) -> None:
        self.notes.count(name)
        stall.cut_off_for_good = True
        stall.orders.put(lambda: stall.network(up=False))

    def _back(self, stall: Stall) -> None:
        stall.cut_off_for_good = False
        self.notes.marks.append((time.monotonic(), "back"))
        stall.orders.put(lambda: stall.network(up=True))

    def _wipe(self, stall: Stall) -> None:
        stall.cut_off_for_good = False
        stall.plugged = True
        stall.orders.put(stall.wipe)

    def _revoke(self, stall: Stall) -> None:
        """Reported stolen; then the thief plugs it in."""
        self.notes.count("revoked")
        enrolment.revoke(stall.terminal, actor=ACTOR, now=self.world.now(), reason="simulated theft")
        self.notes.revoked_at_s[stall.number] = self.world.mono()
        stall.cut_off_for_good = False
        stall.orders.put(lambda: stall.network(up=True))

    # -------------------------------------------------------------------------------------------- people

    def _subsidy(self) -> None:
        """Money for a tenth of the campus; it waits for the next tap."""
        numbers = {plastic.account for plastic in self._some(max(1, self.plan.cards // 10))}
        for account in Account.objects.filter(number__in=numbers).order_by("number"):
            if account.book_fen + account.unclaimed_fen > Policy().max_book_fen - ROOM_FEN:
                continue
            key = uuid.UUID(int=self._chance.getrandbits(128), version=4)
            fen = self._chance.randrange(*SUBSIDY_FEN)
            credit_unclaimed(Credit(key, account.pk, fen), now=self.world.now())

    def _lose(self) -> None:
        """A card is reported lost, best while it lies on a reader; whoever has it goes on using it."""
        plastic = self.crowd.in_use() or next(iter(self._some(1)))
        account_id = Account.objects.values_list("id", flat=True).get(number=plastic.account)
        key = uuid.UUID(int=self._chance.getrandbits(128), version=4)
        standing.report_lost(account_id, key=key, actor=ACTOR, now=self.world.now())
        self.notes.lost_at_s.setdefault(plastic.account, self.world.mono())
        self.notes.count("loss_in_flight")

    def _clone(self) -> None:
        plastic = self._held_by_nobody()
        if plastic is not None:
            self.crowd.clone(plastic)
            self.crowd.give_back(plastic)
            self.notes.count("clone")

    def _take_dump(self) -> None:
        plastic = self._held_by_nobody()
        if plastic is not None:
            self._dumps[plastic.name] = self.crowd.dump(plastic)
            self.crowd.give_back(plastic)

    def _restore_dump(self) -> None:
        """An old content is put back on one of the cards that were dumped."""
        for plastic in self.crowd.all:
            if plastic.name in self._dumps and self.crowd.take_this(plastic):
                self.crowd.restore(plastic, self._dumps[plastic.name])
                self.crowd.give_back(plastic)
                self.notes.count("dump_restored")
                return

    def _held_by_nobody(self) -> Plastic | None:
        return self.crowd.take(self._chance)

    def _some(self, count: int) -> list[Plastic]:
        return self._chance.sample(self.crowd.all, count)


def keep_hotlist(world: World) -> None:
    """What cron does every minute."""
    hotlist.sync_hotlist(now=world.now())
