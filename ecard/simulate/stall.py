"""One till with the operator behind it and the customers before it: the till program's own parts, moved by a thread.

Whatever happens at it comes out of its own random numbers; whoever works at another stall does not disturb them.
"""

from __future__ import annotations

import queue
import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from ecard.simulate.crowd import Crowd, Plastic
from ecard.simulate.notes import Notes, Sale, Seen
from ecard.simulate.plan import FAIR, Fate, Plan
from ecard.simulate.wire import FaultyWire
from ecard.simulate.world import World
from purse.link import SeveralCards
from purse.rules import Refusal
from terminals.device import config as configuration
from terminals.device.client import NoAnswer, Rejected
from terminals.device.clock import Clock
from terminals.device.display import Sound
from terminals.device.reader.sim import SimReader
from terminals.device.reader.tearing import Tear
from terminals.device.station import Parts
from terminals.device.store import Store
from terminals.device.tapped import Ending, Tapped
from terminals.device.till import Ended, Event, Phase, Sounds, Till
from terminals.messages import strictjson
from terminals.messages.records import UploadRequest
from terminals.messages.wire import OperationKey

READING = 9
OPERATIONS = 15
"""A tap has about so many card operations, the first nine of them to read; a card is pulled after any number of them,
mostly when it matters."""
WRONG_CLOCK_S = (-10 * 365 * 86_400, -86_400, -6 * 3_600, -121, 121, 6 * 3_600, 86_400)
WRONG_PIN = "000001"
UPLOAD_AGAIN_MAX = 60


