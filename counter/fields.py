"""Fields that every area types into: a line of text, a day, an amount. Each says what is wrong in one sentence."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.checks import Rejected
from accounts.checks.amounts import parse_amount
from accounts.checks.text import parse_text

LINE_MAX = 60
_DAY = re.compile(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(2099, 12, 31)
_ZERO = frozenset({"0", "0.0", "0.00"})


class LineField(forms.CharField):
    """One line that is stored and shown: nothing invisible, nothing too long."""

    def __init__(
        self, *, label: Any, help_text: Any = "", limit: int = LINE_MAX, required: bool = True
    ) -> None:
        widget = forms.TextInput(attrs={"maxlength": limit, "autocomplete": "off"})
        super().__init__(label=label, help_text=help_text, required=False, widget=widget, strip=False)
        self.limit, self.needed = limit, required

    def clean(self, value: Any) -> str:
        try:
            return parse_text(value or "", field=self.label or "", limit=self.limit, empty=not self.needed)
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None


class DayField(forms.CharField):
    """A day as browsers send it; None for nothing where it is not ``required``."""

    def __init__(self, *, label: Any, help_text: Any = "", required: bool = True) -> None:
        widget = forms.DateInput(attrs={"type": "date"})
        super().__init__(label=label, help_text=help_text, required=False, widget=widget)
        self.needed = required

    def clean(self, value: Any) -> date | None:
        text = str(value or "").strip()
        return parse_day(text) if text or self.needed else None


def parse_day(text: str) -> date:
    """A day of these two centuries. Raises ``ValidationError``."""
    try:
        if not _DAY.match(text):
            raise ValueError
        found = date.fromisoformat(text)
    except ValueError:
        raise forms.ValidationError(_("请填写日期，如 2026-08-03")) from None
    if not _FIRST_DAY <= found <= _LAST_DAY:
        raise forms.ValidationError(_("日期太远"))
    return found


class YuanField(forms.CharField):
    """An amount in yuan as a person types it; cleaned to fen. ``zero``: 0.00 is an amount here.

    Nothing typed is no amount, or 0 fen where it is not ``required``.
    """

    def __init__(self, *, label: Any, help_text: Any = "", zero: bool = False, required: bool = True) -> None:
        self.zero, self.needed = zero, required
        attrs = {"inputmode": "decimal", "autocomplete": "off", "placeholder": "0.00"}
        widget = forms.TextInput(attrs=attrs)
        super().__init__(label=label, help_text=help_text, required=False, strip=False, widget=widget)

    def clean(self, value: Any) -> int:
        text = str(value or "")
        bare = text.strip()
        if (self.zero and bare in _ZERO) or not (bare or self.needed):
            return 0
        try:
            return parse_amount(text)
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None
