"""What every CardLink and every Reader promises, on the simulated reader and through a real pcscd alike."""

from __future__ import annotations

import threading

import pytest

from purse.link import (
    AccessRefused,
    CardGone,
    GarbledAnswer,
    KeyRefused,
    KeySlot,
    LinkError,
    ReaderGone,
    SeveralCards,
)
from terminals.device.reader import ReaderState
from terminals.device.reader.field import Fault, Kind
from terminals.device.reader.model import TRANSPORT_KEY, ClassicCard
from terminals.device.reader.tearing import Tear
from tests import faults
from tests.readers.bench import (
    KEY_A,
    KEY_B,
    LOAD_BLOCK,
    NEW,
    OLD,
    OTHER_KEY,
    SOON_S,
    SPEND_BLOCK,
    open_for_writing,
    school_card,
)

TORN = [tear for tear in Tear if tear.inside_the_write]


def a_debit(link):
    """The operations of an online debit (card.md: 7 APDUs), and the UID asked before the commit."""
    link.uid()
    link.authenticate(SPEND_BLOCK, KEY_A, KeySlot.A)
    link.read(SPEND_BLOCK)
    link.read(SPEND_BLOCK + 1)
    link.uid()
    link.authenticate(SPEND_BLOCK, KEY_B, KeySlot.B)
    link.write(SPEND_BLOCK, NEW)
    return link.read(SPEND_BLOCK)


DEBIT_OPERATIONS = 8
WRITE_OF_DEBIT = 6


# ------------------------------------------------------------------------------------------ a card that stays


@pytest.mark.parametrize("uid", ["04A1B2C3", "04A1B2C3D4E5F6"], ids=["4 bytes", "7 bytes"])
def test_a_card_tells_its_uid_as_often_as_it_is_asked(bench, uid):
    link = bench.lay(ClassicCard.blank(bytes.fromhex(uid)))

    assert [link.uid(), link.uid()] == [bytes.fromhex(uid)] * 2


def test_a_debit_reads_writes_and_reads_back(bench):
    card = school_card()
    link = bench.lay(card)

    assert a_debit(link) == NEW
    assert card.blocks[SPEND_BLOCK] == NEW
    assert card.blocks[SPEND_BLOCK + 1] == OLD


def test_a_blank_card_opens_with_the_transport_key_and_takes_new_keys(bench):
    link = bench.lay(ClassicCard.blank(bytes.fromhex("04A1B2C3")))
    trailer = school_card().blocks[SPEND_BLOCK + 3]

    link.authenticate(SPEND_BLOCK, TRANSPORT_KEY, KeySlot.A)
    link.write(SPEND_BLOCK + 3, trailer)
    with pytest.raises(KeyRefused):
        link.authenticate(SPEND_BLOCK, TRANSPORT_KEY, KeySlot.A)
    open_for_writing(link)
    link.write(SPEND_BLOCK, NEW)

    assert link.read(SPEND_BLOCK) == NEW


@pytest.mark.parametrize(
    ("key", "slot"), [(OTHER_KEY, KeySlot.A), (KEY_A, KeySlot.B)], ids=["foreign", "other slot"]
)
def test_a_wrong_key_is_refused_and_the_right_one_still_opens(bench, key, slot):
    link = bench.lay(school_card())

    with pytest.raises(KeyRefused):
        link.authenticate(SPEND_BLOCK, key, slot)
    link.authenticate(SPEND_BLOCK, KEY_A, KeySlot.A)

    assert link.read(SPEND_BLOCK) == OLD


def test_reading_without_a_key_or_with_the_key_of_another_sector_is_refused(bench):
    link = bench.lay(school_card())

    with pytest.raises(AccessRefused):
        link.read(SPEND_BLOCK)
    link.authenticate(LOAD_BLOCK, KEY_A, KeySlot.A)
    with pytest.raises(AccessRefused):
        link.read(SPEND_BLOCK)


def test_the_reading_key_may_not_write_and_nothing_changes(bench):
    """card.md: data access 100 = read A|B, write B."""
    card = school_card()
    link = bench.lay(card)

    link.authenticate(SPEND_BLOCK, KEY_A, KeySlot.A)
    with pytest.raises(AccessRefused):
        link.write(SPEND_BLOCK, NEW)

    assert card.blocks[SPEND_BLOCK] == OLD


