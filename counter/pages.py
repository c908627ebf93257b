"""What every staff page has in its frame."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts import approvals
from accounts.kinds import OperatorRole
from accounts.services.operators import Officer
from accounts.wiring import now
from counter.access import StaffRequest, ends_at, is_extendable
from counter.menu import tabs_for
from reconciliation import rulings

ACTS = (OperatorRole.CLERK, OperatorRole.SUPERVISOR)


def staff_page(
    request: StaffRequest, template: str, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render a staff page: who is here, how long the session lasts, how much waits for a second person."""
    person, moment = request.officer, now()
    frame: dict[str, Any] = {
        "officer": person,
        "acts": person.role in ACTS,
        "waiting_count": _waiting_count(person, moment),
        "seconds_left": int((ends_at(request) - moment).total_seconds()),
        "extendable": is_extendable(request),
        "new_key": uuid4(),
    }
    frame["tabs"] = [(reverse(tab.url), tab, frame.get(tab.counts)) for tab in tabs_for(person.role)]
    return render(request, template, frame | dict(context), status=status)


def _waiting_count(person: Officer, moment: datetime) -> int:
    """Decisions and requests that this person has something to do about, or that wait at the desk."""
    asked = approvals.waiting_count(person, now=moment)
    desk = person.role in (*ACTS, OperatorRole.AUDITOR)
    return asked + (rulings.waiting_count(person.campus_id) if desk else 0)
