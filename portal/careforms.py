"""What holders and finders type about disputes, lost cards and found ones. Strict, like every form here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any, cast
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.checks import Rejected
from accounts.checks.amounts import parse_amount
from accounts.checks.identifiers import parse_identifier
from accounts.checks.text import parse_text
from portal.forms import DayField, StrictForm
from reconciliation.kinds import DisputeKind

TEXT_MAX = 500
PLACE_MAX = 60
_RECEIPT = re.compile(r"\A[0-9A-Z-]{0,24}\Z")


class WordsField(forms.CharField):
    """Free text of some lines; ``emoji`` as people write today, nothing invisible (reliability.md 44-55)."""

    def __init__(
        self, *, label: Any, limit: int = TEXT_MAX, help_text: Any = "", required: bool = True, rows: int = 4
    ) -> None:
        attrs: dict[str, Any] = {"maxlength": limit}
        widget: forms.Widget = forms.Textarea(attrs | {"rows": rows}) if rows > 1 else forms.TextInput(attrs)
        super().__init__(label=label, help_text=help_text, required=False, widget=widget, strip=False)
        self.limit, self.empty, self.lines = limit, not required, rows > 1

    def clean(self, value: Any) -> str:
        try:
            return parse_text(
                value or "",
                field=self.label or "",
                limit=self.limit,
                emoji=True,
                lines=self.lines,
                empty=self.empty,
            )
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None


class KeyField(forms.CharField):
    """The one-use key that the page made."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> UUID:
        try:
            return UUID(str(value))
        except ValueError:
            raise forms.ValidationError(_("页面已过期，请刷新后再试")) from None


class ReceiptField(forms.CharField):
    """A receipt number as it is printed, or nothing."""

    def __init__(self) -> None:
        attrs = {"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        super().__init__(
            label=_("小票号"),
            help_text=_("有小票的请填写，没有可不填"),
            required=False,
            max_length=40,
            strip=False,
            widget=forms.TextInput(attrs=attrs),
        )

    def clean(self, value: Any) -> str:
        text = (value or "").strip().upper()
        if not text.isascii() or not _RECEIPT.match(text):
            raise forms.ValidationError(_("小票号由半角字母、数字和横线组成，如 YS01-000123"))
        return text


class DisputeForm(StrictForm):
    """What is wrong with one movement."""

    key = KeyField()
    kind = forms.ChoiceField(
        label=_("有什么问题"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("请选择是什么问题"),
            "invalid_choice": _("这笔流水不能选择这种问题"),
        },
    )
    receipt_no = ReceiptField()
    text = WordsField(label=_("说明"), help_text=_("经过、应付金额、在场的人；最多 500 字"))

    def __init__(self, *args: Any, kinds: Iterable[DisputeKind], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(kind.value, kind.label) for kind in kinds]
        cast(forms.ChoiceField, self.fields["kind"]).choices = choices
        if len(choices) == 1:
            self.fields["kind"].initial = choices[0][0]


class MissingTopUpForm(StrictForm):
    """Money that was paid in and is not on the statement."""

    key = KeyField()
    happened_on = DayField(label=_("充值日期"))
    amount = forms.CharField(
        label=_("充值金额（元）"),
        required=False,
        max_length=40,
        strip=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    receipt_no = ReceiptField()
    text = WordsField(label=_("说明"), help_text=_("在哪里、怎样充的值；最多 500 字"))

    def clean_happened_on(self) -> date:
        day = self.cleaned_data["happened_on"]
        if day is None:
            raise forms.ValidationError(_("请填写充值日期"))
        return cast(date, day)

    def clean_amount(self) -> int:
        """In fen, above zero, by the one parser of money."""
        try:
            fen = parse_amount(self.cleaned_data["amount"])
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None
        if fen == 0:
            raise forms.ValidationError(_("金额必须大于 0"))
        if fen > 10_000_000:
            raise forms.ValidationError(_("金额太大，请核对"))
        return fen


class WordForm(StrictForm):
    """One more word about a dispute."""

    key = KeyField()
    text = WordsField(label=_("补充说明"), rows=3)


class KeyForm(StrictForm):
    """Nothing but the key of the button."""

    key = KeyField()


class CampusChoice(forms.ChoiceField):
    """One of the campuses, by its code."""

    def __init__(self, *, label: Any, campuses: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(
            label=label,
            choices=list(campuses),
            error_messages={"required": _("请选择校区"), "invalid_choice": _("没有这个校区")},
        )


class SearchForm(StrictForm):
    """寻卡: where and when it was lost."""

    key = KeyField()
    campus = CampusChoice(label=_("丢在哪个校区"))
    place = WordsField(label=_("大概在哪里"), limit=PLACE_MAX, rows=1, help_text=_("如：学苑餐厅二楼"))
    lost_on = DayField(label=_("哪一天丢的"))
    text = WordsField(
        label=_("补充"),
        limit=200,
        rows=3,
        required=False,
        help_text=_("会公开显示；请不要写电话、证件号，写了也会被遮住"),
    )

    def __init__(self, *args: Any, campuses: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["campus"]).choices = list(campuses)

    def clean_lost_on(self) -> date:
        day = self.cleaned_data["lost_on"]
        if day is None:
            raise forms.ValidationError(_("请填写日期"))
        return cast(date, day)


class FinderForm(StrictForm):
    """拾卡: the number on the card, and where it is now. Nothing about the finder."""

    key = KeyField()
    number = forms.CharField(
        label=_("卡面上的号码"),
        help_text=_("卡面印的学号、工号，或 5 位帐号"),
        max_length=40,
        strip=False,
        error_messages={"required": _("请输入卡面上的号码")},
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    place = WordsField(label=_("在哪里捡到的"), limit=PLACE_MAX, rows=1)
    left_at = WordsField(
        label=_("卡现在在哪里"),
        limit=PLACE_MAX,
        rows=1,
        help_text=_("如：已交学苑餐厅服务台。请不要写您的电话"),
    )

    def clean_number(self) -> Any:
        """An account or school number by the fixed rule; whether anybody has it is not said."""
        try:
            return parse_identifier(self.cleaned_data["number"])
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None


class BoardForm(StrictForm):
    """Which part of the board."""

    tab = forms.ChoiceField(required=False, choices=[("lost", ""), ("found", "")], widget=forms.HiddenInput)
    campus = forms.ChoiceField(label=_("校区"), required=False)
    since = DayField(label=_("日期不早于"))
    older = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, campuses: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["campus"]).choices = [("", _("全部校区")), *campuses]

    def clean_older(self) -> int | None:
        text = self.cleaned_data["older"]
        if not text:
            return None
        if not re.match(r"\A[1-9][0-9]{0,17}\Z", text):
            raise forms.ValidationError(_("页码不正确，请从第一页重新查看"))
        return int(text)
