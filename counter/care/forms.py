"""What the staff types about disputes and found cards."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.checks import Rejected
from accounts.checks.identifiers import AccountNumber, SchoolNumber, parse_identifier
from counter.fields import DayField, LineField, YuanField
from counter.forms import KeyField, ReasonField, StrictForm
from counter.people.documents import DocumentFields
from reconciliation.disputes import Cursor, Show
from reconciliation.kinds import DisputeKind

_SEQ = re.compile(r"\A[1-9][0-9]{0,9}\Z")
_ID = re.compile(r"\A[1-9][0-9]{0,17}\Z")
_RECEIPT = re.compile(r"\A[0-9A-Z-]{0,24}\Z")
_CURSOR = re.compile(r"\A((?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2})_([1-9][0-9]{0,17})\Z")


class ListForm(StrictForm):
    """Which disputes of the list."""

    show = forms.ChoiceField(
        label=_("范围"),
        required=False,
        choices=[
            (Show.OPEN, _("待处理")),
            (Show.MINE, _("我受理的")),
            (Show.OVERDUE, _("已超期")),
            (Show.PROPOSED, _("退款审批中")),
            (Show.DONE, _("已办结")),
        ],
    )
    kind = forms.ChoiceField(
        label=_("类型"), required=False, choices=[("", _("全部类型")), *DisputeKind.choices]
    )
    campus = forms.ChoiceField(label=_("校区"), required=False)
    after = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, campuses: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _("本校区")), ("all", _("全部校区")), *campuses]
        cast(forms.ChoiceField, self.fields["campus"]).choices = choices

    def clean_after(self) -> Cursor | None:
        """Where the page goes on."""
        text = self.cleaned_data["after"]
        if not text:
            return None
        found = _CURSOR.match(text)
        try:
            if found is None:
                raise ValueError
            return Cursor(date.fromisoformat(found[1]), int(found[2]))
        except ValueError:
            raise forms.ValidationError(_("页码不正确，请从第一页重新查看")) from None


class KeyedForm(StrictForm):
    """One confirmation."""

    key = KeyField()


class WordsForm(KeyedForm):
    """One confirmation with words."""

    reason = ReasonField(label=_("说明"))


class OpenForm(DocumentFields, KeyedForm):
    """A dispute that a holder raises at the desk: a movement, or a top-up that is on no statement."""

    kind = forms.ChoiceField(label=_("类型"), error_messages={"required": _("请选择是什么问题")})
    happened_on = DayField(label=_("充值日期"))
    amount = YuanField(label=_("充值金额（元）"))
    receipt_no = forms.CharField(
        label=_("小票号"),
        required=False,
        max_length=40,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    text = ReasonField(label=_("持卡人的说明"), help_text=_("持卡人也会看到；最多 300 字"))

    def __init__(self, *args: Any, kinds: Iterable[DisputeKind], missing: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].label = _("持卡人的说明")
        cast(forms.ChoiceField, self.fields["kind"]).choices = [(kind.value, kind.label) for kind in kinds]
        if missing:
            del self.fields["kind"]
        else:
            del self.fields["happened_on"], self.fields["amount"]

    def clean_receipt_no(self) -> str:
        """As printed, or nothing."""
        text = (self.cleaned_data["receipt_no"] or "").strip().upper()
        if not text.isascii() or not _RECEIPT.match(text):
            raise forms.ValidationError(_("小票号由半角字母、数字和横线组成，如 YS01-000123"))
        return text


class IntakeForm(KeyedForm):
    """A card that somebody brought."""

    number = forms.CharField(
        label=_("卡面上的号码"),
        help_text=_("能读卡时不用填；学号、工号或 5 位帐号"),
        required=False,
        max_length=40,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    unknown = forms.BooleanField(label=_("卡面没有号码或查无此号，按不知是谁的卡登记"), required=False)
    place = LineField(label=_("在哪里拾到"), help_text=_("会公开显示；如：学苑餐厅二楼"))
    found_on = DayField(label=_("哪一天拾到"))
    kept_at = LineField(label=_("放在哪里"), help_text=_("只有工作人员看得到；如：1 号柜台抽屉"))
    campus = forms.ChoiceField(label=_("保存校区"), required=False)
    public = forms.BooleanField(
        label=_("在失卡招领公告栏公开（姓名、号码遮住）"), required=False, initial=True
    )

    def __init__(
        self,
        *args: Any,
        campuses: Iterable[tuple[str, str]],
        asks_campus: bool,
        by_reader: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.by_reader = by_reader
        cast(forms.ChoiceField, self.fields["campus"]).choices = list(campuses)
        if not asks_campus:
            del self.fields["campus"]
        if by_reader:
            del self.fields["number"], self.fields["unknown"]

    def clean_number(self) -> AccountNumber | SchoolNumber | None:
        """Either number by the fixed rule; nothing typed is no number."""
        text = self.cleaned_data["number"]
        if not text:
            return None
        try:
            return parse_identifier(text)
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.by_reader or "number" in self.errors:
            return cleaned
        if not cleaned.get("number") and not cleaned.get("unknown"):
            self.add_error("number", _("请输入卡面上的号码，或先读卡"))
        return cleaned


class MoveForm(KeyedForm):
    """To which campus, and where it is kept there."""

    campus = forms.ChoiceField(label=_("转到"), error_messages={"required": _("请选择校区")})
    kept_at = LineField(label=_("对方放在哪里"), help_text=_("如：鱼山 1 号柜台"))

    def __init__(self, *args: Any, campuses: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["campus"]).choices = list(campuses)


class HandOverForm(DocumentFields, KeyedForm):
    """The owner shows a document."""


def parse_seq(text: str) -> int | None:
    """A number on a statement from an address, or None."""
    return int(text) if _SEQ.match(text) else None


def parse_id(text: str) -> int | None:
    """A row's number from an address, or None."""
    return int(text) if _ID.match(text) else None
