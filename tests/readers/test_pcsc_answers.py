"""False answers of a reader, sent through a real pcscd (reliability.md, bad input 104)."""

from __future__ import annotations

import pytest

from purse.link import AccessRefused, GarbledAnswer, KeyRefused, KeySlot
from terminals.device.reader.vpcd import Forgery
from tests.readers.bench import KEY_A, KEY_B, NEW, OLD, SPEND_BLOCK, open_for_writing, school_card

pytestmark = pytest.mark.xdist_group("pcscd")

REFUSED, FORBIDDEN, FAULT = b"\x63\x00", b"\x69\x82", b"\x6f\x00"
STUMP, ENDLESS, SURPLUS = b"\x90", b"\x5a" * 298 + b"\x90\x00", b"\x00\x90\x00"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (REFUSED, KeyRefused),
        (FORBIDDEN, KeyRefused),
        (FAULT, GarbledAnswer),
        (STUMP, GarbledAnswer),
        (ENDLESS, GarbledAnswer),
        (SURPLUS, GarbledAnswer),
    ],
)
@pytest.mark.parametrize("executed", [False, True])
def test_a_false_answer_to_an_authentication(pcsc_bench, answer, error, executed):
    link = pcsc_bench.lay(school_card())
    pcsc_bench.virtual.forge(Forgery(answer, executed=executed, skip=1))

    with pytest.raises(error):
        link.authenticate(SPEND_BLOCK, KEY_A, KeySlot.A)

    link.authenticate(SPEND_BLOCK, KEY_A, KeySlot.A)
    assert link.read(SPEND_BLOCK) == OLD


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (REFUSED, AccessRefused),
        (FORBIDDEN, AccessRefused),
        (FAULT, GarbledAnswer),
        (STUMP, GarbledAnswer),
        (ENDLESS, GarbledAnswer),
        (OLD[:15] + b"\x90\x00", GarbledAnswer),
        (b"\x90\x00", GarbledAnswer),
    ],
)
def test_a_false_answer_to_a_read(pcsc_bench, answer, error):
    link = pcsc_bench.lay(school_card())
    open_for_writing(link)
    pcsc_bench.virtual.forge(Forgery(answer))

    with pytest.raises(error):
        link.read(SPEND_BLOCK)

    assert link.read(SPEND_BLOCK) == OLD


@pytest.mark.parametrize("answer", [REFUSED, FAULT, STUMP, ENDLESS, SURPLUS])
@pytest.mark.parametrize("executed", [False, True])
def test_a_false_answer_to_a_write_is_never_taken_for_a_refusal(pcsc_bench, answer, executed):
    """6300 after a write may be a card pulled half way: doubt, not a no."""
    card = school_card()
    link = pcsc_bench.lay(card)
    open_for_writing(link)
    pcsc_bench.virtual.forge(Forgery(answer, executed=executed))

    with pytest.raises(GarbledAnswer):
        link.write(SPEND_BLOCK, NEW)

    assert card.blocks[SPEND_BLOCK] == (NEW if executed else OLD)


@pytest.mark.parametrize("answer", [REFUSED, FAULT, STUMP, ENDLESS, b"\x01\x02\x03\x90\x00", b"\x90\x00"])
def test_a_false_answer_to_the_uid(pcsc_bench, answer):
    link = pcsc_bench.lay(school_card())
    pcsc_bench.virtual.forge(Forgery(answer))

    with pytest.raises(GarbledAnswer):
        link.uid()

    assert link.uid() == school_card().uid


@pytest.mark.parametrize("answer", [REFUSED, FORBIDDEN, FAULT])
def test_a_reader_that_takes_no_key_is_not_taken_for_a_wrong_key(pcsc_bench, answer):
    link = pcsc_bench.lay(school_card())
    pcsc_bench.virtual.forge(Forgery(answer))

    with pytest.raises(GarbledAnswer):
        link.authenticate(SPEND_BLOCK, KEY_B, KeySlot.B)
