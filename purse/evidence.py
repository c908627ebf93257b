"""What the book knows about the purse on one card, and what a sighting of that card proves. Pure functions.

Each side of a purse (spend, load) only ever grows. The *floor* is the last state that nothing can take back; *told*
images are slot writes handed to a terminal whose fate is not certain yet; *legs* are book entries that ride on them.
A torn EEPROM cell can read old today and new tomorrow, so a sighting alone shows, and only an outcome or a later
write on top confirms (docs/decisions/0006).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum


class Side(StrEnum):
    """The two one-way totals of a purse."""

    SPEND = "spend"
    LOAD = "load"


class Finding(StrEnum):
    """What only tampering, a clone, a restored dump or a fault can explain."""

    ROLLBACK = "rollback"
    """The card shows a sequence below what was proven."""
    FORK = "fork"
    """One sequence number with two contents."""
    EXCESS = "excess"
    """The card shows a state, or more money, that no record explains."""


@dataclass(frozen=True, slots=True)
class State:
    """One side of a purse as one slot (0 or 1) tells it. ``offline_fen`` and ``stop`` belong to the spend side."""

    seq: int
    total_fen: int
    slot: int
    offline_fen: int = 0
    stop: bool = False
    withheld: bool = False
    """Of a told image: its terminal asked again and was not given it, so its report says nothing about it."""

    @property
    def base_fen(self) -> int:
        """The total of the last online write below any offline spending."""
        return self.total_fen - self.offline_fen


@dataclass(frozen=True, slots=True)
class Leg:
    """A book entry not confirmed on the card that it must reach. ``entry``: its seq in the account; ``fen`` > 0."""

    entry: int
    seq: int
    fen: int
    terminal: int | None
    journal_seq: int | None
    shown: bool = False
    """True while the last sighting showed it on the card."""


@dataclass(frozen=True, slots=True)
class SideMirror:
    """The book's view of one side: what was last shown, the floor below it, told images, open legs (in seq order)."""

    shown: State
    floor: State
    told: tuple[State, ...] = ()
    legs: tuple[Leg, ...] = ()

    @property
    def missing_fen(self) -> int:
        """Sum of the legs that the last sighting did not show."""
        return sum(leg.fen for leg in self.legs if not leg.shown)

    @property
    def in_doubt(self) -> bool:
        """Whether the last sighting showed an image that nobody has confirmed; its cells may yet turn."""
        return self.shown.seq != self.floor.seq

    def covered_seq(self, traced_seq: int) -> int:
        """The highest number of any offline sale in what was shown last; whatever the card sells next is above it.

        ``traced_seq``: the highest one that the card itself ever told a reader of. It counts while an online image
        stands on top that nobody confirmed: torn when it is written again, the card falls back to the state below,
        and its next offline sale takes a number that an image had been given.
        """
        if self.in_doubt and not self.shown.offline_fen:
            return max(self.floor.seq, min(traced_seq, self.shown.seq))
        return self.shown.seq

    def may_hide_legs(self, traced_seq: int) -> bool:
        """Whether what was shown last may carry an open leg that nobody could see.

        A record told of it, and no reader since, so the ring was not read: the till of a lost answer may have written
        its sale offline before. What looks like a leg and a gap of the same amount is no difference at all then.
        ``traced_seq``: as for ``covered_seq``.
        """
        unseen = self.shown.offline_fen > 0 and self.shown.seq > traced_seq
        return unseen and any(not leg.shown and leg.terminal is not None for leg in self.legs)

    def may_be_written(self, seq: int, slot: int) -> bool:
        """Whether a told image may go to the card once more.

        It must add to what the card shows just what that lacks; or it is what the card shows, but may not keep: its
        outcome would confirm it, so it has to be written again first.
        """
        image = next((image for image in self.told if image.seq == seq), None)
        if image is None or seq < self.shown.seq:
            return False
        if seq == self.shown.seq:
            return slot == self.shown.slot
        lacking_fen = sum(leg.fen for leg in self.legs if not leg.shown and leg.seq <= seq)
        return slot == self.next_slot and image.total_fen == self.shown.total_fen + lacking_fen

    @property
    def written_again(self) -> bool:
        """Whether the slot in doubt is the one to write next, because the other holds the only certain state.

        Never so for offline spending: only the card knows of it, while what an image carried is in the book.
        """
        return self.in_doubt and not self.shown.offline_fen

    @property
    def next_slot(self) -> int:
        """Where the next image goes."""
        return self.shown.slot if self.written_again else 1 - self.shown.slot

    @property
    def next_seq(self) -> int:
        """The number of the next image.

        A slot written again leaves the other one alone, and so leaves it its next number: an offline debit that was
        torn there may turn up again.
        """
        taken = [self.shown.seq + self.written_again]
        return max(taken + [image.seq for image in self.told] + [leg.seq for leg in self.legs]) + 1


