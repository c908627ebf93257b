"""What holders type. Strict on purpose: nothing is trimmed or guessed (reliability.md section 7)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, cast
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.checks import Rejected
from accounts.checks.amounts import parse_amount
from accounts.checks.pins import parse_pin
from accounts.selectors import CampusFacts
from portal.words import local_name
from transactions.kinds import EntryKind
from transactions.selectors import LAST_SEQ, StatementRange

_DAY = re.compile(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_YEARS = range(2000, 2100)
_SEQ = re.compile(r"\A[1-9][0-9]{0,9}\Z")


class StrictForm(forms.Form):
    """A form in which every field comes at most once."""

    def clean(self) -> dict[str, Any]:
        for name in self.fields:
            if hasattr(self.data, "getlist") and len(self.data.getlist(name)) > 1:
                self.add_error(name if name in self.visible_names() else None, _("该项重复提交，请重新填写"))
        return self.cleaned_data

    def visible_names(self) -> set[str]:
        """Fields that a person sees and an error can be shown at."""
        return {field.name for field in self.visible_fields()}


class PinField(forms.CharField):
    """Six half-width digits. Never filled in again after an error."""

    def __init__(self, *, label: Any, autocomplete: str, help_text: Any = "") -> None:
        widget = forms.PasswordInput(
            attrs={"autocomplete": autocomplete, "inputmode": "numeric", "class": "pin", "size": 6}
        )
        super().__init__(
            label=label, help_text=help_text, widget=widget, strip=False, required=False, validators=[]
        )

    def clean(self, value: Any) -> str:
        try:
            return parse_pin(value)
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None


class LoginForm(StrictForm):
    """A number and the query password (guide L119)."""

    identifier = forms.CharField(
        label=_("学工号或 5 位帐号"),
        help_text=_("帐号是充值小票上的 5 位数字"),
        max_length=40,
        strip=False,
        error_messages={"required": _("请输入学工号或帐号")},
        widget=forms.TextInput(
            attrs={
                "autocomplete": "username",
                "autocapitalize": "none",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
    )
    pin = PinField(label=_("查询密码"), autocomplete="current-password")


class SumField(forms.CharField):
    """The answer to a small sum, asked when somebody seems to try many accounts."""

    def __init__(self) -> None:
        widget = forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"})
        super().__init__(label=_("算术题"), required=False, max_length=4, widget=widget)


class LossForm(StrictForm):
    """The query password again, and the key that makes a second click harmless."""

    key = forms.CharField(widget=forms.HiddenInput)
    pin = PinField(
        label=_("查询密码"), autocomplete="current-password", help_text=_("请再次输入，以确认是您本人")
    )

    def clean_key(self) -> UUID:
        """A UUID as this page made it; the one without a field to show the error at is the form's."""
        try:
            return UUID(self.cleaned_data["key"])
        except ValueError:
            raise forms.ValidationError("key") from None


class PasswordForm(StrictForm):
    """Old, new, and new again (guide L59)."""

    old = PinField(label=_("原查询密码"), autocomplete="current-password")
    new = PinField(
        label=_("新查询密码"),
        autocomplete="new-password",
        help_text=_("6 位数字；不要用生日、学号、帐号或连续、重复的数字"),
    )
    again = PinField(label=_("再次输入新密码"), autocomplete="new-password")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if "new" in cleaned and "again" in cleaned and cleaned["new"] != cleaned["again"]:
            self.add_error("again", _("两次输入的新密码不一致"))
        return cleaned


class DayField(forms.Field):
    """A day as browsers send it, ``2026-08-03``; anything else is no day."""

    def __init__(self, *, label: Any) -> None:
        super().__init__(label=label, required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def clean(self, value: Any) -> date | None:
        if not value:
            return None
        try:
            if not _DAY.match(value):
                raise ValueError
            found = date.fromisoformat(value)
        except ValueError:
            raise forms.ValidationError(_("日期不存在，请按 2026-08-03 的格式填写")) from None
        if found.year not in _YEARS:
            raise forms.ValidationError(_("日期超出可查询的范围"))
        return found


class AmountField(forms.Field):
    """An amount of yuan as people type it; None where nothing was typed. In fen."""

    def __init__(self, *, label: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "size": 8})
        super().__init__(label=label, required=False, widget=widget)

    def clean(self, value: Any) -> int | None:
        if not value:
            return None
        try:
            return parse_amount(value)
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None


