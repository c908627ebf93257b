"""The director: two days of one campus, six days apart, from the first tap to the last invariant."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from accounts.models import Account
from ecard.simulate import campus
from ecard.simulate.audit import Audit, compare
from ecard.simulate.crowd import Crowd
from ecard.simulate.desk import UnfreezingDesk, hire, refund_all
from ecard.simulate.incidents import Incident, Incidents, keep_hotlist
from ecard.simulate.notes import Item, Notes
from ecard.simulate.plan import FIRST_DAY, Plan
from ecard.simulate.stall import Stall, lanes
from ecard.simulate.world import Server, World
from purse.policy import Policy
from purse.procedures import CardDamaged
from reconciliation import comparison, selectors
from reconciliation.services.reconcile import Outcome, RunOrder, reconcile
from reconciliation.services.verify import Verdict, verify
from terminals.device.tapped import Ending

SILENCE = timedelta(days=6)
NIGHT = timedelta(hours=12)
"""Of these six days, what passes before the first comparison."""
LOOK_S = 0.2
SAMPLES = 90
"""How many points the drawing of the open items has."""
DRAIN_ROUNDS = 40
GRACE = timedelta(minutes=15)

Say = Callable[[str], None]


@dataclass
class Played:
    """A run that came to its end."""

    plan: Plan
    notes: Notes
    audit: Audit
    verdict: Verdict
    reconciled: list[Outcome]
    desk: Counter[str] = field(default_factory=Counter)
    frozen: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)
    undrained: list[str] = field(default_factory=list)
    selling_s: float = 0.0
    broken_off: bool = False

    @property
    def ok(self) -> bool:
        """Whether every promise held."""
        return self.verdict.ok and not self.audit.broken and not self.undrained


class Run:
    """One simulation. ``say`` hears the progress, a line each time."""

    def __init__(self, plan: Plan, *, now: datetime, say: Say) -> None:
        self.plan = plan
        self.notes = Notes()
        self.world = World(now - SILENCE)
        self.server = Server(self.world, plan.folder / "server.log")
        self._say = say
        self._reconciled: list[Outcome] = []
        self._broken_off = False
        self._selling_s = 0.0

    def play(self) -> Played:
        """Play it to the end, however it goes; whatever was started is ended with it."""
        merchants, plastics = campus.populate(self.plan, now=self.world.now())
        self._say(f"{self.plan.cards} cards, {self.plan.tills} tills, seed {self.plan.seed}")
        self.crowd = Crowd(self.plan.folder / "wallet", plastics)
        self.stalls: list[Stall] = []
        self.server.start()
        try:
            configs = campus.set_up_tills(self.plan, merchants, url=self.server.url, now=self.world.now())
            self.stalls = [
                Stall(number, self.plan, self.world, self.crowd, self.notes, config, self.server.url)
                for number, config in enumerate(configs)
            ]
            self.incidents = Incidents(self.plan, self.world, self.crowd, self.notes, self.stalls)
            return self._days()
        finally:
            for stall in self.stalls:
                stall.close()
            self.server.stop()

    # ------------------------------------------------------------------------------------------ the days

    def _days(self) -> Played:
        seconds = self.plan.minutes * 60
        self._shift("day 1", seconds * FIRST_DAY, self.incidents.first_day())
        self._six_days_pass()
        second = self.incidents.second_day()
        if self.plan.faults:
            second.append(Incident(0.6, self._server_dies))
        self._shift("day 7", seconds * (1 - FIRST_DAY), sorted(second, key=lambda incident: incident.at))
        self._evening()
        self._compare("the end")
        desk = self._desk()
        undrained = self._drain()
        shown_fen = self._last_looks()
        self._compare("after the desk")
        self._say("checking every invariant")
        verdict = verify(policy=Policy())
        audit = compare(self.notes, honest=shown_fen, shown_fen=shown_fen)
        return Played(
            plan=self.plan,
            notes=self.notes,
            audit=audit,
            verdict=verdict,
            reconciled=self._reconciled,
            desk=desk,
            frozen=Counter(
                reason
                for reasons in Account.objects.values_list("frozen_reasons", flat=True)
                for reason in reasons
            ),
            cases=Counter({kind.value: count for kind, count in selectors.open_counts().items() if count}),
            undrained=undrained,
            selling_s=self._selling_s,
            broken_off=self._broken_off,
        )

    def _six_days_pass(self) -> None:
        """Nobody sells for six days; then all tills but the silent ones are heard of again, and cron runs."""
        for stall in self.stalls:
            stall.network(up=False)
        self.world.skip(NIGHT)
        self._compare("first night")
        self.world.skip(SILENCE - NIGHT)
        self.server.restart()
        self.notes.marks.append((time.monotonic(), "six_days"))
        for stall in self.stalls:
            if not stall.cut_off_for_good:
                stall.network(up=True)
        self._compare("six days later")

    def _evening(self) -> None:
        """No till waits for a card any longer; every till hands over what it has."""
        for stall in self.stalls:
            stall.network(up=False)
        self.world.skip(GRACE)
        self.server.restart()
        self._drain()

    def _desk(self) -> Counter[str]:
        """What was deducted twice is given back; frozen cards are brought to the desk, and pay again."""
        self.notes.marks.append((time.monotonic(), "desk"))
        hands = hire(self.world.now())
        told = refund_all(self.plan, hands, now=self.world.now())
        desk = UnfreezingDesk(self.plan, self.world, self.crowd, hands, self.server.url)
        told += desk.work(self._sound_till())
        self._say(f"the desk: {dict(told)}")
        return told

    def _sound_till(self) -> Stall:
        return next(stall for stall in self.stalls if stall.number not in self.notes.revoked_at_s)

    def _shift(self, name: str, seconds: float, incidents: list[Incident]) -> None:
        """Let all tills sell for so long. Ctrl-C ends the selling, not the sums."""
        if self._broken_off:
            return
        over = threading.Event()
        threads = lanes(self.stalls, over)
        began_s = time.monotonic()
        try:
            for thread in threads:
                thread.start()
            self._conduct(name, began_s, seconds, incidents)
        except KeyboardInterrupt:
            self._broken_off = True
            self._say("ending early")
        finally:
            over.set()
            for thread in threads:
                thread.join()
            self._selling_s += time.monotonic() - began_s
        for stall in self.stalls:
            stall.obey()

    def _conduct(self, name: str, began_s: float, seconds: float, incidents: list[Incident]) -> None:
        due = list(incidents)
        sample_every_s = max(0.5, self.plan.minutes * 60 / SAMPLES)
        sample_at = hotlist_at = progress_at = 0.0
        while (passed_s := time.monotonic() - began_s) < seconds:
            while due and due[0].at <= passed_s / seconds:
                due.pop(0).act()
            if passed_s >= hotlist_at:
                keep_hotlist(self.world)
                hotlist_at = passed_s + 3
            if passed_s >= sample_at:
                self._sample()
                sample_at = passed_s + sample_every_s
            if passed_s >= progress_at:
                self._progress(name, passed_s, seconds)
                progress_at = passed_s + max(2.0, seconds / 30)
            time.sleep(LOOK_S)

    def _server_dies(self) -> None:
        """Every process of the server is killed in the middle of whatever it does, and started again."""
        self.notes.count("server_killed")
        self.notes.marks.append((time.monotonic(), "server_killed"))
        self.server.restart(kill=True)

    def _compare(self, name: str) -> None:
        self._sample()
        outcome = reconcile(RunOrder(now=self.world.now()))
        self._reconciled.append(outcome)
        self._sample()
        opened = {kind.value: count for kind, count in outcome.opened.items()}
        self._say(f"{name}: compared {outcome.compared}, levelled {outcome.levelled}, cases {opened}")

    def _drain(self) -> list[str]:
        """Let every till hand over what it has; returns those that could not, and what is left there."""
        self._say("draining uploads")
        left = list(self.stalls)
        for stall in left:
            stall.cut_off_for_good = False
        for _ in range(DRAIN_ROUNDS):
            left = [
                stall for stall in left if not stall.drain(shut_out=stall.number in self.notes.revoked_at_s)
            ]
            if not left:
                break
            time.sleep(0.1)
        return [stall.left_over() for stall in left]

    def _last_looks(self) -> dict[int, int]:
        """Every card that was never copied lies on a reader once more; what each holds, by account number."""
        tampered = {plastic.account for plastic in self.crowd.all if plastic.tampered}
        till = self._sound_till()
        shown: dict[int, int] = {}
        for plastic in self.crowd.all:
            if plastic.account in tampered:
                continue
            tapped = till.balance(plastic)
            try:
                if tapped.ending in (Ending.BALANCE, Ending.REFUSED) and tapped.book_fen is not None:
                    shown[plastic.account] = self.crowd.card_fen(plastic, campus.card_keys())
            except CardDamaged:
                self.notes.count("card_damaged")
        return shown

    def _sample(self) -> None:
        """What the open items come to now, as the desk would see it."""
        screened = comparison.screen()
        item = Item(time.monotonic(), 0, 0, 0, 0, 0, sum(selectors.open_counts().values()))
        for found in comparison.read(screened.account_ids):
            items = found.items
            item.torn_fen += items.torn_fen
            item.unwritten_fen += items.unwritten_fen
            item.offline_fen += max(0, items.offline_fen)
            item.excess_fen += max(0, -items.offline_fen)
            item.late_fen += items.late_fen
        self.notes.items.append(item)

    def _progress(self, name: str, passed_s: float, seconds: float) -> None:
        taps, item = len(self.notes.taps), self.notes.items[-1]
        beeps = sum(sale.beeps for sale in list(self.notes.sales.values()))
        self._say(
            f"{name} {passed_s:4.0f}/{seconds:.0f} s  {taps} taps  {beeps} beeps  torn {item.torn_fen / 100:.2f}"
            f"  offline {item.offline_fen / 100:.2f}  late {item.late_fen / 100:.2f}  cases {item.cases}"
            f"  faults {self.notes.faults.total()}"
        )
