"""The life of one card as a supervisor reads it: movements in the order of the card's counter, with what is missing.

Pure functions. A late upload stands where the card says it happened, not where the book learned of it; a sum that the
card shows and no entry explains becomes a line of its own, a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from reconciliation.mismatch import CardSide
from transactions.days import local_day
from transactions.models import EntryKind, Mode

LEVELLED_BY = (EntryKind.LEVELLING, EntryKind.ADJUSTMENT)
"""What lowers a book in place of records that are missing, and remembers which sighting it used."""


class Stand(StrEnum):
    """How a line stands between book and card."""

    BOTH = "both"
    """In the book and, as far as it must reach the card, on it."""
    TORN = "torn"
    """A debit in the book that the card lacks."""
    UNWRITTEN = "unwritten"
    """A credit in the book that the card lacks."""
    GAP = "gap"
    """On the card, and no record of it here."""
    LEVELLED_GAP = "levelled_gap"
    """The same, but the book was lowered by it already."""
    LATE = "late"
    """Its amount had been levelled away when its record came: deducted twice."""
    REFUNDED = "refunded"
    """Deducted twice and given back."""


@dataclass(frozen=True, slots=True)
class Movement:
    """An entry as the timeline needs it. ``told_total_fen``: total of its side in the image given to the terminal."""

    id: int
    seq: int
    kind: EntryKind
    mode: Mode
    book_change_fen: int
    unclaimed_change_fen: int
    book_after_fen: int
    occurred_at: datetime
    posted_at: datetime
    terminal_id: int | None = None
    card_id: int | None = None
    merchant_id: int | None = None
    side: str | None = None
    purse_seq: int | None = None
    told_total_fen: int | None = None
    corrects: int | None = None
    reverses: int | None = None
    note: str = ""

    @property
    def is_spend(self) -> bool:
        """Whether it is a write of the card's SPEND side (a levelling only remembers one)."""
        return self.side == "spend" and self.purse_seq is not None and self.kind not in LEVELLED_BY


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ``movement`` is None for a gap; amounts in fen; ``first_seq``/``last_seq`` count on the card."""

    stand: Stand
    fen: int
    """As the holder gains."""
    at: datetime | None
    first_seq: int | None = None
    last_seq: int | None = None
    movement: Movement | None = None
    card_change_fen: int = 0
    card_before_fen: int | None = None
    card_after_fen: int | None = None

    @property
    def counter(self) -> str:
        """``141`` or ``141–143``."""
        if self.first_seq is None:
            return ""
        return str(self.first_seq) if self.first_seq == self.last_seq else f"{self.first_seq}–{self.last_seq}"

    @property
    def book_before_fen(self) -> int | None:
        """What the book held before; None for a gap, of which it knows nothing."""
        return self.movement.book_after_fen - self.movement.book_change_fen if self.movement else None

    @property
    def posted_later(self) -> bool:
        """Whether the book learned of it on another day."""
        found = self.movement
        return found is not None and local_day(found.occurred_at) != local_day(found.posted_at)


@dataclass(slots=True)
class _Walk:
    """Where the walk along the SPEND side stands: the number and the total that the lines so far explain."""

    seq: int | None = None
    total_fen: int | None = None
    lines: list[Line] = field(default_factory=list)
    missing: list[tuple[int, int, int]] = field(default_factory=list)
    """Numbers that no entry claims since the last told total: first, last, and before which line they belong."""

    def skip_to(self, seq: int) -> None:
        """Note the numbers between here and ``seq``, if there are any."""
        if self.seq is not None and seq > self.seq + 1:
            self.missing.append((self.seq + 1, seq - 1, len(self.lines)))

    def settle(self, gap_fen: int, at: datetime | None, levelled_seq: int) -> None:
        """Make a line of what is missing, where it is missing; nothing when the sums agree (a heal took a number)."""
        if gap_fen > 0:
            first, last, place = self.missing[0] if self.missing else (self.seq, self.seq, len(self.lines))
            last = self.missing[-1][1] if self.missing else last
            stand = Stand.LEVELLED_GAP if (last or 0) <= levelled_seq else Stand.GAP
            self.lines.insert(place, Line(stand, -gap_fen, at, first, last, None, -gap_fen))
        self.missing.clear()


def late_entries(movements: Iterable[Movement]) -> dict[int, Movement]:
    """Offline sales whose card number a levelling before them had already used, by entry id."""
    found: dict[int, Movement] = {}
    levelled_seq = -1
    for movement in sorted(movements, key=lambda each: each.seq):
        if movement.purse_seq is None:
            continue
        if movement.kind in LEVELLED_BY:
            levelled_seq = max(levelled_seq, movement.purse_seq)
        elif movement.kind is EntryKind.OFFLINE_SALE and movement.purse_seq <= levelled_seq:
            found[movement.id] = movement
    return found


def build(movements: Sequence[Movement], card: CardSide | None) -> tuple[Line, ...]:
    """Order the newest movements of an account by the card's counter, oldest first, and fill in what the card shows."""
    mine = [each for each in movements if card is None or each.card_id in (None, card.id)]
    spends = sorted(
        (each for each in mine if each.is_spend), key=lambda each: (each.purse_seq or 0, each.seq)
    )
    on_spend = {each.id for each in spends}
    rest = [each for each in movements if each.id not in on_spend]
    late = late_entries(movements)
    refunded = {each.corrects for each in movements if each.kind is EntryKind.REFUND}
    levelled_seq = max((each.purse_seq or -1 for each in rest if each.kind in LEVELLED_BY), default=-1)
    walk = _Walk()
    if card is not None and movements and movements[0].seq == 1 and len(mine) == len(movements):
        walk.seq, walk.total_fen = 0, 0  # its whole life is here, and it began with nothing spent
    missing_on_card = _missing(card, "spend")
    given_up = {
        each.reverses for each in movements if each.reverses and each.book_change_fen > 0 and not each.side
    }
    for movement in spends:
        if movement.id in given_up:  # its till wrote no card: sale and void cancel out in the book alone
            walk.lines.append(_other(movement, frozenset(), of_card=False))
            continue
        stand = Stand.BOTH
        if movement.id in late:
            stand = Stand.REFUNDED if movement.id in refunded else Stand.LATE
        elif movement.seq in missing_on_card:
            stand = Stand.TORN
        _step(walk, movement, stand, levelled_seq)
    if card is not None:
        _last_gap(walk, card, levelled_seq)
    unwritten = _missing(card, "load")
    others = (_other(each, unwritten, of_card=each in mine) for each in rest)
    return _with_card(tuple(_merged(walk.lines, others)), card)


