"""What the administration types: values with a moment, places and their hours, terminals, merchants."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, cast

from django import forms
from django.utils.translation import get_language, gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.policies import Value
from accounts.selectors import campuses
from accounts.terms import BadValue, Term, Unit
from counter.fields import DayField, LineField
from counter.forms import CodeField, DigestField, KeyField, ReasonField, StrictForm, name_of
from counter.office.fields import MomentField, RateField, SpansField
from terminals.hours import DAYS, Week, spans_in_words
from terminals.kinds import DayKind, PlaceKind, TerminalKind
from terminals.places import Place
from terminals.services.enrolment import NewTerminal
from transactions.kinds import MerchantCategory, SettlementPeriod
from transactions.merchants import MerchantRow
from transactions.services.merchants import Details, NewTerms

# --------------------------------------------------------------------------------------------------- policy


class ValueForm(StrictForm):
    """A new value, from when on, and why. What it means is decided by its term."""

    value = forms.CharField(label=_("新值"), required=False, strip=False)
    effective_at = MomentField(label=_("生效时间"), help_text=_("北京时间；至少一分钟以后"))
    reason = ReasonField(label=_("理由"), help_text=_("写进历史和审计，最多 300 字"))

    def __init__(self, *args: Any, term: Term, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.term = term
        self.fields["value"] = _field_of(term)

    def clean_value(self) -> Value:
        """In the type of its field."""
        try:
            return self.term.parse(str(self.cleaned_data["value"] or ""))
        except BadValue as problem:
            raise forms.ValidationError(str(problem)) from None


class ConfirmValueForm(ValueForm):
    """The same with what was shown, and a fresh code where two people are needed."""

    key = KeyField()
    digest = DigestField()
    otp_token = CodeField()


def _field_of(term: Term) -> forms.CharField:
    unit = {
        Unit.YUAN: _("元"), Unit.SECONDS: _("秒"), Unit.MINUTES: _("分钟"), Unit.HOURS: _("小时"),
        Unit.LONG: _("天"), Unit.DAYS: _("天"), Unit.TIMES: _("次"),
    }.get(term.unit)  # fmt: skip
    label = f"{gettext('新值')}（{unit}）" if unit else _("新值")
    widget: forms.Widget = forms.TextInput(attrs={"autocomplete": "off"})
    if term.unit is Unit.FLAG:
        widget = forms.Select(choices=[("yes", _("是")), ("no", _("否"))])
    elif unit:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.CharField(
        label=label, help_text=term.range_in_words(), required=False, strip=False, widget=widget
    )


# --------------------------------------------------------------------------------------------------- places


class PlaceForm(StrictForm):
    """Names and hours of a place. Hours left out on every day: open as long as the building is."""

    name_zh = LineField(label=_("名称"))
    name_en = LineField(label=_("英文名称"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for day, word in DAYS.items():
            self.fields[f"day_{day}"] = SpansField(label=word)

    def week(self) -> Week:
        """The hours, once this is valid."""
        return Week({day: spans for day in DAYS if (spans := self.cleaned_data[f"day_{day}"])})

    @staticmethod
    def initial_of(place: Place) -> dict[str, str]:
        """What the place is now, as one would type it."""
        hours = {
            f"day_{day}": spans_in_words(place.week.spans.get(day, ())).replace("–", "-") for day in DAYS
        }
        return {"name_zh": place.name_zh, "name_en": place.name_en} | hours


class OutForm(StrictForm):
    """Why a place serves nobody for now."""

    reason_zh = LineField(label=_("原因"), help_text=_("公开显示，如：设备检修，8 月 20 日恢复"))
    reason_en = LineField(label=_("原因（英文）"), help_text=_("英文页面显示；可不填"), required=False)


class DayForm(StrictForm):
    """A day that is not as its weekday says. Whoever belongs to one campus sets it for that one."""

    on = DayField(label=_("日期"))
    kind = forms.ChoiceField(label=_("安排"), choices=DayKind.choices)
    name_zh = LineField(label=_("名称"), help_text=_("如：国庆节"), limit=20)
    name_en = LineField(label=_("英文名称"), limit=40, required=False)
    campus = forms.ChoiceField(label=_("校区"), required=False)

    def __init__(self, *args: Any, campus_id: int | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        places = [(str(place.id), name_of(place)) for place in campuses() if campus_id in (None, place.id)]
        every = [("", _("全部校区"))] if campus_id is None else []
        cast(forms.ChoiceField, self.fields["campus"]).choices = [*every, *places]
        self.fields["campus"].required = campus_id is not None


# ------------------------------------------------------------------------------------------------ terminals


class FleetForm(StrictForm):
    """Which terminals."""

    kind = forms.ChoiceField(
        label=_("类型"), required=False, choices=[("", _("全部类型")), *TerminalKind.choices]
    )
    revoked = forms.ChoiceField(
        label=_("范围"), required=False, choices=[("", _("在用的")), ("1", _("连同已注销的"))]
    )


class TerminalForm(StrictForm):
    """A machine that is to be enrolled."""

    key = KeyField()
    name_zh = LineField(label=_("名称"), help_text=_("如：学子餐厅 03 号机"))
    name_en = LineField(label=_("英文名称"), required=False)
    kind = forms.ChoiceField(label=_("类型"), choices=TerminalKind.choices)
    campus = forms.ChoiceField(label=_("校区"))
    merchant = forms.ChoiceField(label=_("商户"), required=False, help_text=_("消费终端必选，其他类型不选"))
    at = forms.ChoiceField(label=_("服务点"), required=False, help_text=_("圈存机和查询机放在哪里"))
    place = LineField(label=pgettext_lazy("office", "位置"), required=False, help_text=_("如：二楼 5 号窗口"))
    may_sell_offline = forms.BooleanField(label=_("断网时可以脱机消费（仅消费终端）"), required=False)
    reason = ReasonField(label=_("理由"), help_text=_("复核人会看到，并写进审计，最多 300 字"))
    otp_token = CodeField()

    def __init__(
        self, *args: Any, merchants: Sequence[MerchantRow], points: Sequence[Place], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.merchants = {str(row.id): row for row in merchants}
        self.points = {str(point.id): point for point in points}
        self.campuses = {str(each.id): each for each in campuses()}
        self._choices("campus", [(key, name_of(each)) for key, each in self.campuses.items()])
        self._choices("merchant", [("", "—"), *((key, _named(row)) for key, row in self.merchants.items())])
        self._choices("at", [("", "—"), *((key, _where(point)) for key, point in self.points.items())])

    def clean(self) -> dict[str, Any]:
        """Merchant and place have to fit kind and campus; the database would refuse it, with fewer words."""
        cleaned = super().clean()
        if self.errors:
            return cleaned
        kind, campus_id = cleaned["kind"], int(cleaned["campus"])
        merchant = self.merchants.get(cleaned["merchant"])
        point = self.points.get(cleaned["at"])
        if (kind == TerminalKind.TILL) != (merchant is not None):
            self.add_error("merchant", _("消费终端须选商户，其他类型不能选"))
        elif merchant is not None and merchant.campus_id != campus_id:
            self.add_error("merchant", _("该商户在另一校区"))
        if point is not None and (point.campus_id != campus_id or point.kind != _POINT_OF.get(kind)):
            self.add_error("at", _("该服务点的类型或校区不符"))
        if cleaned["may_sell_offline"] and kind != TerminalKind.TILL:
            self.add_error("may_sell_offline", _("只有消费终端可以脱机消费"))
        return cleaned

    def wanted(self) -> NewTerminal:
        """The terminal, once this is valid."""
        chosen = self.cleaned_data
        return NewTerminal(
            name_zh=chosen["name_zh"],
            name_en=chosen["name_en"],
            kind=chosen["kind"],
            campus_id=int(chosen["campus"]),
            merchant_id=int(chosen["merchant"]) if chosen["merchant"] else None,
            place=chosen["place"],
            may_sell_offline=chosen["may_sell_offline"],
            place_id=int(chosen["at"]) if chosen["at"] else None,
        )

    def _choices(self, name: str, choices: Sequence[tuple[str, Any]]) -> None:
        cast(forms.ChoiceField, self.fields[name]).choices = choices


_POINT_OF = {
    TerminalKind.KIOSK.value: PlaceKind.LOAD_KIOSK,
    TerminalKind.QUERY_KIOSK.value: PlaceKind.QUERY_KIOSK,
}


def _named(row: MerchantRow) -> str:
    return f"{_local(row.name_zh, row.name_en)} · {_local(row.campus_zh, row.campus_en)}"


def _where(point: Place) -> str:
    campus = _local(point.campus_zh, point.campus_en)
    return f"{point.kind.label} · {campus} · {_local(point.name_zh, point.name_en)}"


def _local(name_zh: str, name_en: str) -> str:
    """A name in the reader's language."""
    return name_en if name_en and (get_language() or "").startswith("en") else name_zh


