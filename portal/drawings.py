"""Numbers as lengths and shades: the geometry of the holder's drawings. The table behind each has the numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from transactions.analysis import Share

FIRST_HOUR, LAST_HOUR = 6, 23
"""The hours that are drawn; the table has all of them."""
CELL, GAP, LEFT, TOP = 20, 2, 34, 20
SHADES = 5


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a bar drawing: its word, its share, its length in per cent of the longest."""

    word: str
    share: Share
    width: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One square of the week: where it stands, how dark it is (0 is empty), and what it says when pointed at."""

    x: int
    y: int
    shade: int
    share: Share | None
    weekday: int
    hour: int


def bars(parts: Iterable[tuple[str, Share]]) -> tuple[Bar, ...]:
    """The longest bar is the dearest part; what came to nothing or came back has none."""
    listed = list(parts)
    longest = max((share.fen for _, share in listed), default=0) or 1
    return tuple(Bar(word, share, max(0, share.fen * 100 // longest)) for word, share in listed)


def week(by_hour: dict[tuple[int, int], Share]) -> tuple[Cell, ...]:
    """Seven rows of hours."""
    most = max((share.fen for share in by_hour.values()), default=0) or 1
    return tuple(
        Cell(
            x=LEFT + (hour - FIRST_HOUR) * (CELL + GAP),
            y=TOP + (weekday - 1) * (CELL + GAP),
            shade=_shade(by_hour.get((weekday, hour)), most),
            share=by_hour.get((weekday, hour)),
            weekday=weekday,
            hour=hour,
        )
        for weekday in range(1, 8)
        for hour in range(FIRST_HOUR, LAST_HOUR + 1)
    )


def week_size() -> tuple[int, int]:
    """Width and height of the drawing of a week, in its own units."""
    return LEFT + (LAST_HOUR - FIRST_HOUR + 1) * (CELL + GAP), TOP + 7 * (CELL + GAP)


def _shade(share: Share | None, most: int) -> int:
    if share is None or share.fen <= 0:
        return 0
    return min(SHADES, 1 + share.fen * SHADES // (most + 1))