class DaysForm(StrictForm):
    """From when to when, at most a year. An empty field means its default: thirty days up to today."""

    start = DayField(label=_("起始日期"))
    end = DayField(label=_("截止日期"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if set(self.data) - set(self.fields):
            self.add_error(None, _("查询条件不正确，请重新选择"))
        return cleaned

    def days(self, *, today: date) -> tuple[date, date] | None:
        """The first and the last day, or None with an error at its field."""
        if not self.is_valid():
            return None
        end = self.cleaned_data["end"] or today
        start = self.cleaned_data["start"] or date.fromordinal(end.toordinal() - 29)
        if start > end:
            self.add_error("start", _("起始日期不能晚于截止日期"))
            return None
        if start < a_year_before(end):
            self.add_error("start", _("一次最多查询一年；更早的流水请向管理中心申请"))
            return None
        return start, end


class StatementForm(DaysForm):
    """Which movements to show: of these days all, or only some."""

    kind = forms.ChoiceField(
        label=_("类型"),
        required=False,
        choices=[("", _("全部")), *EntryKind.choices],
        error_messages={"invalid_choice": _("没有这种类型")},
    )
    campus = forms.ChoiceField(
        label=_("校区"), required=False, error_messages={"invalid_choice": _("没有这个校区")}
    )
    merchant = forms.CharField(label=_("商户"), required=False, widget=forms.Select, max_length=12)
    least = AmountField(label=_("金额不低于"))
    most = AmountField(label=_("金额不高于"))
    older = forms.CharField(required=False, widget=forms.HiddenInput)
    newer = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        cursors = [str(cleaned[name]) for name in ("older", "newer") if cleaned.get(name)]
        if len(cursors) > 1 or not all(_is_cursor(cursor) for cursor in cursors):
            self.add_error(None, _("页码不正确，请从第一页重新查看"))
        return cleaned

    def __init__(self, *args: Any, places: Sequence[CampusFacts], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._campuses = {campus.code: campus for campus in places}
        named = [(code, local_name(campus)) for code, campus in self._campuses.items()]
        cast(forms.ChoiceField, self.fields["campus"]).choices = [("", _("全部")), *named]

    def clean_merchant(self) -> int | None:
        """A number that this page offered; one that was never spent at finds nothing."""
        text = self.cleaned_data["merchant"]
        if text and not _SEQ.match(text):
            raise forms.ValidationError(_("没有这家商户"))
        return int(text) if text else None

    def offer(self, merchants: Iterable[Any]) -> None:
        """Where the holder spent in these days, to choose from."""
        named = [(merchant.pk, local_name(merchant)) for merchant in merchants]
        cast(forms.Select, self.fields["merchant"].widget).choices = [("", _("全部")), *named]

    @property
    def narrowed(self) -> bool:
        """Whether one of the finer conditions is used, so that they are shown."""
        return any(self[name].value() for name in ("campus", "merchant", "least", "most"))

    def cursor(self, name: str) -> int | None:
        """Where to go on, an entry's sequence number, or None for the first page."""
        text = self.cleaned_data[name]
        return int(text) if text else None

    def chosen(self, *, today: date) -> StatementRange | None:
        """The range asked for, or None with an error at its field."""
        days = self.days(today=today)
        if days is None:
            return None
        typed = self.cleaned_data
        if typed["least"] is not None and typed["most"] is not None and typed["least"] > typed["most"]:
            self.add_error("least", _("下限不能高于上限"))
            return None
        campus = self._campuses.get(typed["campus"])
        return StatementRange(
            *days,
            EntryKind(typed["kind"]) if typed["kind"] else None,
            merchant_id=typed["merchant"],
            campus_id=campus.id if campus else None,
            least_fen=typed["least"],
            most_fen=typed["most"],
        )


def _is_cursor(text: str) -> bool:
    return bool(_SEQ.match(text)) and int(text) <= LAST_SEQ


def a_year_before(day: date) -> date:
    """The same day of the year before; 28 February for the 29th."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year - 1, day=28)
