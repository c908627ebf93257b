"""Cards that do not work on a real reading: what the desk tells is enough to say what is wrong (R043)."""

from __future__ import annotations

from datetime import date

import pytest

from counter.people.diagnosis import Examined, Sign, diagnose, may_write
from purse import layout
from terminals.device.reader.model import ClassicCard
from terminals.models import JobState
from tests.campus import Counter, make_person
from tests.terminals.desk import Desk
from tests.terminals.test_jobs import BEFORE_THE_WRITE

pytestmark = pytest.mark.django_db(transaction=True)
TODAY = date(2026, 11, 26)


@pytest.fixture
def bench(server):
    return Desk(server)


def examine(bench, plastic: ClassicCard):
    ended = bench.do(bench.order("read"), plastic)
    return ended, diagnose(
        Examined(ended.state is JobState.DONE, ended.trouble, ended.refusal, ended.result, TODAY)
    )


def spoil(person, *blocks: int) -> None:
    """Let cells of these blocks turn over."""
    told = person.plastic
    for block in blocks:
        cells = bytearray(told.blocks[block])
        cells[3] ^= 0x5A
        told.blocks[block] = bytes(cells)


def test_one_broken_copy_can_be_put_right(bench):
    """screens.md 6.3: 数据块受损，可恢复."""
    person = make_person(28_40)
    Counter().tap(person, 1_00)
    newest = bench.do(bench.order("read"), person.plastic).result["spend"]["slot"]
    spoil(person, layout.SPEND_SLOTS[1 - newest])

    ended, found = examine(bench, person.plastic)

    assert ended.result["broken"] == {"spend": 1}
    assert Sign.COPY_BAD in [each.sign for each in found]
    assert may_write(found)


def test_two_broken_copies_need_another_card(bench):
    """screens.md 6.3: 数据块受损，需换卡."""
    person = make_person(28_40)
    Counter().tap(person, 1_00)
    spoil(person, *layout.SPEND_SLOTS)

    ended, found = examine(bench, person.plastic)

    assert ended.result["broken"] == {"spend": 2}
    assert [each.sign for each in found] == [Sign.BOTH_COPIES_BAD]
    assert (person.book_fen, ended.state) == (27_40, JobState.REFUSED)


def test_a_torn_card_and_a_whole_one(bench):
    person = make_person(2_40)
    assert [each.sign for each in examine(bench, person.plastic)[1]] == [Sign.HEALTHY]
    Counter().tap(person, 1_30, leave_after=BEFORE_THE_WRITE, report=False)

    found = examine(bench, person.plastic)[1]

    assert (found[0].sign, found[0].fen) == (Sign.TORN, 1_30)


def test_a_blank_of_another_system(bench):
    assert examine(bench, ClassicCard.blank(bytes.fromhex("DEADBEEF")))[1][0].sign is Sign.FOREIGN
