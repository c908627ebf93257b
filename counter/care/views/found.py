"""Found cards at the desk: the drawer, taking one in, its owner told, handed back; searches on the public board."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import found as reading
from accounts.checks import Rejected
from accounts.found import FoundRow, live_card_id
from accounts.kinds import FoundHow, FoundState
from accounts.selectors import campuses, find_account
from accounts.services import found, lostposts
from accounts.services.found import FoundProblem, Intake, NotKept
from accounts.services.lostposts import NotPosted
from accounts.wiring import now
from counter.access import StaffRequest, hand_of, staff_required
from counter.care.forms import HandOverForm, IntakeForm, KeyedForm, MoveForm, WordsForm, parse_id
from counter.care.words import FOUND_MOMENTS, FOUND_PROBLEMS, FOUND_STATES, POST_PROBLEMS, campus_choices
from counter.forms import StrictForm
from counter.jobs import panel
from counter.pages import ACTS, staff_page
from counter.people.documents import door
from counter.views.entry import DESK
from transactions.days import local_day


@staff_required(*DESK)
@require_safe
def drawer(request: StaffRequest) -> HttpResponse:
    """What lies in the drawers: of the own campus first, of all by a switch."""
    person = request.officer
    wanted = request.GET.get("show", "")
    state = {"done": FoundState.HANDED_OVER, "gone": FoundState.GONE}.get(wanted, FoundState.KEPT)
    everywhere = wanted == "all" or person.campus_id is None
    older = request.GET.get("older", "")
    rows, more = reading.kept(
        None if everywhere else person.campus_id, state=state, older=parse_id(older) if older else None
    )
    today = local_day(now())
    context = {
        "rows": [(row, *FOUND_STATES[row.state], row.overdue(today)) for row in rows],
        "older": more,
        "show": wanted if wanted in ("done", "gone", "all") else "kept",
        "waiting": len(reading.searches(person.campus_id, today=today, waiting_only=True)),
    }
    return staff_page(request, "counter/care/drawer.html", context)


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def take_in(request: StaffRequest) -> HttpResponse:
    """A card on the desk: read it, or type what stands on it; where it was found, where it is kept."""
    reader = panel(request)
    read = _read_card(reader.job)
    form = IntakeForm(
        request.POST if request.method == "POST" else None,
        campuses=campus_choices(),
        asks_campus=request.officer.campus_id is None,
        by_reader=read is not None,
        initial={"found_on": local_day(now()).isoformat(), "public": True},
    )
    status, known = 200, None
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                made = _take_in(request, form, read)
                return redirect("counter:found_card", found_id=made)
            except NotKept as refusal:
                form.add_error(None, str(FOUND_PROBLEMS[refusal.problem]))
                status, known = 409, refusal.found_id
    key = form["key"].value() if form.is_bound and "key" not in form.errors else uuid4()
    context = {"form": form, "key": key, "reader": reader, "read": read, "known": known}
    return staff_page(request, "counter/care/take_in.html", context, status=status)


@staff_required(*DESK)
@require_safe
def found_card(request: StaffRequest, found_id: int) -> HttpResponse:
    """One found card: whose, where, what happened, what to do next."""
    return _found_page(request, _row(found_id))


@staff_required(*ACTS)
@require_POST
def report_lost(request: StaffRequest, found_id: int) -> HttpResponse:
    """Report it lost: nobody knows what was done with it before it came here."""

    def deed(form: StrictForm) -> str:
        reference = found.report_lost(
            found_id, key=form.cleaned_data["key"], hand=hand_of(request), now=now()
        )
        return _("已代为挂失，受理号 %(reference)s。") % {"reference": reference}

    return _act(request, found_id, KeyedForm(request.POST), deed)


@staff_required(*ACTS)
@require_POST
def leave(request: StaffRequest, found_id: int) -> HttpResponse:
    """Leave it in use."""

    def deed(form: StrictForm) -> str:
        found.leave_in_use(found_id, key=form.cleaned_data["key"], hand=hand_of(request), now=now())
        return _("已记下：不挂失。")

    return _act(request, found_id, KeyedForm(request.POST), deed)


@staff_required(*ACTS)
@require_POST
def move(request: StaffRequest, found_id: int) -> HttpResponse:
    """Send it to another campus."""

    def deed(form: StrictForm) -> str:
        code = form.cleaned_data["campus"]
        campus_id = next(place.id for place in campuses() if place.code == code)
        found.move(
            found_id,
            campus_id,
            form.cleaned_data["kept_at"],
            key=form.cleaned_data["key"],
            hand=hand_of(request),
            now=now(),
        )
        return _("已转出，失主收到了通知。")

    return _act(request, found_id, MoveForm(request.POST, campuses=campus_choices()), deed, name="move")


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def hand_over(request: StaffRequest, found_id: int) -> HttpResponse:
    """The owner is here with his document: check it, give the card back."""
    row = _own_campus(request, found_id)
    if row.account_id is None or row.state is not FoundState.KEPT:
        problem = FoundProblem.NOT_KEPT if row.account_id is not None else FoundProblem.NOBODY_S
        return _found_page(request, row, problem=str(FOUND_PROBLEMS[problem]), status=409)
    form = HandOverForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                seen = door(request, row.account_id, form.seen())
                key = form.cleaned_data["key"]
                found.hand_over(found_id, key=key, door=seen, hand=hand_of(request), now=now())
            except Rejected as rejected:
                form.add_error("tail", rejected.message)
            except NotKept as refusal:
                problem_text = str(FOUND_PROBLEMS[refusal.problem])
                return _found_page(request, _row(found_id), problem=problem_text, status=409)
            else:
                messages.success(request, _("已交还本人。"))
                return redirect("counter:found_card", found_id=found_id)
    key_shown = form["key"].value() if form.is_bound and "key" not in form.errors else uuid4()
    context = {"row": row, "form": form, "key": key_shown}
    return staff_page(request, "counter/care/hand_over.html", context, status=status)


@staff_required(*ACTS)
@require_POST
def dispose(request: StaffRequest, found_id: int) -> HttpResponse:
    """Nobody came for it."""

    def deed(form: StrictForm) -> str:
        moment = now()
        found.dispose(
            found_id,
            form.cleaned_data["reason"],
            key=form.cleaned_data["key"],
            hand=hand_of(request),
            now=moment,
            today=local_day(moment),
        )
        return _("已登记处理；账户里的钱不变。")

    return _act(request, found_id, WordsForm(request.POST), deed, name="dispose")


@staff_required(*DESK)
@require_safe
def searches(request: StaffRequest) -> HttpResponse:
    """寻卡 of the holders: those that wait for a look first."""
    return _searches_page(request)


@staff_required(*ACTS)
@require_POST
def show_search(request: StaffRequest, post_id: int) -> HttpResponse:
    """Put it on the board."""
    return _moderate(request, post_id, KeyedForm(request.POST), show=True)


@staff_required(*ACTS)
@require_POST
def hide_search(request: StaffRequest, post_id: int) -> HttpResponse:
    """Take it off, and tell its author why."""
    return _moderate(request, post_id, WordsForm(request.POST), show=False)


def _read_card(job: Any) -> dict[str, Any] | None:
    """What the desk's reader saw last, if it was a card of ours: its account and card."""
    told = job.result if job is not None and job.over else None
    return told if told and told.get("card_id") and told.get("account_id") else None


