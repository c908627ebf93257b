"""A whole life of one card in plain Python: cells that tear, tills that lose answers, a book that knows only evidence.

``World`` plays everybody's part on ``purse.evidence`` alone. Beside it stands the truth: which movements every image
really carries. After each sighting the open items must be exactly what the truth says.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace

from purse.evidence import (
    Finding,
    Leg,
    RingEntry,
    SideMirror,
    State,
    confirm,
    observe,
    open_items,
    prove,
    tell,
    with_told,
    without_leg,
    written_offline,
)
from purse.policy import Policy

OLD, NEW, GARBAGE, WEAK = "old", "new", "garbage", "weak"
TEARS = (OLD, NEW, GARBAGE, WEAK)


class Broken(AssertionError):
    """A promise was broken; the message says which."""


@dataclass(frozen=True)
class Image:
    """A slot's content, and the movements that are really in it."""

    state: State
    carries: frozenset[int]
    in_a_row: int = 0
    """Offline sales on top of the last online image."""


@dataclass
class Cells:
    """One side of the plastic: two slots, each an image, garbage, or cells that read differently each time."""

    slots: list[Image | None]
    weak: dict[int, tuple[Image | None, ...]] = field(default_factory=dict)

    def read(self, rng: random.Random) -> Image | None:
        """What a reader decodes now: the highest sequence that is whole, or None for a damaged card."""
        for slot, choices in self.weak.items():
            self.slots[slot] = rng.choice(choices)
        whole = [image for image in self.slots if image is not None]
        return max(whole, key=lambda image: image.state.seq, default=None)

    def write(self, image: Image, how: str) -> None:
        slot, before = image.state.slot, self.slots[image.state.slot]
        self.weak.pop(slot, None)
        self.slots[slot] = {OLD: before, NEW: image, GARBAGE: None, WEAK: image}[how]
        if how == WEAK:
            self.weak[slot] = (image, None)

    def copy(self) -> Cells:
        return Cells(list(self.slots), dict(self.weak))


@dataclass
class Pending:
    """An image that a till holds, for the key (entry) it belongs to."""

    entry: int
    image: Image
    sighted: Image


