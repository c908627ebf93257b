"""The account page: the card on the reader beside the book, what is open, and every deed with its reason why not."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from accounts import selectors as people
from accounts.wiring import now
from counter.access import StaffRequest, staff_required
from counter.jobs import panel
from counter.pages import staff_page
from counter.people.actions import Facts, offered
from counter.views.entry import DESK
from transactions.days import local_day


@staff_required(*DESK)
@require_safe
def account(request: StaffRequest, account_id: int) -> HttpResponse:
    """One account, of whatever campus: any desk serves any holder (requirement R058, C14)."""
    facts = facts_of(request, account_id)
    context: dict[str, Any] = {
        "account": facts.account,
        "facts": facts,
        "offers": offered(facts),
        "reader": panel(request, account_id=account_id),
    }
    return staff_page(request, "counter/people/account.html", context)


def facts_of(request: StaffRequest, account_id: int) -> Facts:
    """What decides about the deeds. Raises ``Http404`` for an unknown account."""
    today = local_day(now())
    found = people.find_overview(account_id, today=today)
    if found is None:
        raise Http404
    person = request.officer
    return Facts(
        account=found,
        today=today,
        role=person.role,
        own=person.holder_id is not None and person.holder_id == found.holder_id,
        open_cases=0,
        waiting=0,
        card_here=False,
    )
