"""The statement on paper: printed by its holder, checked by anybody who was given it."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.services import throttle
from accounts.wiring import client_address, now, secrets
from portal.access import HolderRequest, holder_required
from portal.forms import DaysForm, StrictForm
from portal.pages import own_page
from portal.periods import periods
from transactions import statements
from transactions.days import local_day
from transactions.selectors import StatementRange

TURNS = throttle.Window(20, timedelta(minutes=10), timedelta(minutes=10))
"""60 bits of code and 20 tries in ten minutes: guessing takes longer than paper lasts."""


class PaperForm(StrictForm):
    """Reference and code as printed; blanks, other hyphens and small letters do not matter."""

    reference = forms.CharField(
        label=_("流水编号"), help_text=_("如 10086-20261001-20261031-57"), required=False, max_length=60
    )
    code = forms.CharField(label=_("核对码"), help_text=_("如 7KQM-2XTP-90AD"), required=False, max_length=60)

    def clean_reference(self) -> str:
        """As it is printed, if it was typed as it is printed."""
        typed = re.sub("[\u2010-\u2015\u2212]", "-", _plain(self.cleaned_data["reference"]))
        if not typed:
            raise forms.ValidationError(_("请输入流水编号"))
        return typed

    def clean_code(self) -> str:
        """Letters and digits; what is alike is understood below."""
        typed = _plain(self.cleaned_data["code"])
        if not typed:
            raise forms.ValidationError(_("请输入核对码"))
        return typed


@holder_required()
@require_safe
def statement_print(request: HolderRequest) -> HttpResponse:
    """A statement of some days as it is printed, with its arithmetic and its code. Not narrowed: it has to add up."""
    if "account" in request.GET:
        raise Http404
    moment = now()
    today = local_day(moment)
    form = DaysForm(request.GET)
    context: dict[str, Any] = {"form": form, "now": moment, "periods": periods(today)}
    days = form.days(today=today)
    if days is not None and days[0] > today:
        form.add_error("start", _("起始日期不能晚于今天"))
    if days is None or form.errors:
        return own_page(request, "portal/statement_print.html", context, status=400)
    account = request.account
    found = statements.of(account.id, account.number, StatementRange(*days), secrets=secrets())
    context |= {
        "statement": found,
        "which": found.which,
        "form": DaysForm(initial={"start": days[0].isoformat(), "end": days[1].isoformat()}),
    }
    return own_page(request, "portal/statement_print.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def statement_check(request: HttpRequest) -> HttpResponse:
    """Whether a printed statement is ours, and what it says. Whatever does not fit gets one answer, 查无此件."""
    form = PaperForm(request.POST or None)
    if request.method != "POST":
        return _page(request, {"form": form}, 200)
    if not form.is_valid():
        return _page(request, {"form": form}, 400)
    source = f"statement:{throttle.Source.web(client_address(request)).name}"
    if not throttle.take_turn(source, TURNS, now=now()):
        return _page(request, {"form": form, "error": _("查询太频繁，请 10 分钟后再试。")}, 429)
    typed = form.cleaned_data
    found = statements.checked(typed["reference"], typed["code"], secrets=secrets())
    if found is None:
        return _page(request, {"form": form, "unknown": True}, 404)
    context = {"form": PaperForm(), "statement": found, "number": found.reference.split("-")[0]}
    return _page(request, context, 200)


def _page(request: HttpRequest, context: dict[str, Any], status: int) -> HttpResponse:
    return render(request, "portal/statement_check.html", context, status=status)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).upper().replace(" ", "").strip()
