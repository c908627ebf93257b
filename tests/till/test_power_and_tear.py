"""B1: the power goes at any write of an offline sale while its card is pulled at any moment, and comes back or not.

The journal is on a disk in memory, the card as it was when the power went; then the till starts, settles and uploads.
"""

from __future__ import annotations

import copy
import random
from itertools import count
from pathlib import Path

import pytest

from terminals.device.reader.tearing import Tear
from terminals.device.tapped import Ending
from tests import faults
from tests.till import disk

HELD, SALE = 28_40, 5_50
_numbers = count(50001)


class Scene:
    """One sale as it was filmed: after each thing that happened to the disk, what the card held and what was heard."""

    def __init__(self, bench, leave_after: int | None, tear: Tear, *, back: bool) -> None:
        self.bench, self.card = bench, str(next(_numbers))
        bench.skip(11)
        bench.network(up=True)
        bench.issue(self.card, HELD)
        bench.network(up=False)
        self.path = bench.reader.folder / f"{self.card}.json"
        self.disk = disk.disk_of(bench.folder)
        self.before = {name: bytes(content) for name, content in self.disk.files.items()}
        self.disk.log = self.film = Film(self.path)
        self.server = bench.university.accounts, bench.university.keys, bench.university.records
        self.world = copy.deepcopy(self.server)
        tapped = bench.sell(self.card, SALE, leave_after=leave_after, tear=tear)
        if back and tapped.ending is Ending.TORN:
            tapped = bench.tap(self.card)
        self.heard = len(self.film) if tapped.ending is Ending.PAID_OFFLINE else None
        self.film.frames.append(self.path.read_bytes())
        self.skipped_s = bench.skipped_s

    def cut(self, at: int, rng: random.Random, *, returns: bool) -> str | None:
        """Start again from the moment after ``at`` things; the card returns within a minute, or later."""
        bench, university = self.bench, self.bench.university
        bench.cut_power()
        university.accounts, university.keys, university.records = copy.deepcopy(self.world)
        # Between one thing and the next on the disk the card may have been written already, or not yet.
        early = 0 < at < len(self.film) and rng.random() < 0.5
        self.path.write_bytes(self.film.frames[at - early])
        found = disk.Disk(before=self.before, log=list(self.film)).after_power_cut(at, rng)
        self.disk.files, self.disk.log = found.files, []
        bench.skipped_s = self.skipped_s
        bench.restart(plugged=False)
        if bench.parts.problem:
            return bench.parts.problem
        if not returns:
            bench.skip(61)
        bench.network(up=True)
        bench.tap(self.card)
        bench.skip(61)
        bench.report()
        return self.judge(at)

    def judge(self, at: int) -> str | None:
        last = self.bench.sell(self.card, 1)
        self.bench.skip(61)
        self.bench.report()
        if last.ending is not Ending.PAID:
            return f"the next sale was {last.ending} {last.refusal}"
        book, card = self.bench.account(self.card).book_fen, self.bench.card_fen(self.card)
        doubt = [item for item in self.records if item["outcome"] == "unknown"]
        if len(self.records) > 1:
            return "two records of one sale"
        if book != card and not (doubt and book == card + SALE):
            return f"book {book}, card {card}"
        if card not in (HELD - 1, HELD - 1 - SALE):
            return f"the card holds {card}"
        if self.heard is not None and at >= self.heard and (card == HELD - 1 or not self.records):
            return "OK was heard and nothing was moved"
        return None

    @property
    def records(self):
        uid = int(self.card).to_bytes(4, "big").hex()
        return [item for item in self.bench.university.records.values() if item.get("uid") == uid]


class Film(list):
    """The disk's log; with each thing that is noted goes a picture of the card as it was just then."""

    def __init__(self, card: Path) -> None:
        super().__init__()
        self.card, self.frames = card, []

    def append(self, op) -> None:
        self.frames.append(self.card.read_bytes())
        super().append(op)


def scenes(long: bool):
    """Whole sales and torn ones; in the long run every operation and every tear."""
    yield None, Tear.BEFORE, False
    for after in range(9, 17) if long else (12, 14):
        for tear in Tear if long else (Tear.BEFORE, Tear.MIX, Tear.AFTER):
            for back in (True, False):
                yield after, tear, back


def run(bench, *, long: bool, every: int) -> tuple[int, list[str]]:
    rng, cases, problems = random.Random(7), 0, []
    for after, tear, back in scenes(long):
        scene = Scene(bench, after, tear, back=back)
        film = scene.film
        for at in range(rng.randrange(every), len(film) + 1, every):
            returns = rng.random() < 0.5
            problem = scene.cut(at, rng, returns=returns)
            cases += 1
            if problem:
                problems.append(
                    f"pulled at {after} {tear.value}, back {back}, cut at {at} of {len(film)}: {problem}"
                )
    return cases, problems


def test_an_offline_sale_survives_power_cut_and_tear_together(memory, bench):
    cases, problems = run(bench, long=False, every=3)

    faults.report("POWER-TEAR", cases, len(problems))
    assert problems == [], "\n".join(problems)


@pytest.mark.long
def test_every_tear_with_every_cut(memory, bench):
    cases, problems = run(bench, long=True, every=3)

    faults.report("POWER-TEAR", cases, len(problems))
    assert problems == [], "\n".join(problems)
