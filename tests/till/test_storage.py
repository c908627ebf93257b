"""The disk refuses a call: B13, "stop selling before touching a card"; what had begun ends when the disk is back."""

from __future__ import annotations

import sqlite3
from itertools import count

import pytest

from terminals.device import journal as journals
from terminals.device.journal import Journal
from terminals.device.reader.field import Kind
from terminals.device.tapped import Ending
from tests import faults
from tests.till import disk

WRITES = frozenset({"write", "truncate", "sync"})
EVERYTHING = WRITES | {"read", "open"}
CODES = {
    "FULL": (disk.FULL, WRITES),
    "READONLY": (disk.READONLY, WRITES),
    "IOERR": (disk.IOERR, EVERYTHING),
}
"""What the disk may say, and to which calls."""
HELD, SALE = 28_40, 5_50
OK = (Ending.PAID, Ending.PAID_OFFLINE)
_numbers = count(30001)


class Refusing:
    """Refuses the n-th call to the disk, or every one from there on."""

    def __init__(self, how: tuple[int, frozenset[str]], nth: int, *, lasting: bool) -> None:
        (self.code, self.kinds), self.nth, self.lasting, self.calls = how, nth, lasting, 0

    def __call__(self, kind: str, name: str) -> int:
        if kind not in self.kinds:
            return disk.OK
        self.calls += 1
        hit = self.calls >= self.nth if self.lasting else self.calls == self.nth
        return self.code if hit else disk.OK

    @property
    def reached(self) -> bool:
        return self.calls >= self.nth


class Malformed:
    """A connection that finds the file damaged at its n-th statement, or at every one from there on."""

    def __init__(self, connection: sqlite3.Connection, nth: int, *, lasting: bool) -> None:
        self.connection, self.nth, self.lasting, self.calls = connection, nth, lasting, 0

    def __getattr__(self, name: str):
        return getattr(self.connection, name)

    def execute(self, *args):
        self._count()
        return self.connection.execute(*args)

    def executemany(self, *args):
        self._count()
        return self.connection.executemany(*args)

    def _count(self) -> None:
        self.calls += 1
        if self.calls >= self.nth if self.lasting else self.calls == self.nth:
            raise sqlite3.DatabaseError("database disk image is malformed")

    @property
    def reached(self) -> bool:
        return self.calls >= self.nth


def answers(kind: str, name: str) -> int:
    return disk.OK


@pytest.mark.parametrize("online", [True, False], ids=["online", "offline"])
@pytest.mark.parametrize("lasting", [True, False], ids=["from there on", "once"])
def test_a_disk_that_refuses_any_call_of_a_sale_loses_nothing(memory, bench, online, lasting):
    cases, broken = 0, []
    mine = disk.disk_of(bench.folder)

    for name, how in CODES.items():
        for nth in count(1):
            card = str(next(_numbers))
            bench.issue(card, HELD)
            bench.network(up=online)
            mine.refuse = refusing = Refusing(how, nth, lasting=lasting)
            written = writes(bench)
            tapped = bench.sell(card, SALE)
            problem = judge(tapped, bench.shown, list(bench.sounds), touched=writes(bench) > written)
            mine.refuse = answers
            problem = problem or settle(bench, card, paid=tapped.ending in OK)
            cases += 1
            if problem:
                broken.append(f"{name} at call {nth}: {problem}")
            if not refusing.reached:
                break

    faults.report("DISK", cases, len(broken))
    assert broken == []


@pytest.mark.parametrize("online", [True, False], ids=["online", "offline"])
@pytest.mark.parametrize("lasting", [True, False], ids=["from there on", "once"])
def test_a_file_found_damaged_at_any_statement_of_a_sale_loses_nothing(memory, bench, online, lasting):
    cases, broken = 0, []

    for nth in count(1):
        card = str(next(_numbers))
        bench.issue(card, HELD)
        bench.network(up=online)
        store, sound = bench.parts.store, bench.parts.store._connection
        store._connection = damaged = Malformed(sound, nth, lasting=lasting)
        written = writes(bench)
        tapped = bench.sell(card, SALE)
        problem = judge(tapped, bench.shown, list(bench.sounds), touched=writes(bench) > written)
        if store._connection is damaged:
            store._connection = sound
        problem = problem or settle(bench, card, paid=tapped.ending in OK)
        cases += 1
        if problem:
            broken.append(f"CORRUPT at statement {nth}: {problem}")
        if not damaged.reached:
            break

    faults.report("DISK", cases, len(broken))
    assert broken == []


def writes(bench) -> int:
    """How often a card was written so far."""
    return sum(1 for op in bench.reader.field.log if op.kind is Kind.WRITE)


def judge(tapped, shown, sounds, *, touched: bool) -> str | None:
    """Either the card was not touched and the till says why, or the sale was made and heard."""
    if tapped.ending in OK:
        return None if sounds == ["OK"] else f"paid with {sounds}"
    if touched:
        return f"{tapped.ending}, and the card was written"
    if shown != ("E 14  ", "停止脱机消费", "终端存储故障", "red") or sounds != ["ALARM"]:
        return f"shows {shown} and sounds {sounds}"
    return None