@dataclass(frozen=True, slots=True)
class RingEntry:
    """An offline debit that the card itself remembers."""

    card_seq: int
    terminal: int
    journal_seq: int
    fen: int


@dataclass(frozen=True, slots=True)
class OpenItems:
    """Why card and book differ: ``card − book = torn − unwritten − offline + late`` always holds (tap-protocol.md)."""

    torn_fen: int
    unwritten_fen: int
    offline_fen: int
    """Spent offline and not here yet; negative = more on the card than any record explains."""
    late_fen: int


def open_items(*, spend: SideMirror, load: SideMirror, book_fen: int, late_fen: int) -> OpenItems:
    """Split the difference between card and book into its items, all in fen."""
    card_fen = load.shown.total_fen - spend.shown.total_fen
    torn_fen, unwritten_fen = spend.missing_fen, load.missing_fen
    return OpenItems(
        torn_fen=torn_fen,
        unwritten_fen=unwritten_fen,
        offline_fen=book_fen + torn_fen - unwritten_fen + late_fen - card_fen,
        late_fen=late_fen,
    )


def observe(mirror: SideMirror, seen: State, ring: Iterable[RingEntry] = ()) -> SideMirror | Finding:
    """Take in what one side of the card shows. Returns the new mirror, or the finding that makes the card suspect."""
    floor = mirror.floor
    if seen.seq < floor.seq:
        return Finding.ROLLBACK
    if seen.seq == floor.seq:
        if (seen.total_fen, seen.offline_fen, seen.stop) != (floor.total_fen, floor.offline_fen, floor.stop):
            return Finding.FORK
        return replace(
            mirror, shown=seen, floor=seen, legs=_seen_offline(mirror.legs, offline_sales(seen, ring))
        )
    if seen.offline_fen == 0:
        return _observe_online_image(mirror, seen)
    return _observe_offline_spending(mirror, seen, ring)


def prove(mirror: SideMirror, state: State) -> SideMirror | Finding:
    """Take in an uploaded record of an offline sale whose write was read back: its state stood on the card for good."""
    if state.seq == mirror.floor.seq and state.total_fen != mirror.floor.total_fen:
        return Finding.FORK
    if state.seq > mirror.shown.seq or (
        state.seq == mirror.shown.seq and state.total_fen != mirror.shown.total_fen
    ):
        seen = observe(mirror, state)
        return seen if isinstance(seen, Finding) else replace(seen, floor=seen.shown)
    if state.seq > mirror.floor.seq and state.base_fen == mirror.floor.base_fen:
        told = tuple(image for image in mirror.told if image.seq > state.seq)
        return replace(mirror, floor=state, told=told)
    return mirror


def confirm(mirror: SideMirror, *, seq: int, total_fen: int) -> SideMirror:
    """Take in a reported read-back: the last told image stands on the card for good, and every leg rides on it.

    Anything else changes nothing: an earlier image may have been overwritten since, and a tear there would bring the
    floor back; an image that was never told proves nothing, nor one that its terminal was not given again.
    """
    image = mirror.told[-1] if mirror.told else None
    if image is None or image.withheld or (image.seq, image.total_fen) != (seq, total_fen):
        return mirror
    return SideMirror(shown=image, floor=image)


def withheld(mirror: SideMirror, seq: int | None) -> SideMirror:
    """Note that the terminal which was told the image ``seq`` asked again and was not given it. None: no such image."""
    told = tuple(replace(image, withheld=True) if image.seq == seq else image for image in mirror.told)
    return replace(mirror, told=told)