def test_a_frozen_trailer_takes_no_new_keys_from_anyone(bench):
    """card.md: trailer 110 = frozen."""
    card = school_card()
    link = bench.lay(card)
    before = card.blocks[SPEND_BLOCK + 3]

    for key, slot in ((KEY_A, KeySlot.A), (KEY_B, KeySlot.B)):
        link.authenticate(SPEND_BLOCK, key, slot)
        with pytest.raises(AccessRefused):
            link.write(SPEND_BLOCK + 3, bytes(16))

    assert card.blocks[SPEND_BLOCK + 3] == before


def test_keys_read_as_zeros(bench):
    link = bench.lay(school_card())

    open_for_writing(link)
    trailer = link.read(SPEND_BLOCK + 3)

    assert trailer[:6] == trailer[-6:] == bytes(6)
    assert trailer[6:10] == school_card().blocks[SPEND_BLOCK + 3][6:10]


# ------------------------------------------------------------------------------------------ a card that
# leaves


@pytest.mark.parametrize("succeeding", range(DEBIT_OPERATIONS + 1))
def test_a_card_pulled_at_any_operation_of_a_debit_is_gone_for_good(bench, succeeding):
    card = school_card()
    link = bench.lay(card)
    bench.field.log.clear()
    bench.field.arm(Fault(succeeding, Tear.BEFORE))

    if succeeding < DEBIT_OPERATIONS:
        with pytest.raises(CardGone):
            a_debit(link)
        for operation in (link.uid, lambda: link.read(SPEND_BLOCK), lambda: link.write(SPEND_BLOCK, NEW)):
            with pytest.raises(CardGone):
                operation()
    else:
        a_debit(link)

    assert sum(operation.error is None for operation in bench.field.log) == succeeding
    assert card.blocks[SPEND_BLOCK] == (NEW if succeeding > WRITE_OF_DEBIT else OLD)


@pytest.mark.parametrize("tear", list(Tear))
def test_a_write_that_is_cut_leaves_its_picture_and_a_second_write_heals_it(bench, tear):
    """TEAR: before send, executed but answer lost, and every torn pattern."""
    card = school_card()
    link = bench.lay(card)
    bench.field.arm(Fault(WRITE_OF_DEBIT, tear))

    with pytest.raises(CardGone):
        a_debit(link)
    torn = card.blocks[SPEND_BLOCK]
    again = bench.lay(card)
    open_for_writing(again)
    seen = {again.read(SPEND_BLOCK) for _ in range(8)}
    again.write(SPEND_BLOCK, NEW)

    whole = {Tear.BEFORE: OLD, Tear.AFTER: NEW}
    assert torn == whole.get(tear, torn)
    assert (len(seen) > 1) == (tear in (Tear.FLIPPING, Tear.WEAK))
    assert {again.read(SPEND_BLOCK) for _ in range(4)} == {NEW}
    assert card.blocks[SPEND_BLOCK + 1] == OLD
    faults.report("LINK-TEAR", 1, 0)


def test_a_write_whose_answer_is_lost_while_the_card_stays_is_not_a_refusal(bench):
    """The radio dropped out for a moment: the reader says 63 00, the card has written and is there again."""
    card = school_card()
    link = bench.lay(card)
    open_for_writing(link)
    bench.field.arm(Fault(0, Tear.AFTER, stays=True))

    with pytest.raises(LinkError) as caught:
        link.write(SPEND_BLOCK, NEW)

    assert not isinstance(caught.value, AccessRefused)
    assert card.blocks[SPEND_BLOCK] == NEW


def test_a_card_taken_and_put_back_needs_a_new_link(bench):
    card = school_card()
    link = bench.lay(card)
    open_for_writing(link)

    bench.field.lift()
    assert bench.reader.wait_for_removal(SOON_S)
    again = bench.lay(card)

    with pytest.raises(CardGone):
        link.read(SPEND_BLOCK)
    with pytest.raises(AccessRefused):  # the sector has to be opened again
        again.read(SPEND_BLOCK)
    open_for_writing(again)
    assert again.read(SPEND_BLOCK) == OLD


def test_a_new_link_to_the_same_card_ends_the_one_before(bench):
    first = bench.lay(school_card())

    second = bench.reader.wait_for_card(SOON_S)

    assert second.uid() == bytes.fromhex("04A1B2C3")
    with pytest.raises(CardGone):
        first.uid()


# ------------------------------------------------------------------------------------------ other cards


