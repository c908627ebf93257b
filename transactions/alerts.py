"""Which movements a holder is told of (use case H23): facts and thresholds in, findings out. Pure.

Below means below and above means above: at the threshold itself nothing is said. A low book is said once and then only
after a load has lifted it over the threshold again; what is taken back or refunded to it is no load.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from accounts.kinds import NoticeKind
from transactions.kinds import EntryKind

SALES: Final = frozenset({EntryKind.PURCHASE, EntryKind.OFFLINE_SALE})
LOADS: Final = frozenset(
    {EntryKind.TOP_UP, EntryKind.BANK_LOAD, EntryKind.SUBSIDY, EntryKind.CLAIM, EntryKind.OPENING}
)


@dataclass(frozen=True, slots=True)
class Watch:
    """What to look for, in fen; None: not at all. ``low_told``: it was said that the book is low."""

    low_fen: int | None
    spend_fen: int | None
    waiting: bool
    low_told: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One movement, in fen as the holder gains."""

    seq: int
    kind: EntryKind
    book_change_fen: int
    book_after_fen: int
    unclaimed_change_fen: int = 0
    unclaimed_after_fen: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to tell, and the movement that caused it. ``fen``: the book, the price or the money that waits."""

    kind: NoticeKind
    seq: int
    fen: int


def findings(watch: Watch, lines: Iterable[Line]) -> tuple[list[Finding], bool]:
    """What these movements, in their order, give to tell; and whether the low book is told of after them."""
    found: list[Finding] = []
    told = watch.low_told
    for line in lines:
        if watch.spend_fen is not None and line.kind in SALES and -line.book_change_fen > watch.spend_fen:
            found.append(Finding(NoticeKind.LARGE_SPEND, line.seq, -line.book_change_fen))
        if watch.low_fen is not None:
            if line.book_after_fen < watch.low_fen:
                if not told:
                    found.append(Finding(NoticeKind.LOW_BOOK, line.seq, line.book_after_fen))
                told = True
            elif line.kind in LOADS:
                told = False
        if watch.waiting:
            if line.unclaimed_change_fen > 0:
                found.append(Finding(NoticeKind.MONEY_WAITING, line.seq, line.unclaimed_change_fen))
            elif line.unclaimed_after_fen == 0:  # claimed before anybody had to be told
                found = [each for each in found if each.kind is not NoticeKind.MONEY_WAITING]
    return found, told
