"""What a clerk types about cards: who is to get one, why one is replaced, days, services, how money goes out."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, cast

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.checks import Rejected
from accounts.checks.identifiers import parse_school_number
from accounts.checks.idnumber import parse_document_number, parse_id_number
from accounts.checks.text import parse_name, parse_text
from accounts.kinds import DocumentKind, HolderKind, Service, ServiceKind
from accounts.papers import PaperKind
from accounts.selectors import campuses
from counter.fields import DayField, YuanField
from counter.forms import KeyField, ReasonField, StrictForm
from counter.people.documents import DocumentFields
from reconciliation.services.closing import CardBack, Way
from transactions.services.cardmoney import HOLD_DAYS_MAX, Cause, PaidBy

UNIT_MAX = 60
_DAYS = re.compile(r"\A[1-9][0-9]?\Z")
_CHOOSE = {"required": _("请选择一项"), "invalid_choice": _("请选择一项")}


class CheckedField(forms.CharField):
    """Text that one parser of ``accounts.checks`` accepts; what it says goes beside the field."""

    def __init__(self, parse: Any, **options: Any) -> None:
        self._parse = parse
        options.setdefault("strip", False)
        options.setdefault("max_length", 400)
        super().__init__(**options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text and not self.required:
            return ""
        try:
            return self._parse(text)
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None


class Radio(forms.ChoiceField):
    """One of a few, all of them seen."""

    def __init__(self, *, label: Any, choices: Any, **options: Any) -> None:
        super().__init__(
            label=label, choices=choices, widget=forms.RadioSelect, error_messages=_CHOOSE, **options
        )


class KeyedForm(StrictForm):
    """One confirmation."""

    key = KeyField()


class ReasonedForm(KeyedForm):
    """One confirmation that says why."""

    reason = ReasonField(label=_("原因"), help_text=_("写进审计，最多 300 字"))


class NewAccountForm(DocumentFields, KeyedForm):
    """A person at the desk, the document in his hand, and the card he is to get (guide L19)."""

    papers = tuple(PaperKind)

    kind = Radio(
        label=_("卡种"),
        choices=[
            (ServiceKind.FORMAL, _("正式卡：在编教职工、在册学生")),
            (ServiceKind.NAMED, _("记名卡、临时卡：消费和简单管理")),
        ],
    )
    person = Radio(label=_("身份"), choices=HolderKind.choices)
    school_no = CheckedField(
        lambda text: parse_school_number(text).value,
        label=_("学工号"),
        help_text=_("没有学工号的来宾按本校规则编号"),
        error_messages={"required": _("请填写学工号")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    name = CheckedField(
        parse_name,
        label=_("姓名"),
        error_messages={"required": _("请填写姓名")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    unit = CheckedField(
        lambda text: parse_text(text, field=_("单位"), limit=UNIT_MAX, empty=True),
        label=_("单位（选填）"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    document_kind = forms.ChoiceField(
        label=_("登记的身份证件"), choices=DocumentKind.choices, error_messages=_CHOOSE
    )
    id_number = forms.CharField(
        label=_("证件号码"),
        help_text=_("加密保存；初始密码是身份证号码的后六位"),
        required=False,
        strip=False,
        max_length=400,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    campus = forms.ChoiceField(label=_("开户校区"), error_messages=_CHOOSE)
    expires_on = DayField(
        label=_("有效期至"), help_text=_("记名卡和临时卡必填；正式卡可以不填"), required=False
    )

    def __init__(self, *args: Any, campus_id: int | None, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today, self._campus_id = today, campus_id
        english = (get_language() or "").startswith("en")
        places = [(str(place.id), (english and place.name_en) or place.name_zh) for place in campuses()]
        cast(forms.ChoiceField, self.fields["campus"]).choices = places
        if campus_id is not None:
            del self.fields["campus"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        kind, number = cleaned.get("document_kind"), cleaned.get("id_number") or ""
        if kind == DocumentKind.NONE:
            if number:
                self.add_error("document_kind", _("填写了证件号码，请选择证件种类"))
        elif kind and "id_number" not in self.errors:
            try:
                cleaned["id_number"] = self._number(DocumentKind(kind), number)
            except Rejected as rejected:
                self.add_error("id_number", rejected.message)
        return cleaned

    @property
    def campus_id(self) -> int:
        """The desk's own campus, or the one chosen by somebody who serves all."""
        return self._campus_id or int(self.cleaned_data["campus"])

    def _number(self, kind: DocumentKind, number: str) -> str:
        if kind in (DocumentKind.PASSPORT, DocumentKind.PERMIT):
            return parse_document_number(number, passport=kind is DocumentKind.PASSPORT)
        return parse_id_number(number, today=self._today).number


