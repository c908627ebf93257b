"""The statement of an account at the counter: looked at, printed with sums and a code, checked from paper (C07)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.wiring import now, secrets
from counter.access import StaffRequest, staff_required
from counter.jobs import desk_of
from counter.pages import staff_page
from counter.people import sight
from counter.people.forms import RangeForm
from counter.people.views.account import overview_of
from counter.views.entry import DESK
from terminals.services import jobs
from transactions import statements
from transactions.days import local_day

DEFAULT = timedelta(days=29)
"""Thirty days with today."""


@staff_required(*DESK)
@require_safe
def statement(request: StaffRequest, account_id: int) -> HttpResponse:
    """A range of days, on the screen and for paper; only with a reason or the card on the reader (P6)."""
    account, desk, moment = overview_of(account_id), desk_of(request), now()
    here = desk is not None and jobs.card_on_reader(account_id, desk_id=desk.pk, now=moment) is not None
    if not sight.is_open(request, account_id, card_here=here):
        messages.info(request, _("查看流水前请先说明原因，或请持卡人放卡读一次。"))
        return redirect("counter:account", account_id=account_id)
    today = local_day(moment)
    usual = {"start": (today - DEFAULT).isoformat(), "end": today.isoformat()}
    form = RangeForm(request.GET or usual)
    which = form.chosen(today=today)
    context: dict[str, Any] = {"account": account, "form": form, "now": moment}
    if which is None:
        return staff_page(request, "counter/people/statement.html", context, status=400)
    found = statements.of(account_id, account.number, which, secrets=secrets())
    typed = form.cleaned_data["code"]
    context |= {
        "which": found.which,
        "statement": found,
        "checked": bool(typed),
        "fits": bool(typed) and statements.fits(found, typed),
    }
    return staff_page(request, "counter/people/statement.html", context)
