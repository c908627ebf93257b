"""What an EEPROM block holds after its power was cut in the middle of a write.

A write first erases the 16 bytes (bits fall to 0), then programs the new ones. Pulled away in between, the
card keeps one of the pictures below; cells that were half charged may even read differently each time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from purse.link import BLOCK_BYTES

TAIL_BYTES = 4
"""How many bytes at the end ``Tear.TAIL`` spoils: as many as a CMAC of layout version 1."""


class Tear(StrEnum):
    """The named pictures a cut write can leave (``reliability.md`` TEAR; ``card.md``, weak cells)."""

    BEFORE = "before"
    """Pulled before the card began: the old bytes."""
    AFTER = "after"
    """Written whole; only the answer was lost: the new bytes."""
    PREFIX = "prefix"
    """The first k bytes new, the rest old."""
    ZEROS = "zeros"
    """Erased, nothing programmed."""
    ONES = "ones"
    """The same on a chip whose erased cells read 1."""
    ERASING = "erasing"
    """Old bytes with some of the ones already gone."""
    PROGRAMMING = "programming"
    """New bytes with some of the ones not there yet."""
    MIX = "mix"
    """Every bit old or new at random."""
    TAIL = "tail"
    """New bytes whose last four came out wrong."""
    FLIPPING = "flipping"
    """New bytes with one weak cell that reads the other way at every second read."""
    WEAK = "weak"
    """A mix in which every undecided cell reads at random."""

    @property
    def inside_the_write(self) -> bool:
        """Whether the write itself was torn: it began and did not end."""
        return self not in (Tear.BEFORE, Tear.AFTER)


@dataclass(frozen=True)
class WeakCells:
    """Cells of one block that do not hold their charge. ``mask`` has 16 bytes, a one per weak cell."""

    mask: bytes
    regular: bool
    """Whether they flip at every read (else: each reads at random)."""

    def flipped(self, data: bytes, rng: random.Random) -> bytes:
        """The bytes as they read this time."""
        noise = self.mask if self.regular else _and(self.mask, rng.randbytes(BLOCK_BYTES))
        return _xor(data, noise)


@dataclass(frozen=True)
class TornBlock:
    """What stays in the block, and which of its cells are weak."""

    data: bytes
    weak: WeakCells | None = None


def tear(kind: Tear, old: bytes, new: bytes, *, rng: random.Random, keep: int | None = None) -> TornBlock:
    """Return what a write of ``new`` over ``old`` leaves when it is cut as ``kind`` says.

    ``keep`` fixes the number of new bytes of ``Tear.PREFIX`` (1–15), otherwise the generator picks it.
    """
    match kind:
        case Tear.FLIPPING:
            return TornBlock(new, WeakCells(_one_bit(_xor(old, new), rng), regular=True))
        case Tear.WEAK:
            undecided = _xor(old, new) if old != new else _one_bit(old, rng)
            return TornBlock(_mixed(old, new, rng), WeakCells(undecided, regular=False))
        case Tear.PREFIX:
            length = rng.randrange(1, BLOCK_BYTES) if keep is None else keep
            return TornBlock(new[:length] + old[length:])
        case _:
            return TornBlock(_torn_bytes(kind, old, new, rng))


def _torn_bytes(kind: Tear, old: bytes, new: bytes, rng: random.Random) -> bytes:
    match kind:
        case Tear.BEFORE:
            return old
        case Tear.AFTER:
            return new
        case Tear.ZEROS:
            return bytes(BLOCK_BYTES)
        case Tear.ONES:
            return b"\xff" * BLOCK_BYTES
        case Tear.ERASING:
            return _and(old, rng.randbytes(BLOCK_BYTES))
        case Tear.PROGRAMMING:
            return _and(new, rng.randbytes(BLOCK_BYTES))
        case Tear.TAIL:
            wrong = bytes(byte ^ rng.randrange(1, 256) for byte in new[-TAIL_BYTES:])
            return new[:-TAIL_BYTES] + wrong
        case _:
            return _mixed(old, new, rng)


def _mixed(old: bytes, new: bytes, rng: random.Random) -> bytes:
    pick = rng.randbytes(BLOCK_BYTES)
    return bytes((o & ~p | n & p) & 0xFF for o, n, p in zip(old, new, pick, strict=True))


def _one_bit(among: bytes, rng: random.Random) -> bytes:
    """A mask with one bit of ``among``; of all 128 when there is none."""
    bits = [n for n in range(BLOCK_BYTES * 8) if among[n // 8] >> (n % 8) & 1] or list(range(BLOCK_BYTES * 8))
    bit = rng.choice(bits)
    mask = bytearray(BLOCK_BYTES)
    mask[bit // 8] = 1 << bit % 8
    return bytes(mask)


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _and(left: bytes, right: bytes) -> bytes:
    return bytes(a & b for a, b in zip(left, right, strict=True))
