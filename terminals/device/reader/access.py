"""The access bits of a MIFARE Classic sector: what a key may do to each of its four blocks.

Source: NXP MF1S50YYX_V1 data sheet, section 8.7 (tables 6 to 8). Conditions are written as there: C1 C2 C3.
"""

from __future__ import annotations

from dataclasses import dataclass

from purse.link import KeySlot

TRAILER = 3
"""Index of the sector trailer among the four blocks of its sector."""

_A = frozenset({KeySlot.A})
_B = frozenset({KeySlot.B})
_BOTH = _A | _B
_NEVER: frozenset[KeySlot] = frozenset()


@dataclass(frozen=True)
class DataRights:
    """Which keys may read and write a data block (value operations are not used here)."""

    read: frozenset[KeySlot]
    write: frozenset[KeySlot]


@dataclass(frozen=True)
class TrailerRights:
    """Which keys may touch the parts of a sector trailer. Key A can never be read."""

    write_key_a: frozenset[KeySlot]
    read_bits: frozenset[KeySlot]
    write_bits: frozenset[KeySlot]
    read_key_b: frozenset[KeySlot]
    write_key_b: frozenset[KeySlot]

    @property
    def key_b_is_data(self) -> bool:
        """Whether key B can be read; a key that can be read opens nothing (data sheet 8.7.2)."""
        return bool(self.read_key_b)


DATA_RIGHTS = {
    0b000: DataRights(read=_BOTH, write=_BOTH),
    0b010: DataRights(read=_BOTH, write=_NEVER),
    0b100: DataRights(read=_BOTH, write=_B),
    0b110: DataRights(read=_BOTH, write=_B),
    0b001: DataRights(read=_BOTH, write=_NEVER),
    0b011: DataRights(read=_B, write=_B),
    0b101: DataRights(read=_B, write=_NEVER),
    0b111: DataRights(read=_NEVER, write=_NEVER),
}

TRAILER_RIGHTS = {
    #                   key A write, bits read, bits write, key B read, key B write
    0b000: TrailerRights(_A, _A, _NEVER, _A, _A),
    0b010: TrailerRights(_NEVER, _A, _NEVER, _A, _NEVER),
    0b100: TrailerRights(_B, _BOTH, _NEVER, _NEVER, _B),
    0b110: TrailerRights(_NEVER, _BOTH, _NEVER, _NEVER, _NEVER),
    0b001: TrailerRights(_A, _A, _A, _A, _A),
    0b011: TrailerRights(_B, _BOTH, _B, _NEVER, _B),
    0b101: TrailerRights(_NEVER, _BOTH, _B, _NEVER, _NEVER),
    0b111: TrailerRights(_NEVER, _BOTH, _NEVER, _NEVER, _NEVER),
}


def encode(conditions: tuple[int, int, int, int]) -> bytes:
    """Return trailer bytes 6–8 for the conditions (0–7, C1 C2 C3) of the four blocks of a sector."""
    c1, c2, c3 = (
        sum((condition >> shift & 1) << block for block, condition in enumerate(conditions))
        for shift in (2, 1, 0)
    )
    return bytes([(~c2 & 0xF) << 4 | ~c1 & 0xF, c1 << 4 | ~c3 & 0xF, c3 << 4 | c2])


def decode(bits: bytes) -> tuple[int, int, int, int] | None:
    """Return the conditions of the four blocks, or None when the inverted copy disagrees (the sector is dead)."""
    c1, c2, c3 = bits[1] >> 4, bits[2] & 0xF, bits[2] >> 4
    inverted = (bits[0] & 0xF, bits[0] >> 4, bits[1] & 0xF)
    if inverted != (~c1 & 0xF, ~c2 & 0xF, ~c3 & 0xF):
        return None
    first, second, third, trailer = (
        (c1 >> block & 1) << 2 | (c2 >> block & 1) << 1 | c3 >> block & 1 for block in range(4)
    )
    return first, second, third, trailer
