"""Pages for everybody."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.wiring import now, policy
from portal.articles import latest
from portal.places import bank_shown, centers_shown
from terminals.selectors import silent_tills


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Loss report and query first, whether all is well, and where to go."""
    moment = now()
    context = {
        "silent": silent_tills(now=moment),
        "columns": [
            (column, reverse(f"portal:{column}"), pages) for column, pages in latest(now=moment).items()
        ],
        **centers_shown(now=moment),
        "bank": bank_shown(),
        "bounds": policy(),
    }
    return render(request, "portal/home.html", context)