def settle(bench, card: str, *, paid: bool) -> str | None:
    """The disk is back and time passes: the till sells again by itself, and book and card agree."""
    bench.skip(6)
    bench.network(up=True)
    bench.skip(61)
    if bench.parts.sales.stop is not None:
        return f"still stopped: {bench.parts.sales.stop}"
    last = bench.sell(card, 1)
    bench.report()
    if last.ending is not Ending.PAID:
        return f"the next sale was {last.ending} {last.refusal}"
    if bench.parts.journal.begun():
        return "a key has no end"
    book, left = bench.account(card).book_fen, bench.card_fen(card)
    if book != left or book != HELD - 1 - (SALE if paid else 0):
        return f"paid {paid}, book {book}, card {left}"
    return None


def test_a_till_whose_disk_refuses_while_it_starts_sells_nothing_until_the_next_start(memory, bench):
    bench.issue("10086", HELD)
    mine, cases, broken = disk.disk_of(bench.folder), 0, []

    for name, how in CODES.items():
        for nth in range(1, 60, 4):
            bench.cut_power()
            mine.refuse = Refusing(how, nth, lasting=True)
            bench.start()
            started, written = not bench.parts.problem, len(bench.reader.field.log)
            if not started:
                bench.sell("10086", 1)
                if bench.shown[0] != "E 14  " or len(bench.reader.field.log) > written:
                    broken.append(f"{name} at call {nth}: {bench.shown}")
            mine.refuse = answers
            cases += 1
    bench.restart()

    faults.report("DISK", cases, len(broken))
    assert broken == []
    # A busy machine may answer a tap too late; it is the disk that must not be in the way any more.
    assert any(bench.sell("10086", SALE).ending is Ending.PAID for _ in range(5))


def test_a_disk_that_refuses_while_records_go_up_sends_them_again(memory, bench):
    bench.issue("10086", HELD)
    mine, cases, broken = disk.disk_of(bench.folder), 0, []

    for nth in range(1, 24):
        bench.network(up=False)
        bench.skip(11)
        bench.sell("10086", 1)
        bench.parts.client.plugged = True
        mine.refuse = Refusing(CODES["IOERR"], nth, lasting=True)
        bench.report_if_possible()
        mine.refuse = answers
        bench.skip(61)
        bench.report()
        cases += 1
        # A sale that rides online in between lets the card be used offline again.
        bench.skip(11)
        bench.sell("10086", 2)
        bench.report()
        if bench.parts.line() != (True, 0) or bench.account("10086").book_fen != bench.card_fen("10086"):
            broken.append(f"call {nth}: {bench.parts.line()}")

    faults.report("DISK", cases, len(broken))
    assert broken == []


def test_an_idle_till_says_that_its_disk_has_failed_and_that_it_is_back(memory, bench):
    bench.issue("10086", HELD)
    mine = disk.disk_of(bench.folder)
    mine.refuse = Refusing(CODES["FULL"], 1, lasting=True)
    bench.sell("10086", SALE)
    bench.till.cancel()

    assert bench.shown[1:] == ("终端存储故障", "在线 未传 0", "red")
    mine.refuse = answers
    bench.skip(6)
    bench.till.tick()

    assert bench.shown[1:] == ("请输入金额", "7号 在线", "off")


# --------------------------------------------------------------------------------------------------------- full


@pytest.mark.parametrize("what", ["sales that wait", "room on the disk"])
def test_a_journal_without_room_sells_online_only(bench, monkeypatch, what):
    bench.issue("10086", HELD)
    if what == "room on the disk":
        monkeypatch.setattr(Journal, "free_mb", lambda journal: journals.FULL_FREE_MB - 1)
    else:
        monkeypatch.setattr(journals, "FULL_UNSENT", 1)
    assert bench.sell("10086", 1).ending is Ending.PAID
    bench.network(up=False)
    if what == "sales that wait":
        assert bench.sell("10086", 2).ending is Ending.PAID_OFFLINE

    bench.sell("10086", SALE)

    assert bench.shown == ("E 14  ", "停止脱机消费", "流水已满 请联网", "red")
    bench.till.cancel()
    assert bench.shown[1] == "流水已满 请联网"
    if what == "sales that wait":
        bench.network(up=True)
        bench.network(up=False)
        assert bench.sell("10086", SALE).ending is Ending.PAID_OFFLINE


def test_the_bounds_of_a_full_journal(bench, monkeypatch):
    found = bench.parts.journal
    for unsent, free_mb, full in (
        (journals.FULL_UNSENT - 1, journals.FULL_FREE_MB, False),
        (journals.FULL_UNSENT, journals.FULL_FREE_MB, True),
        (0, journals.FULL_FREE_MB - 1, True),
    ):
        monkeypatch.setattr(found, "_unsent", unsent)
        monkeypatch.setattr(Journal, "free_mb", lambda journal, free_mb=free_mb: free_mb)
        assert found.full is full
