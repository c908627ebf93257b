"""The purse over both transports: a debit cut at every operation ends as it says, and a second tap finishes it."""

from __future__ import annotations

from datetime import date
from functools import cache

import pytest

from purse.evidence import Side, State
from purse.keys import KeyBundle
from purse.link import LinkError
from purse.procedures import ClassicDriver, Day, Outcome, Personalisation, decode, slot_write, spend_image
from terminals.device.reader.field import Fault, Field, Kind
from terminals.device.reader.model import ClassicCard
from terminals.device.reader.tearing import Tear
from tests import faults
from tests.readers.bench import SOON_S

KEYS = KeyBundle.from_master(1, bytes(range(32)))
TODAY = date(2026, 9, 1)
LOADED_FEN, PRICE_FEN = 50_00, 1_30
ME = Personalisation(
    account_no=10086,
    card_type=1,
    issue_no=1,
    campus=1,
    expires_on=None,
    school_number_mac=bytes(8),
    day_limit_fen=50_00,
    day_on=TODAY,
    load_total_fen=LOADED_FEN,
)


@cache
def issued():
    """A personalised card as JSON."""
    field = Field()
    card = ClassicCard.blank(bytes.fromhex("04A1B2C3"))
    field.place(card)
    ClassicDriver(field.select(), KEYS).prepare(ME)
    return card.to_json()


def card_fen(link):
    return decode(ClassicDriver(link, KEYS).read_purse(), KEYS).card_fen


class Debit:
    """One debit as the till does it; remembers the write it began."""

    def __init__(self):
        self.write = None

    def on(self, link):
        driver = ClassicDriver(link, KEYS)
        raw = driver.read_purse()
        spend = decode(raw, KEYS).spend
        state = State(spend.seq + 1, spend.total_fen + PRICE_FEN, 1 - spend.slot)
        image = spend_image(raw.uid, ME.account_no, state, Day(TODAY, PRICE_FEN), KEYS)
        self.write = slot_write(raw, Side.SPEND, state.slot, image)
        return driver.commit(self.write)


@cache
def operations_of_a_debit():
    """Counted from the log, not by hand."""
    field = Field()
    field.place(ClassicCard.from_json(issued()))
    link = field.select()
    field.log.clear()
    Debit().on(link)
    return [operation.kind for operation in field.log]


def debit_cut(bench, after, tear):
    """Cut a debit after so many operations; then look, and finish it with a second tap. Says how it went."""
    card = ClassicCard.from_json(issued())
    debit, link = Debit(), bench.lay(card)
    bench.field.arm(Fault(after, tear))
    try:
        outcome = debit.on(link)
    except LinkError:
        outcome = None
    bench.field.arm(None)
    bench.field.lift()
    bench.reader.wait_for_removal(SOON_S)

    again = bench.lay(card)
    ended = ClassicDriver(again, KEYS).resolve(debit.write) if outcome is Outcome.UNKNOWN else outcome
    expected = LOADED_FEN - PRICE_FEN if ended is Outcome.CONFIRMED else LOADED_FEN
    held = {card_fen(again) for _ in range(4)}
    bench.field.lift()
    bench.reader.wait_for_removal(SOON_S)
    return outcome, ended, held == {expected}


def test_a_blank_card_is_prepared_and_read(bench):
    link = bench.lay(ClassicCard.blank(bytes.fromhex("04A1B2C3D4E5F6")))

    ClassicDriver(link, KEYS).prepare(ME)

    assert card_fen(link) == LOADED_FEN


def test_a_debit_that_nobody_disturbs_is_confirmed(bench):
    link = bench.lay(ClassicCard.from_json(issued()))

    assert Debit().on(link) is Outcome.CONFIRMED
    assert card_fen(link) == LOADED_FEN - PRICE_FEN


def test_a_debit_cut_at_any_operation_ends_as_it_says(bench):
    """TEAR x transport: every boundary, the write with every picture; after the second tap nothing is in doubt."""
    kinds = operations_of_a_debit()
    cases = [
        (after, tear)
        for after, kind in enumerate(kinds)
        for tear in (Tear if kind is Kind.WRITE else [Tear.BEFORE])
    ]

    violations = []
    for after, tear in cases:
        outcome, ended, right = debit_cut(bench, after, tear)
        allowed = {Outcome.UNKNOWN} if after >= kinds.index(Kind.WRITE) else {None, Outcome.NOT_WRITTEN}
        if outcome not in allowed or ended is Outcome.UNKNOWN or not right:
            violations.append((after, tear, outcome, ended, right))

    faults.report("LINK-PURSE", len(cases), len(violations))
    assert violations == []


@pytest.mark.parametrize("tear", list(Tear))
def test_a_debit_whose_card_is_lost_for_a_moment_in_the_write_is_in_doubt_and_then_finished(bench, tear):
    card = ClassicCard.from_json(issued())
    debit, link = Debit(), bench.lay(card)
    bench.field.arm(Fault(operations_of_a_debit().index(Kind.WRITE), tear, stays=True))

    outcome = debit.on(link)
    again = bench.reader.wait_for_card(SOON_S)

    assert outcome is Outcome.UNKNOWN
    assert ClassicDriver(again, KEYS).resolve(debit.write) is Outcome.CONFIRMED
    assert card_fen(again) == LOADED_FEN - PRICE_FEN