def _take_in(request: StaffRequest, form: IntakeForm, read: dict[str, Any] | None) -> int:
    """Raises ``NotKept``."""
    cleaned, moment = form.cleaned_data, now()
    card_id, printed, how = None, "", FoundHow.READER
    if read is not None:
        card_id = int(read["card_id"])
    else:
        number = cleaned["number"]
        account = find_account(number) if number else None
        card_id = live_card_id(account.pk) if account is not None else None
        how = FoundHow.NUMBER if card_id is not None else FoundHow.UNKNOWN
        printed = str(number.value) if number and card_id is None else ""
        if card_id is None and not cleaned["unknown"]:
            raise NotKept(FoundProblem.NOBODY_S)
    code = cleaned.get("campus")
    intake = Intake(
        key=cleaned["key"],
        how=how,
        place=cleaned["place"],
        found_on=cleaned["found_on"],
        kept_at=cleaned["kept_at"],
        card_id=card_id,
        printed=printed,
        public=cleaned["public"],
        campus_id=next((place.id for place in campuses() if place.code == code), None),
    )
    made = found.take_in(intake, hand=hand_of(request), now=moment, today=local_day(moment))
    return int(made.pk)


def _row(found_id: int) -> FoundRow:
    row = reading.found_card(found_id)
    if row is None:
        raise Http404
    return row


