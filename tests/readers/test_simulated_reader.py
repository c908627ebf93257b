"""Cards as files (interfaces.md, "Simulated cards"), and the hand that pulls them."""

from __future__ import annotations

import json
import random
import shutil
import threading
import time

import pytest

from purse.link import CardGone, GarbledAnswer, LinkError, ReaderGone, SeveralCards
from terminals.device.reader import ReaderState, open_reader
from terminals.device.reader import field as field_module
from terminals.device.reader.field import RADIO, Fault
from terminals.device.reader.model import BadCardFile, ClassicCard
from terminals.device.reader.sim import SimReader, UnknownCard, write_card
from terminals.device.reader.tearing import Tear
from tests import faults
from tests.readers.bench import NEW, OLD, SOON_S, SPEND_BLOCK, open_for_writing, school_card


@pytest.fixture
def wallet(tmp_path):
    write_card(tmp_path / "10086.json", school_card("04A1B2C3"))
    write_card(tmp_path / "10087.json", school_card("04FFEEDD"))
    return tmp_path


@pytest.fixture
def reader(wallet):
    return SimReader(wallet)


def on_file(wallet, name="10086"):
    return ClassicCard.from_json((wallet / f"{name}.json").read_text())


def tapped(reader, name="10086", **options):
    reader.place(name, **options)
    link = reader.wait_for_card(0.0)
    open_for_writing(link)
    return link


# ------------------------------------------------------------------------------------------ files


def test_the_path_string_opens_the_folder(wallet):
    reader = open_reader(f"sim:{wallet}")

    assert reader.names() == ["10086", "10087"]
    assert tapped(reader).read(SPEND_BLOCK) == OLD


@pytest.mark.parametrize("path", ["", "sim:", "sim", "nfc:x", "/dev/reader"])
def test_another_path_string_is_refused(path):
    with pytest.raises(ValueError, match="sim:DIR or pcsc:NAME"):
        open_reader(path)


def test_every_block_write_is_in_the_file_at_once(reader, wallet):
    link = tapped(reader)

    link.write(SPEND_BLOCK, NEW)
    assert on_file(wallet).blocks[SPEND_BLOCK] == NEW
    link.write(SPEND_BLOCK + 1, NEW)
    assert on_file(wallet).blocks[SPEND_BLOCK + 1] == NEW


@pytest.mark.parametrize("tear", list(Tear))
def test_a_torn_write_is_in_the_file_too(reader, wallet, tear):
    link = tapped(reader)
    reader.leave_after(0, tear)

    with pytest.raises(CardGone):
        link.write(SPEND_BLOCK, NEW)

    assert (on_file(wallet).blocks[SPEND_BLOCK] == OLD) == (tear is Tear.BEFORE)
    assert bool(on_file(wallet).weak) == (tear in (Tear.FLIPPING, Tear.WEAK))


def test_a_card_goes_from_till_to_till(wallet):
    first, second = SimReader(wallet), SimReader(wallet)
    tapped(first).write(SPEND_BLOCK, NEW)
    first.lift()

    assert tapped(second).read(SPEND_BLOCK) == NEW


def test_a_copied_file_is_a_clone(reader, wallet):
    shutil.copy(wallet / "10086.json", wallet / "clone.json")
    tapped(reader, "clone").write(SPEND_BLOCK, NEW)
    reader.lift()

    assert tapped(reader).uid() == on_file(wallet, "clone").uid
    assert (on_file(wallet).blocks[SPEND_BLOCK], on_file(wallet, "clone").blocks[SPEND_BLOCK]) == (OLD, NEW)


def test_a_file_put_back_is_a_restored_dump(reader, wallet):
    dump = (wallet / "10086.json").read_bytes()
    tapped(reader).write(SPEND_BLOCK, NEW)
    reader.lift()

    (wallet / "10086.json").write_bytes(dump)

    assert tapped(reader).read(SPEND_BLOCK) == OLD


def test_a_file_made_by_hand_needs_uid_and_blocks_only(reader, wallet):
    card = school_card("04010203040506")
    content = {"blocks": [block.hex() for block in card.blocks], "uid": "04010203040506"}
    (wallet / "mine.json").write_text(json.dumps(content))

    assert tapped(reader, "mine").read(SPEND_BLOCK) == OLD