class Stall:
    """Till number ``number`` of the plan."""

    def __init__(
        self, number: int, plan: Plan, world: World, crowd: Crowd, notes: Notes, config: Path, url: str
    ) -> None:
        self.number = number
        self.fate: Fate = plan.fates[number]
        self.odds = plan.odds
        self.plugged = True
        self.cut_off_for_good = False
        """Its cable stays out whatever the operator does: the till that is silent for six days."""
        self._plan = plan
        self._world = world
        self._crowd = crowd
        self._notes = notes
        self._config_path = config
        self._url = url
        self._chance = plan.chance("till", number)
        self._wall_error_s = 0.0
        self._starts = 0
        self._age = 0
        self._outage_left = 0
        self._tapping = False
        self._heard: list[Event] = []
        self.orders: queue.Queue[Callable[[], None]] = queue.Queue()
        """What the director wants done at this till, between two customers."""
        self.start()

    @property
    def terminal(self) -> int:
        """Its number at the university."""
        return self._config.terminal

    # ------------------------------------------------------------------------------------------- the machine

    def start(self) -> None:
        """Switch it on."""
        self._starts += 1
        self._config = configuration.load(self._config_path)
        clock = Clock(
            wall_ms=lambda: self._world.now_ms() + int(self._wall_error_s * 1000), mono=self._world.mono
        )
        chance = self._plan.chance("line", self.number, self._starts)
        self.wire = FaultyWire(self._url, chance=chance, odds=self.odds, count=self._notes.count)
        journal = configuration.journal_path(self._config_path, self._config)
        self.parts = Parts.assemble(self._config, self._url, lambda: Store(journal), clock, self.wire)
        if self.parts.background is None:
            raise RuntimeError(f"till {self.number}: {self.parts.problem}")
        self.parts.background.busy = lambda: self._tapping
        self.parts.client.plugged = self.plugged
        self.parts.background.greet()
        self.parts.background.start()
        self.reader = SimReader(self._crowd.folder, seed=self._plan.seed)
        self.till = Till(
            self.parts.sales,
            clock=clock,
            name=self._config.name,
            line=self.parts.line,
            emit=self._heard.append,
        )

    def close(self) -> None:
        """Switch it off properly."""
        self.parts.close()

    def network(self, *, up: bool) -> None:
        """Pull the cable, or put it back and look for the server."""
        self.plugged = up
        self.parts.client.plugged = up
        if not up:
            self.parts.client.close()
            self.parts.client.up = False
        elif self.parts.background is not None:
            self.parts.background.greet()

    def restart(self, *, wall_error_s: float = 0.0) -> None:
        """A power cut: nothing is closed with ceremony. Then it is switched on again, its clock wrong by so much."""
        self._switch_off()
        self._wall_error_s = wall_error_s
        self.start()

    def wipe(self) -> None:
        """Its disk is lost: records that were not uploaded exist no more, outcomes that were not told neither."""
        self._notes.count("wiped")
        journal = self._switch_off()
        self._notes.disk_lost(list(_unsent(journal)))
        journal.unlink()
        self.start()

    def keep_disk(self) -> None:
        """Somebody copies its disk."""
        journal = self._switch_off()
        shutil.copy(journal, journal.with_suffix(".kept"))
        self.start()

    def put_disk_back(self) -> None:
        """And puts the copy back: the till gives out numbers once more that it gave out before (B8)."""
        self._notes.count("put_back")
        journal = self._switch_off()
        kept = journal.with_suffix(".kept")
        self._notes.disk_lost(list(set(_unsent(journal)) - set(_unsent(kept))))
        shutil.copy(kept, journal)
        self._age += 1
        self.start()

    def _switch_off(self) -> Path:
        """Pull cable and plug; returns where its journal is."""
        self.parts.client.plugged = False
        self.parts.close()
        self.reader.lift()
        return configuration.journal_path(self._config_path, self._config)

    def drain(self, *, shut_out: bool) -> bool:
        """Hand over all that waits; True when nothing is left to upload or to report.

        Of a revoked till nobody hears outcomes any more, only its records are kept.
        """
        self.odds = self.wire.odds = FAIR
        self.network(up=True)
        self.till.tick()
        background, journal = self.parts.background, self.parts.journal
        if background is None or journal is None:
            return False
        done = background.upload_now() and not journal.unsent(1)
        return done and (shut_out or not journal.unreported())

    def left_over(self) -> str:
        """What it could not hand over."""
        journal = self.parts.journal
        if journal is None:
            return f"till {self.number}: {self.parts.problem}"
        unsent, untold = journal.unsent_count(), journal.unreported()
        return f"till {self.number}: {unsent} sales not uploaded, outcomes not told: {untold}"

    # -------------------------------------------------------------------------------------------- customers

    def work(self, over: threading.Event) -> None:
        """Sell until the shift is over. Whatever cannot be is noted as wrong, and ends this stall's shift."""
        try:
            while not over.wait(self._chance.expovariate(1 / self._plan.pace_s)):
                self.till.tick()
                self.obey()
                self._next_customer()
                self._mishaps()
        except Exception as error:  # noqa: BLE001 - a till that falls over is the worst finding of all
            self._notes.wrong.append(f"till {self.number} fell over: {error!r}")

    def obey(self) -> None:
        """Do what the director wants."""
        while not self.orders.empty():
            self.orders.get()()

    def sell(self, plastic: Plastic, fen: int) -> Tapped:
        """One sale to one card, nothing around it."""
        self.till.cancel()
        self.till.amount(fen)
        return self._tap(plastic, fen)

    def balance(self, plastic: Plastic) -> Tapped:
        """An empty tap: card and book look at each other."""
        self.till.cancel()
        self.till.balance()
        return self._tap(plastic, 0)

    def _next_customer(self) -> None:
        plastic = self._crowd.take(self._chance)
        if plastic is None:
            return
        try:
            self._serve(plastic, self._price())
            if self._chance.random() < self.odds.void:
                self._take_back(plastic)
        finally:
            self._crowd.give_back(plastic)

    def _serve(self, plastic: Plastic, fen: int) -> None:
        self.till.amount(fen)
        tapped = self._tap(plastic, fen, pulled=self._chance.random() < self.odds.tear)
        if tapped.ending is Ending.DOUBLE:
            self._again(plastic, fen)
        elif tapped.refusal is Refusal.PASSWORD_NEEDED:
            self._password(plastic, fen)
        elif tapped.ending is Ending.TORN:
            self._after_tear(plastic, fen)
        elif (
            tapped.ending is Ending.UNKNOWN
            and self.till.phase is Phase.AMOUNT
            and self._chance.random() < 0.5
        ):
            self._tap(plastic, fen)  # 请重刷
        if self.till.phase is Phase.RETAP:
            self.till.cancel()

    def _again(self, plastic: Plastic, fen: int) -> None:
        """The same card, the same amount: the operator says whether it is meant."""
        if self._chance.random() < 0.5:
            self.till.confirm()
            self._tap(plastic, fen)
        else:
            self._notes.count("double_tap_caught")
            self.till.cancel()

    def _password(self, plastic: Plastic, fen: int) -> None:
        wrong = self._chance.random() < 0.1
        if not plastic.pin:
            self.till.cancel()
            return
        self.till.keys(WRONG_PIN if wrong else plastic.pin)
        self.till.confirm()
        self._tap(plastic, fen)
        if self.till.phase is Phase.PASSWORD:
            self.till.cancel()

    def _after_tear(self, plastic: Plastic, fen: int) -> None:
        """The card was pulled: it comes back, or another one comes first, or nobody does, or the power fails too."""
        what = self._chance.random()
        if what < 0.1:
            stranger = self._crowd.take(self._chance)
            if stranger is not None:
                self._tap(stranger, fen)
                self._crowd.give_back(stranger)
        if what < 0.6:
            for _ in range(3):
                tapped = self._tap(plastic, fen, pulled=self._chance.random() < 0.15)
                if tapped.ending is not Ending.TORN:
                    break
        elif what < 0.7:
            self._notes.count("power_cut_in_sale")
            self.restart()

    def _take_back(self, plastic: Plastic) -> None:
        """The operator takes back the last sale of this till, if its holder is still there."""
        last = self.parts.sales.last if self.parts.sales else None
        if last is None or last.uid != self._uid(plastic) or not self.parts.client.up:
            return
        self._notes.count("void")
        self.till.void()
        of = last.key.as_uuid()
        tapped = self._tap(plastic, 0, void_of=of, pulled=self._chance.random() < 0.2)
        if tapped.ending is Ending.TORN and self._chance.random() < 0.5:
            self._tap(plastic, 0, void_of=of)
        if self.till.phase is Phase.RETAP:
            self.till.cancel()

    def _tap(
        self, plastic: Plastic, fen: int, *, pulled: bool = False, void_of: uuid.UUID | None = None
    ) -> Tapped:
        """Hold a card to the reader until its tap has ended, or pull it somewhere on the way."""
        leave_after, tear = None, Tear.PREFIX
        if pulled:
            first = READING if self._chance.random() < 0.7 else 0
            leave_after, tear = self._chance.randrange(first, OPERATIONS), self._chance.choice(list(Tear))
            self._notes.count("tear")
        self._heard.clear()
        self.reader.place(plastic.name, leave_after=leave_after, tear=tear)
        began_s = self._world.mono()
        self._tapping = True
        try:
            link = self.reader.wait_for_card(0)
            if link is None:
                raise RuntimeError("a card that was just placed is not there")
            self.till.card(link)
        except SeveralCards:
            self.till.several()
        finally:
            self._tapping = False
        took_s = self._world.mono() - began_s
        tapped = next(event.tapped for event in self._heard if isinstance(event, Ended))
        beeped = any(isinstance(event, Sounds) and event.sound is Sound.OK for event in self._heard)
        refusal = tapped.refusal.value if tapped.refusal else ""
        sale = Sale(plastic.account, plastic.name, self.number, fen, began_s, void_of=void_of, age=self._age)
        self._notes.tap(tapped, Seen(time.monotonic(), took_s, tapped.ending, refusal), sale, beeped=beeped)
        self.reader.field.settle()
        self.reader.lift()
        if self.till.card_must_leave:
            self.till.removed()
        return tapped

    def _price(self) -> int:
        """A meal, a drink, now and then something larger; ends in .0 or .5 mostly (screens.md, demo data)."""
        most = 60_00 if self._chance.random() < 0.02 else 14_00
        fen = int(self._chance.triangular(1_00, most, 4_00))
        return fen // 50 * 50 if self._chance.random() < 0.8 else fen

    def _uid(self, plastic: Plastic) -> bytes:
        return bytes.fromhex(str(strictjson.loads(self._crowd.file(plastic).read_bytes())["uid"]))

    # ---------------------------------------------------------------------------------------------- mishaps

    def _mishaps(self) -> None:
        """Between two customers: the network, the power, the clock, an upload that is repeated."""
        if self._outage_left:
            self._outage_left -= 1
            if self._outage_left == 0 and not self.cut_off_for_good:
                self.network(up=True)
        elif self.plugged and not self.cut_off_for_good and self._chance.random() < self.odds.outage:
            self._notes.count("outage")
            self._outage_left = self._chance.randrange(3, 20)
            self.network(up=False)
        if self._chance.random() < self.odds.power_cut:
            self._notes.count("power_cut")
            self.restart()
        if self._chance.random() < self.odds.clock:
            self._notes.count("clock_wrong")
            self.restart(wall_error_s=self._chance.choice(WRONG_CLOCK_S))
        if self._chance.random() < self.odds.upload_again:
            self._upload_again()

    def _upload_again(self) -> None:
        """Send records once more, in any order: those already answered, and those that wait (B3, B4)."""
        store = self.parts.store
        if store is None or not self.plugged:
            return
        with store.reading() as db:
            rows = db.execute("SELECT body FROM record ORDER BY seq").fetchall()
        texts = [text for (text,) in rows]
        self._chance.shuffle(texts)
        records = tuple(strictjson.loads(text.encode()) for text in texts[:UPLOAD_AGAIN_MAX])
        self._notes.count("upload_again", len(records))
        try:
            answer = self.parts.client.upload(UploadRequest(records))
        except (NoAnswer, Rejected):
            return
        for each in answer.answers:
            self._notes.answered(each.result.value)


def _unsent(journal: Path) -> Iterator[uuid.UUID]:
    """The operation keys of which a journal has not told: sales not uploaded, outcomes not reported."""
    with closing(sqlite3.connect(journal)) as db:
        name, terminal = db.execute("SELECT id, terminal FROM journal").fetchone()
        bodies = db.execute("SELECT body FROM record JOIN to_send USING (seq)").fetchall()
        untold = [seq for (seq,) in db.execute("SELECT key_seq FROM to_report")]
    records = (strictjson.loads(text.encode()) for (text,) in bodies)
    unsent = [record["key_seq"] for record in records if record["kind"] == "sale"]
    for seq in (*unsent, *untold):
        yield OperationKey(terminal, name, seq).as_uuid()


def lanes(stalls: list[Stall], over: threading.Event) -> list[threading.Thread]:
    """A thread for each stall."""
    return [
        threading.Thread(target=stall.work, args=(over,), name=f"stall-{stall.number}", daemon=True)
        for stall in stalls
    ]
