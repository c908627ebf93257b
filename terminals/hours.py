"""When a place serves people: a week of spans, days that differ from it, and the words for both. Pure.

A span is half open: at 17:00 a place that closes at 17:00 is closed. Weekdays are 1 (Monday) to 7.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from transactions.days import SHANGHAI

Span = tuple[time, time]
_SPAN: Final = re.compile(r"\A\s*([0-9]{1,2}):([0-9]{2})\s*[-–—~～至]\s*([0-9]{1,2}):([0-9]{2})\s*\Z")
_SEPARATOR: Final = re.compile(r"[,，;；、]")
SPANS_MAX: Final = 4
WORKDAY: Final = 1
"""On a weekend that everybody works for a holiday the hours are those of a Monday."""
DAYS: Final[Mapping[int, str | Promise]] = {
    1: gettext_lazy("周一"),
    2: gettext_lazy("周二"),
    3: gettext_lazy("周三"),
    4: gettext_lazy("周四"),
    5: gettext_lazy("周五"),
    6: gettext_lazy("周六"),
    7: gettext_lazy("周日"),
}
_TO = pgettext_lazy("from weekday to weekday", "至")


class BadHours(ValueError):
    """Not a list of spans; the message says what is wrong with it, for the screen."""


@dataclass(frozen=True, slots=True)
class Special:
    """A day that is not as its weekday says; ``closed`` or worked as a Monday."""

    on: date
    closed: bool
    name_zh: str
    name_en: str = ""


@dataclass(frozen=True, slots=True)
class Week:
    """The spans of each weekday. A week without any has no hours of its own: open as long as the building is."""

    spans: Mapping[int, tuple[Span, ...]] = field(default_factory=dict)

    @property
    def is_always(self) -> bool:
        """Whether no hours are kept."""
        return not any(self.spans.values())

    def on(self, day: date, special: Special | None = None) -> tuple[Span, ...]:
        """The spans of one day."""
        if special is not None:
            return () if special.closed else self.spans.get(WORKDAY, ())
        return self.spans.get(day.isoweekday(), ())

    def to_json(self) -> dict[str, list[list[str]]]:
        """``{"1": [["08:00", "11:30"], …]}``."""
        return {
            str(day): [[f"{start:%H:%M}", f"{end:%H:%M}"] for start, end in spans]
            for day, spans in sorted(self.spans.items())
            if spans
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Week:
        """Inverse of ``to_json``."""
        return cls(
            {
                int(day): tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in spans)
                for day, spans in data.items()
            }
        )

    def in_words(self) -> list[str]:
        """``周一至周五 8:00–11:30，13:30–17:00``: days with the same hours together; those without are left out."""
        words = []
        for first, last, spans in self._runs():
            days = str(DAYS[first]) if first == last else f"{DAYS[first]}{_TO}{DAYS[last]}"
            words.append(f"{days} {spans_in_words(spans)}")
        return words

    def _runs(self) -> Iterator[tuple[int, int, tuple[Span, ...]]]:
        first = 1
        for day in range(1, 8):
            spans = self.spans.get(day, ())
            if day == 7 or self.spans.get(day + 1, ()) != spans:
                if spans:
                    yield first, day, spans
                first = day + 1


def spans_in_words(spans: Collection[Span]) -> str:
    """``8:00–11:30，13:30–17:00``."""
    return _("，").join(f"{start.hour}:{start.minute:02}–{end.hour}:{end.minute:02}" for start, end in spans)


def parse_spans(text: str) -> tuple[Span, ...]:
    """What a person types: ``8:00-11:30, 13:30-17:00``; nothing means closed. Raises ``BadHours``."""
    spans = tuple(_parse_span(part) for part in _SEPARATOR.split(text) if part.strip())
    if len(spans) > SPANS_MAX:
        raise BadHours(_("一天最多填写 %(most)d 段时间") % {"most": SPANS_MAX})
    for (_start, end), (start, _end) in pairwise(spans):
        if start < end:
            raise BadHours(_("时间段须从早到晚，且不能重叠"))
    return spans


def _parse_span(text: str) -> Span:
    found = _SPAN.match(text)
    try:
        if found is None:
            raise ValueError
        start, end = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    except ValueError:
        raise BadHours(_("请按 8:00-11:30 的格式填写时间")) from None
    if end <= start:
        raise BadHours(_("结束时间须晚于开始时间"))
    return start, end


def is_open(week: Week, specials: Mapping[date, Special], *, now: datetime) -> bool:
    """Whether a place with these hours serves people at this moment; one without hours always does."""
    local = now.astimezone(SHANGHAI)
    if week.is_always:
        return True
    spans = week.on(local.date(), specials.get(local.date()))
    return any(start <= local.time() < end for start, end in spans)


def opens_next(week: Week, specials: Mapping[date, Special], *, now: datetime) -> datetime | None:
    """When a place that is closed now opens again, within a month; None when it has no hours or stays closed."""
    local = now.astimezone(SHANGHAI)
    for ahead in range(31):
        day = local.date() + timedelta(days=ahead)
        for start, _end in week.on(day, specials.get(day)):
            opens = datetime.combine(day, start, SHANGHAI)
            if opens > local:
                return opens
    return None
