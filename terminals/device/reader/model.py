"""A MIFARE-Classic-class 1K card as the chip behaves: keys, access bits, 64 blocks, and cells that tear.

One model serves the simulated reader, the virtual card behind a real PC/SC service, and the tests. Whether a
card is in the field at all is not its business: see ``field``.
"""

from __future__ import annotations

import json
import random
from typing import Any, Self

from purse.link import BLOCK_BYTES, KEY_BYTES, AccessRefused, KeyRefused, KeySlot

from . import access
from .tearing import Tear, WeakCells, tear

BLOCKS = 64
BLOCKS_PER_SECTOR = 4
UID_BYTES = (4, 7)
TRANSPORT_KEY = b"\xff" * KEY_BYTES
TRANSPORT_BITS = bytes.fromhex("FF078069")
"""Access bits and user byte as delivered: data 000, trailer 001, key B readable and so no key (data sheet 8.6.3)."""
SAK = 0x08


class BadCardFile(ValueError):
    """The JSON does not describe a card: says what is wrong with it."""


class ClassicCard:
    """The chip. ``blocks`` is what its EEPROM holds, keys included, as no reader could see it.

    ``rng`` decides torn writes and weak cells; without it the card is seeded by its UID, so runs repeat.
    """

    def __init__(self, uid: bytes, blocks: list[bytes], *, rng: random.Random | None = None) -> None:
        if len(uid) not in UID_BYTES:
            raise BadCardFile(f"a UID has 4 or 7 bytes, not {len(uid)}")
        if len(blocks) != BLOCKS or any(len(block) != BLOCK_BYTES for block in blocks):
            raise BadCardFile(f"a card has {BLOCKS} blocks of {BLOCK_BYTES} bytes")
        self.uid = uid
        self.blocks = list(blocks)
        self.weak: dict[int, WeakCells] = {}
        self.rng = rng or random.Random(uid)  # noqa: S311 - cells, not secrets
        self._opened: tuple[int, KeySlot] | None = None

    @classmethod
    def blank(cls, uid: bytes, *, rng: random.Random | None = None) -> Self:
        """A card as it leaves the factory: transport keys, empty data."""
        trailer = TRANSPORT_KEY + TRANSPORT_BITS + TRANSPORT_KEY
        sector = [bytes(BLOCK_BYTES)] * (BLOCKS_PER_SECTOR - 1) + [trailer]
        card = cls(uid, sector * (BLOCKS // BLOCKS_PER_SECTOR), rng=rng)
        card.blocks[0] = _manufacturer_block(uid)
        return card

    # -- the file --------------------------------------------------------------------------------------------

    @classmethod
    def from_json(cls, text: str, *, rng: random.Random | None = None) -> Self:
        """Read ``{"uid": hex, "blocks": [64 hex strings]}``, optionally with ``weak`` cells. Raises ``BadCardFile``."""
        try:
            content = json.loads(text)
            card = cls(
                bytes.fromhex(content["uid"]), [bytes.fromhex(block) for block in content["blocks"]], rng=rng
            )
            for number, cells in content.get("weak", {}).items():
                card.weak[int(number)] = WeakCells(
                    bytes.fromhex(cells["mask"]), regular=bool(cells["regular"])
                )
        except BadCardFile:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadCardFile(f"not a card: {error!r}") from error
        return card

    def to_json(self) -> str:
        """The whole card as one JSON object, one block a line, so that two dumps can be compared by eye."""
        content: dict[str, Any] = {
            "uid": self.uid.hex().upper(),
            "blocks": [b.hex().upper() for b in self.blocks],
        }
        if self.weak:
            content["weak"] = {
                str(number): {"mask": cells.mask.hex().upper(), "regular": cells.regular}
                for number, cells in sorted(self.weak.items())
            }
        return json.dumps(content, indent=1) + "\n"

    # -- what a reader can do to it --------------------------------------------------------------------------

    def deselect(self) -> None:
        """The field went away or another card was chosen: no sector is open any more."""
        self._opened = None

    def authenticate(self, block: int, key: bytes, slot: KeySlot) -> None:
        """Open the sector of ``block``. Raises ``KeyRefused`` for a wrong key or a sector with broken access bits."""
        self._opened = None
        trailer = self.blocks[_trailer_of(block)]
        expected = trailer[:KEY_BYTES] if slot is KeySlot.A else trailer[-KEY_BYTES:]
        if key != expected or self._conditions(block) is None:
            raise KeyRefused(f"block {block}, key {slot}")
        self._opened = (block // BLOCKS_PER_SECTOR, slot)

    def read(self, block: int) -> bytes:
        """Read a block; keys read as zeros. Raises ``AccessRefused``, which closes the sector as on the chip."""
        if _is_trailer(block):
            return self._read_trailer(block)
        self._require(block, self._data_rights(block).read)
        return self._cells(block)

    def write(self, block: int, data: bytes) -> None:
        """Write a block whole. Raises ``AccessRefused``, which closes the sector as on the chip."""
        self.blocks[block] = self._written(block, data)
        self.weak.pop(block, None)

    def write_torn(self, block: int, data: bytes, kind: Tear, *, keep: int | None = None) -> None:
        """Begin a write and lose power in it. A write the chip would refuse changes nothing and raises nothing."""
        try:
            new = self._written(block, data)
        except AccessRefused:
            return
        if kind is Tear.BEFORE:
            return
        left = tear(kind, self.blocks[block], new, rng=self.rng, keep=keep)
        self.blocks[block] = left.data
        self.weak.pop(block, None)
        if left.weak is not None:
            self.weak[block] = left.weak

    # -- access ----------------------------------------------------------------------------------------------

    def _cells(self, block: int) -> bytes:
        cells = self.weak.get(block)
        if cells is not None:
            self.blocks[block] = cells.flipped(self.blocks[block], self.rng)
        return self.blocks[block]

    def _conditions(self, block: int) -> tuple[int, int, int, int] | None:
        return access.decode(self.blocks[_trailer_of(block)][KEY_BYTES : KEY_BYTES + 3])

    def _data_rights(self, block: int) -> access.DataRights:
        conditions = self._conditions(block)
        return access.DATA_RIGHTS[0b111 if conditions is None else conditions[block % BLOCKS_PER_SECTOR]]

    def _trailer_rights(self, block: int) -> access.TrailerRights:
        conditions = self._conditions(block)
        return access.TRAILER_RIGHTS[0b111 if conditions is None else conditions[access.TRAILER]]

    def _require(self, block: int, allowed: frozenset[KeySlot]) -> KeySlot:
        sector, slot = self._opened or (None, None)
        usable = slot is KeySlot.A or not self._trailer_rights(block).key_b_is_data
        if slot is None or sector != block // BLOCKS_PER_SECTOR or slot not in allowed or not usable:
            self._opened = None
            raise AccessRefused(f"block {block}")
        return slot

    def _read_trailer(self, block: int) -> bytes:
        rights = self._trailer_rights(block)
        slot = self._require(block, rights.read_bits)
        held = self._cells(block)
        key_b = held[-KEY_BYTES:] if slot in rights.read_key_b else bytes(KEY_BYTES)
        return bytes(KEY_BYTES) + held[KEY_BYTES:-KEY_BYTES] + key_b

    def _written(self, block: int, data: bytes) -> bytes:
        """What the block will hold after a whole write of ``data``; of a trailer only the permitted parts change."""
        if len(data) != BLOCK_BYTES:
            raise ValueError(f"a block has {BLOCK_BYTES} bytes, not {len(data)}")
        if block == 0:
            self._require(block, frozenset())
        if not _is_trailer(block):
            self._require(block, self._data_rights(block).write)
            return data
        rights = self._trailer_rights(block)
        slot = self._require(block, rights.write_key_a | rights.write_bits | rights.write_key_b)
        held = self.blocks[block]
        key_a = data[:KEY_BYTES] if slot in rights.write_key_a else held[:KEY_BYTES]
        bits = (data if slot in rights.write_bits else held)[KEY_BYTES:-KEY_BYTES]
        key_b = data[-KEY_BYTES:] if slot in rights.write_key_b else held[-KEY_BYTES:]
        return key_a + bits + key_b


def _is_trailer(block: int) -> bool:
    return block % BLOCKS_PER_SECTOR == access.TRAILER


def _trailer_of(block: int) -> int:
    return block - block % BLOCKS_PER_SECTOR + access.TRAILER


def _manufacturer_block(uid: bytes) -> bytes:
    if len(uid) == UID_BYTES[0]:
        check = uid[0] ^ uid[1] ^ uid[2] ^ uid[3]
        head = uid + bytes([check, SAK, 0x04, 0x00])
    else:
        head = uid + bytes([SAK, 0x44, 0x00])
    return head.ljust(BLOCK_BYTES, b"\0")