class CodeAgainForm(StrictForm):
    """A new code for a terminal, and why."""

    key = KeyField()
    reason = ReasonField(label=_("理由"), help_text=_("如：维修后重装，年度换钥"))
    otp_token = CodeField()


class RevokeForm(StrictForm):
    """Why a terminal is shut out for good."""

    reason = ReasonField(label=_("注销理由"), help_text=_("如：被盗、报废；不能撤销"))
    otp_token = CodeField()


class RestForm(StrictForm):
    """Which alarm is put to rest, and why."""

    journal = forms.CharField(max_length=64, widget=forms.HiddenInput)
    missing = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    reason = ReasonField(label=_("为什么这些流水不会再来"), help_text=_("如：终端烧毁，存储无法读出"))


# ------------------------------------------------------------------------------------------------ merchants


class MerchantForm(StrictForm):
    """Who a merchant is, and its contract."""

    name_zh = LineField(label=_("名称"))
    name_en = LineField(label=_("英文名称"), required=False)
    campus = forms.ChoiceField(label=_("校区"))
    category = forms.ChoiceField(label=_("类别"), choices=MerchantCategory.choices)
    contract_no = LineField(label=_("合同号"), limit=40, required=False)
    contract_from = DayField(label=_("合同首日"))
    contract_until = DayField(
        label=_("合同末日"), help_text=_("末日仍可收款，次日起拒绝；不填为长期"), required=False
    )
    reason = ReasonField(label=_("理由"), help_text=_("写进审计，最多 300 字"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(place.id), name_of(place)) for place in campuses()]
        cast(forms.ChoiceField, self.fields["campus"]).choices = choices

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        first, last = cleaned.get("contract_from"), cleaned.get("contract_until")
        if first and last and last < first:
            self.add_error("contract_until", _("末日不能早于首日"))
        return cleaned

    def details(self, campus_id: int | None = None) -> Details:
        """The merchant, once this is valid."""
        chosen = self.cleaned_data
        return Details(
            name_zh=chosen["name_zh"],
            name_en=chosen["name_en"],
            campus_id=campus_id or int(chosen["campus"]),
            category=chosen["category"],
            contract_no=chosen["contract_no"],
            contract_from=chosen["contract_from"],
            contract_until=chosen["contract_until"],
        )


class TermsForm(StrictForm):
    """On what terms a merchant is paid, from a day on."""

    key = KeyField()
    effective_on = DayField(label=_("生效日"), help_text=_("最早明天"))
    fee_bp = RateField(label=_("费率（%）"), help_text=_("0.00 至 10.00"))
    settlement = forms.ChoiceField(label=_("结算周期"), choices=SettlementPeriod.choices)
    reason = ReasonField(label=_("理由"), help_text=_("写进审计，最多 300 字"))

    def terms(self, effective_on: date | None = None) -> NewTerms:
        """The terms, once this is valid."""
        chosen = self.cleaned_data
        day = effective_on or chosen["effective_on"]
        return NewTerms(chosen["key"], day, chosen["fee_bp"], chosen["settlement"], chosen["reason"])


class NewMerchantForm(MerchantForm, TermsForm):
    """A new merchant with its first terms, which begin with the contract or today."""

    effective_on = None  # type: ignore[assignment]

    def first_terms(self, *, today: date) -> NewTerms:
        """The terms, once this is valid."""
        first = self.cleaned_data["contract_from"]
        return self.terms(max(first, today))
