"""Every byte of layout 1, its edges, and its access bits as the chip understands them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purse import layout
from purse.evidence import RingEntry, State
from purse.keys import KeyBundle, Role
from purse.link import KeySlot
from purse.procedures import Day, Personalisation, ident_image, load_image, ring_image, spend_image
from terminals.device.reader import access

KEYS = KeyBundle.from_master(1, bytes(range(32)))
UID = bytes.fromhex("04A1B2C3")
TODAY = date(2026, 11, 23)
U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)


def test_golden_bytes_of_every_block():
    assert (
        layout.Ident(2, 1, 3, 10086, 9999, 4).pack().hex() == "01020103" + "66270000" + "0f27" + "04" + "00"
    )
    assert (
        layout.SpendSlot(7, 1234, 9823, 550, 20).pack().hex()
        == "0700" + "d2040000" + "5f26" + "2602" + "1400"
    )
    assert (
        layout.LoadSlot(2, 5000, 5000, 0, 9823).pack().hex() == "0200" + "88130000" + "8813" + "0000" + "5f26"
    )
    assert layout.RingRecord(8, 7, 99, 130).pack().hex() == "0800" + "07000000" + "63000000" + "8200"


def test_golden_images_with_their_macs():
    """A change of keys, layout or MAC input would make every issued card unreadable."""
    spend = spend_image(UID, 10086, State(7, 1234, 1, 20), Day(TODAY, 550), KEYS)
    load = load_image(UID, 10086, State(2, 5000, 0), TODAY, 50_00, KEYS)
    ring = ring_image(UID, 10086, RingEntry(8, 7, 99, 130), KEYS)

    for image, block, role in [
        (spend, 9, Role.MAC_SPEND),
        (load, 12, Role.MAC_LOAD),
        (ring, 18, Role.MAC_SPEND),
    ]:
        assert len(image) == 16
        assert KEYS.mac_matches(UID, 10086, block, image, role)
    assert [image[12:].hex() for image in (spend, load, ring)] == GOLDEN_MACS


GOLDEN_MACS = ["c3877cdb", "35c6cb2a", "2379c7a5"]


def test_the_access_bytes_are_those_that_the_chip_reads_as_data_100_trailer_110():
    """NXP MF1S50YYX_V1, tables 6 to 8."""
    bits = layout.access_bytes(layout.DATA_READ_AB_WRITE_B, layout.TRAILER_FROZEN)

    assert bits.hex().upper() == "70FF0800"
    assert bits[:3] == access.encode((0b100, 0b100, 0b100, 0b110))
    data, trailer = access.DATA_RIGHTS[0b100], access.TRAILER_RIGHTS[0b110]
    assert data.write == {KeySlot.B}
    assert data.read == {KeySlot.A, KeySlot.B}
    assert not trailer.write_key_a | trailer.write_bits | trailer.write_key_b | trailer.read_key_b


@given(st.integers(0, 7), st.integers(0, 7))
def test_access_bytes_agree_with_the_card_model_for_every_condition(data, trailer):
    assert access.decode(layout.access_bytes(data, trailer)[:3]) == (data, data, data, trailer)


@given(U16, U32, U16, U16, U16)
def test_a_spend_slot_survives_the_card(seq, total, day, spent, offline):
    slot = layout.SpendSlot(seq, total, day, spent, offline)

    assert layout.SpendSlot.unpack(slot.pack() + bytes(4)) == slot


@given(U16, U32, U16, U16, U16)
def test_a_load_slot_survives_the_card(seq, total, limit, flags, day):
    slot = layout.LoadSlot(seq, total, limit, flags, day)

    assert layout.LoadSlot.unpack(slot.pack() + bytes(4)) == slot


@given(U16, U32, U32, U16)
def test_a_ring_record_survives_the_card(card_seq, terminal, journal_seq, fen):
    record = layout.RingRecord(card_seq, terminal, journal_seq, fen)

    assert layout.RingRecord.unpack(record.pack() + bytes(4)) == record


def test_a_ring_record_keeps_the_low_32_bits_of_a_long_journal_number():
    assert layout.RingRecord.unpack(layout.RingRecord(1, 2, 2**32 + 5, 3).pack()).journal_seq == 5


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), U32, U16, st.integers(0, 255))
def test_an_identity_survives_the_card(key_version, kind, issue, account, expires, campus):
    ident = layout.Ident(key_version, kind, issue, account, expires, campus)

    assert layout.Ident.unpack(ident.pack() + bytes(4)) == ident
    assert layout.layout_version(ident.pack()) == 1


@given(st.dates(date(2000, 1, 1), date(2179, 6, 6)))
def test_a_day_survives_the_card(day):
    assert layout.day_of(layout.day_number(day)) == day


@pytest.mark.parametrize(
    ("day", "number"),
    [(date(2000, 1, 1), 0), (date(2179, 6, 6), 0xFFFF), (date(1999, 12, 31), None), (date(2179, 6, 7), None)],
)
def test_days_have_two_edges(day, number):
    if number is None:
        with pytest.raises(OverflowError):
            layout.day_number(day)
    else:
        assert layout.day_number(day) == number


@pytest.mark.parametrize(
    ("spent", "kept"), [(655_34, 655_34), (655_35, 655_35), (655_36, 655_35), (9_999_99, 655_35)]
)
def test_a_day_above_655_35_saturates_which_asks_for_the_password_all_the_same(spent, kept):
    image = spend_image(UID, 1, State(1, 1, 0), Day(TODAY, spent), KEYS)

    assert layout.SpendSlot.unpack(image).day_spent_fen == kept


@pytest.mark.parametrize(("campus", "kept"), [(0, 0), (255, 255), (256, 0), (70_000, 0)])
def test_a_campus_whose_number_does_not_fit_is_left_out(campus, kept):
    who = Personalisation(10086, 1, 1, campus, None, bytes(8), 50_00, TODAY)

    assert layout.Ident.unpack(ident_image(UID, who, KEYS)).campus == kept


@pytest.mark.parametrize(("offline", "kept"), [(0xFFFE, 0xFFFE), (0xFFFF, 0xFFFE), (0x1_0000, 0xFFFE)])
def test_offline_spending_never_looks_like_the_stop_mark(offline, kept):
    image = spend_image(UID, 1, State(1, 1, 0, offline), Day(TODAY, 0), KEYS)

    assert layout.SpendSlot.unpack(image).offline_raw == kept


def test_the_stop_mark_has_a_value_of_its_own():
    image = spend_image(UID, 1, State(1, 1, 0, stop=True), Day(TODAY, 0), KEYS)

    assert layout.SpendSlot.unpack(image).offline_raw == layout.STOP_MARK


def test_six_sales_in_a_row_have_six_places_in_the_ring():
    assert {layout.ring_block(seq) for seq in range(100, 106)} == set(layout.RING_BLOCKS)


def test_every_block_we_use_lies_in_a_sector_with_a_writer_and_none_is_a_trailer():
    used = [block for _, blocks in layout.SECTORS.values() for block in blocks]

    assert len(used) == len(set(used))
    assert all(block % 4 != 3 for block in used)
    assert all(
        layout.sector_of(block) == sector
        for sector, (_, blocks) in layout.SECTORS.items()
        for block in blocks
    )
