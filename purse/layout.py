"""Layout 1 of the card: which byte stands where (docs/card-layout.md). Only ``purse.procedures`` reads this module.

Every signed block is twelve bytes of little-endian data and a 4-byte MAC. Widths that could overflow are decided here:
a day's spending saturates at 655.35 (above any daily limit), a sequence ends at 65,535 (the card is worn by then).
"""

from __future__ import annotations

import struct
from datetime import date, timedelta
from typing import NamedTuple

from purse.keys import Role

VERSION = 1
DATA_BYTES = 12

IDENT_SECTOR, SPEND_SECTOR, LOAD_SECTOR = 1, 2, 3
IDENT_BLOCK, SCHOOL_NUMBER_BLOCK = 4, 5
SPEND_SLOTS = (8, 9)
LAST_TERMINAL_BLOCK = 10
LOAD_SLOTS = (12, 13)
RING_BLOCKS = (16, 17, 18, 20, 21, 22)
RING_SECTORS = (4, 5)

SEQ_LAST = 0xFFFF
"""No write takes a sequence past this one: about eighteen years of ten purchases a day."""
DAY_SPENT_MAX_FEN = 0xFFFF
OFFLINE_SPENT_MAX_FEN = 0xFFFE
STOP_MARK = 0xFFFF
TOTAL_MAX_FEN = 0xFFFF_FFFF

CAMPUS_MAX, CAMPUS_UNSAID = 0xFF, 0
"""The campus is on the card for people who find it; a number that does not fit is left out, the book has it."""

_EPOCH = date(2000, 1, 1)
_IDENT = struct.Struct("<BBBBIHBx")
_SPEND = struct.Struct("<HIHHH")
_LOAD = struct.Struct("<HIHHH")
_RING = struct.Struct("<HIIH")

TRANSPORT_KEY = b"\xff" * 6
DATA_READ_AB_WRITE_B = 0b100
TRAILER_FROZEN = 0b110


def access_bytes(data: int, trailer: int) -> bytes:
    """Access bytes 6–9 of a sector trailer from the condition of its data blocks and of its trailer.

    Conditions are three bits C1 C2 C3 (NXP MF1S50YYX_V1 section 8.7), given as ``0b100``. Byte 9 is free, zero here.
    """
    bits = [[(data if place < 3 else trailer) >> shift & 1 for place in range(4)] for shift in (2, 1, 0)]
    c1, c2, c3 = (sum(bit << place for place, bit in enumerate(row)) for row in bits)
    inverse = [c ^ 0xF for c in (c1, c2, c3)]
    return bytes([inverse[1] << 4 | inverse[0], c1 << 4 | inverse[2], c3 << 4 | c2, 0])


def day_number(day: date) -> int:
    """Days since 2000-01-01, as a card stores them. Raises ``OverflowError`` outside 2000 … 2179."""
    number = (day - _EPOCH).days
    if not 0 <= number <= 0xFFFF:
        raise OverflowError(f"{day} does not fit on a card")
    return number


def day_of(number: int) -> date:
    """Inverse of ``day_number``."""
    return _EPOCH + timedelta(days=number)


class Ident(NamedTuple):
    """Block 4: whose card this is. ``card_type`` 1 formal, 2 named, 3 temporary; ``expires`` 0 = never."""

    key_version: int
    card_type: int
    issue_no: int
    account_no: int
    expires: int
    campus: int

    def pack(self) -> bytes:
        """Twelve bytes, to be followed by the MAC."""
        return _IDENT.pack(
            VERSION,
            self.key_version,
            self.card_type,
            self.issue_no,
            self.account_no,
            self.expires,
            self.campus,
        )

    @classmethod
    def unpack(cls, data: bytes) -> Ident:
        """Inverse of ``pack``; the layout version must have been checked with ``layout_version``."""
        _, key_version, card_type, issue_no, account_no, expires, campus = _IDENT.unpack(data[:DATA_BYTES])
        return cls(key_version, card_type, issue_no, account_no, expires, campus)


class SpendSlot(NamedTuple):
    """Blocks 8/9: everything ever spent, today's part of it, and what was spent offline since the last online write."""

    seq: int
    total_fen: int
    day: int
    day_spent_fen: int
    offline_raw: int

    def pack(self) -> bytes:
        """Twelve bytes, to be followed by the MAC."""
        return _SPEND.pack(self.seq, self.total_fen, self.day, self.day_spent_fen, self.offline_raw)

    @classmethod
    def unpack(cls, data: bytes) -> SpendSlot:
        """Inverse of ``pack``; any twelve bytes unpack to something, only the MAC makes it true."""
        return cls._make(_SPEND.unpack_from(data))


class LoadSlot(NamedTuple):
    """Blocks 12/13: everything ever loaded, and the holder's daily limit."""

    seq: int
    total_fen: int
    day_limit_fen: int
    flags: int
    day: int

    def pack(self) -> bytes:
        """Twelve bytes, to be followed by the MAC."""
        return _LOAD.pack(self.seq, self.total_fen, self.day_limit_fen, self.flags, self.day)

    @classmethod
    def unpack(cls, data: bytes) -> LoadSlot:
        """Inverse of ``pack``."""
        return cls._make(_LOAD.unpack_from(data))


class RingRecord(NamedTuple):
    """One of six blocks that remember the last offline debits, so that a dead till can be recovered from the cards."""

    card_seq: int
    terminal: int
    journal_seq: int
    fen: int

    def pack(self) -> bytes:
        """Twelve bytes, to be followed by the MAC. The journal sequence keeps its low 32 bits."""
        return _RING.pack(self.card_seq, self.terminal, self.journal_seq & 0xFFFF_FFFF, self.fen)

    @classmethod
    def unpack(cls, data: bytes) -> RingRecord:
        """Inverse of ``pack``."""
        return cls(*_RING.unpack(data[:DATA_BYTES]))


def layout_version(image: bytes) -> int:
    """The layout version in the first byte of an identity block."""
    return image[0]


def sector_of(block: int) -> int:
    """The sector of a block on a 1K card."""
    return block // 4


def trailer_of(sector: int) -> int:
    """The trailer block of a sector on a 1K card."""
    return sector * 4 + 3


def ring_block(card_seq: int) -> int:
    """Where the offline debit that took ``card_seq`` is remembered."""
    return RING_BLOCKS[card_seq % len(RING_BLOCKS)]


SECTORS: dict[int, tuple[Role, tuple[int, ...]]] = {
    IDENT_SECTOR: (Role.CENTER, (IDENT_BLOCK, SCHOOL_NUMBER_BLOCK)),
    SPEND_SECTOR: (Role.SPEND, (*SPEND_SLOTS, LAST_TERMINAL_BLOCK)),
    LOAD_SECTOR: (Role.LOAD, LOAD_SLOTS),
    RING_SECTORS[0]: (Role.SPEND, RING_BLOCKS[:3]),
    RING_SECTORS[1]: (Role.SPEND, RING_BLOCKS[3:]),
}
"""Who writes which sector (key B), and the blocks in it that we use. Key A of each is the READ key."""
