"""What stands on the card, as values: checking its MACs, and signing the blocks that are written next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from purse import layout
from purse.evidence import RingEntry, Side, SideMirror, State, offline_sales
from purse.keys import KeyBundle, Role


class ForeignCard(Exception):
    """Not a card of this university: wrong keys, an unknown layout, or an identity without its MAC."""


class CardDamaged(Exception):
    """A card of ours with neither slot of one side readable (卡片数据异常)."""


@dataclass(frozen=True, slots=True)
class RawCard:
    """The signed blocks as they were read, 16 bytes each; evidence for whoever holds the MAC keys."""

    uid: bytes
    ident: bytes
    spend: tuple[bytes, bytes]
    load: tuple[bytes, bytes]
    ring: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Purse:
    """A card's content after its MACs were checked."""

    uid: bytes
    ident: layout.Ident
    spend: State
    load: State
    day_on: date
    day_spent_fen: int
    day_limit_fen: int
    ring: tuple[RingEntry, ...] = ()

    @property
    def card_fen(self) -> int:
        """What the card holds: everything loaded less everything spent."""
        return self.load.total_fen - self.spend.total_fen

    def spent_on(self, day: date) -> int:
        """What the card knows of this day's spending, in fen. A clock set back does not empty it (B6)."""
        return self.day_spent_fen if day <= self.day_on else 0

    def expires_on(self) -> date | None:
        """The last day of use, or None for a card without an end."""
        return layout.day_of(self.ident.expires) if self.ident.expires else None

    def offline_in_a_row(self) -> int:
        """How many offline sales the card remembers since its last online write (the ring holds six)."""
        return sum(1 for _ in offline_sales(self.spend, self.ring))


@dataclass(frozen=True, slots=True)
class SlotWrite:
    """One block to write, with what was read there before: enough to resolve a doubt without any MAC key."""

    side: Side
    block: int
    image: bytes
    seq: int
    before: bytes
    other_block: int
    other_before: bytes


@dataclass(frozen=True, slots=True)
class Personalisation:
    """What a new card is told about itself. ``load_total_fen`` is the money it starts with.

    ``first_seq`` is above 0 for a chip that was a card before, so that nothing of its former life passes for the new.
    """

    account_no: int
    card_type: int
    issue_no: int
    campus: int
    expires_on: date | None
    school_number_mac: bytes
    day_limit_fen: int
    day_on: date
    load_total_fen: int = 0
    first_seq: int = 0


def decode(raw: RawCard, keys: KeyBundle) -> Purse:
    """Check the MACs and say what the card holds. Current = the highest sequence with a right MAC.

    Raises ``ForeignCard`` (identity not ours) or ``CardDamaged`` (a side without any valid slot).
    """
    if layout.layout_version(raw.ident) != layout.VERSION:
        raise ForeignCard("unknown layout")
    ident = layout.Ident.unpack(raw.ident)
    if not keys.mac_matches(raw.uid, ident.account_no, layout.IDENT_BLOCK, raw.ident, Role.MAC_IDENT):
        raise ForeignCard("the identity block is not signed by us")
    account_no = ident.account_no
    spend_slot = _current(raw.uid, account_no, raw.spend, layout.SPEND_SLOTS, keys, Role.MAC_SPEND)
    load_slot = _current(raw.uid, account_no, raw.load, layout.LOAD_SLOTS, keys, Role.MAC_LOAD)
    spend = layout.SpendSlot.unpack(raw.spend[spend_slot])
    load = layout.LoadSlot.unpack(raw.load[load_slot])
    stop = spend.offline_raw == layout.STOP_MARK
    return Purse(
        uid=raw.uid,
        ident=ident,
        spend=State(spend.seq, spend.total_fen, spend_slot, 0 if stop else spend.offline_raw, stop),
        load=State(load.seq, load.total_fen, load_slot),
        day_on=layout.day_of(spend.day),
        day_spent_fen=spend.day_spent_fen,
        day_limit_fen=load.day_limit_fen,
        ring=_decode_ring(raw, account_no, keys),
    )


def account_claimed(raw: RawCard) -> int:
    """The account number that the card claims, unchecked; 0 when the layout is unknown. For look-ups only."""
    return (
        layout.Ident.unpack(raw.ident).account_no if layout.layout_version(raw.ident) == layout.VERSION else 0
    )


@dataclass(frozen=True, slots=True)
class Day:
    """Today's spending as the next slot shall say it."""

    on: date
    spent_fen: int


def spend_image(uid: bytes, account_no: int, state: State, day: Day, keys: KeyBundle) -> bytes:
    """Sign a SPEND slot. Amounts that outgrow their field saturate on the safe side. Needs ``MAC_SPEND``."""
    slot = layout.SpendSlot(
        seq=state.seq,
        total_fen=state.total_fen,
        day=layout.day_number(day.on),
        day_spent_fen=min(day.spent_fen, layout.DAY_SPENT_MAX_FEN),
        offline_raw=layout.STOP_MARK if state.stop else min(state.offline_fen, layout.OFFLINE_SPENT_MAX_FEN),
    )
    return _signed(uid, account_no, layout.SPEND_SLOTS[state.slot], slot.pack(), keys, Role.MAC_SPEND)


