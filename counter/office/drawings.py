"""What the pages of the administration draw: how long terminals are silent, how long runs took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from accounts.jobs import RunRow
from terminals.fleet import AMBER_DAYS, RED_DAYS, Box, State

SILENCE_BARS = 12
RUN_BARS = 30
HEIGHT = 100


@dataclass(frozen=True, slots=True)
class SilenceBar:
    """A terminal that was not heard of for a day or longer, on a scale that ends with the longest."""

    box: Box
    days: int
    width: int
    tone: str


@dataclass(frozen=True, slots=True)
class RunBar:
    """One run in a row of columns; ``x`` and ``y`` of its upper left corner in a picture of ``RUN_BARS`` by 100."""

    run: RunRow
    seconds: float
    x: int
    y: float
    height: float
    tone: str

    @property
    def left(self) -> str:
        """Its left edge, with a little room between the columns."""
        return f"{self.x + 0.1:.1f}"


def silence_bars(boxes: Sequence[Box]) -> tuple[SilenceBar, ...]:
    """The longest silent terminals; three days are a warning, five let gaps be levelled (L109)."""
    silent = [box for box in boxes if (box.silent_days or 0) >= 1 and box.state is not State.REVOKED]
    silent.sort(key=lambda box: -(box.silent_days or 0))
    shown = silent[:SILENCE_BARS]
    longest = max((box.silent_days or 0 for box in shown), default=1)
    return tuple(
        SilenceBar(box, days, max(2, days * 100 // longest), _tone(days))
        for box in shown
        if (days := box.silent_days or 0)
    )


def run_bars(runs: Sequence[RunRow]) -> tuple[RunBar, ...]:
    """The newest runs from left to right, the last one at the right edge; one without an end is a full column."""
    shown = list(reversed(runs[:RUN_BARS]))
    seconds = [run.took.total_seconds() if run.took is not None else 0.0 for run in shown]
    longest = max([*seconds, 0.001])
    bars = []
    for place, (run, took) in enumerate(zip(shown, seconds, strict=True), start=RUN_BARS - len(shown)):
        height = HEIGHT if run.took is None else max(3.0, took * HEIGHT / longest)
        bars.append(RunBar(run, took, place, HEIGHT - height, height, _run_tone(run)))
    return tuple(bars)


def _tone(days: int) -> str:
    if days >= RED_DAYS:
        return "bad"
    return "warn" if days >= AMBER_DAYS else ""


def _run_tone(run: RunRow) -> str:
    if run.died or run.result == "failed":
        return "bad"
    return "warn" if run.result != "ok" else ""