@pytest.mark.parametrize(
    "name", ["", "10088", "../10086", "sub/10086", "10086.json", ".", "卡", "10086\n", "a" * 65]
)
def test_a_name_that_is_no_card_of_the_folder_is_refused(reader, wallet, name):
    write_card(wallet.parent / "10086.json", school_card())

    with pytest.raises(UnknownCard):
        reader.place(name)

    assert reader.state() is ReaderState.EMPTY


def test_a_broken_file_is_said_to_be_no_card(reader, wallet):
    (wallet / "10086.json").write_text('{"uid": "04A1B2C3", "blocks": []}')

    with pytest.raises(BadCardFile):
        reader.place("10086")


def test_a_write_that_dies_half_way_leaves_the_file_whole(reader, wallet, monkeypatch):
    link = tapped(reader)
    before = (wallet / "10086.json").read_bytes()
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("no power")))

    with pytest.raises(OSError, match="no power"):
        link.write(SPEND_BLOCK, NEW)

    assert (wallet / "10086.json").read_bytes() == before
    assert reader.names() == ["10086", "10087"]


# ------------------------------------------------------------------------------------------ hands


@pytest.mark.parametrize("operations", [0, 1, 2, 3])
def test_exactly_so_many_operations_succeed_before_the_pull(reader, operations):
    """interfaces.md: N = card operations that still succeed, then the card is pulled."""
    reader.place("10086", leave_after=operations)
    link = reader.wait_for_card(0.0)

    for _ in range(operations):
        link.uid()
    with pytest.raises(CardGone):
        link.uid()

    assert reader.state() is ReaderState.EMPTY


def test_a_pull_in_a_write_tears_the_block_and_a_pull_in_a_read_tears_nothing(reader, wallet):
    link = tapped(reader, leave_after=1, tear=Tear.ZEROS)
    with pytest.raises(CardGone):
        link.read(SPEND_BLOCK)
    assert on_file(wallet).blocks[SPEND_BLOCK] == OLD

    link = tapped(reader, leave_after=1, tear=Tear.ZEROS)
    with pytest.raises(CardGone):
        link.write(SPEND_BLOCK, NEW)
    assert on_file(wallet).blocks[SPEND_BLOCK] == bytes(16)


def test_a_prefix_can_be_chosen_to_the_byte(reader, wallet):
    for keep in range(17):
        link = tapped(reader)
        link.write(SPEND_BLOCK, OLD)
        reader.leave_after(0, Tear.PREFIX, keep=keep)
        with pytest.raises(CardGone):
            link.write(SPEND_BLOCK, NEW)
        assert on_file(wallet).blocks[SPEND_BLOCK] == NEW[:keep] + OLD[keep:]


def test_a_hand_that_pulls_after_the_last_operation_pulls_before_the_wait_ends(reader):
    link = tapped(reader, leave_after=2)
    link.read(SPEND_BLOCK)

    assert reader.wait_for_removal(0.0)
    assert reader.state() is ReaderState.EMPTY


def test_a_hand_that_waits_for_more_operations_does_not_pull_yet(reader):
    tapped(reader, leave_after=2)

    assert not reader.wait_for_removal(0.0)
    assert reader.card_present()


def test_a_card_lost_for_a_moment_can_be_selected_again(reader, wallet):
    link = tapped(reader)
    reader.leave_after(0, Tear.AFTER, stays=True)
    with pytest.raises(CardGone):
        link.write(SPEND_BLOCK, NEW)

    again = reader.wait_for_card(0.0)
    open_for_writing(again)

    assert again.read(SPEND_BLOCK) == NEW
    with pytest.raises(CardGone):
        link.uid()


def test_lifting_disarms_the_pull(reader):
    reader.place("10086", leave_after=0)
    reader.lift()

    assert tapped(reader).read(SPEND_BLOCK) == OLD


def test_the_same_card_placed_twice_is_one_card(reader):
    reader.place("10086")
    reader.place("10086")

    assert reader.state() is ReaderState.CARD


def test_a_swap_is_never_seen_as_an_empty_field(reader):
    link = tapped(reader)

    reader.swap("10087")

    assert reader.state() is ReaderState.CARD
    assert reader.wait_for_removal(0.0)
    with pytest.raises(CardGone):
        link.uid()
    assert reader.wait_for_card(0.0).uid() == bytes.fromhex("04FFEEDD")


