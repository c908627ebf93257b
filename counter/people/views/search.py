"""Finding whoever stands at the desk: by what is typed, or by what lies on the reader."""

from __future__ import annotations

import re

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from accounts import search
from counter.access import StaffRequest, staff_required
from counter.jobs import panel
from counter.pages import staff_page
from counter.people.forms import SearchForm
from counter.views.entry import DESK
from transactions import selectors_cash

_RECEIPT = re.compile(r"\A([A-Z0-9]{1,12})-([0-9]{1,9})\Z")


@staff_required(*DESK)
@require_safe
def accounts(request: StaffRequest) -> HttpResponse:
    """The search form and what was found; a number that only one account has leads to it at once."""
    form = SearchForm(request.GET)
    if not form.is_valid():
        return staff_page(request, "counter/people/search.html", {"form": form, "refused": True}, status=400)
    text: str = form.cleaned_data["q"]
    receipt = _RECEIPT.match(text.strip().upper())
    if receipt:
        found = selectors_cash.receipt_by_number(receipt[1], int(receipt[2]))
        if found is not None:
            return redirect("counter:account", account_id=found.account_id)
    what = search.wanted(text)
    page = search.find(what, after=form.cleaned_data["after"])
    exact = what.kind in (search.SearchKind.ACCOUNT, search.SearchKind.NUMBER)
    if exact and len(page.rows) == 1 and not form.cleaned_data["after"]:
        return redirect("counter:account", account_id=page.rows[0].account_id)
    context = {
        "form": form,
        "asked": bool(text),
        "by_name": what.kind is search.SearchKind.NAME,
        "page": page,
        "reader": panel(request),
    }
    return staff_page(request, "counter/people/search.html", context)
