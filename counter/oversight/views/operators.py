"""Members of staff: the list, one person, and what administrators do about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import approvals, staff
from accounts.kinds import OperatorRole
from accounts.services import sessions, staffing
from accounts.services.approvals import NotApproved
from accounts.services.staffing import NotStaffed, Problem
from accounts.staff import StaffRow
from accounts.wiring import now, secrets
from counter.access import StaffRequest, hand_of, staff_required
from counter.forms import CodeForm, StrictForm
from counter.oversight.drawings import qr_code
from counter.oversight.forms import DeedForm, EnableForm, NewStaffForm, PostForm
from counter.oversight.kinds import Words, kind_of
from counter.oversight.staff_kinds import PROBLEMS
from counter.oversight.words import REQUEST_STATES, WHY
from counter.pages import staff_page
from counter.stepup import asks_code, code_is_right
from counter.wiring import policy

ADMINS = (OperatorRole.ADMIN,)
LOOKS = (OperatorRole.ADMIN, OperatorRole.AUDITOR)
_ON_FIELD = {Problem.NAME_TAKEN: "username", Problem.NO_SUCH_PERSON: "school_no", Problem.NO_REASON: "reason"}


@staff_required(*LOOKS)
@require_safe
def operators(request: StaffRequest) -> HttpResponse:
    """Everybody who works here; with ``?all=1`` those who left too."""
    everybody = request.GET.get("all") == "1"
    context = {"rows": staff.staff(active=None if everybody else True), "everybody": everybody}
    return staff_page(request, "counter/oversight/operators.html", context)


@staff_required(*ADMINS)
@sensitive_post_parameters("otp_token")
@require_http_methods(["GET", "POST"])
def new_operator(request: StaffRequest) -> HttpResponse:
    """Ask for somebody new."""
    form = NewStaffForm(request.POST if request.method == "POST" else None)

    def ask() -> int:
        return staffing.propose_new(
            form.cleaned_data["key"],
            form.staff(),
            form.cleaned_data["reason"],
            hand=hand_of(request),
            now=now(),
            policy=policy(),
        ).pk

    return _asked(request, form, ask, {"title": _("新增操作员")})


@staff_required(*LOOKS)
@require_safe
def operator(request: StaffRequest, operator_id: int) -> HttpResponse:
    """One person."""
    return _person_page(request, _person(operator_id))


@staff_required(*ADMINS)
@sensitive_post_parameters("otp_token")
@require_http_methods(["GET", "POST"])
def change_operator(request: StaffRequest, operator_id: int) -> HttpResponse:
    """Ask for another post for somebody."""
    row = _person(operator_id)
    now_is = {"role": row.role.value, "campus": row.campus_code, "back_office": row.back_office}
    form = PostForm(request.POST if request.method == "POST" else None, initial=now_is)

    def ask() -> int:
        return staffing.propose_change(
            form.cleaned_data["key"],
            operator_id,
            form.post(),
            form.cleaned_data["reason"],
            hand=hand_of(request),
            now=now(),
            policy=policy(),
        ).pk

    return _asked(request, form, ask, {"title": _("变更岗位"), "row": row})


@staff_required(*ADMINS)
@sensitive_post_parameters("otp_token")
@require_POST
def enable_operator(request: StaffRequest, operator_id: int) -> HttpResponse:
    """Ask for somebody to be let in again."""
    row, form = _person(operator_id), EnableForm(request.POST)

    def deed() -> HttpResponse:
        asked = staffing.propose_enable(
            form.cleaned_data["key"],
            operator_id,
            form.cleaned_data["reason"],
            hand=hand_of(request),
            now=now(),
            policy=policy(),
        )
        return redirect("counter:request", request_id=asked.pk)

    return _deed(request, row, "enable", form, deed)


@staff_required(*ADMINS)
@sensitive_post_parameters("otp_token")
@require_POST
def disable_operator(request: StaffRequest, operator_id: int) -> HttpResponse:
    """Let somebody out, at once."""
    row, form = _person(operator_id), DeedForm(request.POST)

    def deed() -> HttpResponse:
        reason = form.cleaned_data["reason"]
        staffing.disable(operator_id, reason, hand=hand_of(request), now=now(), policy=policy())
        messages.success(request, _("已停用，全部会话已结束。"))
        return redirect("counter:operator", operator_id=operator_id)

    return _deed(request, row, "disable", form, deed)


@staff_required(*ADMINS)
@sensitive_post_parameters("otp_token")
@require_POST
def give_password(request: StaffRequest, operator_id: int) -> HttpResponse:
    """A password for the next sign-in, shown once; sending the form again gives another one."""
    row, form = _person(operator_id), CodeForm(request.POST)

    def deed() -> HttpResponse:
        given = staffing.give_password(
            operator_id, hand=hand_of(request), now=now(), policy=policy(), secrets=secrets()
        )
        return staff_page(request, "counter/oversight/handed.html", {"row": row, "password": given})

    return _deed(request, row, "password", form, deed)


@staff_required(*ADMINS)
@sensitive_post_parameters("otp_token")
@require_POST
def give_authenticator(request: StaffRequest, operator_id: int) -> HttpResponse:
    """A new authenticator, shown once; sending the form again gives another one."""
    row, form = _person(operator_id), CodeForm(request.POST)

    def deed() -> HttpResponse:
        address = staffing.give_authenticator(
            operator_id, hand=hand_of(request), now=now(), policy=policy(), secrets=secrets()
        )
        secret = parse_qs(urlsplit(address).query)["secret"][0]
        groups = " ".join(secret[place : place + 4] for place in range(0, len(secret), 4))
        shown = {"row": row, "address": address, "groups": groups, "code": qr_code(address)}
        return staff_page(request, "counter/oversight/handed.html", shown)

    return _deed(request, row, "authenticator", form, deed)


@staff_required(*ADMINS)
@sensitive_post_parameters("otp_token")
@require_POST
def end_sessions(request: StaffRequest, operator_id: int) -> HttpResponse:
    """End every session of somebody."""
    row, form = _person(operator_id), CodeForm(request.POST)

    def deed() -> HttpResponse:
        ended = staffing.end_sessions(operator_id, hand=hand_of(request), now=now(), policy=policy())
        messages.success(request, _("已结束 %(number)s 个会话。") % {"number": ended})
        return redirect("counter:operator", operator_id=operator_id)

    return _deed(request, row, "sessions", form, deed)


def _person(operator_id: int) -> StaffRow:
    row = staff.find(operator_id)
    if row is None:
        raise Http404
    return row


def _asked(
    request: StaffRequest, form: PostForm, ask: Callable[[], int], context: dict[str, Any]
) -> HttpResponse:
    """The form, or the request that came of it."""
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            status = 403
            if code_is_right(request, form):
                try:
                    return redirect("counter:request", request_id=ask())
                except NotStaffed as refusal:
                    form.add_error(_field(refusal.problem, form), str(PROBLEMS[refusal.problem]))
                except NotApproved as refusal:
                    form.add_error(None, str(WHY[refusal.why]))
                status = 409
    key = form["key"].value() if form.is_bound and "key" not in form.errors else None
    shown = {"form": form, "key": key, "asks_code": asks_code(request)} | context
    return staff_page(request, "counter/oversight/operator_form.html", shown, status=status)


def _deed(
    request: StaffRequest, row: StaffRow, name: str, form: StrictForm, deed: Callable[[], HttpResponse]
) -> HttpResponse:
    """Check form and code, do it, or show the person's page with what is wrong."""
    if not form.is_valid():
        return _person_page(request, row, {name: form}, status=400)
    if not code_is_right(request, form):
        return _person_page(request, row, {name: form}, status=403)
    try:
        return deed()
    except NotStaffed as refusal:
        if refusal.problem is Problem.NO_REASON:
            form.add_error("reason", PROBLEMS[refusal.problem])
            return _person_page(request, row, {name: form}, status=400)
        return _person_page(
            request, _person(row.id), {name: form}, problem=PROBLEMS[refusal.problem], status=409
        )
    except NotApproved as refusal:
        return _person_page(request, row, {name: form}, problem=WHY[refusal.why], status=409)


def _field(problem: Problem, form: PostForm) -> str | None:
    name = _ON_FIELD.get(problem)
    return name if name in form.fields else None


def _person_page(
    request: StaffRequest,
    row: StaffRow,
    forms: dict[str, StrictForm] | None = None,
    *,
    problem: Words = "",
    status: int = 200,
) -> HttpResponse:
    moment, oneself = now(), row.id == request.officer.id
    asked = approvals.about(row.id, viewer=request.officer, now=moment)
    context: dict[str, Any] = {
        "row": row,
        "oneself": oneself,
        "may_act": request.officer.role in ADMINS and not oneself,
        "sessions": sessions.sessions_of(row.id, now=moment, here=request.session.session_key),
        "requests": [
            {"row": each, "kind": kind_of(each.kind), "word": word, "tone": tone}
            for each in asked
            for word, tone in [REQUEST_STATES[each.state]]
        ],
        "problem": problem,
        "asks_code": asks_code(request),
    }
    for name, form in (forms or {}).items():
        context[f"{name}_form"] = form
    return staff_page(request, "counter/oversight/operator.html", context, status=status)
