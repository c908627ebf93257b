"""A fortnight of one account: what was paid in and spent, and how card and book stand at the end of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from transactions.models import Contra, EntryKind, Mode

DAYS = 14
MEALS = ((7, 30), (11, 50), (17, 40))


@dataclass(frozen=True, slots=True)
class Line:
    """One entry to be. ``fen`` is signed as the book sees it; ``till`` a position in the list of tills, or None."""

    at: datetime
    kind: EntryKind
    fen: int
    contra: Contra
    till: int | None = None
    mode: Mode = Mode.ONLINE
    torn: bool = False
    """In the book, never written to the card (拿卡过快)."""


@dataclass
class History:
    """The lines of one account, oldest first, and what they come to."""

    lines: list[Line] = field(default_factory=list)

    @property
    def book_fen(self) -> int:
        """What the book holds after them."""
        return sum(line.fen for line in self.lines)

    @property
    def loaded(self) -> list[Line]:
        """What was put on the card."""
        return [line for line in self.lines if line.fen > 0]

    @property
    def spent(self) -> list[Line]:
        """What was taken from the card."""
        return [line for line in self.lines if line.fen < 0 and not line.torn]

    @property
    def torn(self) -> list[Line]:
        """What the card still lacks."""
        return [line for line in self.lines if line.torn]


def live_through(
    end_fen: int, *, now: datetime, tills: list[tuple[int, tuple[int, int, int]]], chance: random.Random
) -> History:
    """Invent meals and purchases whose top-up makes the book end at ``end_fen``, in fen.

    ``tills`` are (position, prices) to choose from.
    """
    spent: list[Line] = []
    for days_ago in range(DAYS, 0, -1):
        day = now - timedelta(days=days_ago)
        for hour, minute in MEALS:
            if chance.random() < (0.35 if day.weekday() < 5 else 0.2):
                at = day.replace(hour=hour, minute=minute) + timedelta(seconds=chance.randrange(2400))
                till, (least, usual, most) = chance.choice(tills)
                fen = int(chance.triangular(least, most, usual)) // 10 * 10
                spent.append(Line(at, EntryKind.PURCHASE, -max(fen, least), Contra.MERCHANT, till))
    paid_fen = end_fen - sum(line.fen for line in spent)
    start = (now - timedelta(days=DAYS + 1)).replace(hour=10, minute=5)
    return History([Line(start, EntryKind.TOP_UP, paid_fen, Contra.DRAWER, None, Mode.SERVER), *spent])