class CardForm(DocumentFields, KeyedForm):
    """A blank for an account that has no card."""

    expires_on = DayField(label=_("有效期至"), help_text=_("记名卡和临时卡必填"), required=False)


class ReplaceForm(DocumentFields, KeyedForm):
    """Why the card is replaced, how the fee is paid, and what is held back (guide L31, reading A23)."""

    cause = Radio(
        label=_("换卡原因"),
        choices=[
            (Cause.LOST, _("遗失")),
            (Cause.DAMAGED, _("损坏")),
            (Cause.FAULT, _("卡片自身故障，免工本费")),
        ],
    )
    paid_by = Radio(
        label=_("工本费"),
        required=False,
        choices=[(PaidBy.CASH, _("收现金，进本人班次的钱箱")), (PaidBy.BOOK, _("从账户余额中扣"))],
    )
    hold = YuanField(label=_("预留金额（元，选填）"), zero=True, required=False)
    hold_days = forms.CharField(
        label=_("预留天数"),
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "size": "3"}),
    )

    shown_fee_fen = forms.IntegerField(
        required=False, min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput
    )

    def clean_hold_days(self) -> int:
        """1 to 60 days."""
        text = self.cleaned_data["hold_days"]
        if not text:
            return 0
        if not _DAYS.match(text) or int(text) > HOLD_DAYS_MAX:
            raise forms.ValidationError(_("请填写 1 至 60 的天数"))
        return int(text)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("hold") and not cleaned.get("hold_days") and "hold_days" not in self.errors:
            self.add_error("hold_days", _("请填写 1 至 60 的天数"))
        if cleaned.get("cause") and cleaned["cause"] != Cause.FAULT and not cleaned.get("paid_by"):
            self.add_error("paid_by", _("请选择工本费怎样支付"))
        return cleaned


class ExtendForm(DocumentFields, KeyedForm):
    """A later last day."""

    expires_on = DayField(label=_("新的有效期至"))


class GrantForm(DocumentFields, KeyedForm):
    """Services for a named card, until a day."""

    services = forms.MultipleChoiceField(
        label=_("开通的服务"),
        choices=Service.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("请至少选择一项服务"), "invalid_choice": _("没有这项服务")},
    )
    until_on = DayField(label=_("开通至"))

    def clean(self) -> dict[str, Any]:
        """Several services are several values of one name, which ``StrictForm`` takes for a repeat."""
        cleaned = super().clean()
        chosen = self.data.getlist("services") if hasattr(self.data, "getlist") else []
        if len(chosen) > 1 and len(set(chosen)) == len(chosen) and set(chosen) <= set(Service.values):
            self.errors.pop("services", None)
            cleaned["services"] = chosen
        return cleaned


class RevokeForm(KeyedForm):
    """One service that is closed again."""

    service = forms.ChoiceField(choices=Service.choices, error_messages=_CHOOSE, widget=forms.HiddenInput)


class BeginClosingForm(DocumentFields, ReasonedForm):
    """The holder wants to leave."""


class AskToPayForm(ReasonedForm):
    """How the money goes out, for the second person to see."""

    way = Radio(
        label=_("退款方式"),
        choices=[(Way.CASH, _("现金，从本人班次的钱箱")), (Way.TRANSFER, _("银行转账，进下一批退款文件"))],
    )


class PayForm(DocumentFields, KeyedForm):
    """The money goes out and the account ends. A document only where there is money."""

    card_back = Radio(
        label=_("卡片"),
        choices=[
            (CardBack.RETURNED, _("已收回")),
            (CardBack.SOUVENIR, _("留作纪念，作废")),
            (CardBack.GONE, _("没有卡或已遗失")),
        ],
    )

    def __init__(self, *args: Any, with_document: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not with_document:
            del self.fields["paper"]
            del self.fields["tail"]
