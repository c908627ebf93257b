"""Terminals: how each stands, a new one, a new code, shutting one out, putting an alarm to rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import approvals
from accounts.approvals import RequestRow
from accounts.services import approvals as signing
from accounts.services.approvals import NotApproved
from accounts.wiring import now
from counter.access import StaffRequest, actor_of, hand_of, staff_required
from counter.forms import CodeForm, StrictForm
from counter.office.access import ADMINS, KEEPS, LOOKS, may_see, own_campus
from counter.office.drawings import silence_bars
from counter.office.forms import CodeAgainForm, FleetForm, RestForm, RevokeForm, TerminalForm
from counter.office.handing import hand_page, waiting
from counter.office.words import Names, Words
from counter.oversight.words import WHY
from counter.pages import staff_page
from counter.stepup import asks_code, code_is_right
from counter.wiring import policy
from terminals import fleet
from terminals.fleet import WORDS, Box
from terminals.kinds import TerminalKind
from terminals.places import MACHINES, service_points
from terminals.services import enrolment, holes
from terminals.services.enrolment import AlreadyRevoked, IssuedCode, NewTerminal
from terminals.services.places import NoSuchPlace
from transactions.merchants import merchants

KINDS = (enrolment.KIND_REGISTER, enrolment.KIND_CODE)
HAND = "counter/office/hand_code.html"


@staff_required(*LOOKS)
@require_safe
def terminals(request: StaffRequest) -> HttpResponse:
    """The terminals, the gravest first."""
    form = FleetForm(request.GET)
    if not form.is_valid():
        return staff_page(
            request, "counter/office/terminals.html", {"form": form, "refused": True}, status=400
        )
    chosen = form.cleaned_data
    rows = fleet.fleet(
        now=now(),
        campus_id=own_campus(request.officer),
        kind=TerminalKind(chosen["kind"]) if chosen["kind"] else None,
        revoked=chosen["revoked"] == "1",
    )
    context = {
        "form": form,
        "rows": [(box, *WORDS[box.state]) for box in rows],
        "counts": [(count, *WORDS[state]) for state, count in fleet.counts(rows).items()],
        "silences": silence_bars(rows),
        "waiting": waiting(request, KINDS),
        "may_add": request.officer.role in ADMINS,
    }
    return staff_page(request, "counter/office/terminals.html", context)


@staff_required(*LOOKS)
@require_safe
def terminal(request: StaffRequest, terminal_id: int) -> HttpResponse:
    """One terminal."""
    return _terminal_page(request, _box(request, terminal_id))


@staff_required(*ADMINS)
@sensitive_post_parameters("otp_token")
@require_http_methods(["GET", "POST"])
def new_terminal(request: StaffRequest) -> HttpResponse:
    """Ask for a terminal; a supervisor of its campus agrees, then the code is made (security.md section 5)."""
    moment = now()
    form = TerminalForm(
        request.POST if request.method == "POST" else None,
        merchants=merchants(),
        points=[each for each in service_points(now=moment, kinds=MACHINES) if each.terminal_id is None],
    )
    if request.method == "GET":
        return _new_page(request, form)
    if not form.is_valid():
        return _new_page(request, form, status=400)
    if not code_is_right(request, form):
        return _new_page(request, form, status=403)
    wanted = form.wanted()
    ask = signing.Ask(
        form.cleaned_data["key"],
        enrolment.KIND_REGISTER,
        enrolment.content_of(wanted),
        form.cleaned_data["reason"],
        campus_id=wanted.campus_id,
    )
    return _propose(
        request, ask, lambda words: _problem_on(form, words, lambda: _new_page(request, form, status=409))
    )


@staff_required(*ADMINS)
@sensitive_post_parameters("otp_token")
@require_POST
def new_code(request: StaffRequest, terminal_id: int) -> HttpResponse:
    """A new code after a repair or for the yearly change of keys; for machines that load cards two people agree."""
    found, form = _box(request, terminal_id), CodeAgainForm(request.POST)
    if not form.is_valid():
        return _terminal_page(request, found, {"code": form}, status=400)
    if not code_is_right(request, form):
        return _terminal_page(request, found, {"code": form}, status=403)
    if enrolment.needs_two_for_code(found.kind):
        ask = signing.Ask(
            form.cleaned_data["key"],
            enrolment.KIND_CODE,
            {"terminal_id": terminal_id},
            form.cleaned_data["reason"],
            campus_id=found.campus_id,
        )
        return _propose(request, ask, lambda words: _terminal_page(request, found, problem=words, status=409))
    try:
        issued = enrolment.issue_code(terminal_id, actor=actor_of(request), now=now())
    except AlreadyRevoked:
        return _terminal_page(
            request, found, problem=_("该终端已注销；修好的机器请作为新终端登记"), status=409
        )
    return _handed(request, issued)


@staff_required(*KEEPS)
@sensitive_post_parameters("otp_token")
@require_http_methods(["GET", "POST"])
def hand_code(request: StaffRequest, request_id: int) -> HttpResponse:
    """What two people agreed on: an administrator makes the code, which is shown once."""
    row = approvals.find(request_id, viewer=request.officer, now=now())
    if row is None or row.kind not in KINDS:
        raise Http404
    form = CodeForm(request.POST if request.method == "POST" else None)
    if request.method == "GET":
        return hand_page(request, HAND, row, form)
    if request.officer.role not in ADMINS:
        return hand_page(request, HAND, row, form, status=403)
    if not form.is_valid() or not code_is_right(request, form):
        return hand_page(request, HAND, row, form, status=403)
    try:
        issued = _carry_out(request, row)
    except NotApproved as refusal:
        return hand_page(request, HAND, row, form, problem=WHY[refusal.why], status=409)
    except NoSuchPlace:
        return hand_page(request, HAND, row, form, problem=_("该服务点已有别的机器；请重新提出"), status=409)
    except AlreadyRevoked:
        return hand_page(request, HAND, row, form, problem=_("该终端已注销"), status=409)
    return _handed(request, issued)


@staff_required(*KEEPS)
@sensitive_post_parameters("otp_token")
@require_POST
def revoke(request: StaffRequest, terminal_id: int) -> HttpResponse:
    """Shut a terminal out for good: one person may, because a stolen one must not wait."""
    found, form = _box(request, terminal_id), RevokeForm(request.POST)
    if not form.is_valid():
        return _terminal_page(request, found, {"revoke": form}, status=400)
    if not code_is_right(request, form):
        return _terminal_page(request, found, {"revoke": form}, status=403)
    if enrolment.revoke(terminal_id, actor=actor_of(request), now=now(), reason=form.cleaned_data["reason"]):
        messages.success(request, _("已注销。它再也不能交易，尚未上传的流水会被隔离，等人处理。"))
    return redirect("counter:terminal", terminal_id=terminal_id)


@staff_required(*KEEPS)
@require_POST
def rest_gap(request: StaffRequest, terminal_id: int) -> HttpResponse:
    """Let the nightly alarm about a journal be silent."""
    found, form = _box(request, terminal_id), RestForm(request.POST)
    if not form.is_valid():
        return _terminal_page(request, found, {"rest": form}, status=400)
    chosen = form.cleaned_data
    try:
        holes.put_to_rest(
            terminal_id,
            chosen["journal"],
            chosen["missing"],
            chosen["reason"],
            actor=actor_of(request),
            now=now(),
        )
    except holes.NoHole:
        return _terminal_page(request, found, problem=_("缺号已变化，请重新核对"), status=409)
    messages.success(request, _("不再为这些流水报警；若缺得更多，会再次报警。"))
    return redirect("counter:terminal", terminal_id=terminal_id)


def _carry_out(request: StaffRequest, row: RequestRow) -> IssuedCode:
    actor, moment = actor_of(request), now()
    if row.kind == enrolment.KIND_CODE:
        return enrolment.issue_code_agreed(row.id, row.content["terminal_id"], actor=actor, now=moment)
    return enrolment.register_agreed(row.id, NewTerminal(**row.content), actor=actor, now=moment)


def _propose(
    request: StaffRequest, ask: signing.Ask, refuse: Callable[[Words], HttpResponse]
) -> HttpResponse:
    try:
        asked = signing.propose(ask, hand=hand_of(request), now=now(), policy=policy())
    except NotApproved as refusal:
        return refuse(WHY[refusal.why])
    return redirect("counter:request", request_id=asked.pk)


def _problem_on(form: StrictForm, words: Words, page: Callable[[], HttpResponse]) -> HttpResponse:
    form.add_error(None, str(words))
    return page()


def _box(request: StaffRequest, terminal_id: int) -> Box:
    found = fleet.box(terminal_id, now=now())
    if found is None or not may_see(request.officer, found.campus_id):
        raise Http404
    return found


def _handed(request: StaffRequest, issued: IssuedCode) -> HttpResponse:
    """The code, on a page that is not kept anywhere."""
    box = fleet.box(issued.terminal, now=now())
    return staff_page(request, "counter/office/code.html", {"issued": issued, "box": box})


def _new_page(request: StaffRequest, form: TerminalForm, *, status: int = 200) -> HttpResponse:
    context = {"form": form, "asks_code": asks_code(request)}
    return staff_page(request, "counter/office/terminal_new.html", context, status=status)


def _terminal_page(
    request: StaffRequest,
    found: Box,
    forms: dict[str, StrictForm] | None = None,
    *,
    problem: Words = "",
    status: int = 200,
) -> HttpResponse:
    moment = now()
    word, tone = WORDS[found.state]
    gaps = fleet.gaps_of(found.id, now=moment)
    names = Names(gap.rested_by for gap in gaps)
    context: dict[str, Any] = {
        "box": found,
        "word": word,
        "tone": tone,
        "problem": problem,
        "events": fleet.events_of(found.id),
        "gaps": [(gap, names.of(gap.rested_by)) for gap in gaps],
        "open_code": fleet.open_code(found.id, now=moment),
        "two_for_code": enrolment.needs_two_for_code(found.kind),
        "may_add": request.officer.role in ADMINS and found.revoked_at is None,
        "may_keep": request.officer.role in KEEPS and found.revoked_at is None,
        "may_rest": request.officer.role in KEEPS,
        "asks_code": asks_code(request),
        "code_form": CodeAgainForm(),
        "revoke_form": RevokeForm(),
        "rest_form": RestForm(),
        "now": moment,
    }
    for name, form in (forms or {}).items():
        context[f"{name}_form"] = form
    return staff_page(request, "counter/office/terminal.html", context, status=status)
