"""What the cashier types: amounts, counts of notes and coins, reasons."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from counter.fields import LineField, YuanField
from counter.forms import REASON_MAX, KeyField, ReasonField, StrictForm
from purse.money import yuan
from transactions.services.shifts import DENOMINATIONS, PIECES_MAX

_NUMBER = re.compile(r"\A[0-9]{1,4}\Z")
_ID = re.compile(r"\A[1-9][0-9]{0,14}\Z")
_CODE = re.compile(r"\A[A-Z]{1,3}[0-9]{2}\Z")


class IdField(forms.CharField):
    """The number of a row that the page named."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> int:
        if not _ID.match(str(value or "")):
            raise forms.ValidationError(_("页面已过期，请刷新后再试"))
        return int(value)


class TopUpForm(StrictForm):
    """How much for the card that was read."""

    key = KeyField()
    account = IdField()
    amount = YuanField(label=_("充值金额（元）"))


class ConfirmForm(StrictForm):
    """The cash is there. ``read_here``: the customer read the amount on this screen."""

    read_here = forms.BooleanField(label=_("持卡人已在本屏核对金额"), required=False)


class CountField(forms.CharField):
    """How many pieces of one denomination; empty is none."""

    def __init__(self, *, label: Any) -> None:
        attrs = {"inputmode": "numeric", "autocomplete": "off", "placeholder": "0", "maxlength": "4"}
        super().__init__(label=label, required=False, strip=True, widget=forms.TextInput(attrs=attrs))

    def clean(self, value: Any) -> int:
        text = str(value or "").strip()
        if text and not _NUMBER.match(text):
            raise forms.ValidationError(_("张数须为 0 至 %(most)s 的整数"), params={"most": PIECES_MAX})
        return int(text or 0)


class CountForm(StrictForm):
    """Notes and coins, by denomination."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for piece_fen in DENOMINATIONS:
            self.fields[f"n{piece_fen}"] = CountField(label=yuan(piece_fen))

    @property
    def rows(self) -> list[tuple[int, forms.BoundField]]:
        """The fields of the count with their denominations in fen."""
        return [(piece_fen, self[f"n{piece_fen}"]) for piece_fen in DENOMINATIONS]

    @property
    def count(self) -> dict[int, int]:
        """Pieces by denomination, once valid."""
        return {piece_fen: self.cleaned_data[f"n{piece_fen}"] for piece_fen in DENOMINATIONS}


class OpenForm(CountForm):
    """Which drawer, and what lies in it: the sum, or counted."""

    drawer = IdField()
    total = YuanField(
        label=_("备用金合计（元）"), zero=True, required=False, help_text=_("清点了张数就不用填")
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors:
            counted_fen = sum(piece_fen * pieces for piece_fen, pieces in self.count.items())
            stated = str(self.data.get("total", "")).strip()
            if counted_fen and stated and cleaned["total"] != counted_fen:
                self.add_error("total", _("合计与清点的张数不一致"))
            cleaned["float_fen"] = counted_fen or cleaned["total"]
        return cleaned


class FreeText(ReasonField):
    """Text that may be left out."""

    def clean(self, value: Any) -> str:
        return super().clean(value) if str(value or "").strip() else ""


class CloseForm(CountForm):
    """What was counted at the end, and why it differs."""

    reason = FreeText(label=_("差额原因"), help_text=_("清点与应有不一致时必须写明"))


class VoidForm(StrictForm):
    """Why a top-up is to be taken back."""

    key = KeyField()
    reason = ReasonField(label=_("撤销理由"), help_text=_("复核的主管会看到，最多 300 字"))


class KeyForm(StrictForm):
    """Only the one-use key."""

    key = KeyField()


class DrawerForm(StrictForm):
    """A new drawer."""

    code = forms.CharField(
        label=_("编号"), help_text=_("1 至 3 个大写字母加两位数字，如 YS01；印在每张票据上"), required=False
    )
    name_zh = LineField(label=_("中文名称"), limit=40)
    name_en = LineField(label=_("英文名称（可不填）"), limit=40, required=False)

    def clean_code(self) -> str:
        """As receipts print it."""
        code = str(self.cleaned_data["code"]).strip().upper()
        if not _CODE.match(code):
            raise forms.ValidationError(_("编号须为 1 至 3 个大写字母加两位数字"))
        return code


__all__ = [
    "REASON_MAX",
    "CloseForm",
    "ConfirmForm",
    "CountForm",
    "DrawerForm",
    "OpenForm",
    "TopUpForm",
    "VoidForm",
]
