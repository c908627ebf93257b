"""What a clerk types about people: documents, a limit, a bank card, reasons, a range of days."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.checks import Rejected
from accounts.checks.text import parse_text
from accounts.search import LONGEST
from banking.numbers import parse_bank_card
from counter.fields import YuanField
from counter.forms import KeyField, ReasonField, StrictForm
from counter.people.documents import DocumentFields
from transactions.selectors import StatementRange

LONGEST_DAYS = 366


class SearchForm(StrictForm):
    """Whom to find. One field: a number, a name, the UID of a chip or the number of a receipt."""

    q = forms.CharField(
        label=_("查找持卡人"),
        help_text=_("帐号、学工号、姓名、卡芯片号或票据号"),
        required=False,
        max_length=LONGEST,
        strip=False,
        error_messages={"max_length": _("查找内容最多 40 个字符")},
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "type": "search", "enterkeyhint": "search"}
        ),
    )
    after = forms.CharField(required=False, max_length=20, widget=forms.HiddenInput)

    def clean_q(self) -> str:
        """Text that can be stored and read; nothing typed is nothing wanted."""
        raw = self.cleaned_data["q"] or ""
        if not raw.strip():
            return ""
        try:
            return parse_text(raw, field=_("查找内容"), limit=LONGEST)
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None


class KeyedForm(StrictForm):
    """One confirmation."""

    key = KeyField()


class DocumentForm(DocumentFields, KeyedForm):
    """One confirmation on the strength of a document."""


class SparedReason(ReasonField):
    """A reason that only some cases need."""

    def clean(self, value: Any) -> str:
        return super().clean(value) if value else ""


class FreezeForm(KeyedForm):
    """Why an account is frozen by hand."""

    reason = ReasonField(label=_("冻结理由"), help_text=_("写进审计，最多 300 字"))


class LimitForm(DocumentForm):
    """A new daily limit; a reason where a supervisor has to agree."""

    limit = YuanField(
        label=_("新的日限额（元）"), zero=True, help_text=_("0.00 至 600.00；0.00 表示每次都要消费密码")
    )
    reason = SparedReason(label=_("理由"), help_text=_("超过上限、须主管复核时填写"))


class PasswordForm(DocumentForm):
    """Which password, and what is to be done about it."""

    TASKS = (
        ("set-query", _("持卡人重设查询密码")),
        ("set-consumption", _("持卡人重设消费密码")),
        ("reset-query", _("查询密码恢复为初始密码")),
        ("reset-consumption", _("消费密码恢复为初始密码")),
        ("reset-both", _("两个密码都恢复为初始密码")),
        ("unlock", _("只解除密码锁定，不改密码")),
    )
    task = forms.ChoiceField(
        label=_("办理内容"),
        choices=TASKS,
        widget=forms.RadioSelect,
        error_messages={"required": _("请选择办理内容"), "invalid_choice": _("请选择办理内容")},
    )


class BankCardForm(DocumentForm):
    """The bank card in the holder's hand."""

    number = forms.CharField(
        label=_("银行卡号"),
        help_text=_("本人的储蓄卡，照卡面填写；屏幕上只显示首尾各四位"),
        max_length=40,
        strip=True,
        error_messages={"required": _("请输入银行卡号"), "max_length": _("银行卡号应为 16 至 19 位半角数字")},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "class": "num"}),
    )

    def clean_number(self) -> str:
        """A possible number of a savings card of the bank."""
        try:
            return parse_bank_card(self.cleaned_data["number"], savings_bins=settings.BANK_CARD_BINS)
        except Rejected as rejected:
            raise forms.ValidationError(rejected.message) from None


class WhyForm(StrictForm):
    """Why somebody looks at what is another's."""

    reason = ReasonField(label=_("原因"), help_text=_("写进查阅记录"))


class RangeForm(StrictForm):
    """Which days of the statement; empty fields mean the last thirty."""

    start = forms.CharField(
        label=_("起始日期"), required=False, max_length=10, widget=forms.DateInput(attrs={"type": "date"})
    )
    end = forms.CharField(
        label=_("截止日期"), required=False, max_length=10, widget=forms.DateInput(attrs={"type": "date"})
    )

    code = forms.CharField(
        label=_("纸面核对码"),
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "check-code"}),
        error_messages={"max_length": _("核对码是 12 位字母和数字")},
    )

    def clean_start(self) -> date | None:
        """A day as browsers send it."""
        return _day(self.cleaned_data["start"])

    def clean_end(self) -> date | None:
        """A day as browsers send it."""
        return _day(self.cleaned_data["end"])

    def chosen(self, *, today: date) -> StatementRange | None:
        """The range, at most a year; None with an error at its field."""
        if not self.is_valid():
            return None
        end = self.cleaned_data["end"] or today
        start = self.cleaned_data["start"] or date.fromordinal(end.toordinal() - 29)
        if start > end:
            self.add_error("start", _("起始日期不能晚于截止日期"))
            return None
        if end.toordinal() - start.toordinal() >= LONGEST_DAYS:
            self.add_error("start", _("一次最多查询一年"))
            return None
        return StatementRange(start, end)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        if len(text) != 10:
            raise ValueError
        found = date.fromisoformat(text)
    except ValueError:
        raise forms.ValidationError(_("请填写日期，如 2026-08-03")) from None
    if not date(2000, 1, 1) <= found <= date(2100, 12, 31):
        raise forms.ValidationError(_("请填写 2000 年至 2100 年之间的日期"))
    return found