def _own_campus(request: StaffRequest, found_id: int) -> FoundRow:
    """A card in a drawer of one's own campus; another's is not there to work on (404)."""
    row = _row(found_id)
    if not request.officer.serves(row.campus.id):
        raise Http404
    return row


def _act(
    request: StaffRequest,
    found_id: int,
    form: StrictForm,
    deed: Callable[[StrictForm], str],
    *,
    name: str = "",
) -> HttpResponse:
    row = _own_campus(request, found_id)
    if not form.is_valid():
        forms = {name: form} if name else {}
        problem = "" if name else _("页面已过期，请刷新后再试")
        return _found_page(request, row, forms=forms, problem=problem, status=400)
    try:
        done = deed(form)
    except NotKept as refusal:
        problem = str(FOUND_PROBLEMS[refusal.problem])
        return _found_page(request, _row(found_id), problem=problem, status=409)
    messages.success(request, done)
    return redirect("counter:found_card", found_id=found_id)


def _found_page(
    request: StaffRequest,
    row: FoundRow,
    *,
    forms: Mapping[str, StrictForm] | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    today = local_day(now())
    word, tone = FOUND_STATES[row.state]
    moments = reading.found_moments(row.id)
    here = request.officer.serves(row.campus.id)
    kinds = {moment.kind for moment in moments}
    context: dict[str, Any] = {
        "row": row,
        "word": word,
        "tone": tone,
        "moments": [(moment, FOUND_MOMENTS[moment.kind]) for moment in moments],
        "here": here,
        "may_act": here and request.officer.role in ACTS and row.state is FoundState.KEPT,
        "asks_loss": row.live and not row.lost and "left_in_use" not in kinds,
        "overdue": row.overdue(today),
        "problem": problem,
        "move_form": MoveForm(campuses=campus_choices()),
        "dispose_form": WordsForm(),
        "deed_key": uuid4(),
    }
    for name, form in (forms or {}).items():
        context[f"{name}_form"] = form
    return staff_page(request, "counter/care/found.html", context, status=status)


def _searches_page(
    request: StaffRequest, *, problem: str = "", wrong_id: int | None = None, status: int = 200
) -> HttpResponse:
    rows = reading.searches(request.officer.campus_id, today=local_day(now()))
    context = {
        "rows": rows,
        "may_act": request.officer.role in ACTS,
        "problem": problem,
        "wrong_id": wrong_id,
    }
    return staff_page(request, "counter/care/searches.html", context, status=status)


def _moderate(request: StaffRequest, post_id: int, form: StrictForm, *, show: bool) -> HttpResponse:
    row = reading.search_of(post_id)
    if row is None or not request.officer.serves(row.post.campus.id):
        raise Http404
    if not form.is_valid():
        problem = " ".join(str(error) for errors in form.errors.values() for error in errors)
        return _searches_page(request, problem=problem, wrong_id=post_id, status=400)
    reason = form.cleaned_data.get("reason", "")
    try:
        lostposts.moderate(post_id, show=show, reason=reason, hand=hand_of(request), now=now())
    except NotPosted as refusal:
        return _searches_page(
            request, problem=str(POST_PROBLEMS[refusal.problem]), wrong_id=post_id, status=409
        )
    messages.success(request, _("已公开。") if show else _("已撤下，发布人收到了理由。"))
    return redirect("counter:searches")
