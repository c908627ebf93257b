"""docs/card-layout.md says what the program writes: its example is computed anew from the inputs beside it."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from purse import layout
from purse.evidence import RingEntry, State
from purse.keys import KeyBundle, Role, an10922
from purse.money import parse_yuan
from purse.policy import Policy
from purse.procedures import (
    ClassicDriver,
    Day,
    Personalisation,
    RawCard,
    decode,
    ident_image,
    load_image,
    ring_image,
    spend_image,
)
from terminals.device.reader.field import Field
from terminals.device.reader.model import ClassicCard

TEXT = (Path(__file__).parents[2] / "docs" / "card-layout.md").read_text(encoding="utf-8")
INPUTS = dict(
    re.findall(
        r"^(\S.*?) {2,}(\S+)", re.search(r"Inputs:\n\n```\n(.*?)```", TEXT, re.DOTALL)[1], re.MULTILINE
    )
)
TOLD = {
    what: bytes.fromhex(told)
    for what, told in re.findall(r"^\| (.+?) \| `([0-9a-f ]+)` \|$", TEXT, re.MULTILINE)
}

UID = bytes.fromhex(INPUTS["uid"])
ACCOUNT = int(INPUTS["account"])
ON = date.fromisoformat(INPUTS["day"])
LIMIT, LOADED, SPENT, PRICE, OFFLINE = (
    parse_yuan(INPUTS[name]) for name in ("daily limit", "loaded", "spent", "purchase", "offline debit")
)
KEYS = KeyBundle.from_master(int(INPUTS["key version"]), bytes.fromhex(INPUTS["card master"]))
WHO = Personalisation(
    account_no=ACCOUNT,
    card_type=int(INPUTS["card type"]),
    issue_no=int(INPUTS["issue number"]),
    campus=int(INPUTS["campus"]),
    expires_on=date.fromisoformat(INPUTS["expires"]),
    school_number_mac=bytes(8),
    day_limit_fen=LIMIT,
    day_on=ON,
)
SLOT_A = spend_image(UID, ACCOUNT, State(36, SPENT, 0), Day(ON, 0), KEYS)
SLOT_B = spend_image(UID, ACCOUNT, State(37, SPENT + PRICE, 1), Day(ON, PRICE), KEYS)
STOPPED = spend_image(UID, ACCOUNT, State(37, SPENT, 1, stop=True), Day(ON, 0), KEYS)
LOAD_A = load_image(UID, ACCOUNT, State(1, LOADED, 0), ON, LIMIT, KEYS)
KEY_A, KEY_B = (KEYS.sector_key(UID, layout.SPEND_SECTOR, role) for role in (Role.READ, Role.SPEND))

COMPUTED = {
    "role key `read`": KEYS.keys[Role.READ],
    "role key `spend`": KEYS.keys[Role.SPEND],
    "role key `mac-spend`": KEYS.keys[Role.MAC_SPEND],
    "sector 2 key A": KEY_A,
    "sector 2 key B": KEY_B,
    "trailer of sector 2": KEY_A
    + layout.access_bytes(layout.DATA_READ_AB_WRITE_B, layout.TRAILER_FROZEN)
    + KEY_B,
    "block 4 IDENT": ident_image(UID, WHO, KEYS),
    "block 8 SPEND slot A": SLOT_A,
    "block 9 SPEND slot B": SLOT_B,
    "block 9 with the stop mark instead": STOPPED,
    "block 12 LOAD slot A": LOAD_A,
    "block 18 RING": ring_image(UID, ACCOUNT, RingEntry(38, 7, 1201, OFFLINE), KEYS),
}
INPUT = "diversification input, sector 2, `spend`"


@pytest.mark.parametrize("what", COMPUTED)
def test_the_bytes_of_the_document_are_what_the_program_computes(what):
    assert COMPUTED[what].hex(" ") == TOLD[what].hex(" ")


def test_every_line_of_the_example_is_checked():
    assert set(TOLD) == {*COMPUTED, INPUT}


def test_the_diversification_input_of_the_document_gives_the_sector_key():
    assert an10922(KEYS.keys[Role.SPEND], TOLD[INPUT])[:6] == KEY_B


def test_diversifies_as_the_application_note_does():
    """NXP AN10922 section 2.2.1: the AES-128 example."""
    key = bytes.fromhex("00112233445566778899AABBCCDDEEFF")

    diversified = an10922(key, bytes.fromhex("04782E21801D803042F54E585020416275"))

    assert diversified.hex() == "a8dd63a3b89d54b37ca802473fda9175"


def test_a_prepared_card_carries_the_identity_and_the_trailer_of_the_document():
    card, field = ClassicCard.blank(UID), Field()
    field.place(card)

    ClassicDriver(field.select(), KEYS).prepare(WHO)

    blocks = bytes.fromhex("".join(re.findall(r'"([0-9a-fA-F]{32})"', card.to_json())))
    assert blocks[4 * 16 : 5 * 16] == TOLD["block 4 IDENT"]
    assert blocks[11 * 16 : 12 * 16] == TOLD["trailer of sector 2"]


@pytest.mark.parametrize(("slots", "card_fen"), [((SLOT_A, bytes(16)), 2_40), ((SLOT_A, SLOT_B), 1_10)])
def test_the_card_of_the_document_holds_what_it_says(slots, card_fen):
    """指南 L101: 2.4 元，消费 1.3 元，1.1 元。"""
    raw = RawCard(UID, TOLD["block 4 IDENT"], slots, (LOAD_A, bytes(16)))

    assert decode(raw, KEYS).card_fen == card_fen


def test_the_edges_of_the_document_are_the_edges_of_the_program():
    assert layout.SEQ_LAST == 65_535
    assert layout.DAY_SPENT_MAX_FEN == 655_35
    assert Policy().max_limit_fen < layout.DAY_SPENT_MAX_FEN
    assert layout.OFFLINE_SPENT_MAX_FEN == 655_34
    assert layout.STOP_MARK == 0xFFFF
    assert layout.TOTAL_MAX_FEN == 42_949_672_95
    assert date(2000, 1, 1) + timedelta(days=int.from_bytes(SLOT_B[6:8], "little")) == ON
