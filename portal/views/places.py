"""The public page of the places: where, when, and whether the machine works."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.wiring import now
from portal.places import groups_shown
from terminals.places import special_days
from transactions.days import local_day

NEXT_DAYS = 5
"""So many holidays to come are named."""


@require_safe
def places(request: HttpRequest) -> HttpResponse:
    """Every place by campus, with the holidays to come."""
    moment = now()
    context = {
        "groups": groups_shown(now=moment),
        "days": special_days(since=local_day(moment))[:NEXT_DAYS],
        "now": moment,
    }
    return render(request, "portal/places.html", context)
