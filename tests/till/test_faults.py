"""The card is pulled at every operation, answers are lost at every turn: money moves once or not at all, and heals."""

from __future__ import annotations

from itertools import count

import pytest

from purse.procedures import ClassicDriver, Outcome, slot_write
from terminals.device.reader.field import Kind
from terminals.device.reader.sim import SimReader
from terminals.device.reader.tearing import Tear
from terminals.device.tapped import Ending
from terminals.messages.wire import DebitRequest, OutcomeReport
from tests import faults
from tests.till.university import CARD_KEYS

SALE, HELD = 5_50, 28_40
TEARS = list(Tear)
_numbers = count(20001)


class Online:
    """A plain purchase."""

    issue = {}
    charged = {0, 1}

    def before(self, bench, name):
        pass

    def tap(self, bench, name, **how):
        return bench.sell(name, SALE, **how)


class Claim(Online):
    """A purchase on which unclaimed money rides: two writes, one with a lent key."""

    issue = {"unclaimed_fen": 50_00}


class Offline(Online):
    """A purchase without the network: ring record, then slot."""

    def before(self, bench, name):
        bench.network(up=False)


class SecondOffline(Online):
    """The card brings offline money of before, so its ring is read too."""

    def before(self, bench, name):
        bench.network(up=False)
        assert bench.sell(name, 1_00).ending is Ending.PAID_OFFLINE

    issue = {"earlier": 1_00}


class Lost(Online):
    """The server posts, its answers are lost, the till finishes offline with the same key."""

    def before(self, bench, name):
        bench.university.drop_answers = 3


class Void(Online):
    """The last sale is taken back."""

    issue = {"earlier": SALE}
    charged = {0, -1}

    def before(self, bench, name):
        assert bench.sell(name, SALE).ending is Ending.PAID
        bench.report()

    def tap(self, bench, name, **how):
        bench.till.void()
        return bench.tap(name, **how)


class Heal(Online):
    """A refused tap that brings the card down to its book."""

    issue = {"earlier": SALE}
    charged = {0}

    def before(self, bench, name):
        bench.sell(name, SALE, leave_after=9)
        bench.skip(11)

    def tap(self, bench, name, **how):
        return bench.sell(name, 100_00, **how)


STORIES = [Online, Claim, Offline, SecondOffline, Lost, Void, Heal]


def operations(bench, story) -> list[Kind]:
    """What a tap does to the card when nobody pulls it."""
    name = issue(bench, story)
    story.before(bench, name)
    start = len(bench.reader.field.log)
    story.tap(bench, name)
    kinds = [operation.kind for operation in bench.reader.field.log[start:]]
    settle(bench)
    return kinds


def issue(bench, story) -> str:
    name = str(next(_numbers))
    changes = {key: value for key, value in story.issue.items() if key != "earlier"}
    bench.issue(name, HELD, limit_fen=600_00, **changes)
    return name


def settle(bench) -> None:
    """Time passes, the line is good again, and all that waits goes up."""
    bench.university.drop_answers = 0
    bench.skip(11)
    bench.till.cancel()
    bench.network(up=True)
    assert bench.parts.background.greet()
    bench.till.cancel()


def uncertain(bench, name) -> bool:
    """Whether an offline sale of this card was uploaded as unknown: the server guesses nothing, a person looks."""
    uid = int(name).to_bytes(4, "big").hex()
    return any(
        item.get("uid") == uid and item["outcome"] == "unknown" for item in bench.university.records.values()
    )


def check(bench, story, name, endings) -> str | None:
    """After one more purchase card and book agree, and the sale was taken at most once, once if OK was heard."""
    settle(bench)
    last = bench.sell(name, 1)
    if last.ending is not Ending.PAID:
        return f"the next purchase was {last.ending} {last.refusal}"
    bench.report()
    book, card = bench.account(name).book_fen, bench.card_fen(name)
    if book != card + (SALE if uncertain(bench, name) and book > card else 0):
        return f"book {book}, card {card}"
    start = HELD - story.issue.get("earlier", 0) + story.issue.get("unclaimed_fen", 0) - 1
    charged, rest = divmod(start - bench.account(name).unclaimed_fen - book, SALE)
    if rest or charged not in story.charged:
        return f"charged {charged} times and {rest}"
    heard = any(ending in (Ending.PAID, Ending.PAID_OFFLINE, Ending.VOIDED) for ending in endings)
    if heard and not charged:
        return "OK was heard and nothing was moved"
    return None


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@pytest.mark.parametrize("comes_back", [True, False], ids=["the card comes back", "it does not"])
def test_a_card_pulled_at_any_operation_is_charged_once_or_not_at_all(bench, story, comes_back):
    told = story()
    cases, broken = 0, []

    for after, kind in enumerate(operations(bench, told)):
        for tear in TEARS if kind is Kind.WRITE else [Tear.BEFORE]:
            name = issue(bench, told)
            told.before(bench, name)
            endings = [told.tap(bench, name, leave_after=after, tear=tear).ending]
            if "OK" in bench.sounds:
                broken.append(f"{after} {tear}: OK without a read-back")
            if comes_back and bench.till.phase.value == "retap":
                endings.append(bench.tap(name).ending)
                if endings[-1] is Ending.TORN:
                    broken.append(f"{after} {tear}: torn again without a pull")
            problem = check(bench, told, name, endings)
            cases += 1
            if problem:
                broken.append(f"{after} {kind.value} {tear.value}: {problem}")

    faults.report("TILL-TEAR", cases, len(broken))
    assert broken == []


