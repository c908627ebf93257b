"""Finding whoever stands at the desk."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from counter.access import StaffRequest, staff_required
from counter.jobs import panel
from counter.pages import staff_page
from counter.views.entry import DESK


@staff_required(*DESK)
@require_safe
def accounts(request: StaffRequest) -> HttpResponse:
    """The search form and what was found."""
    return staff_page(request, "counter/people/search.html", {"reader": panel(request)})