def tell(mirror: SideMirror, *, fen: int, stop: bool = False) -> State:
    """Compose the next state to write: everything the card lacks, plus ``fen``.

    All images told since the floor go to one slot. Call after ``observe``: only a sighting knows which slot is which.
    """
    return State(
        seq=mirror.next_seq,
        total_fen=mirror.shown.total_fen + mirror.missing_fen + fen,
        slot=mirror.next_slot,
        stop=stop,
    )


def with_told(mirror: SideMirror, image: State, leg: Leg | None = None) -> SideMirror:
    """Remember an image that goes to a terminal now, and the entry it is for."""
    legs = mirror.legs if leg is None else (*mirror.legs, leg)
    return replace(mirror, told=(*mirror.told, image), legs=legs)


def without_leg(mirror: SideMirror, entry: int) -> SideMirror | None:
    """Forget an entry whose only image was never given to a card, or None when a later image carries it too."""
    leg = next((leg for leg in mirror.legs if leg.entry == entry), None)
    if leg is None or leg.shown or any(image.seq > leg.seq for image in mirror.told):
        return None
    return replace(
        mirror,
        told=tuple(image for image in mirror.told if image.seq < leg.seq),
        legs=tuple(other for other in mirror.legs if other.entry != entry),
    )


def written_offline(mirror: SideMirror, *, entry: int) -> SideMirror:
    """An uploaded record (or the card's ring) says that this entry was written offline under the same key."""
    return replace(mirror, legs=tuple(leg for leg in mirror.legs if leg.entry != entry))


def _observe_online_image(mirror: SideMirror, seen: State) -> SideMirror | Finding:
    image = _told(mirror, seen.seq, seen.total_fen)
    if image is None or image.stop != seen.stop:
        return Finding.FORK if any(other.seq == seen.seq for other in mirror.told) else Finding.EXCESS
    legs = tuple(replace(leg, shown=leg.seq <= seen.seq) for leg in mirror.legs)
    return replace(mirror, shown=seen, legs=legs)


def _observe_offline_spending(
    mirror: SideMirror, seen: State, ring: Iterable[RingEntry]
) -> SideMirror | Finding:
    """Offline debits stand on top of an online write: ``base_fen`` says on which, and that one is certain now.

    The debits themselves are not, until their records come: the last one may have been torn and turn again.
    """
    floor, legs, sales = mirror.floor, mirror.legs, tuple(offline_sales(seen, ring))
    bases = [image for image in mirror.told if image.total_fen == seen.base_fen and image.seq < seen.seq]
    if floor.base_fen == seen.base_fen and floor.offline_fen < seen.offline_fen:
        bases = [floor, *bases]
    if not bases:
        return Finding.EXCESS
    if sum(sale.fen for sale in sales) == seen.offline_fen:  # then the ring tells the base's number, too
        bases = [base for base in bases if base.seq < sales[-1].card_seq][-1:] or bases
    if bases[0] is not floor:
        floor = bases[0]
        legs = tuple(leg for leg in legs if leg.seq > floor.seq)
    told = tuple(image for image in mirror.told if image.seq > seen.seq)
    return SideMirror(seen, floor, told, _seen_offline(legs, sales))


def _told(mirror: SideMirror, seq: int, total_fen: int) -> State | None:
    return next((image for image in mirror.told if (image.seq, image.total_fen) == (seq, total_fen)), None)


def _seen_offline(legs: tuple[Leg, ...], sales: Iterable[RingEntry]) -> tuple[Leg, ...]:
    """The legs, shown where the offline spending on the card carries them.

    A till that lost the answer wrote the same sale offline: the card's own ring names terminal, record and amount.
    """
    written = {(sale.terminal, sale.journal_seq, sale.fen) for sale in sales}
    return tuple(replace(leg, shown=(leg.terminal, leg.journal_seq, leg.fen) in written) for leg in legs)


def offline_sales(seen: State, ring: Iterable[RingEntry]) -> Iterator[RingEntry]:
    """The ring's records of the sales that make up ``seen.offline_fen``, the last one first.

    The ring is written before the slot, so it may also hold a sale that was torn off, and older ones.
    """
    left_fen = seen.offline_fen
    for entry in sorted(ring, key=lambda entry: -entry.card_seq):
        if entry.card_seq <= seen.seq and entry.fen <= left_fen:
            yield entry
            left_fen -= entry.fen
