"""Fields of the administration: minutes, hours, rates. Each says what is wrong in one sentence."""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from counter.fields import parse_day
from terminals.hours import BadHours, Span, parse_spans
from transactions.days import SHANGHAI

_MOMENT = re.compile(r"\A([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:00)?\Z")
_RATE = re.compile(r"\A([0-9]{1,2})(?:\.([0-9]{1,2}))?\Z")


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
            minute = time.fromisoformat(found[2])
            day = parse_day(found[1])
        except ValueError:
            raise forms.ValidationError(_("请填写日期和时间，如 2026-12-01 00:00")) from None
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