def load_image(
    uid: bytes, account_no: int, state: State, day_on: date, day_limit_fen: int, keys: KeyBundle
) -> bytes:
    """Sign a LOAD slot, which also carries the holder's daily limit. Needs ``MAC_LOAD``."""
    slot = layout.LoadSlot(state.seq, state.total_fen, day_limit_fen, 0, layout.day_number(day_on))
    return _signed(uid, account_no, layout.LOAD_SLOTS[state.slot], slot.pack(), keys, Role.MAC_LOAD)


def ident_image(uid: bytes, who: Personalisation, keys: KeyBundle) -> bytes:
    """Sign an identity block. Needs ``MAC_IDENT``."""
    ident = layout.Ident(
        key_version=keys.version,
        card_type=who.card_type,
        issue_no=who.issue_no,
        account_no=who.account_no,
        expires=layout.day_number(who.expires_on) if who.expires_on else 0,
        campus=who.campus if who.campus <= layout.CAMPUS_MAX else layout.CAMPUS_UNSAID,
    )
    return _signed(uid, who.account_no, layout.IDENT_BLOCK, ident.pack(), keys, Role.MAC_IDENT)


def ring_image(uid: bytes, account_no: int, entry: RingEntry, keys: KeyBundle) -> bytes:
    """Sign the ring record of an offline debit. Needs ``MAC_SPEND``."""
    record = layout.RingRecord(entry.card_seq, entry.terminal, entry.journal_seq, entry.fen)
    return _signed(uid, account_no, layout.ring_block(entry.card_seq), record.pack(), keys, Role.MAC_SPEND)


def slot_write(raw: RawCard, side: Side, slot: int, image: bytes) -> SlotWrite:
    """Pair an image with what this sighting read, ready for ``commit`` and, after a tear, ``resolve``."""
    blocks, read = (layout.SPEND_SLOTS, raw.spend) if side is Side.SPEND else (layout.LOAD_SLOTS, raw.load)
    seq = int.from_bytes(image[:2], "little")
    return SlotWrite(side, blocks[slot], image, seq, read[slot], blocks[1 - slot], read[1 - slot])


def offline_state(purse: Purse, fen: int) -> State:
    """The SPEND state after an offline debit: always the other slot, next sequence, offline total up."""
    spend = purse.spend
    return State(spend.seq + 1, spend.total_fen + fen, 1 - spend.slot, spend.offline_fen + fen)


def is_worn(side: State | SideMirror) -> bool:
    """True when no sequence number is left for one more write (layout.SEQ_LAST), also after a tear that took one."""
    return (side.seq + 1 if isinstance(side, State) else side.next_seq) > layout.SEQ_LAST


def load_sector() -> int:
    """The sector whose key a till may borrow for one claim."""
    return layout.LOAD_SECTOR


def _current(
    uid: bytes, account_no: int, images: Sequence[bytes], blocks: Sequence[int], keys: KeyBundle, role: Role
) -> int:
    """Index of the slot in force. The higher sequence is tried first, so a healthy card costs one MAC check."""
    later = int(images[1][1::-1] > images[0][1::-1])
    for slot in (later, 1 - later):
        if keys.mac_matches(uid, account_no, blocks[slot], images[slot], role):
            return slot
    raise CardDamaged(f"neither slot of {role.value} is valid")


def _decode_ring(raw: RawCard, account_no: int, keys: KeyBundle) -> tuple[RingEntry, ...]:
    entries = []
    for block, image in zip(layout.RING_BLOCKS, raw.ring, strict=False):
        if keys.mac_matches(raw.uid, account_no, block, image, Role.MAC_SPEND):
            record = layout.RingRecord.unpack(image)
            entries.append(RingEntry(record.card_seq, record.terminal, record.journal_seq, record.fen))
    return tuple(entries)


def _signed(uid: bytes, account_no: int, block: int, data: bytes, keys: KeyBundle, role: Role) -> bytes:
    return data + keys.mac(uid, account_no, block, data, role)


def renewed_ident(uid: bytes, who: Personalisation, keys: KeyBundle) -> dict[int, bytes]:
    """The identity block alone, for a card of ours whose last day moves. No money stands in that block."""
    return {layout.IDENT_BLOCK: ident_image(uid, who, keys)}


def first_content(uid: bytes, who: Personalisation, keys: KeyBundle) -> dict[int, bytes]:
    """The data blocks of a fresh card. Slots B stay invalid until the first write."""
    first = who.first_seq
    spend = spend_image(uid, who.account_no, State(first, 0, 0), Day(who.day_on, 0), keys)
    loaded = State(first, who.load_total_fen, 0)
    load = load_image(uid, who.account_no, loaded, who.day_on, who.day_limit_fen, keys)
    empty = bytes(16)
    return {
        layout.IDENT_BLOCK: ident_image(uid, who, keys),
        layout.SCHOOL_NUMBER_BLOCK: who.school_number_mac[:8].ljust(16, b"\0"),
        layout.SPEND_SLOTS[0]: spend,
        layout.SPEND_SLOTS[1]: empty,
        layout.LOAD_SLOTS[0]: load,
        layout.LOAD_SLOTS[1]: empty,
        **dict.fromkeys(layout.RING_BLOCKS, empty),
    }
