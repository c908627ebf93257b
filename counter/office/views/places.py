"""Places where people are served, and the days that differ."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.kinds import OperatorRole
from accounts.wiring import now
from counter.access import StaffRequest, actor_of, staff_required
from counter.forms import StrictForm
from counter.office.access import ADMINS, KEEPS, LOOKS, may_see, own_campus
from counter.office.forms import DayForm, OutForm, PlaceForm
from counter.pages import staff_page
from terminals import places as reading
from terminals.kinds import DayKind
from terminals.places import Place, by_campus, stand_words
from terminals.services import places as work
from terminals.services.places import Details, NewDay
from transactions.days import local_day


@staff_required(*LOOKS)
@require_safe
def places(request: StaffRequest) -> HttpResponse:
    """Every place with how it stands now, and the special days to come."""
    return _places_page(request)


@staff_required(*LOOKS)
@require_http_methods(["GET", "POST"])
def place(request: StaffRequest, place_id: int) -> HttpResponse:
    """One place; an administrator changes names and hours."""
    found = _place(request, place_id)
    form = PlaceForm(request.POST if request.method == "POST" else None, initial=PlaceForm.initial_of(found))
    if request.method == "GET":
        return _place_page(request, found, form)
    if request.officer.role is not OperatorRole.ADMIN:
        return _place_page(request, found, form, status=403)
    if not form.is_valid():
        return _place_page(request, found, form, status=400)
    details = Details(form.cleaned_data["name_zh"], form.cleaned_data["name_en"], form.week())
    work.describe(place_id, details, actor=actor_of(request), now=now())
    messages.success(request, _("已保存，公开页面随即更新。"))
    return redirect("counter:place", place_id=place_id)


@staff_required(*KEEPS)
@require_POST
def take_out(request: StaffRequest, place_id: int) -> HttpResponse:
    """Say that it serves nobody for now."""
    found, form = _place(request, place_id), OutForm(request.POST)
    if not form.is_valid():
        return _place_page(
            request, found, PlaceForm(initial=PlaceForm.initial_of(found)), out=form, status=400
        )
    chosen = form.cleaned_data
    work.take_out(place_id, chosen["reason_zh"], chosen["reason_en"], actor=actor_of(request), now=now())
    messages.success(request, _("已标为暂停服务，公开页面显示原因。"))
    return redirect("counter:place", place_id=place_id)


@staff_required(*KEEPS)
@require_POST
def put_back(request: StaffRequest, place_id: int) -> HttpResponse:
    """Say that it serves people again."""
    _place(request, place_id)
    work.put_back(place_id, actor=actor_of(request), now=now())
    messages.success(request, _("已恢复服务。"))
    return redirect("counter:place", place_id=place_id)


@staff_required(*KEEPS)
@require_POST
def add_day(request: StaffRequest) -> HttpResponse:
    """Mark a holiday, or a weekend that is worked."""
    form = DayForm(request.POST, campus_id=own_campus(request.officer))
    if not form.is_valid():
        return _places_page(request, form, status=400)
    chosen = form.cleaned_data
    if chosen["on"] < local_day(now()):
        form.add_error("on", _("这一天已过"))
        return _places_page(request, form, status=400)
    day = NewDay(
        on=chosen["on"],
        kind=DayKind(chosen["kind"]),
        name_zh=chosen["name_zh"],
        name_en=chosen["name_en"],
        campus_id=int(chosen["campus"]) if chosen["campus"] else None,
    )
    try:
        work.set_special_day(day, actor=actor_of(request), now=now())
    except work.DayTaken:
        form.add_error("on", _("这一天已经有安排，请先删除"))
        return _places_page(request, form, status=409)
    messages.success(request, _("已加入日历。"))
    return redirect("counter:places")


@staff_required(*KEEPS)
@require_POST
def drop_day(request: StaffRequest, day_id: int) -> HttpResponse:
    """Let a day be as its weekday says. Whoever belongs to one campus leaves those of all alone."""
    day = next((each for each in reading.special_days(since=local_day(now())) if each.pk == day_id), None)
    campus_id = own_campus(request.officer)
    if day is None or campus_id not in (None, day.campus_id):
        raise Http404
    work.drop_special_day(day_id, actor=actor_of(request), now=now())
    messages.success(request, _("已删除。"))
    return redirect("counter:places")


def _place(request: StaffRequest, place_id: int) -> Place:
    found = reading.service_point(place_id, now=now())
    if found is None or not may_see(request.officer, found.campus_id):
        raise Http404
    return found


def _places_page(request: StaffRequest, form: DayForm | None = None, *, status: int = 200) -> HttpResponse:
    moment, campus_id = now(), own_campus(request.officer)
    found = reading.service_points(now=moment, campus_id=campus_id)
    days = [
        (day, campus_id in (None, day.campus_id))
        for day in reading.special_days(since=local_day(moment))
        if day.campus_id is None or campus_id in (None, day.campus_id)
    ]
    context = {
        "groups": [
            (group, [(each, *stand_words(each, each.stand(now=moment))) for each in group.places])
            for group in by_campus(found)
        ],
        "days": days,
        "form": form or DayForm(campus_id=campus_id),
        "may_keep": request.officer.role in KEEPS,
    }
    return staff_page(request, "counter/office/places.html", context, status=status)


def _place_page(
    request: StaffRequest, found: Place, form: StrictForm, *, out: OutForm | None = None, status: int = 200
) -> HttpResponse:
    moment = now()
    stand = found.stand(now=moment)
    word, tone = stand_words(found, stand)
    context = {
        "place": found,
        "stand": stand,
        "word": word,
        "tone": tone,
        "form": form,
        "out_form": out or OutForm(),
        "opens_at": found.opens_at(now=moment),
        "may_change": request.officer.role in ADMINS,
        "may_keep": request.officer.role in KEEPS,
    }
    return staff_page(request, "counter/office/place.html", context, status=status)
