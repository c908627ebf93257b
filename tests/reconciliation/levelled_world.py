"""The pure model with tills that stay away: gaps are levelled, records come late, people refund (tap-protocol.md).

The truth beside it: ``stands_in`` are the offline sales that a levelling stands in for, whether their records have
come since (then they are late) or not. Nobody in the model may look at it; every step is checked against it.
"""

from __future__ import annotations

import random

from purse.evidence import Finding, open_items, prove, written_offline
from tests.purse.model import STEPS, Broken, Image, World


class LevelledWorld(World):
    """One card whose book is levelled now and then, at most as often as tills stay away."""

    def __init__(self, rng: random.Random, *, start_fen: int = 1_000_000) -> None:
        super().__init__(rng, start_fen=start_fen)
        self.levelled_seq = 0
        self.levelled_fen = self.traced_seq = 0
        self.late: dict[int, int] = {}
        self.refunded_fen = 0
        self.stands_in: set[int] = set()
        self.sighted: dict[str, Image] | None = None

    def book_fen(self) -> int:
        return super().book_fen() - self.levelled_fen + self.refunded_fen

    def items(self):
        return open_items(
            spend=self.mirror["spend"],
            load=self.mirror["load"],
            book_fen=self.book_fen(),
            late_fen=sum(self.late.values()),
        )

    def check(self, seen: dict[str, Image]) -> None:
        items = self.items()
        spent = {n for n in self.book if self.side[n] == "spend"}
        on_card = seen["spend"].carries
        offline = self.sum(on_card - spent - self.stands_in)
        torn = self.sum(spent - on_card)
        if (items.torn_fen, items.offline_fen, items.late_fen) != (
            torn,
            offline,
            self.truly_late(),
        ):
            raise Broken(f"{items} but truly torn {torn} offline {offline} late {self.truly_late()}")
        self.sighted, shown = seen, seen["spend"].state
        if shown.offline_fen:
            self.traced_seq = shown.seq

    def truly_late(self) -> int:
        """Posted although a levelling stood in for it, and not refunded."""
        return self.sum(self.stands_in & self.book) - self.refunded_fen

    # ------------------------------------------------------------------------------------------------- steps

    def level(self, *, at_the_end: bool = False) -> None:
        """Five silent days after the last sighting: by the offline part, never upward.

        Cells that were torn and still read differently from day to day are left out: what such a card showed may be
        gone afterwards, and then it is EXCESS, which a person looks at (docs/reconciliation.md).
        """
        items, seen = self.items(), self.sighted
        if seen is None or items.offline_fen <= 0 or (self.cells["spend"].weak and not at_the_end):
            return
        truly = seen["spend"].carries - self.book - self.stands_in
        self.levelled_fen += items.offline_fen
        self.levelled_seq = max(self.levelled_seq, self.mirror["spend"].covered_seq(self.traced_seq))
        self.stands_in |= truly
        self.done["levelled"] += 1

    def upload(self) -> None:
        if not self.records:
            return
        place = self.rng.randrange(len(self.records))
        entry, state, journal = self.records[place]
        if self.rng.random() < 0.7:
            self.records.pop(place)
        known = entry in self.book
        found = prove(self.mirror["spend"], state)
        if isinstance(found, Finding):
            raise Broken(f"an honest record is called {found}: {state} {self.mirror['spend']}")
        if known:
            leg = next((leg for leg in found.legs if leg.journal_seq == journal), None)
            found = written_offline(found, entry=leg.entry) if leg else found
        elif (state.seq <= self.levelled_seq) != (entry in self.stands_in):
            raise Broken(
                f"record {state.seq} of {entry}, levelled up to {self.levelled_seq}: {self.stands_in}"
            )
        elif state.seq <= self.levelled_seq:
            self.late[entry] = self.fen[entry]
            self.done["late"] += 1
        self.book.add(entry)
        self.mirror["spend"] = found
        if self.sighted is not None and state.seq > self.sighted["spend"].state.seq:
            self.sighted = None  # what the mirror shows now was told by a record, not seen

    def refund(self) -> None:
        """A person refunds one late item, exactly."""
        if self.late:
            entry = self.rng.choice(sorted(self.late))
            self.refunded_fen += self.late.pop(entry)
            self.done["refunded"] += 1

    def drain(self) -> None:
        """Every record comes, every late item is refunded, one quiet tap: card and book hold what was paid, once."""
        super().drain()
        for _ in range(len(self.late)):
            self.refund()
        if any(mirror.legs for mirror in self.mirror.values()) or self.sight() is None:
            return  # its cells could not be read when it was healed for the last time
        self.level(at_the_end=True)
        self.check_end()

    def check_end(self) -> None:
        items = self.items()
        if any((items.torn_fen, items.unwritten_fen, items.offline_fen, items.late_fen)):
            raise Broken(f"something stays open: {items}")
        assert self.sighted is not None
        paid = self.sum(self.sighted["spend"].carries)
        loaded = self.sum(self.sighted["load"].carries)
        if self.book_fen() != self.start_fen + loaded - paid:
            raise Broken(f"paid {paid} of {self.start_fen + loaded}, left {self.book_fen()}")

    def replace_card(self) -> None:
        done, rng, start_fen = self.done, self.rng, self.start_fen
        self.__init__(rng, start_fen=start_fen)
        self.done = done
        self.done["damaged"] += 1

    def step(self) -> None:
        name = self.rng.choices(list(DEEDS), list(DEEDS.values()))[0]
        self.done[name] += 1
        getattr(self, name)()


DEEDS = STEPS | {"offline": 8, "upload": 3, "level": 2, "refund": 2}


class Tearer(LevelledWorld):
    """Pulls his card away from every online till, and spends the same money offline."""

    def write(self, side: str, image: Image) -> None:
        if side == "load":
            return super().write(side, image)
        return None
