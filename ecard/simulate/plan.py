"""What is to be simulated. Every decision of every actor comes from one seed, so a run that found something repeats.

Threads still interleave as they like: the decisions repeat, the order in which they meet does not.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

FIRST_DAY = 0.6
"""The share of the time that is played on the first day; the rest is played six days later."""


@dataclass(frozen=True, slots=True)
class Odds:
    """How often things go wrong: the first six per tap, the last four per request."""

    tear: float = 0.0
    outage: float = 0.0
    power_cut: float = 0.0
    clock: float = 0.0
    upload_again: float = 0.0
    void: float = 0.01
    lost_answer: float = 0.0
    garbled_answer: float = 0.0
    no_connection: float = 0.0
    slow: float = 0.0


FAIR = Odds()
FAULTY = Odds(
    tear=0.06,
    outage=0.02,
    power_cut=0.006,
    clock=0.004,
    upload_again=0.01,
    void=0.02,
    lost_answer=0.01,
    garbled_answer=0.005,
    no_connection=0.005,
    slow=0.003,
)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one till, as shares of the first day; None where it does not happen."""

    silent_from: float | None = None
    """Its cable is pulled until long after its gaps were levelled."""
    back_at: float = 0.4
    """A silent till comes back at this share of the second day."""
    wiped_at: float | None = None
    """Its disk is lost, with whatever had not been uploaded."""
    put_back_at: float | None = None
    """Its disk is put back to what it held at half of this share."""
    revoked_at: float | None = None
    """It is reported stolen; it has sold without the network for a while."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How large, how long, from which seed. ``pace_s``: mean time between two customers of a till."""

    tills: int
    cards: int
    minutes: float
    seed: int
    folder: Path
    odds: Odds = FAIR
    pace_s: float = 1.0
    fates: tuple[Fate, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fates", self._fates())

    @property
    def faults(self) -> bool:
        """Whether anything is to go wrong at all."""
        return self.odds != FAIR

    def chance(self, *who: object) -> random.Random:
        """The decisions of one actor."""
        return random.Random("/".join(map(str, (self.seed, *who))))  # noqa: S311 - a run must repeat itself

    def _fates(self) -> tuple[Fate, ...]:
        """One each of eight tills falls silent, is wiped, stolen, put back; small campuses have the first of these."""
        fates = [Fate() for _ in range(self.tills)]
        if not self.faults:
            return tuple(fates)
        chance = self.chance("fates")
        order = list(range(self.tills))
        chance.shuffle(order)
        kinds = [
            Fate(silent_from=chance.uniform(0.15, 0.35)),
            Fate(wiped_at=chance.uniform(0.5, 0.8)),
            Fate(revoked_at=chance.uniform(0.6, 0.8)),
            Fate(put_back_at=chance.uniform(0.5, 0.8)),
        ]
        share = max(1, self.tills // 8)
        for place, till in enumerate(order[: min(len(order) - 1, len(kinds) * share)]):
            fates[till] = kinds[place % len(kinds)]
        return tuple(fates)