def test_after_a_swap_the_open_link_reaches_no_other_card(bench):
    """The other card has the same keys: only the swap itself protects it."""
    mine, other = school_card("04A1B2C3"), school_card("04FFEEDD")
    link = bench.lay(mine)
    open_for_writing(link)

    bench.field.swap(other)
    for operation in (
        lambda: link.write(SPEND_BLOCK, NEW),
        link.uid,
        lambda: open_for_writing(link),
        lambda: link.write(SPEND_BLOCK, NEW),
    ):
        with pytest.raises(CardGone):
            operation()

    assert (mine.blocks[SPEND_BLOCK], other.blocks[SPEND_BLOCK]) == (OLD, OLD)
    assert bench.reader.wait_for_removal(SOON_S)
    assert bench.reader.wait_for_card(SOON_S).uid() == other.uid


def test_two_cards_at_once_are_refused_until_one_is_taken_away(bench):
    """请只放一张卡."""
    first, second = school_card("04A1B2C3"), school_card("04FFEEDD")
    bench.field.place(first)
    bench.field.place(second)

    with pytest.raises(SeveralCards):
        bench.reader.wait_for_card(SOON_S)
    assert bench.reader.state() is ReaderState.SEVERAL
    assert bench.reader.card_present()
    bench.field.lift(second)

    assert bench.reader.wait_for_card(SOON_S).uid() == first.uid
    assert bench.reader.state() is ReaderState.CARD


def test_a_second_card_laid_down_during_a_debit_stops_it(bench):
    card = school_card()
    link = bench.lay(card)
    open_for_writing(link)

    bench.field.place(school_card("04FFEEDD"))

    with pytest.raises((SeveralCards, CardGone)):
        link.write(SPEND_BLOCK, NEW)
    assert card.blocks[SPEND_BLOCK] == OLD


# ------------------------------------------------------------------------------------------ the reader


def test_an_empty_reader_says_so_and_waits_no_longer_than_told(bench):
    assert bench.reader.wait_for_card(0.05) is None
    assert bench.reader.wait_for_removal(0.05)
    assert bench.reader.state() is ReaderState.EMPTY
    assert not bench.reader.card_present()


def test_a_card_that_stays_is_not_reported_as_removed(bench):
    bench.lay(school_card())

    assert not bench.reader.wait_for_removal(0.05)
    assert bench.reader.state() is ReaderState.CARD
    assert bench.reader.card_present()


def test_a_card_laid_down_while_waiting_is_noticed(bench):
    hand = threading.Timer(0.3, bench.field.place, [school_card()])
    hand.start()

    link = bench.reader.wait_for_card(SOON_S)
    hand.join()

    assert link.uid() == bytes.fromhex("04A1B2C3")


def test_a_card_lifted_while_waiting_for_that_is_noticed(bench):
    bench.lay(school_card())
    hand = threading.Timer(0.3, bench.field.lift)
    hand.start()

    assert bench.reader.wait_for_removal(SOON_S)
    hand.join()


def test_a_closed_reader_lets_go_of_its_card(bench):
    link = bench.lay(school_card())

    bench.reader.close()
    bench.reader.close()

    with pytest.raises((CardGone, ReaderGone)):
        link.uid()


def test_a_garbled_answer_leaves_the_link_usable(bench):
    """Bad input 104: wrong length, unknown status word."""
    link = bench.lay(school_card())
    open_for_writing(link)
    garble(bench)

    with pytest.raises(GarbledAnswer):
        link.read(SPEND_BLOCK)

    assert link.read(SPEND_BLOCK) == OLD


def garble(bench):
    from terminals.device.reader.vpcd import Forgery

    if bench.virtual is None:
        bench.field.arm(Fault(0, error=GarbledAnswer))
    else:
        bench.virtual.forge(Forgery(bytes(5) + b"\x90\x00"))


def test_the_log_tells_every_operation_in_order(bench):
    link = bench.lay(school_card())
    bench.field.log.clear()

    a_debit(link)

    told = [(operation.kind, operation.block) for operation in bench.field.log]
    assert told == [
        (Kind.UID, None),
        (Kind.AUTHENTICATE, SPEND_BLOCK),
        (Kind.READ, SPEND_BLOCK),
        (Kind.READ, SPEND_BLOCK + 1),
        (Kind.UID, None),
        (Kind.AUTHENTICATE, SPEND_BLOCK),
        (Kind.WRITE, SPEND_BLOCK),
        (Kind.READ, SPEND_BLOCK),
    ]
