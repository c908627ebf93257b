"""The power goes at any write or sync of the journal: what was acknowledged is there, and goes up once.

The disk is in memory (``tests.till.disk``), so that a cut takes two milliseconds and ten thousand of them are a test.
"""

from __future__ import annotations

import random
from datetime import date
from itertools import count

from purse.evidence import Side
from purse.procedures import Outcome, SlotWrite
from purse.rules import Refusal
from terminals.device.hotlist import Hotlist
from terminals.device.journal import Journal
from terminals.device.store import JournalBroken, Store
from terminals.messages.records import Clocks, RecordAnswer, RecordKind, Result, Sale
from terminals.messages.upkeep import HotlistAnswer
from tests import faults
from tests.till.disk import Disk, mount, take_out

KEY, HOT_KEY = bytes(32), bytes(31) + b"\1"
DAY = date(2026, 11, 23)
PRICES = (5_50, 1_30, 12_00, 80)


class Life:
    """One till from start to power cut: its journal, and the world that does not lose power (cards, the server)."""

    def __init__(self, disk: Disk, journal_at_ms: int, world: World) -> None:
        self.disk, self.world = disk, world
        self.place = mount(disk)
        self.store = Store(self.place)
        self.journal = Journal(self.store, terminal=7, key=KEY, now_ms=journal_at_ms)
        self.hotlist = Hotlist(self.store, HOT_KEY)
        self.clocks = Clocks(journal_at_ms, journal_at_ms, 5, 0)

    def acknowledged(self, event: object = None) -> None:
        """The call before has returned; what it wrote is a promise."""
        self.disk.mark((state(self.store), event))

    def sell_online(self, number: int) -> None:
        key = self.journal.begin(uid=uid(number), fen=PRICES[number % 4], what="sale", at_ms=1_000)
        self.acknowledged()
        self.journal.writing(key, [write()])
        self.acknowledged()
        self.journal.end(key, "written", report="written")
        self.acknowledged()

    def sell_offline(self, number: int, outcome: Outcome = Outcome.CONFIRMED) -> None:
        key = self.journal.begin(uid=uid(number), fen=PRICES[number % 4], what="sale", at_ms=1_000)
        self.acknowledged()
        sold = sale(key.seq, number)
        self.journal.offline(key, sold, write(), DAY)
        self.acknowledged(("card", key.seq) if outcome is Outcome.CONFIRMED else None)
        ended = sale(key.seq, number, outcome)
        self.journal.end(key, outcome.value, report=None, sale=ended, clocks=self.clocks, hotlist_version=1)
        self.acknowledged()

    def give_up(self, number: int) -> None:
        key = self.journal.begin(uid=uid(number), fen=1, what="sale", at_ms=1_000)
        self.acknowledged()
        self.journal.end(key, "insufficient", report="abandoned")
        self.acknowledged()

    def report(self) -> None:
        self.journal.reported([(report.journal, report.seq) for report in self.journal.unreported()])
        self.acknowledged()

    def upload(self, most: int) -> None:
        records = self.journal.unsent(most)
        if records:
            self.disk.mark((None, ("server", records)))
            self.journal.answered([RecordAnswer(item["seq"], Result.POSTED) for item in records], 1_000)
            self.acknowledged()

    def hear_of_lost_cards(self, version: int) -> None:
        entries = tuple((uid(number).hex(), Refusal.CARD_LOST) for number in range(version))
        self.hotlist.apply(
            HotlistAnswer(version, False, False, entries, ((uid(1).hex(), version),), 0), 1_000
        )
        self.acknowledged()

    def settle(self) -> None:
        """After a start: what was left open ends, by what the card shows; everything goes up."""
        for begun in self.journal.begun():
            if begun.sale is None:
                self.journal.end(begun.key, "cut_off", report="abandoned")
                continue
            outcome = Outcome.CONFIRMED if begun.key.seq in self.world.charged else Outcome.UNKNOWN
            ended = Sale(**{**vars_of(begun.sale), "outcome": outcome})
            self.journal.end(
                begun.key, outcome.value, report=None, sale=ended, clocks=self.clocks, hotlist_version=1
            )
        while records := self.journal.unsent(50):
            self.world.take_in(records)
            self.journal.answered([RecordAnswer(item["seq"], Result.POSTED) for item in records], 2_000)


class World:
    """What a power cut at the till does not undo: cards that were written, records that the server has."""

    def __init__(self) -> None:
        self.charged: set[int] = set()
        self.records: dict[int, dict] = {}
        self.problems: list[str] = []

    def take_in(self, records) -> None:
        for item in records:
            known = self.records.setdefault(item["seq"], item)
            if known["mac"] != item["mac"]:
                self.problems.append(f"record {item['seq']} has two contents")

    def hear(self, event) -> None:
        if event and event[0] == "card":
            self.charged.add(event[1])
        elif event:
            self.take_in(event[1])

    def judge(self) -> list[str]:
        """Each card that was charged has one record that says so, no key has two, and nothing else is claimed."""
        sales = [item for item in self.records.values() if item["kind"] == "sale"]
        keys = [item["key_seq"] for item in sales]
        written = {item["key_seq"] for item in sales if item["outcome"] == "written"}
        problems = list(self.problems)
        if len(keys) != len(set(keys)):
            problems.append("a key went up twice")
        if missing := self.charged - written:
            problems.append(f"the sales {missing} are lost")
        if invented := written - self.charged:
            problems.append(f"the sales {invented} never touched a card")
        return problems


