"""Two drawings as inline SVG: stacked bars and stacked areas over the seconds of a run. Colours and text are CSS's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ecard.simulate.words import both_svg

WIDTH, HEIGHT = 960, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 30, 30
STEPS = (1, 2, 5)
TICKS = 5


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a drawing: its word, its CSS class, a value at each point."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Stacked series over ``at_s``. ``bars``: each point is a bar of that width in seconds; else an area."""

    at_s: Sequence[float]
    series: Sequence[Series]
    marks: Sequence[tuple[float, str]]
    until_s: float
    bar_s: float = 0.0
    label: str = ""

    def svg(self) -> str:
        """The drawing, with axes, marks and a legend."""
        top = max((sum(point) for point in zip(*(s.values for s in self.series), strict=True)), default=0.0)
        step = _step(top)
        top = max(step, -(-top // step) * step)
        body = [*self._grid(top, step), *self._stack(top), *self._marks(), *self._legend()]
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{self.label}">{"".join(body)}</svg>'
        )

    def _x(self, at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at_s / max(self.until_s, 1e-9)

    @staticmethod
    def _y(value: float, top: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top

    def _grid(self, top: float, step: float) -> list[str]:
        lines, value = [], 0.0
        while value <= top:
            y = self._y(value, top)
            lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            lines.append(f'<text class="axis end" x="{LEFT - 8}" y="{y + 4:.1f}">{value:g}</text>')
            value += step
        step_s = _step(self.until_s)
        at_s = 0.0
        while at_s <= self.until_s:
            lines.append(
                f'<text class="axis mid" x="{self._x(at_s):.1f}" y="{HEIGHT - 10}">{at_s:g} s</text>'
            )
            at_s += step_s
        return lines

    def _stack(self, top: float) -> list[str]:
        below = [0.0] * len(self.at_s)
        shapes = []
        for number, series in enumerate(self.series):
            above = [low + value for low, value in zip(below, series.values, strict=True)]
            draw = self._bars if self.bar_s else self._area
            shapes.append(draw(f"s{number}", below, above, top))
            below = above
        return shapes

    def _bars(self, css: str, below: list[float], above: list[float], top: float) -> str:
        return "".join(
            f'<rect class="{css}" x="{self._x(at):.1f}" y="{self._y(high, top):.1f}"'
            f' width="{max(1.0, self._x(min(at + self.bar_s, self.until_s)) - self._x(at) - 1):.1f}"'
            f' height="{self._y(low, top) - self._y(high, top):.1f}"/>'
            for at, low, high in zip(self.at_s, below, above, strict=True)
            if high > low
        )

    def _area(self, css: str, below: list[float], above: list[float], top: float) -> str:
        there = [
            f"{self._x(at):.1f},{self._y(high, top):.1f}" for at, high in zip(self.at_s, above, strict=True)
        ]
        back = [
            f"{self._x(at):.1f},{self._y(low, top):.1f}" for at, low in zip(self.at_s, below, strict=True)
        ]
        return f'<polygon class="{css}" points="{" ".join([*there, *reversed(back)])}"/>'

    def _marks(self) -> list[str]:
        lines = []
        for number, (at_s, name) in enumerate(self.marks):
            x, y = self._x(at_s), TOP + 12 + 14 * (number % 3)
            lines.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
            near_end = x > WIDTH - 150
            css, shift = ("end", -4) if near_end else ("", 4)
            lines.append(f'<text class="axis {css}" x="{x + shift:.1f}" y="{y}">{both_svg(name)}</text>')
        return lines

    def _legend(self) -> list[str]:
        lines, x = [], LEFT
        for number, series in enumerate(self.series):
            lines.append(f'<rect class="s{number}" x="{x}" y="8" width="12" height="12"/>')
            lines.append(f'<text class="axis" x="{x + 18}" y="18">{both_svg(series.name)}</text>')
            x += 120
        return lines


def _step(top: float) -> float:
    """A round distance between lines, so that there are about five."""
    size = 1.0
    while True:
        for step in STEPS:
            if top / (step * size) <= TICKS:
                return step * size
        size *= 10
