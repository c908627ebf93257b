"""How a number or word of policy and options is named, bounded, typed and shown. Pure; the list is ``termlist``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.checks import Rejected
from accounts.checks.amounts import parse_amount
from accounts.checks.text import parse_text
from accounts.policies import Value
from purse.money import yuan

Words = str | Promise
_WHOLE: Final = re.compile(r"\A[0-9]{1,6}\Z")
_ZERO: Final = re.compile(r"\A0(\.0{1,2})?\Z")
YES, NO = "yes", "no"


class Unit(Enum):
    """How a value is typed and shown. Amounts are stored in fen, durations in seconds."""

    YUAN = "yuan"
    SECONDS = "seconds"
    MINUTES = "minutes"
    HOURS = "hours"
    LONG = "long"
    """A duration in seconds, typed in days."""
    DAYS = "days"
    TIMES = "times"
    FLAG = "flag"
    TEXT = "text"


STEP_S: Final = {Unit.SECONDS: 1, Unit.MINUTES: 60, Unit.HOURS: 3600, Unit.LONG: 86400}
_SHOWN: Final[dict[Unit, Words]] = {
    Unit.YUAN: gettext_lazy("%(n)s 元"),
    Unit.SECONDS: gettext_lazy("%(n)s 秒"),
    Unit.MINUTES: gettext_lazy("%(n)s 分钟"),
    Unit.HOURS: gettext_lazy("%(n)s 小时"),
    Unit.LONG: gettext_lazy("%(n)s 天"),
    Unit.DAYS: gettext_lazy("%(n)s 天"),
    Unit.TIMES: gettext_lazy("%(n)s 次"),
}


class Group(Enum):
    """Chapters of the screen, in their order."""

    BOOK = "book"
    LOAD = "load"
    SALE = "sale"
    OFFLINE = "offline"
    STANDING = "standing"
    CARDS = "cards"
    SERVICE = "service"


class BadValue(ValueError):
    """What was typed is no such value; the message is for the screen and says what is allowed."""


@dataclass(frozen=True, slots=True)
class Term:
    """One number or word. ``least`` and ``most`` as stored: fen, seconds, days; of a text its length."""

    name: str
    label: Words
    help: Words
    unit: Unit
    group: Group
    least: int = 0
    most: int = 0
    two: bool = True
    """Whether a supervisor of all campuses must agree."""

    def shown(self, value: Value) -> str:
        """``50.00 元``, ``5 天``, ``是``."""
        if self.unit is Unit.FLAG:
            return _("是") if value else _("否")
        if self.unit is Unit.TEXT:
            return str(value)
        return str(_SHOWN[self.unit]) % {"n": self.typed(value)}

    def typed(self, value: Value) -> str:
        """As one would type it."""
        if isinstance(value, bool):
            return YES if value else NO
        if isinstance(value, timedelta):
            return f"{value.total_seconds() / STEP_S[self.unit]:g}"
        return yuan(value) if self.unit is Unit.YUAN and isinstance(value, int) else str(value)

    def range_in_words(self) -> str:
        """What is allowed; empty where it is plain."""
        if self.unit is Unit.FLAG:
            return ""
        if self.unit is Unit.TEXT:
            return _("最多 %(most)d 字") % {"most": self.most}
        least, most = (self.shown(self._stored(bound)) for bound in (self.least, self.most))
        return _("%(least)s 至 %(most)s") % {"least": least, "most": most}

    def parse(self, text: str) -> Value:
        """What a person typed or chose. Raises ``BadValue``."""
        if self.unit is Unit.FLAG:
            return self._flag(text)
        if self.unit is Unit.TEXT:
            return self._text(text)
        stored = self._amount(text) if self.unit is Unit.YUAN else self._whole(text)
        value = self._stored(stored)
        self.check(value)
        return value

    def check(self, value: Value) -> None:
        """Raise ``BadValue`` for a value outside the bounds."""
        if self.unit is Unit.TEXT:
            self._text(str(value))
        elif self.unit is not Unit.FLAG:
            number = value.total_seconds() if isinstance(value, timedelta) else int(value)
            if not self.least <= number <= self.most:
                raise BadValue(_("须在 %(range)s 之间") % {"range": self.range_in_words()})

    def _stored(self, number: int) -> Value:
        return timedelta(seconds=number) if self.unit in STEP_S else number

    def _amount(self, text: str) -> int:
        if _ZERO.match(text.strip()):
            return 0
        try:
            return parse_amount(text)
        except Rejected as rejected:
            raise BadValue(rejected.message) from None

    def _whole(self, text: str) -> int:
        if not _WHOLE.match(text.strip()):
            raise BadValue(_("请输入整数"))
        return int(text) * STEP_S.get(self.unit, 1)

    def _flag(self, text: str) -> bool:
        if text not in (YES, NO):
            raise BadValue(_("请选择是或否"))
        return text == YES

    def _text(self, text: str) -> str:
        try:
            return parse_text(text, field=self.label, limit=self.most)
        except Rejected as rejected:
            raise BadValue(str(rejected.message)) from None
