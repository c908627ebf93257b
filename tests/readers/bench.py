"""One test bench for both transports: a field to lay cards into, and the reader that sees it."""

from __future__ import annotations

from dataclasses import dataclass

from purse.link import CardLink, KeySlot
from terminals.device.reader import Reader
from terminals.device.reader.access import encode
from terminals.device.reader.field import Field
from terminals.device.reader.model import ClassicCard
from terminals.device.reader.vpcd import VirtualCard

SOON_S = 5.0
"""Longer than any reader needs to see a card, on a busy machine too."""
KEY_A = bytes.fromhex("A0A1A2A3A4A5")
KEY_B = bytes.fromhex("B0B1B2B3B4B5")
OTHER_KEY = bytes.fromhex("0F0E0D0C0B0A")
SPEND_BLOCK, LOAD_BLOCK = 8, 12
OLD, NEW = bytes(range(16)), bytes(range(0xF0, 0x100))


@dataclass
class Bench:
    """What a contract test needs of a transport; ``virtual`` is the card's side of PC/SC, where there is one."""

    field: Field
    reader: Reader
    virtual: VirtualCard | None = None

    def lay(self, card: ClassicCard) -> CardLink:
        """Lay a card down and wait until the reader gives a link to it."""
        self.field.place(card)
        link = self.reader.wait_for_card(SOON_S)
        assert link is not None, self.reader.state()
        return link


def school_card(uid: str = "04A1B2C3", *, data: int = 0b100, trailer: int = 0b110) -> ClassicCard:
    """A card whose sectors 2 and 3 are set up as layout version 1 does: read A|B, write B, trailer frozen."""
    card = ClassicCard.blank(bytes.fromhex(uid))
    for block in (SPEND_BLOCK, LOAD_BLOCK):
        card.blocks[block] = card.blocks[block + 1] = OLD
        card.blocks[block + 3] = KEY_A + encode((data, data, data, trailer)) + b"\x69" + KEY_B
    return card


def open_for_writing(link: CardLink, block: int = SPEND_BLOCK) -> None:
    link.authenticate(block, KEY_B, KeySlot.B)
