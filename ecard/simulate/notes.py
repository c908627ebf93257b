"""What everybody on the campus saw and heard, written down as it happened: the simulation's own bookkeeping.

It knows nothing of the server's books. A beep means that the holder has paid; ``audit`` asks the books for the rest.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from dataclasses import dataclass, field

from purse.rules import Refusal
from terminals.device.tapped import Ending, Tapped

MONEY = frozenset({Ending.PAID, Ending.PAID_OFFLINE, Ending.VOIDED})


@dataclass(slots=True)
class Sale:
    """One operation key as the people at the till saw it."""

    account: int
    card: str
    till: int
    fen: int
    began_s: float
    beeps: int = 0
    offline: bool = False
    torn: bool = False
    """The card was pulled with this key open, or nobody could tell whether it was written."""
    void_of: uuid.UUID | None = None
    lost: bool = False
    """The disk of its till was lost before its record was uploaded."""
    unheard: bool = False
    """Its till was revoked: nobody hears any more what it has given up."""
    age: int = 0
    """How often the disk of its till had been put back before: its key may be one that was used already."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One tap: when in the run, how long it took, how it ended."""

    at_s: float
    took_s: float
    ending: Ending
    refusal: str


@dataclass(slots=True)
class Item:
    """What the open items came to at one moment, in fen, and how many cases were open."""

    at_s: float
    torn_fen: int
    unwritten_fen: int
    offline_fen: int
    late_fen: int
    excess_fen: int
    cases: int


@dataclass
class Notes:
    """Everything noted; written by all threads."""

    sales: dict[uuid.UUID, Sale] = field(default_factory=dict)
    again: dict[tuple[uuid.UUID, int], Sale] = field(default_factory=dict)
    """Later sales under the same key, by the age of the disk that gave it out a second time."""
    taps: list[Seen] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    """What the server said to records that were uploaded again."""
    items: list[Item] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    """Moments worth a line in the drawing."""
    lost_at_s: dict[int, float] = field(default_factory=dict)
    """When a loss report had been answered, by account number."""
    revoked_at_s: dict[int, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    """What must never be seen at a till, whatever the books say."""
    healed: int = 0
    """Torn sales that their card finished within its ten seconds."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, fault: str, times: int = 1) -> None:
        """A fault was injected."""
        with self._lock:
            self.faults[fault] += times

    def answered(self, result: str) -> None:
        """A record that had been uploaded before was answered."""
        with self._lock:
            self.answers[result] += 1

    def tap(self, tapped: Tapped, seen: Seen, sale: Sale, *, beeped: bool) -> None:
        """A tap has ended. ``sale`` describes it in case its key is new."""
        with self._lock:
            self.taps.append(seen)
            if beeped != (tapped.ending in MONEY):
                self.wrong.append(f"till {sale.till}: {tapped.ending} with {'a' if beeped else 'no'} beep")
            if tapped.key is None or tapped.ending is Ending.OTHER_CARD:
                return
            key = tapped.key.as_uuid()
            known = self.sales.setdefault(key, sale)
            if known.age != sale.age:
                known = self.again.setdefault((key, sale.age), sale)
            self._went_on(known, tapped, beeped=beeped)

    def _went_on(self, known: Sale, tapped: Tapped, *, beeped: bool) -> None:
        if beeped and known.torn:
            self.healed += 1
        known.beeps += beeped
        known.offline = known.offline or tapped.ending is Ending.PAID_OFFLINE
        known.offline = known.offline or (tapped.work is not None and tapped.work.plan is not None)
        in_doubt = tapped.ending is Ending.UNKNOWN and tapped.refusal is Refusal.UNREADABLE
        known.torn = known.torn or in_doubt or tapped.ending is Ending.TORN
        if known.beeps > 1:
            self.wrong.append(f"till {known.till}: two beeps for one key")

    def disk_lost(self, keys: list[uuid.UUID]) -> None:
        """The records of these keys are gone with their till's disk."""
        with self._lock:
            for key in keys:
                if key in self.sales:
                    self.sales[key].lost = True