def state(store: Store) -> tuple:
    """All that the journal promises to remember."""
    with store.reading() as db:
        return tuple(
            tuple(db.execute(query))
            for query in (
                "SELECT seq, substr(body, -70) FROM step ORDER BY seq",
                "SELECT seq, substr(body, -70) FROM record ORDER BY seq",
                "SELECT * FROM open_key ORDER BY 1",
                "SELECT * FROM to_report ORDER BY 1",
                "SELECT * FROM to_send ORDER BY 1",
                "SELECT * FROM sold_offline ORDER BY 1",
                "SELECT * FROM hotlist ORDER BY 1",
                "SELECT * FROM last_seen ORDER BY 1",
            )
        )


def uid(number: int) -> bytes:
    return (0x0A000000 + number).to_bytes(4, "big")


def vars_of(sold: Sale) -> dict:
    return {name: getattr(sold, name) for name in sold.__slots__}


def sale(key_seq: int, number: int, outcome: Outcome = Outcome.UNKNOWN) -> Sale:
    fen = PRICES[number % 4]
    return Sale(key_seq, uid(number).hex(), 10086, fen, 1, 2, 0, fen, fen, 28_40, outcome)


def write() -> SlotWrite:
    return SlotWrite(Side.SPEND, 9, bytes(range(16)), 2, bytes(16), 8, bytes(16))


def lunch(seed: int, sales: int) -> Disk:
    """A till that does all it can do; every acknowledgement stands in the disk's log with what was promised."""
    rng, disk = random.Random(seed), Disk()
    life = Life(disk, 1_000, World())
    life.journal.note(RecordKind.BOOT, life.clocks, 0)
    life.acknowledged()
    versions = count(1)
    for number in range(sales):
        what = rng.random()
        if what < 0.55:
            life.sell_offline(number, Outcome.CONFIRMED if rng.random() < 0.9 else Outcome.NOT_WRITTEN)
        elif what < 0.7:
            life.sell_online(number)
        elif what < 0.8:
            life.give_up(number)
        elif what < 0.87:
            life.report()
        elif what < 0.95:
            life.upload(rng.choice((1, 3, 50)))
        else:
            life.hear_of_lost_cards(next(versions))
    return disk


def cut(disk: Disk, at: int, rng: random.Random) -> list[str]:
    """Cut the power at ``at``, start again (one time in four with another cut in it), settle, and judge."""
    world, promised = World(), None
    marks = [(place, op.mark) for place, op in enumerate(disk.log) if op.kind == "mark"]
    for place, (found, event) in marks:
        if place < at:
            promised = found or promised
            world.hear(event)
    following = next((found for place, (found, _) in marks if place >= at and found), promised)
    after = disk.after_power_cut(at, rng)
    try:
        if rng.random() < 0.25:
            after = started_and_cut(after, rng)
        life = Life(after, 2_000, world)
    except JournalBroken as error:
        return [f"the journal is broken: {error}"]
    if state(life.store) not in (promised, following):
        world.problems.append("what was acknowledged is not what is there")
    life.settle()
    life.store.close()
    take_out(life.place)
    return world.judge()


def started_and_cut(disk: Disk, rng: random.Random) -> Disk:
    """A start during which the power goes again."""
    life = Life(disk, 2_000, World())
    found = disk.after_power_cut(rng.randrange(len(disk.log) + 1), rng)
    life.store.close()
    take_out(life.place)
    return found


def run(seeds: range, sales: int, cuts: int) -> tuple[int, list[str]]:
    problems: list[str] = []
    for seed in seeds:
        rng, disk = random.Random(seed), lunch(seed, sales)
        first = next(place for place, op in enumerate(disk.log) if op.kind == "mark")
        for _ in range(cuts):
            at = rng.randrange(first + 1, len(disk.log) + 1)
            problems += [f"seed {seed}, cut at {at}: {problem}" for problem in cut(disk, at, rng)]
    return len(seeds) * cuts, problems


def test_what_was_acknowledged_survives_a_power_cut_at_any_write(memory):
    """POWER: 0 acknowledged records lost, 0 uploaded twice."""
    cases, problems = run(range(50), sales=12, cuts=200)

    faults.report("POWER", cases, len(problems))
    assert problems == []


def test_a_journal_that_does_not_wait_for_the_disk_would_lose_sales(memory, monkeypatch):
    """The cuts are sharp: with ``synchronous=NORMAL`` they find what is lost (reliability.md, section 0 item 7)."""
    from terminals.device import store

    careless = tuple(pragma.replace("FULL", "NORMAL") for pragma in store._PRAGMAS)
    monkeypatch.setattr(store, "_PRAGMAS", careless)

    _, problems = run(range(3), sales=12, cuts=60)

    assert any("are lost" in problem for problem in problems)
