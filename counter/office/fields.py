"""Fields of the administration: text, days, minutes, hours, rates. Each says what is wrong in one sentence."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.checks import Rejected
from accounts.checks.text import parse_text
from terminals.hours import BadHours, Span, parse_spans
from transactions.days import SHANGHAI

NAME_MAX = 60
_MOMENT = re.compile(r"\A([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:00)?\Z")
_DAY = re.compile(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_RATE = re.compile(r"\A([0-9]{1,2})(?:\.([0-9]{1,2}))?\Z")
_LAST_DAY = date(2099, 12, 31)


class TextField(forms.CharField):
    """One line that is stored and shown: nothing invisible, nothing too long."""

    def __init__(
        self, *, label: Any, help_text: Any = "", limit: int = NAME_MAX, required: bool = True
    ) -> None:
        self.limit = limit
        super().__init__(label=label, help_text=help_text, required=False, strip=False)
        self.needed = required

    def clean(self, value: Any) -> str:
        try:
            return parse_text(value or "", field=self.label or "", limit=self.limit, empty=not self.needed)
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None


class DayField(forms.CharField):
    """A day as browsers send it."""

    def __init__(self, *, label: Any, help_text: Any = "", required: bool = True) -> None:
        super().__init__(
            label=label, help_text=help_text, required=False, widget=forms.DateInput(attrs={"type": "date"})
        )
        self.needed = required

    def clean(self, value: Any) -> date | None:
        text = str(value or "").strip()
        if not text and not self.needed:
            return None
        try:
            if not _DAY.match(text):
                raise ValueError
            found = date.fromisoformat(text)
        except ValueError:
            raise forms.ValidationError(_("请填写日期，如 2026-08-03")) from None
        if found > _LAST_DAY:
            raise forms.ValidationError(_("日期太远"))
        return found


class MomentField(forms.CharField):
    """A minute on the campus, as browsers send it."""

    def __init__(self, *, label: Any, help_text: Any = "") -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(label=label, help_text=help_text, required=False, widget=widget)

    def clean(self, value: Any) -> datetime:
        found = _MOMENT.match(str(value or "").strip())
        try:
            if found is None:
                raise ValueError
            day, minute = date.fromisoformat(found[1]), time.fromisoformat(found[2])
        except ValueError:
            raise forms.ValidationError(_("请填写日期和时间，如 2026-12-01 00:00")) from None
        if day > _LAST_DAY:
            raise forms.ValidationError(_("日期太远"))
        return datetime.combine(day, minute, SHANGHAI)


class SpansField(forms.CharField):
    """The hours of one day as people type them; empty is closed."""

    def __init__(self, *, label: Any) -> None:
        super().__init__(
            label=label,
            required=False,
            max_length=80,
            widget=forms.TextInput(attrs={"placeholder": "8:00-11:30, 13:30-17:00", "autocomplete": "off"}),
            error_messages={"max_length": _("时间写得太长")},
        )

    def clean(self, value: Any) -> tuple[Span, ...]:
        try:
            return parse_spans(super().clean(value) or "")
        except BadHours as problem:
            raise forms.ValidationError(str(problem)) from None


class RateField(forms.CharField):
    """A fee in per cent with two decimals; cleaned to hundredths of a per cent."""

    MOST_BP: ClassVar[int] = 1_000

    def __init__(self, *, label: Any, help_text: Any = "") -> None:
        attrs = {"inputmode": "decimal", "placeholder": "0.60", "autocomplete": "off"}
        super().__init__(
            label=label, help_text=help_text, required=False, widget=forms.TextInput(attrs=attrs)
        )

    def clean(self, value: Any) -> int:
        found = _RATE.match(str(value or "").strip())
        if found is None:
            raise forms.ValidationError(_("请输入如 0.60 的百分数，最多两位小数"))
        rate = int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))
        if rate > self.MOST_BP:
            raise forms.ValidationError(_("费率不能高于 10%"))
        return rate
