"""The purse on a MIFARE-Classic-class card, layout 1: reading, writing and preparing so that no tear loses money.

One EEPROM write is the commit: the slot that is not current gets the next sequence and is read back. There are three
endings and never a bool: Confirmed, NotWritten (certain) and Unknown. Any failure after a write was sent is Unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from purse import layout
from purse.keys import KeyBundle, KeyMissing, Role
from purse.link import BLOCK_BYTES, AccessRefused, CardGone, CardLink, KeyRefused, KeySlot, LinkError
from purse.procedures.content import (
    CardDamaged,
    ForeignCard,
    Personalisation,
    RawCard,
    SlotWrite,
    first_content,
)

RESOLVE_READS = 3
"""How often a doubtful slot is read before it is believed; a weak cell flips between reads."""
_ALL_ONES = (1 << 8 * BLOCK_BYTES) - 1


class Outcome(StrEnum):
    """How a write ended. ``UNKNOWN`` is not a failure: the next sighting shows which."""

    CONFIRMED = "written"
    NOT_WRITTEN = "not_written"
    UNKNOWN = "unknown"


class PurseDriver(Protocol):
    """What every kind of card offers: a DESFire or CPU card can stand behind the same five words later."""

    def identify(self) -> bytes:
        """The UID of the card in the field."""
        ...

    def read_purse(self, *, with_ring: bool | None = None) -> RawCard:
        """Read the signed content."""
        ...

    def prepare(self, who: Personalisation) -> None:
        """Make a blank card ours; safe to repeat after a tear."""
        ...

    def commit(self, write: SlotWrite) -> Outcome:
        """Write one slot and read it back."""
        ...

    def resolve(self, write: SlotWrite) -> Outcome:
        """After an Unknown, with the same card back: finish that write, or say that it stays in doubt."""
        ...


class ClassicDriver:
    """The purse on a MIFARE-Classic-class card, layout 1."""

    def __init__(self, link: CardLink, keys: KeyBundle) -> None:
        self._link = link
        self._keys = keys

    def identify(self) -> bytes:
        """Ask the card itself, every time: a swapped card must not pass for the one before."""
        return self._link.uid()

    def read_purse(self, *, with_ring: bool | None = None) -> RawCard:
        """Read identity, LOAD and SPEND slots; the ring only if asked, or (None) if offline money is on the card.

        SPEND comes last, opened with its writing key, so that the write needs no second authentication.
        Raises ``ForeignCard`` when the card knows none of our keys, ``LinkError`` when the wire fails.
        """
        uid = self.identify()
        try:
            self._open(uid, layout.IDENT_BLOCK, Role.READ)
        except KeyRefused as error:
            raise ForeignCard("the card refuses our keys") from error
        ident = self._link.read(layout.IDENT_BLOCK)
        self._open(uid, layout.LOAD_SLOTS[0], Role.READ)
        load = (self._link.read(layout.LOAD_SLOTS[0]), self._link.read(layout.LOAD_SLOTS[1]))
        spend = self._read_spend(uid)
        ring: tuple[bytes, ...] = ()
        if with_ring or (with_ring is None and _offline_money(spend)):
            ring = self._read_ring(uid)
            self._open_for_spending(uid)
        return RawCard(uid, ident, spend, load, ring)

    def commit(self, write: SlotWrite, uid: bytes | None = None) -> Outcome:
        """Write one slot of the card with this UID (default: the one in the field) and read it back.

        ``NotWritten`` only when certain: another card, a refused key, a card gone before the write was sent, or a write
        that the access bits forbid.
        """
        try:
            self._open_to_write(uid, write.block)
        except (LinkError, KeyMissing):
            return Outcome.NOT_WRITTEN
        return self._write_and_read_back(write.block, write.image, reads=1)

    def resolve(self, write: SlotWrite, uid: bytes | None = None) -> Outcome:
        """Finish a doubtful write. Touches only that slot, and not when the card has moved on since."""
        try:
            self._open_to_write(uid, write.block)
            if self._link.read(write.other_block) != write.other_before:
                return Outcome.UNKNOWN
            if not _left_by_a_tear(self._link.read(write.block), write):
                return Outcome.UNKNOWN
        except (LinkError, KeyMissing):
            return Outcome.UNKNOWN
        ended = self._write_and_read_back(write.block, write.image, reads=RESOLVE_READS)
        return Outcome.CONFIRMED if ended is Outcome.CONFIRMED else Outcome.UNKNOWN

    def remember_offline(self, uid: bytes, image: bytes, card_seq: int) -> None:
        """Write an offline debit's ring record, before its slot. Raises ``LinkError``; no money stands in it."""
        block = layout.ring_block(card_seq)
        self._open(uid, block, Role.SPEND)
        self._link.write(block, image)
        self._open_for_spending(uid)

    def prepare(self, who: Personalisation) -> None:
        """Make a blank card ours; for whoever holds every key. Raises as ``personalise`` does."""
        uid = self.identify()
        self.personalise(uid, first_content(uid, who, self._keys))

    def personalise(self, uid: bytes, blocks: Mapping[int, bytes]) -> None:
        """Write the first content of a card, sector by sector, trailer last; a torn run is simply run again.

        Needs the keys that open sectors, no MAC key: ``blocks`` were signed by whoever holds those. Raises
        ``ForeignCard`` when a sector opens neither with the transport key nor with ours (a trailer torn in the middle
        leaves such a card: it is void), ``CardGone`` when another card lies there, ``CardDamaged`` when a block does
        not keep what was written, ``LinkError`` when the wire fails.
        """
        if self.identify() != uid:
            raise CardGone("another card lies on the reader")
        for sector, (writer, _) in layout.SECTORS.items():
            ours = self._open_new_or_ours(uid, sector, writer)
            for block in (block for block in blocks if layout.sector_of(block) == sector):
                self._link.write(block, blocks[block])
            if not ours:
                self._link.write(layout.trailer_of(sector), self._trailer(uid, sector, writer))
        for sector, (writer, _) in layout.SECTORS.items():
            self._check_prepared(uid, sector, writer, blocks)

    def _check_prepared(self, uid: bytes, sector: int, writer: Role, blocks: Mapping[int, bytes]) -> None:
        self._open(uid, layout.trailer_of(sector), writer)
        for block in (block for block in blocks if layout.sector_of(block) == sector):
            if self._link.read(block) != blocks[block]:
                raise CardDamaged(f"block {block} does not keep what was written")

    def _open_new_or_ours(self, uid: bytes, sector: int, writer: Role) -> bool:
        """Open a sector for preparing. True when it already carries our keys."""
        try:
            self._link.authenticate(layout.trailer_of(sector), layout.TRANSPORT_KEY, KeySlot.A)
        except KeyRefused:
            if self._link.uid() != uid:
                raise CardGone("another card lies on the reader") from None
            try:
                self._open(uid, layout.trailer_of(sector), writer)
            except KeyRefused as error:
                raise ForeignCard(f"sector {sector} opens with no key of ours") from error
            return True
        return False

    def _trailer(self, uid: bytes, sector: int, writer: Role) -> bytes:
        access = layout.access_bytes(layout.DATA_READ_AB_WRITE_B, layout.TRAILER_FROZEN)
        return (
            self._keys.sector_key(uid, sector, Role.READ)
            + access
            + self._keys.sector_key(uid, sector, writer)
        )

    def _read_spend(self, uid: bytes) -> tuple[bytes, bytes]:
        self._open_for_spending(uid)
        return self._link.read(layout.SPEND_SLOTS[0]), self._link.read(layout.SPEND_SLOTS[1])

    def _read_ring(self, uid: bytes) -> tuple[bytes, ...]:
        images: list[bytes] = []
        for sector in layout.RING_SECTORS:
            self._open(uid, layout.trailer_of(sector), Role.READ)
            images += [
                self._link.read(block) for block in layout.RING_BLOCKS if layout.sector_of(block) == sector
            ]
        return tuple(images)

    def _open_for_spending(self, uid: bytes) -> None:
        self._open(uid, layout.SPEND_SLOTS[0], Role.SPEND if self._keys.holds(Role.SPEND) else Role.READ)

    def _open_to_write(self, uid: bytes | None, block: int) -> None:
        here = self._link.uid()
        if uid is not None and here != uid:
            raise CardGone("another card lies on the reader")
        self._open(here, block, layout.SECTORS[layout.sector_of(block)][0])

    def _open(self, uid: bytes, block: int, role: Role) -> None:
        sector = layout.sector_of(block)
        slot = KeySlot.A if role is Role.READ else KeySlot.B
        self._link.authenticate(block, self._keys.sector_key(uid, sector, role), slot)

    def _write_and_read_back(self, block: int, image: bytes, *, reads: int) -> Outcome:
        try:
            self._link.write(block, image)
        except AccessRefused:
            return Outcome.NOT_WRITTEN
        except LinkError:
            return Outcome.UNKNOWN
        try:
            right = all(self._link.read(block) == image for _ in range(reads))
        except LinkError:
            return Outcome.UNKNOWN
        return Outcome.CONFIRMED if right else Outcome.UNKNOWN


def _offline_money(spend: tuple[bytes, bytes]) -> bool:
    """Cheap guess without MAC keys; a wrong yes costs only a few reads."""
    raws = [layout.SpendSlot.unpack(image).offline_raw for image in spend]
    return any(raw not in (0, layout.STOP_MARK) for raw in raws)


def _left_by_a_tear(now: bytes, write: SlotWrite) -> bool:
    """Whether this write alone can have left what stands in its slot now; else somebody wrote there since.

    No MAC key is needed: a cell cut off in an EEPROM write holds its old bit, its new bit, or the erased state. A wrong
    no leaves the write Unknown, which the next tap heals; a wrong yes would roll the card back.
    """
    there, old, new = (int.from_bytes(block, "big") for block in (now, write.before, write.image))
    mixed = not (there ^ old) & (there ^ new)
    erased = there in (0, _ALL_ONES)
    half_erased = not there & ~old and old != _ALL_ONES
    half_programmed = not there & ~new
    only_the_mac_is_wrong = now[: layout.DATA_BYTES] == write.image[: layout.DATA_BYTES]
    return mixed or erased or half_erased or half_programmed or only_the_mac_is_wrong
