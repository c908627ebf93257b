"""Anybody with a receipt in hand can check it: its number and its code say amount, time, place, valid or taken back."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.services import throttle
from accounts.wiring import client_address, now, secrets
from portal.forms import StrictForm
from purse.capitals import capitals
from transactions import selectors_cash
from transactions.services import receipts

_NUMBER = re.compile(r"\A([0-9A-Z]{2,8})-([0-9]{1,9})\Z")
_ALIKE = str.maketrans("OIL", "011")
"""What a reader of thermal paper takes for each other; the code has none of the letters."""
TURNS = throttle.Window(20, timedelta(minutes=10), timedelta(minutes=10))
"""40 bits of code and 20 tries in ten minutes: guessing takes longer than paper lasts."""


class ReceiptForm(StrictForm):
    """Number and code as printed; blanks and small letters do not matter."""

    number = forms.CharField(label=_("票号"), help_text=_("如 YS01-000123"), required=False, max_length=60)
    code = forms.CharField(
        label=_("校验码"), help_text=_("小票下方的 8 位，如 K7QM-2XTP"), required=False, max_length=60
    )

    def clean_number(self) -> tuple[str, int] | None:
        """Series and number; None for what no receipt is called."""
        typed = _plain(self.cleaned_data["number"])
        if not typed:
            raise forms.ValidationError(_("请输入票号"))
        found = _NUMBER.match(typed)
        return (found[1], int(found[2])) if found else None

    def clean_code(self) -> str:
        """As it is printed, ``K7QM-2XTP``."""
        typed = _plain(self.cleaned_data["code"]).replace("-", "").translate(_ALIKE)
        if not typed:
            raise forms.ValidationError(_("请输入校验码"))
        return f"{typed[:4]}-{typed[4:]}"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def check(request: HttpRequest) -> HttpResponse:
    """Unknown number and wrong code get one answer, 查无此票, after the same work."""
    form = ReceiptForm(request.POST or None)
    context: dict[str, Any] = {"form": form}
    if request.method != "POST":
        return _page(request, context, 200)
    if not form.is_valid():
        return _page(request, context, 400)
    source = f"receipt:{throttle.Source.web(client_address(request)).name}"
    if not throttle.take_turn(source, TURNS, now=now()):
        return _page(request, context | {"error": _("查询太频繁，请 10 分钟后再试。")}, 429)
    found = receipts.checked(form.cleaned_data["number"], form.cleaned_data["code"], secrets=secrets())
    if found is None:
        return _page(request, context | {"unknown": True}, 404)
    context |= {
        "receipt": found,
        "voided": getattr(found, "voided_by", None),
        "capitals": capitals(found.fen),
        "out": found.kind in selectors_cash.OUT_OF_THE_DRAWER,
    }
    return _page(request, context, 200)


def _page(request: HttpRequest, context: dict[str, Any], status: int) -> HttpResponse:
    return render(request, "portal/receipt.html", context, status=status)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).upper().replace(" ", "").replace("—", "-").strip()
