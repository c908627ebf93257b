"""Numbers as lengths: the geometry of the small drawings, in per cent of their width. The table beside them has the
numbers themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from reconciliation.difference import Difference
from reconciliation.queue import AgeCount, ClassCount


@dataclass(frozen=True, slots=True)
class ClassBar:
    """A class of cases and the length of its sum."""

    row: ClassCount
    width: int


@dataclass(frozen=True, slots=True)
class AgeBar:
    """An age and the length of its count."""

    row: AgeCount
    width: int
    tone: str

    @property
    def word(self) -> str:
        """``1–3 天``."""
        if self.row.until_days is None:
            return _("%(days)d 天以上") % {"days": self.row.from_days}
        if self.row.from_days == 0:
            return _("不到 1 天")
        return _("%(start)d–%(end)d 天") % {"start": self.row.from_days, "end": self.row.until_days}


@dataclass(frozen=True, slots=True)
class Beam:
    """One beam of the bridge from book to card: where it starts and how long it is, in per cent."""

    word: str | Promise
    fen: int
    left: float
    width: float
    tone: str
    total: bool = False


def class_bars(rows: Iterable[ClassCount]) -> tuple[ClassBar, ...]:
    """Bars for the classes that have cases."""
    rows = [row for row in rows if row.count]
    largest = max((row.fen for row in rows), default=0) or 1
    return tuple(ClassBar(row, max(1, row.fen * 100 // largest)) for row in rows)


def age_bars(rows: Sequence[AgeCount]) -> tuple[AgeBar, ...]:
    """Bars for every age; three days are a warning, five are late."""
    largest = max((row.count for row in rows), default=0) or 1
    tones = {3: "warn", 5: "bad"}
    return tuple(AgeBar(row, row.count * 100 // largest, tones.get(row.from_days, "")) for row in rows)


def bridge(difference: Difference | None, *, book_fen: int, card_fen: int) -> tuple[Beam, ...]:
    """From the book, over every item, to the card: what each adds hangs where the one before ended."""
    steps = difference.steps if difference else ()
    levels = [0, book_fen]
    for step in steps:
        levels.append(levels[-1] + step.fen)
    levels.append(card_fen)
    low, high = min(levels), max(levels)
    span = (high - low) or 1

    def beam(word: str | Promise, fen: int, start: int, tone: str, *, total: bool = False) -> Beam:
        left, right = sorted((start, start + fen))
        return Beam(word, fen, (left - low) * 100 / span, max(0.5, (right - left) * 100 / span), tone, total)

    beams = [beam(_("库"), book_fen, 0, "brand", total=True)]
    at_fen = book_fen
    for step in steps:
        beams.append(beam(step.word, step.fen, at_fen, "warn" if step.fen > 0 else "bad"))
        at_fen += step.fen
    return (*beams, beam(_("卡"), card_fen, 0, "brand", total=True))
