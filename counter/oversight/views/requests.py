"""One request that takes two people: read it, agree, send it back, take it back, carry it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from accounts import approvals
from accounts.approvals import RequestRow, RequestState, Why
from accounts.kinds import OperatorRole
from accounts.services import approvals as signing
from accounts.services.approvals import NotApproved
from accounts.wiring import now
from counter.access import StaffRequest, actor_of, hand_of, staff_required
from counter.forms import ReasonForm, StrictForm
from counter.oversight.forms import AgreeForm
from counter.oversight.kinds import Deed, NotDone, Words, kind_of
from counter.oversight.words import REQUEST_STATES, WHY
from counter.pages import staff_page
from counter.stepup import asks_code, code_is_right
from counter.views.entry import SIGNS
from counter.wiring import policy

CHECKS = (OperatorRole.SUPERVISOR, OperatorRole.ADMIN)
MAKES = (OperatorRole.CLERK, OperatorRole.CASHIER, OperatorRole.SUPERVISOR, OperatorRole.ADMIN)


@staff_required(*SIGNS)
@require_safe
def request_page(request: StaffRequest, request_id: int) -> HttpResponse:
    """What is asked for, why, by whom, what became of it."""
    return _page(request, _row(request, request_id))


@staff_required(*CHECKS)
@sensitive_post_parameters("otp_token")
@require_POST
def agree(request: StaffRequest, request_id: int) -> HttpResponse:
    """Agree as the second person; what needs nobody else is carried out at once."""
    row, form = _row_to_rule_on(request, request_id), AgreeForm(request.POST)
    if not form.is_valid():
        return _page(request, row, {"agree": form}, status=400)
    if not code_is_right(request, form):
        return _page(request, row, {"agree": form}, status=403)
    digest = form.cleaned_data["digest"]

    def deed() -> None:
        signing.agree(row.id, digest, hand=hand_of(request), now=now(), policy=policy())
        if kind_of(row.kind).carry_out is not None:
            _carry_out(request, row.id)

    return _act(request, row, deed)


@staff_required(*CHECKS)
@require_POST
def refuse(request: StaffRequest, request_id: int) -> HttpResponse:
    """Send it back, with a reason."""
    row, form = _row_to_rule_on(request, request_id), ReasonForm(request.POST)
    if not form.is_valid():
        return _page(request, row, {"refuse": form}, status=400)
    reason = form.cleaned_data["reason"]
    return _act(request, row, lambda: signing.refuse(row.id, reason, hand=hand_of(request), now=now()))


@staff_required(*MAKES)
@require_POST
def withdraw(request: StaffRequest, request_id: int) -> HttpResponse:
    """Take one's own request back."""
    row = _row(request, request_id)
    return _act(request, row, lambda: signing.withdraw(row.id, hand=hand_of(request), now=now()))


@staff_required(*MAKES)
@require_POST
def carry_out(request: StaffRequest, request_id: int) -> HttpResponse:
    """Do what was agreed on but could not be done then; done before: nothing more."""
    row = _row(request, request_id)
    if row.state is RequestState.DONE:
        return redirect("counter:request", request_id=row.id)
    if not _may_carry_out(request, row):
        return _page(request, row, problem=WHY[Why.NOT_AGREED], status=409)
    return _act(request, row, lambda: _carry_out(request, row.id))


def _carry_out(request: StaffRequest, request_id: int) -> None:
    """Let the kind's service do it; what rests on changed facts ends here. Raises ``NotDone`` and ``NotApproved``."""
    row = _row(request, request_id)
    do = kind_of(row.kind).carry_out
    if do is None:
        raise NotDone(_("请在办理页面上完成"))
    actor = actor_of(request)
    try:
        do(Deed(row, actor, now(), policy()))
    except NotDone as problem:
        if problem.for_good:
            signing.drop(row.id, actor=actor, now=now())
        raise


def _row(request: StaffRequest, request_id: int) -> RequestRow:
    row = approvals.find(request_id, viewer=request.officer, now=now())
    if row is None:
        raise Http404
    return row


def _row_to_rule_on(request: StaffRequest, request_id: int) -> RequestRow:
    """A request of another campus may be seen by its maker and by auditors, and ruled on by nobody here."""
    row = _row(request, request_id)
    if row.obstacle is Why.OTHER_CAMPUS:
        raise Http404
    return row


def _may_carry_out(request: StaffRequest, row: RequestRow) -> bool:
    mine = row.maker_id == request.officer.id or row.obstacle is None
    return row.state is RequestState.AGREED and mine and kind_of(row.kind).carry_out is not None


def _act(request: StaffRequest, row: RequestRow, deed: Callable[[], object | None]) -> HttpResponse:
    """Do it and show what came of it, or say why not."""
    try:
        deed()
    except NotApproved as refusal:
        return _page(request, _row(request, row.id), problem=WHY[refusal.why], status=409)
    except NotDone as problem:
        return _page(request, _row(request, row.id), problem=problem.message, status=409)
    if (fresh := _row(request, row.id)).state is RequestState.DONE:
        messages.success(request, _("已办理。"))
    return redirect("counter:request", request_id=fresh.id)


def _page(
    request: StaffRequest,
    row: RequestRow,
    forms: dict[str, StrictForm] | None = None,
    *,
    problem: Words = "",
    status: int = 200,
) -> HttpResponse:
    person, kind = request.officer, kind_of(row.kind)
    word, tone = REQUEST_STATES[row.state]
    waits = row.state is RequestState.WAITING
    mine = row.maker_id == person.id
    context: dict[str, Any] = {
        "row": row,
        "kind": kind,
        "carries_out": kind.carry_out is not None,
        "facts": kind.facts(row),
        "word": word,
        "tone": tone,
        "why": WHY[Why(row.why)] if row.why else "",
        "problem": problem,
        "may_check": waits and row.obstacle is None,
        "why_not": WHY[row.obstacle] if waits and row.obstacle and person.role in CHECKS else "",
        "may_withdraw": row.open and mine,
        "may_carry_out": _may_carry_out(request, row),
        "resume": kind.resume(row) if kind.resume and row.state is RequestState.AGREED else "",
        "asks_code": asks_code(request),
        "refuse_form": ReasonForm(),
    }
    for name, form in (forms or {}).items():
        context[f"{name}_form"] = form
    return staff_page(request, "counter/oversight/request.html", context, status=status)