def test_a_third_hand_with_a_second_card_is_said_at_every_operation(reader):
    link = tapped(reader)
    reader.place("10087")

    for _ in range(2):
        with pytest.raises(SeveralCards):
            link.uid()


def test_a_reader_pulled_off_its_cable_says_so_and_comes_back(reader):
    link = tapped(reader)
    reader.field.plug(False)

    with pytest.raises(ReaderGone):
        link.uid()
    assert reader.state() is ReaderState.NO_READER
    assert not reader.card_present()
    assert reader.wait_for_card(0.0) is None
    assert reader.wait_for_removal(0.0)
    reader.field.plug(True)

    assert reader.wait_for_card(0.0).uid() == bytes.fromhex("04A1B2C3")


@pytest.mark.parametrize("error", [ReaderGone, GarbledAnswer])
def test_other_faults_than_a_pull_can_hit_a_write(reader, wallet, error):
    link = tapped(reader)
    reader.field.arm(Fault(0, Tear.AFTER, error=error))

    with pytest.raises(error):
        link.write(SPEND_BLOCK, NEW)

    assert on_file(wallet).blocks[SPEND_BLOCK] == NEW
    assert reader.state() is (ReaderState.NO_READER if error is ReaderGone else ReaderState.CARD)


def test_the_same_seed_tears_a_card_the_same_way(wallet):
    left = []
    for _ in range(2):
        write_card(wallet / "10086.json", school_card())
        reader = SimReader(wallet, seed=11)
        link = tapped(reader)
        reader.leave_after(0, Tear.MIX)
        with pytest.raises(CardGone):
            link.write(SPEND_BLOCK, NEW)
        left.append(on_file(wallet).blocks[SPEND_BLOCK])

    assert left[0] == left[1]
    assert left[0] not in (OLD, NEW)


def test_operations_take_the_time_of_the_radio_when_asked_to(wallet, monkeypatch):
    """card.md: select 2.5 ms (+1 for a 7-byte UID), authenticate 2, read 2.5, write 5.5."""
    write_card(wallet / "long.json", school_card("04010203040506"))
    reader = SimReader(wallet, latency=RADIO)
    slept = []
    monkeypatch.setattr(field_module.time, "sleep", lambda seconds: slept.append(round(seconds * 1000, 3)))

    link = tapped(reader)
    link.read(SPEND_BLOCK)
    link.write(SPEND_BLOCK, NEW)
    reader.lift()
    reader.place("long")
    reader.wait_for_card(0.0).uid()

    assert slept == [2.5, 2, 2.5, 5.5, 3.5, 3.5]


# ------------------------------------------------------------------------------------------ threads


def test_a_till_that_waits_sees_the_card_another_thread_places(reader):
    threading.Timer(0.1, reader.place, ["10086"]).start()

    assert reader.wait_for_card(SOON_S).uid() == bytes.fromhex("04A1B2C3")


def test_a_till_that_waits_for_the_removal_sees_the_card_lifted(reader):
    tapped(reader)
    threading.Timer(0.1, reader.lift).start()

    assert reader.wait_for_removal(SOON_S)


def test_a_restless_hand_never_breaks_a_file_or_reaches_a_second_card(reader, wallet):
    """Place and lift at random moments under 300 writes: whole blocks only, and only on the linked card."""
    dice, stop, violations, writes = random.Random(5), threading.Event(), 0, 0

    def hand():
        while not stop.is_set():
            reader.place(dice.choice(["10086", "10087"]))
            time.sleep(dice.random() * 0.002)
            reader.lift()

    mover = threading.Thread(target=hand)
    mover.start()
    while writes < 300:
        try:
            link = reader.wait_for_card(1.0)
            if link is None:
                continue
            name = "10086" if link.uid() == bytes.fromhex("04A1B2C3") else "10087"
            open_for_writing(link)
            content = dice.randbytes(16)
            writes += 1
            link.write(SPEND_BLOCK, content)
        except (LinkError, SeveralCards):
            continue
        violations += on_file(wallet, name).blocks[SPEND_BLOCK] != content
    stop.set()
    mover.join()

    assert violations == 0
    faults.report("SIM-HAND", writes, violations)