def test_a_card_pulled_twice_is_still_charged_once(bench):
    told, cases, broken = Online(), 0, []

    for after in range(9, 13):
        for tear in (Tear.BEFORE, Tear.MIX, Tear.WEAK, Tear.AFTER):
            for again in range(8):
                name = issue(bench, told)
                endings = [told.tap(bench, name, leave_after=after, tear=tear).ending]
                endings.append(bench.tap(name, leave_after=again, tear=tear).ending)
                if bench.till.phase.value == "retap":
                    endings.append(bench.tap(name).ending)
                problem = check(bench, told, name, endings)
                cases += 1
                if problem:
                    broken.append(f"{after} {tear.value} {again}: {problem}")

    faults.report("TILL-TEAR", cases, len(broken))
    assert broken == []


@pytest.mark.parametrize("story", [Online, Claim, Void], ids=lambda story: story.__name__)
@pytest.mark.parametrize("lost", [1, 2, 3, 4])
def test_lost_answers_charge_once(bench, story, lost):
    told = story()
    name = issue(bench, told)
    told.before(bench, name)
    bench.university.drop_answers = lost

    ending = told.tap(bench, name).ending

    problem = check(bench, told, name, [ending])
    faults.report("TILL-LOST", 1, problem is not None)
    assert problem is None


def test_an_answer_with_a_wrong_signature_is_no_answer(bench):
    bench.issue("10086", HELD)
    bench.university.forge_answers = 2

    tapped = bench.sell("10086", SALE)

    assert tapped.ending is Ending.PAID_OFFLINE
    bench.parts.background.greet()
    assert [report.outcome for report in bench.university.reports] == ["written_offline"]
    assert bench.account("10086").book_fen == bench.card_fen("10086") == HELD - SALE


def test_a_signed_refusal_of_the_terminal_sells_nothing(bench):
    bench.issue("10086", HELD)
    bench.university.reject = 403

    bench.sell("10086", SALE)

    assert bench.shown[:2] == ("E 16  ", "无此权限")
    assert bench.card_fen("10086") == HELD


def test_a_silent_server_costs_the_holder_less_than_a_second(bench, monkeypatch):
    monkeypatch.undo()  # as impatient as in real life
    bench.issue("10086", HELD)
    bench.university.deaf_s = 1.2
    start = bench.parts.clock.mono()

    tapped = bench.sell("10086", SALE)

    assert tapped.ending is Ending.PAID_OFFLINE
    assert bench.parts.clock.mono() - start < 1.0
    bench.university.deaf_s = 0


def test_faults_that_add_up_on_one_card_leave_it_equal_to_its_book(bench):
    """Every tap is followed by the next one on the same card: faults add up, and nothing is lost on the way."""
    name = issue(bench, Online())
    account = bench.account(name)
    account.book_fen, heard = HELD, 0

    for turn in range(60):
        bench.university.drop_answers = turn % 7 == 3 and 3
        tapped = bench.sell(
            name, 10 + turn, leave_after=(9 + turn % 5) if turn % 3 == 0 else None, tear=TEARS[turn % 11]
        )
        if turn % 2 and bench.till.phase.value == "retap":
            tapped = bench.tap(name)
        heard += (10 + turn) if tapped.ending in (Ending.PAID, Ending.PAID_OFFLINE) else 0
        settle(bench)
    bench.sell(name, 1)
    bench.report()

    assert account.book_fen == bench.card_fen(name)
    assert account.book_fen <= HELD - heard - 1


def test_a_card_that_was_healed_elsewhere_meanwhile_is_not_rolled_back(bench):
    """The holder walks to another till, which heals the torn sale and sells more; then he comes back in time."""
    bench.issue("10086", HELD)
    torn = bench.sell("10086", SALE, leave_after=9)
    elsewhere(bench, "10086", 2_00)
    assert bench.card_fen("10086") == HELD - SALE - 2_00

    back = bench.tap("10086")
    settle(bench)

    assert (torn.ending, back.ending, back.key) == (Ending.TORN, Ending.UNKNOWN, torn.key)
    assert bench.card_fen("10086") == bench.account("10086").book_fen == HELD - SALE - 2_00
    assert "OK" not in bench.sounds
    assert bench.sell("10086", 1).ending is Ending.PAID


def elsewhere(bench, name, fen) -> None:
    """One purchase at another till of the university."""
    reader = SimReader(bench.reader.folder)
    reader.place(name)
    driver = ClassicDriver(reader.wait_for_card(0), CARD_KEYS)
    raw = driver.read_purse()
    answer = bench.university.debit(DebitRequest("ee" * 16, 1, raw, fen, 0))
    for write in answer.writes:
        assert driver.commit(slot_write(raw, write.side, write.slot, write.image)) is Outcome.CONFIRMED
    bench.university.take_reports([OutcomeReport("ee" * 16, 1, "written")])
