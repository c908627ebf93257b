"""The first page of the administration: what needs somebody, and the way to everything else."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts import jobs, policies
from accounts.wiring import now
from counter.access import StaffRequest, staff_required
from counter.office.access import LOOKS, own_campus
from counter.pages import staff_page
from terminals import fleet, partners
from terminals.fleet import WORDS, State
from terminals.places import Stand, service_points
from transactions.days import local_day
from transactions.merchants import merchants


@staff_required(*LOOKS)
@require_safe
def office(request: StaffRequest) -> HttpResponse:
    """Late jobs, silent terminals, places out of service, contracts that are over, values to come."""
    moment, campus_id = now(), own_campus(request.officer)
    today = local_day(moment)
    boxes = fleet.fleet(now=moment, campus_id=campus_id)
    points = service_points(now=moment, campus_id=campus_id)
    shops = merchants(campus_id)
    keys = partners.in_force(partners.partners(now=moment, campus_id=campus_id))
    context = {
        "late": jobs.late_jobs(now=moment),
        "states": [(count, *WORDS[state]) for state, count in fleet.counts(boxes).items()],
        "terminals": len(boxes),
        "worrying": sum(box.state in (State.CLONED, State.RED, State.AMBER) for box in boxes),
        "places": len(points),
        "out": sum(point.stand(now=moment) in (Stand.OUT, Stand.SILENT) for point in points),
        "shops": len(shops),
        "without_contract": sum(not shop.has_contract(today) for shop in shops),
        "keys": len(keys),
        "keys_ending": partners.worrying(keys),
        "asked": sum(row.asked for row in keys),
        "ahead": sum(change.effective_at > moment for change in policies.read().changes),
    }
    return staff_page(request, "counter/office/office.html", context)
