"""The chip: access bits of the data sheet, keys that cannot be read, sectors that die, files."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purse.link import AccessRefused, KeyRefused, KeySlot
from terminals.device.reader.access import decode, encode
from terminals.device.reader.model import TRANSPORT_BITS, TRANSPORT_KEY, BadCardFile, ClassicCard
from terminals.device.reader.tearing import Tear
from tests.readers.bench import KEY_A, KEY_B, NEW, OLD, SPEND_BLOCK, school_card

A, B, NOBODY = {KeySlot.A}, {KeySlot.B}, set()
BOTH = A | B
KEYS = {KeySlot.A: KEY_A, KeySlot.B: KEY_B}
FROZEN = 0b110


def who_may(card, act):
    """The key slots with which an act on a fresh copy of the card is not refused."""
    allowed = set()
    for slot, key in KEYS.items():
        copy = ClassicCard.from_json(card.to_json())
        copy.authenticate(SPEND_BLOCK, key, slot)
        try:
            act(copy)
        except AccessRefused:
            continue
        allowed.add(slot)
    return allowed


# ------------------------------------------------------------------------------------------ data blocks


@pytest.mark.parametrize(
    ("condition", "readers", "writers"),
    [
        (0b000, BOTH, BOTH),
        (0b010, BOTH, NOBODY),
        (0b100, BOTH, B),
        (0b110, BOTH, B),
        (0b001, BOTH, NOBODY),
        (0b011, B, B),
        (0b101, B, NOBODY),
        (0b111, NOBODY, NOBODY),
    ],
    ids=["000", "010", "100", "110", "001", "011", "101", "111"],
)
def test_a_data_block_obeys_its_access_condition(condition, readers, writers):
    """MF1S50 data sheet, table 8."""
    card = school_card(data=condition, trailer=FROZEN)

    assert who_may(card, lambda copy: copy.read(SPEND_BLOCK)) == readers
    assert who_may(card, lambda copy: copy.write(SPEND_BLOCK, NEW)) == writers


@pytest.mark.parametrize("trailer", range(8), ids="{0:03b}".format)
@pytest.mark.parametrize("data", range(8), ids="{0:03b}".format)
def test_a_key_b_that_can_be_read_opens_nothing(data, trailer):
    """MF1S50 data sheet, 8.7.2: if key B may be read it cannot serve for authentication."""
    card = school_card(data=data, trailer=trailer)
    readable = trailer in (0b000, 0b010, 0b001)

    readers = who_may(card, lambda copy: copy.read(SPEND_BLOCK))

    expected = {0b011: B, 0b101: B, 0b111: NOBODY}.get(data, BOTH)
    assert readers == (expected - B if readable else expected)


def test_the_block_beside_obeys_its_own_condition():
    card = school_card()
    card.blocks[SPEND_BLOCK + 3] = KEY_A + encode((0b000, 0b111, 0b100, FROZEN)) + b"\x69" + KEY_B

    assert who_may(card, lambda copy: copy.write(SPEND_BLOCK, NEW)) == BOTH
    assert who_may(card, lambda copy: copy.read(SPEND_BLOCK + 1)) == NOBODY
    assert who_may(card, lambda copy: copy.write(SPEND_BLOCK + 2, NEW)) == B


# ------------------------------------------------------------------------------------------ trailers

NEW_TRAILER = (
    bytes.fromhex("111111111111") + encode((0, 0, 0, 0b001)) + b"\x00" + bytes.fromhex("222222222222")
)


@pytest.mark.parametrize(
    ("condition", "key_a", "bits", "key_b"),
    [
        (0b000, A, NOBODY, A),
        (0b010, NOBODY, NOBODY, NOBODY),
        (0b100, B, NOBODY, B),
        (0b110, NOBODY, NOBODY, NOBODY),
        (0b001, A, A, A),
        (0b011, B, B, B),
        (0b101, NOBODY, B, NOBODY),
        (0b111, NOBODY, NOBODY, NOBODY),
    ],
    ids=["000", "010", "100", "110", "001", "011", "101", "111"],
)
def test_a_trailer_lets_only_the_permitted_parts_be_written(condition, key_a, bits, key_b):
    """MF1S50 data sheet, table 7."""
    card = school_card(trailer=condition)
    old = card.blocks[SPEND_BLOCK + 3]

    for slot, key in KEYS.items():
        copy = ClassicCard.from_json(card.to_json())
        copy.authenticate(SPEND_BLOCK, key, slot)
        if slot not in key_a | bits | key_b:
            with pytest.raises(AccessRefused):
                copy.write(SPEND_BLOCK + 3, NEW_TRAILER)
        else:
            copy.write(SPEND_BLOCK + 3, NEW_TRAILER)
        held = copy.blocks[SPEND_BLOCK + 3]
        assert held[:6] == (NEW_TRAILER if slot in key_a else old)[:6]
        assert held[6:10] == (NEW_TRAILER if slot in bits else old)[6:10]
        assert held[10:] == (NEW_TRAILER if slot in key_b else old)[10:]


@pytest.mark.parametrize("condition", range(8), ids="{0:03b}".format)
def test_key_a_is_never_read_and_key_b_only_where_it_is_no_key(condition):
    card = school_card(trailer=condition)
    card.authenticate(SPEND_BLOCK, KEY_A, KeySlot.A)

    read = card.read(SPEND_BLOCK + 3)

    assert read[:6] == bytes(6)
    assert read[6:10] == card.blocks[SPEND_BLOCK + 3][6:10]
    assert read[10:] == (KEY_B if condition in (0b000, 0b010, 0b001) else bytes(6))


@given(conditions=st.tuples(*[st.integers(0, 7)] * 4))
def test_access_bits_decode_to_what_was_encoded(conditions):
    assert decode(encode(conditions)) == conditions


@given(conditions=st.tuples(*[st.integers(0, 7)] * 4), bit=st.integers(0, 23))
def test_any_single_flipped_access_bit_is_noticed(conditions, bit):
    bits = bytearray(encode(conditions))
    bits[bit // 8] ^= 1 << bit % 8

    assert decode(bytes(bits)) is None


def test_the_transport_configuration_is_the_published_one():
    """MF1S50 data sheet, 8.6.3: FF 07 80 69h."""
    assert encode((0b000, 0b000, 0b000, 0b001)) + b"\x69" == TRANSPORT_BITS


def test_a_sector_with_wrong_access_bits_is_dead_for_good_and_the_others_live():
    card = ClassicCard.blank(bytes(4))
    card.authenticate(SPEND_BLOCK, TRANSPORT_KEY, KeySlot.A)
    card.write(SPEND_BLOCK + 3, TRANSPORT_KEY + bytes(4) + TRANSPORT_KEY)

    for slot in KeySlot:
        with pytest.raises(KeyRefused):
            card.authenticate(SPEND_BLOCK, TRANSPORT_KEY, slot)
    card.authenticate(SPEND_BLOCK + 4, TRANSPORT_KEY, KeySlot.A)
    assert card.read(SPEND_BLOCK + 4) == bytes(16)


def test_wrong_access_bits_close_the_sector_that_is_open():
    card = ClassicCard.blank(bytes(4))
    card.authenticate(SPEND_BLOCK, TRANSPORT_KEY, KeySlot.A)
    card.write(SPEND_BLOCK + 3, TRANSPORT_KEY + bytes(4) + TRANSPORT_KEY)

    with pytest.raises(AccessRefused):
        card.read(SPEND_BLOCK)


# ------------------------------------------------------------------------------------------ authentication


def test_a_refusal_closes_the_sector():
    """The chip answers NAK and falls out of its authenticated state."""
    card = school_card()
    card.authenticate(SPEND_BLOCK, KEY_A, KeySlot.A)

    with pytest.raises(AccessRefused):
        card.write(SPEND_BLOCK, NEW)
    with pytest.raises(AccessRefused):
        card.read(SPEND_BLOCK)


def test_a_failed_authentication_closes_the_sector_that_was_open():
    card = school_card()
    card.authenticate(SPEND_BLOCK, KEY_A, KeySlot.A)

    with pytest.raises(KeyRefused):
        card.authenticate(SPEND_BLOCK, bytes(6), KeySlot.A)
    with pytest.raises(AccessRefused):
        card.read(SPEND_BLOCK)


def test_only_one_sector_is_open_at_a_time():
    card = ClassicCard.blank(bytes(4))

    for opened, other in itertools.permutations((1, 2, 15), 2):
        card.authenticate(4 * opened, TRANSPORT_KEY, KeySlot.A)
        with pytest.raises(AccessRefused):
            card.read(4 * other)


def test_leaving_the_field_closes_the_sector():
    card = school_card()
    card.authenticate(SPEND_BLOCK, KEY_A, KeySlot.A)

    card.deselect()

    with pytest.raises(AccessRefused):
        card.read(SPEND_BLOCK)


# ------------------------------------------------------------------------------------------ manufacturer block


@pytest.mark.parametrize(
    ("uid", "block"),
    [("04A1B2C3", "04A1B2C3D4080400"), ("04A1B2C3D4E5F6", "04A1B2C3D4E5F6084400")],
    ids=["4 bytes and their check byte", "7 bytes"],
)
def test_block_zero_tells_the_uid_and_cannot_be_written(uid, block):
    card = ClassicCard.blank(bytes.fromhex(uid))

    card.authenticate(0, TRANSPORT_KEY, KeySlot.A)
    assert card.read(0).hex().upper().startswith(block)
    with pytest.raises(AccessRefused):
        card.write(0, NEW)

    assert card.blocks[0].hex().upper().startswith(block)


# ------------------------------------------------------------------------------------------ files


def test_a_card_is_what_its_file_says():
    """interfaces.md: uid and the 64 blocks in hex, nothing else needed."""
    card = school_card()
    content = json.loads(card.to_json())

    assert set(content) == {"uid", "blocks"}
    assert content["uid"] == "04A1B2C3"
    assert len(content["blocks"]) == 64
    assert content["blocks"][SPEND_BLOCK] == OLD.hex().upper()
    assert ClassicCard.from_json(card.to_json()).blocks == card.blocks


def test_hex_in_small_letters_is_a_card_too():
    card = ClassicCard.from_json(school_card().to_json().lower())

    assert card.blocks == school_card().blocks


@pytest.mark.parametrize("kind", [Tear.FLIPPING, Tear.WEAK])
def test_weak_cells_stay_weak_in_the_file(kind):
    card = school_card()
    card.authenticate(SPEND_BLOCK, KEY_B, KeySlot.B)
    card.write_torn(SPEND_BLOCK, NEW, kind)

    copy = ClassicCard.from_json(card.to_json())
    copy.authenticate(SPEND_BLOCK, KEY_B, KeySlot.B)

    assert len({copy.read(SPEND_BLOCK) for _ in range(8)}) > 1


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("uid"),
        lambda content: content.pop("blocks"),
        lambda content: content["blocks"].pop(),
        lambda content: content["blocks"].append("00" * 16),
        lambda content: content["blocks"].__setitem__(9, "00" * 15),
        lambda content: content["blocks"].__setitem__(9, "zz" * 16),
        lambda content: content["blocks"].__setitem__(9, 7),
        lambda content: content.update(uid="0011"),
        lambda content: content.update(uid="00" * 5),
        lambda content: content.update(uid=None),
        lambda content: content.update(weak={"9": {}}),
        lambda content: content.update(weak=[9]),
    ],
)
def test_a_file_that_is_no_card_is_refused(change):
    content = json.loads(school_card().to_json())
    change(content)

    with pytest.raises(BadCardFile):
        ClassicCard.from_json(json.dumps(content))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '"card"'])
def test_a_text_that_is_no_object_is_refused(text):
    with pytest.raises(BadCardFile):
        ClassicCard.from_json(text)


def test_a_block_has_sixteen_bytes():
    card = school_card()
    card.authenticate(SPEND_BLOCK, KEY_B, KeySlot.B)

    for length in (0, 15, 17):
        with pytest.raises(ValueError, match="16 bytes"):
            card.write(SPEND_BLOCK, bytes(length))
