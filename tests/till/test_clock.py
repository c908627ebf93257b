"""CLOCK: a till whose clock is wrong by anything between nothing and ten years, with and without its server (B6).

The server's time rules as soon as it is heard; without it a clock that is behind what was written down sells nothing,
and one that is ahead can only make the lists too old.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from purse.rules import Refusal
from terminals.device.clock import CHINA, Clock
from terminals.device.tapped import Ending
from terminals.messages.records import RecordKind
from tests import faults
from tests.till.bench import ended

HOUR, DAY, YEAR = 3_600, 86_400, 31_536_000
TO_1970 = object()
ERRORS_S = [-10 * YEAR, TO_1970, -DAY, -6 * HOUR, -121, -1, 0, 1, 121, 6 * HOUR, DAY, 10 * YEAR]
NAMES = ["-10y", "1970", "-1d", "-6h", "-121s", "-1s", "0", "+1s", "+121s", "+6h", "+1d", "+10y"]
HELD = 100_00
STOPPED = (Ending.REFUSED, Refusal.OFFLINE_STOPPED)
PAID_OFFLINE = (Ending.PAID_OFFLINE, None)


class Told:
    """The server has told the time since the start."""

    def __init__(self, bench, error_s: int, card: str, other: str) -> None:
        self.bench, self.error_s, self.card, self.other = bench, error_s, card, other
        restart(bench, error_s)

    def sells_online(self):
        return ended(self.bench.sell(self.card, 1_00)) == (Ending.PAID, None)

    def sells_offline_at_the_true_time(self):
        before_ms = true_ms()
        self.bench.network(up=False)
        if ended(self.bench.sell(self.card, 1_00)) != PAID_OFFLINE:
            return False
        record = self.bench.parts.journal.unsent(200)[-1]
        off_ms = record["wall_ms"] - record["at_ms"]
        right = before_ms - 100 <= record["at_ms"] <= true_ms() + 100
        # A clock that shows a time before 1970 is noted as 1970.
        return right and (abs(off_ms - self.error_s * 1000) < 2_000 or record["wall_ms"] == 0)

    def takes_back(self):
        if self.bench.sell(self.card, 1_00).ending is not Ending.PAID:
            return False
        self.bench.till.void()
        return self.bench.tap(self.card).ending is Ending.VOIDED

    def hands_over(self):
        self.bench.network(up=False)
        self.bench.sell(self.card, 1_00)
        self.bench.network(up=True)
        sales = [item for item in self.bench.university.records.values() if item["kind"] == RecordKind.SALE]
        return self.bench.parts.line() == (True, 0) and abs(sales[-1]["at_ms"] - true_ms()) < 5_000


class Untold:
    """Nobody has told the time; at the true time 45.00 of the 50.00 of this day were spent here."""

    def __init__(self, bench, error_s: int, card: str, other: str) -> None:
        self.bench, self.error_s, self.card, self.other = bench, error_s, card, other
        bench.network(up=False)
        for fen in (20_00, 19_00, 6_00):
            assert ended(bench.sell(card, fen)) == PAID_OFFLINE
        self.day = bench.parts.clock.day()
        restart(bench, error_s, plugged=False)

    @property
    def behind(self) -> bool:
        return self.error_s < -120

    @property
    def later(self) -> bool:
        """Whether it believes that another day has begun."""
        return self.bench.parts.clock.day() > self.day

    def sells_what_the_rules_allow(self):
        fifth = ended(self.bench.sell(self.other, 10_00))
        return fifth == (STOPPED if self.behind or self.error_s > 5 * DAY else PAID_OFFLINE)

    def keeps_the_day_of_the_card(self):
        """Setting the clock back cannot reset the daily sum; a later day is one only within the bounds of old lists."""
        tapped = ended(self.bench.sell(self.card, 5_01))
        if self.behind or self.error_s > 5 * DAY:
            return tapped == STOPPED
        return tapped == (PAID_OFFLINE if self.later else (Ending.REFUSED, Refusal.OFFLINE_PASSWORD))

    def keeps_the_day_of_the_till(self):
        """The same with a card whose own limit is high: what this till sold to it today counts."""
        uid = int(self.card).to_bytes(4, "big")
        sold = self.bench.parts.journal.sold_offline_fen(uid, self.bench.parts.clock.day())
        return sold == (0 if self.later else 45_00)

    def lets_lists_grow_old(self):
        tapped = ended(self.bench.sell(self.other, 10_01))
        if self.behind or self.error_s > 5 * DAY:
            return tapped == STOPPED
        if self.error_s >= DAY:
            return tapped == (Ending.REFUSED, Refusal.OFFLINE_CAP)
        return tapped == PAID_OFFLINE


def true_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def restart(bench, error_s: int, *, plugged: bool = True) -> None:
    bench.wall_error_ms = error_s * 1000
    bench.restart(plugged=plugged)


OPERATIONS = [
    (state, name)
    for state in (Told, Untold)
    for name in vars(state)
    if not name.startswith("_") and name not in ("behind", "later")
]


@pytest.mark.parametrize("error_s", ERRORS_S, ids=NAMES)
def test_a_clock_that_is_wrong_moves_no_money_wrongly(memory, bench, error_s):
    if error_s is TO_1970:
        error_s = -int(datetime.now(UTC).timestamp())
    broken = []

    for number, (state, name) in enumerate(OPERATIONS):
        bench.wall_error_ms = 0
        bench.restart()
        cards = [str(20_000 + 2 * number + place) for place in range(2)]
        for card in cards:
            bench.issue(card, HELD)
        if not getattr(state(bench, error_s, *cards), name)():
            broken.append(f"{state.__name__} {name}: {bench.shown}")

    faults.report("CLOCK", len(OPERATIONS), len(broken))
    assert broken == [], "\n".join(broken)


def test_there_are_eight_operations():
    assert len(OPERATIONS) == 8


@pytest.mark.parametrize("jump_s", [-10 * YEAR, -DAY, -6 * HOUR, -121, -1, 1, 121, 6 * HOUR, DAY, 10 * YEAR])
def test_a_jump_inside_a_day_changes_nothing_for_a_till_that_runs(memory, bench, jump_s):
    bench.issue("10086", HELD)
    bench.network(up=False)
    assert ended(bench.sell("10086", 20_00)) == PAID_OFFLINE
    assert ended(bench.sell("10086", 19_00)) == PAID_OFFLINE
    before, day = bench.parts.clock.now_ms(), bench.parts.clock.day()

    bench.wall_error_ms = jump_s * 1000

    assert 0 <= bench.parts.clock.now_ms() - before < 5_000
    assert bench.parts.clock.day() == day
    ok = ended(bench.sell("10086", 11_01)) == (Ending.REFUSED, Refusal.OFFLINE_PASSWORD)
    ok = ok and ended(bench.sell("10086", 11_00)) == PAID_OFFLINE
    record = bench.parts.journal.unsent(200)[-1]
    ok = ok and (
        record["wall_ms"] == 0 or abs(record["at_ms"] - record["wall_ms"] - record["offset_ms"]) < 1_000
    )
    faults.report("CLOCK", 1, not ok)
    assert ok


# ---------------------------------------------------------------------------------------------------- midnight


def at(moment: datetime) -> Clock:
    """A clock that stands at a moment and has never heard a server."""
    return Clock(wall_ms=lambda: int(moment.timestamp() * 1000), mono=lambda: 0.0)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 11, 23, 23, 59, 59, 999_000, CHINA), date(2026, 11, 23)),
        (datetime(2026, 11, 24, 0, 0, 0, 0, CHINA), date(2026, 11, 24)),
        (datetime(2026, 11, 23, 15, 59, 59, 999_000, UTC), date(2026, 11, 23)),
        (datetime(2026, 11, 23, 16, 0, 0, 0, UTC), date(2026, 11, 24)),
    ],
    ids=str,
)
def test_the_day_changes_at_midnight_in_shanghai(moment, day):
    assert at(moment).day() == day


def test_a_day_that_was_reached_is_not_left_again_before_the_server_says_so():
    late = datetime(2026, 11, 24, 0, 0, 0, 0, CHINA)
    clock = at(late - timedelta(milliseconds=1))
    clock.not_before(int(late.timestamp() * 1000))

    assert not clock.wrong, "two minutes are forgiven"
    assert clock.day() == date(2026, 11, 24)
    clock.hear(int((late - timedelta(milliseconds=1)).timestamp() * 1000))
    assert clock.day() == date(2026, 11, 23)


def test_the_limit_of_the_card_is_that_of_the_day_to_the_millisecond(memory, bench, monkeypatch):
    bench.issue("10086", HELD)
    bench.network(up=False)
    clock = bench.parts.clock
    midnight = datetime.combine(clock.local().date() + timedelta(days=1), datetime.min.time(), CHINA)
    now = SimpleNamespace(ms=int(midnight.timestamp() * 1000) - 1)
    monkeypatch.setattr(clock, "now_ms", lambda: now.ms)
    seen = [ended(bench.sell("10086", fen)) for fen in (20_00, 19_99, 10_02)]

    now.ms += 1
    seen += [ended(bench.sell("10086", fen)) for fen in (10_02, 19_98)]

    password = (Ending.REFUSED, Refusal.OFFLINE_PASSWORD)
    assert seen == [PAID_OFFLINE, PAID_OFFLINE, password, PAID_OFFLINE, PAID_OFFLINE]
    sold = bench.parts.journal.sold_offline_fen
    days = [midnight.date() - timedelta(days=1), midnight.date()]
    assert [sold(bytes.fromhex("00002766"), day) for day in days] == [39_99, 30_00]