class World:
    """One card, its mirror in the book, some tills, and the truth. ``rng`` decides everything."""

    def __init__(self, rng: random.Random, *, start_fen: int = 1_000_000) -> None:
        self.rng = rng
        self.start_fen = start_fen
        first = Image(State(0, 0, 0), frozenset())
        loaded = Image(State(0, start_fen, 0), frozenset())
        self.cells = {"spend": Cells([first, None]), "load": Cells([loaded, None])}
        self.ring: dict[int, RingEntry] = {}
        self.mirror = {
            "spend": SideMirror(first.state, first.state),
            "load": SideMirror(loaded.state, loaded.state),
        }
        self.told: dict[tuple[str, int], Image] = {}
        self.fen: dict[int, int] = {}
        self.side: dict[int, str] = {}
        self.book: set[int] = set()
        self.void: set[int] = set()
        self.entries = 0
        self.journal = 0
        self.reports: list[tuple[str, int, int]] = []
        self.records: list[tuple[int, State, int | None]] = []
        self.answers_lost: list[tuple[int, int, int]] = []
        self.proven = 0
        self.done: Counter[str] = Counter()

    # ------------------------------------------------------------------------------------------------- truth

    def book_fen(self) -> int:
        spent = sum(self.fen[n] for n in self.book if self.side[n] == "spend")
        return self.start_fen + sum(self.fen[n] for n in self.book if self.side[n] == "load") - spent

    def sum(self, numbers: set[int] | frozenset[int]) -> int:
        return sum(self.fen[n] for n in numbers)

    def check(self, seen: dict[str, Image]) -> None:
        """The items of the book against the truth of what stands on the card at this moment."""
        items = open_items(
            spend=self.mirror["spend"], load=self.mirror["load"], book_fen=self.book_fen(), late_fen=0
        )
        spent = {n for n in self.book if self.side[n] == "spend"}
        loaded = {n for n in self.book if self.side[n] == "load"}
        torn = self.sum(spent - seen["spend"].carries)
        unwritten = self.sum(loaded - seen["load"].carries)
        offline = self.sum(seen["spend"].carries - spent)
        if (items.torn_fen, items.unwritten_fen, items.offline_fen) != (torn, unwritten, offline):
            raise Broken(f"{items} but truly torn {torn} unwritten {unwritten} offline {offline}")

    # --------------------------------------------------------------------------------------------- movements

    def new(self, side: str, fen: int) -> int:
        self.entries += 1
        self.fen[self.entries], self.side[self.entries] = fen, side
        return self.entries

    def sight(self) -> dict[str, Image] | None:
        """A card on an online reader. None when a side is damaged beyond reading."""
        seen = {side: cells.read(self.rng) for side, cells in self.cells.items()}
        if None in seen.values():
            return None
        for side, image in seen.items():
            ring = tuple(self.ring.values()) if side == "spend" else ()
            found = observe(self.mirror[side], image.state, ring)
            if isinstance(found, Finding):
                raise Broken(f"an honest card is called {found} on {side}: {image.state} {self.mirror[side]}")
            self.mirror[side] = found
        self.check(seen)
        return seen

    def tell(self, side: str, seen: Image, entry: int | None, journal: int | None = None) -> Image:
        """What the book answers: the entry is posted, an image goes out."""
        mirror = self.mirror[side]
        fen = self.fen[entry] if entry else 0
        state = tell(mirror, fen=fen)
        leg = Leg(entry, state.seq, fen, 7, journal) if entry else None
        if entry:
            self.book.add(entry)
        missing = {other.entry for other in mirror.legs if not other.shown}
        image = Image(state, seen.carries | missing | ({entry} if entry else set()))
        self.mirror[side] = with_told(mirror, state, leg)
        self.told[side, state.seq] = image
        return image

    def write(self, side: str, image: Image) -> None:
        """The till's write; one in three is torn. A read-back is reported now, later, twice or never."""
        how = self.rng.choice(TEARS) if self.rng.random() < 0.35 else None
        self.cells[side].write(image, how or NEW)
        if how is None:
            report = (side, image.state.seq, image.state.total_fen)
            self.reports += [report] * self.rng.choice((0, 1, 1, 1, 2))

    # ------------------------------------------------------------------------------------------------- steps

    def step(self) -> None:
        """One thing that happens on a campus."""
        name = self.rng.choices(list(STEPS), list(STEPS.values()))[0]
        self.done[name] += 1
        getattr(self, name)()

    def purchase(self) -> None:
        seen = self.sight()
        if seen is None:
            return self.replace_card()
        self.journal += 1
        entry = self.new("spend", self.rng.randrange(1, 500))
        image = self.tell("spend", seen["spend"], entry, self.journal)
        if self.mirror["load"].missing_fen or self.mirror["load"].in_doubt:
            self.write("load", self.tell("load", seen["load"], None))
        fate = self.rng.random()
        if fate < 0.75:
            return self.write("spend", image)
        if fate < 0.85:
            return self.sell_offline(entry, self.journal)
        if fate < 0.95:
            return self.give_up(entry)
        return None  # the answer is lost for good: the next sighting will show

    def heal(self) -> None:
        seen = self.sight()
        if seen is None:
            return self.replace_card()
        for side in ("load", "spend"):
            if self.mirror[side].missing_fen or self.mirror[side].in_doubt:
                self.write(side, self.tell(side, seen[side], None))
        return None

    def top_up(self) -> None:
        seen = self.sight()
        if seen is None:
            return self.replace_card()
        entry = self.new("load", self.rng.randrange(1, 5000))
        return self.write("load", self.tell("load", seen["load"], entry))

    def look(self) -> None:
        if self.sight() is None:
            self.replace_card()

    def offline(self) -> None:
        self.journal += 1
        self.sell_offline(self.new("spend", self.rng.randrange(1, 500)), self.journal)

    def sell_offline(self, entry: int, journal: int) -> None:
        """Ring first, then the slot that is not current; a torn one is told from a whole one by nobody but the card."""
        cells = self.cells["spend"]
        current = cells.read(self.rng)
        if current is None or any(self.offline_or_current(slot, current) for slot in cells.weak):
            return  # two tears in a row, the second one offline: the limit that docs/reliability.md names
        fen, state = self.fen[entry], current.state
        if current.in_a_row >= Policy().offline_in_a_row:
            return
        after = State(state.seq + 1, state.total_fen + fen, 1 - state.slot, state.offline_fen + fen)
        forgotten = self.ring.get(after.seq % 6)
        if forgotten and any(leg.journal_seq == forgotten.journal_seq for leg in self.mirror["spend"].legs):
            return  # a lost answer, a torn fallback and another torn offline sale on top: the ring is too short
        self.ring[after.seq % 6] = RingEntry(after.seq, 7, journal, fen)
        if self.rng.random() < 0.05:
            return
        how = self.rng.choice(TEARS) if self.rng.random() < 0.2 else None
        self.cells["spend"].write(Image(after, current.carries | {entry}, current.in_a_row + 1), how or NEW)
        if how is None:
            self.records.append((entry, replace(after, slot=0), journal))

    def offline_or_current(self, slot: int, current: Image) -> bool:
        """Whether weak cells are those of an offline sale, or of the very state that an offline sale would stand on."""
        return slot == current.state.slot or any(
            image and image.in_a_row for image in self.cells["spend"].weak[slot]
        )

    def upload(self) -> None:
        if not self.records:
            return
        place = self.rng.randrange(len(self.records))
        entry, state, journal = self.records[place]
        if self.rng.random() < 0.7:
            self.records.pop(place)
        mirror = self.mirror["spend"]
        found = prove(mirror, state)
        if isinstance(found, Finding):
            raise Broken(f"an honest record is called {found}: {state} {mirror}")
        if entry in self.book:
            leg = next((leg for leg in found.legs if leg.journal_seq == journal), None)
            found = written_offline(found, entry=leg.entry) if leg else found
        self.book.add(entry)
        self.mirror["spend"] = found

    def report(self) -> None:
        """A read-back arrives, whichever of those under way, however late."""
        if not self.reports:
            return
        side, seq, total_fen = self.reports.pop(self.rng.randrange(len(self.reports)))
        self.mirror[side] = confirm(self.mirror[side], seq=seq, total_fen=total_fen)

    def give_up(self, entry: int) -> None:
        """The till never wrote: the book takes the debit back, or pays it out on the load side by hand."""
        spend = without_leg(self.mirror["spend"], entry)
        if spend is not None:
            self.mirror["spend"] = spend
            self.book.discard(entry)

    def replace_card(self) -> None:
        """Both slots unreadable: two tears on top of each other. The desk makes a new card of what the book says."""
        done = self.done
        self.__init__(self.rng, start_fen=self.start_fen)
        self.done = done + Counter(damaged=1)

    # --------------------------------------------------------------------------------------------------- end

    def drain(self) -> None:
        """Everything arrives, and one quiet tap confirms: card and book hold the same, each movement once."""
        while self.records:
            self.upload()
        seen = self.sight()
        if seen is None:
            return
        for side in ("load", "spend"):
            image = self.tell(side, seen[side], None)
            self.cells[side].write(image, NEW)
            self.mirror[side] = confirm(
                self.mirror[side], seq=image.state.seq, total_fen=image.state.total_fen
            )
        seen = self.sight()
        assert seen is not None
        if any(mirror.legs or mirror.told for mirror in self.mirror.values()):
            raise Broken("something stays open")
        if self.sum({n for n in self.book if self.side[n] == "load"} - seen["load"].carries):
            raise Broken("a credit is lost")


STEPS = {"purchase": 10, "heal": 2, "top_up": 3, "look": 3, "offline": 4, "upload": 5, "report": 9}
