"""The stretches of time that people want a statement of, so that nobody has to type days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.forms import a_year_before

AUTUMN, SPRING = 9, 2
"""The months in which the two halves of a year of study begin; holidays belong to the half before them."""
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A name and its days, both included."""

    label: str | Promise
    first: date
    last: date


def periods(today: date) -> Sequence[Period]:
    """What is offered on this day; nothing reaches beyond it."""
    month = today.replace(day=1)
    term = term_start(today)
    return [
        Period(_("本月"), month, today),
        Period(pgettext_lazy("period", "上月"), (month - _ONE_DAY).replace(day=1), month - _ONE_DAY),
        Period(_("本学期"), term, today),
        Period(_("上学期"), term_start(term - _ONE_DAY), term - _ONE_DAY),
        Period(_("近一年"), a_year_before(today), today),
    ]


def term_start(day: date) -> date:
    """The first day of the half of the year of study that this day is in: 1 September or 1 February."""
    if day.month >= AUTUMN:
        return date(day.year, AUTUMN, 1)
    if day.month >= SPRING:
        return date(day.year, SPRING, 1)
    return date(day.year - 1, AUTUMN, 1)
