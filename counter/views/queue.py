"""The queue: what waits, how much of it, how old it is, and which tills are silent."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.jobs import late_jobs
from accounts.wiring import now
from counter.access import StaffRequest, staff_required
from counter.drawings import age_bars, class_bars
from counter.forms import QueueForm
from counter.pages import staff_page
from counter.views.entry import DESK
from reconciliation import queue, selectors
from transactions.days import local_day


@staff_required(*DESK)
@require_safe
def cases(request: StaffRequest) -> HttpResponse:
    """The open cases of the operator's campus or of another (L31), counted, drawn, page by page."""
    person, moment = request.officer, now()
    form = QueueForm(request.GET, own_campus_id=person.campus_id)
    if not form.is_valid():
        return staff_page(request, "counter/queue.html", {"form": form, "refused": True}, status=400)
    wanted = form.wanted(operator_id=person.id, now=moment, today=local_day(moment))
    cleaned = form.cleaned_data
    page = queue.page(wanted, after=cleaned["after"], before=cleaned["before"])
    places = {place.id: place for place in form.places.values()}
    context = {
        "form": form,
        "page": page,
        "rows": [(row, places.get(row.case.campus_id)) for row in page.rows],
        "place": places.get(wanted.campus_id or 0),
        "wanted": wanted,
        "now": moment,
        "classes": class_bars(queue.by_class(wanted.campus_id)),
        "ages": age_bars(queue.by_age(wanted.campus_id, now=moment)),
        "silences": queue.silences(wanted.campus_id, now=moment),
        "frozen": queue.settled_but_frozen(wanted.campus_id),
        "run": selectors.last_run(),
        "late": selectors.is_late(now=moment),
        "late_jobs": [job for job in late_jobs(now=moment) if job.name != "reconcile"],
    }
    return staff_page(request, "counter/queue.html", context)