def _missing(card: CardSide | None, side: str) -> frozenset[int]:
    """The entry numbers that the card lacked when it was last seen."""
    if card is None:
        return frozenset()
    return frozenset(leg.entry for leg in getattr(card, side).legs if not leg.shown)


def _step(walk: _Walk, movement: Movement, stand: Stand, levelled_seq: int) -> None:
    seq, fen, told_fen = movement.purse_seq or 0, -movement.book_change_fen, movement.told_total_fen
    if stand is Stand.TORN:  # it never came to the card, so it explains nothing that the card shows
        walk.lines.append(Line(stand, -fen, movement.occurred_at, seq, seq, movement))
        return
    walk.skip_to(seq)
    if walk.total_fen is None:
        walk.total_fen = told_fen
    else:
        walk.total_fen += fen
        # An image told before some offline spending knows nothing of it; what is missing shows in a later one.
        if told_fen is not None and told_fen >= walk.total_fen:
            walk.settle(told_fen - walk.total_fen, None, levelled_seq)
            walk.total_fen = told_fen
    walk.seq = seq if walk.seq is None else max(walk.seq, seq)
    walk.lines.append(Line(stand, -fen, movement.occurred_at, seq, seq, movement, -fen))


def _last_gap(walk: _Walk, card: CardSide, levelled_seq: int) -> None:
    """What the card showed last beyond everything that the book knows of."""
    shown = card.spend.shown
    if walk.total_fen is None:
        walk.seq, walk.total_fen = shown.seq, shown.total_fen
    walk.skip_to(shown.seq + 1)
    walk.settle(shown.total_fen - walk.total_fen, card.seen_at, levelled_seq)


def _other(movement: Movement, unwritten: frozenset[int], *, of_card: bool) -> Line:
    """What does not stand on the SPEND side: loads, corrections, unclaimed money; and what an earlier card did."""
    on_card = movement.side == "load" and of_card
    stand = Stand.UNWRITTEN if movement.seq in unwritten else Stand.BOTH
    fen = movement.book_change_fen or movement.unclaimed_change_fen
    change_fen = movement.book_change_fen if on_card and stand is Stand.BOTH else 0
    return Line(stand, fen, movement.occurred_at, None, None, movement, change_fen)


def _merged(spends: Sequence[Line], others: Iterable[Line]) -> Iterator[Line]:
    """Put the others between the writes of the SPEND side by their time; each row keeps its own order."""
    waiting = list(others)
    for line in spends:
        while waiting and line.movement is not None and _comes_before(waiting[0], line):
            yield waiting.pop(0)
        yield line
    yield from waiting


def _comes_before(other: Line, spend: Line) -> bool:
    if other.movement is None or spend.movement is None:
        return False
    mine, theirs = other.movement, spend.movement
    return (mine.occurred_at, mine.seq) < (theirs.occurred_at, theirs.seq)


def _with_card(lines: tuple[Line, ...], card: CardSide | None) -> tuple[Line, ...]:
    """What the card held before and after each line, counted back from what it showed last."""
    if card is None:
        return lines
    held_fen = card.card_fen - sum(line.card_change_fen for line in lines)
    filled = []
    for line in lines:
        after_fen = held_fen + line.card_change_fen
        filled.append(replace(line, card_before_fen=held_fen, card_after_fen=after_fen))
        held_fen = after_fen
    return tuple(filled)
