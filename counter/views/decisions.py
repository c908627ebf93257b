"""Deciding: the preview with one confirmation, the list of what waits for a second person, the receipt."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import approvals
from accounts.kinds import OperatorRole
from accounts.wiring import now
from counter.access import StaffRequest, hand_of, staff_required
from counter.forms import (
    ApproveForm,
    CodeForm,
    DecideForm,
    EntryForm,
    ReasonForm,
    StrictForm,
)
from counter.jobs import desk_of, panel, remember
from counter.oversight.kinds import kind_of
from counter.oversight.words import REQUEST_STATES
from counter.pages import ACTS, staff_page
from counter.stepup import asks_code, code_is_right
from counter.views.cases import case_page, file_of
from counter.views.entry import DESK, SIGNS
from counter.wiring import policy
from counter.words import EFFECTS, OBSTACLES, STATES, obstacle_words
from reconciliation import rulings
from reconciliation.casefile import CaseFile
from reconciliation.kinds import DecisionAction, Needs
from reconciliation.rulings import DecisionRow, DecisionState
from reconciliation.services import decisions
from reconciliation.services.decisions import Preview, Wish
from reconciliation.services.remedies import Obstacle, Refused

CHECKS = (OperatorRole.SUPERVISOR,)


@staff_required(*ACTS)
@sensitive_post_parameters("otp_token")
@require_http_methods(["GET", "POST"])
def decide(request: StaffRequest, case_id: int, action: str) -> HttpResponse:
    """What would happen, to whom it must be shown, and one button."""
    if action not in DecisionAction.values:
        raise Http404
    file, wanted = file_of(request, case_id), DecisionAction(action)
    about = EntryForm(request.GET)
    if not about.is_valid():
        raise Http404
    entry_seq = about.cleaned_data["entry"]
    form = DecideForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if not form.is_valid():
            return _preview_page(request, file, wanted, entry_seq, form, status=400)
        if not code_is_right(request, form):
            return _preview_page(request, file, wanted, entry_seq, form, status=403)
        try:
            made = _decide(request, file, wanted, entry_seq, form)
        except Refused as refusal:
            form.add_error(None, str(OBSTACLES[refusal.obstacle]))
            return _preview_page(request, file, wanted, entry_seq, form, status=409)
        return redirect("counter:decision", decision_id=made)
    return _preview_page(request, file, wanted, entry_seq, form)


@staff_required(*SIGNS)
@require_safe
def waiting(request: StaffRequest) -> HttpResponse:
    """What waits for a second person, what is agreed on and not carried out yet, what was finished last."""
    person, moment = request.officer, now()
    rows = rulings.waiting(person.campus_id) if person.role in DESK else ()
    asked = approvals.waiting(person, now=moment)
    context = {
        "mine": [_shown(row) for row in rows if row.maker_id == person.id],
        "others": [_shown(row) for row in rows if row.maker_id != person.id],
        "my_requests": [_shown_request(row) for row in asked if row.maker_id == person.id],
        "other_requests": [_shown_request(row) for row in asked if row.maker_id != person.id],
        "checks": person.role in (*CHECKS, OperatorRole.ADMIN),
        "recent": [_shown(row) for row in rulings.recent(person.campus_id)] if person.role in DESK else [],
        "recent_requests": [_shown_request(row) for row in approvals.recent(person, now=moment)],
    }
    return staff_page(request, "counter/decisions.html", context)


@staff_required(*DESK)
@require_safe
def decision(request: StaffRequest, decision_id: int) -> HttpResponse:
    """One decision: what, why, who; on paper the receipt."""
    return _decision_page(request, _row(request, decision_id))


@staff_required(*CHECKS)
@sensitive_post_parameters("otp_token")
@require_POST
def approve(request: StaffRequest, decision_id: int) -> HttpResponse:
    """Agree as the second person."""
    row, form = _row_to_rule_on(request, decision_id), ApproveForm(request.POST)
    if not form.is_valid():
        return _decision_page(request, row, {"approve": form}, status=400)
    if not code_is_right(request, form):
        return _decision_page(request, row, {"approve": form}, status=403)
    return _act(
        request,
        row,
        lambda: decisions.approve(
            row.id,
            form.cleaned_data["digest"],
            hand=hand_of(request),
            now=now(),
            policy=policy(),
            desk_id=_desk_id(request),
        ),
    )


@staff_required(*CHECKS)
@require_POST
def refuse(request: StaffRequest, decision_id: int) -> HttpResponse:
    """Send it back, with a reason."""
    row, form = _row_to_rule_on(request, decision_id), ReasonForm(request.POST)
    if not form.is_valid():
        return _decision_page(request, row, {"refuse": form}, status=400)
    reason = form.cleaned_data["reason"]
    return _act(request, row, lambda: decisions.refuse(row.id, reason, hand=hand_of(request), now=now()))


@staff_required(*ACTS)
@require_POST
def withdraw(request: StaffRequest, decision_id: int) -> HttpResponse:
    """Take one's own decision back."""
    row = _row(request, decision_id)
    return _act(request, row, lambda: decisions.withdraw(row.id, hand=hand_of(request), now=now()))


@staff_required(*ACTS)
@sensitive_post_parameters("otp_token")
@require_POST
def carry_out(request: StaffRequest, decision_id: int) -> HttpResponse:
    """Do what two people agreed on, with the card on the reader."""
    row, form = _row(request, decision_id), CodeForm(request.POST)
    if not form.is_valid() or not code_is_right(request, form):
        return _decision_page(request, row, {"carry_out": form}, status=403)
    return _act(
        request,
        row,
        lambda: decisions.carry_out_approved(
            row.id, hand=hand_of(request), now=now(), policy=policy(), desk_id=_desk_id(request)
        ),
    )


def _decide(
    request: StaffRequest, file: CaseFile, action: DecisionAction, entry_seq: int | None, form: DecideForm
) -> int:
    wish = Wish(
        key=form.cleaned_data["key"],
        case_id=file.case.id,
        action=action,
        digest=form.cleaned_data["digest"],
        reason=form.cleaned_data["reason"],
        entry_seq=entry_seq,
        desk_id=_desk_id(request),
    )
    made = decisions.decide(wish, hand=hand_of(request), now=now(), policy=policy())
    _remember_job(request, made.pk)
    return made.pk


def _preview_page(
    request: StaffRequest,
    file: CaseFile,
    action: DecisionAction,
    entry_seq: int | None,
    form: DecideForm,
    *,
    status: int = 200,
) -> HttpResponse:
    """The plan of this moment. Where there is none, the case's own page says why."""
    moment = now()
    try:
        found = decisions.preview(
            file.case.id, action, hand=hand_of(request), now=moment, policy=policy(), entry_seq=entry_seq
        )
    except Refused as refusal:
        return case_page(request, file, problem=refusal)
    typed = form["reason"].value() if form.is_bound else ""
    key = form["key"].value() if form.is_bound and "key" not in form.errors else None
    context = {
        "file": file,
        "action": action,
        "effect": EFFECTS[action],
        "plan": found.plan,
        "needs": found.needs,
        "needs_second": found.needs is not Needs.ALONE,
        "digest": found.plan.digest.hex(),
        "form": form,
        "key": key,
        "reason": typed,
        "asks_code": asks_code(request),
        "items": _items(file, found),
        "reader": panel(request, account_id=file.account.id) if found.plan.needs_card else None,
    }
    return staff_page(request, "counter/decide.html", context, status=status)


def _items(file: CaseFile, found: Preview) -> list[dict[str, Any]]:
    """The movements that a plan is about, with their lines of the timeline."""
    lines = {each.line.movement.seq: each for each in file.lines if each.line.movement}
    wanted = found.plan.content.get("late") or ()
    if "entry_seq" in found.plan.content:
        wanted = [{"seq": found.plan.content["entry_seq"], "fen": found.plan.content["fen"]}]
    return [{"seq": item["seq"], "fen": item["fen"], "traced": lines.get(item["seq"])} for item in wanted]


def _row(request: StaffRequest, decision_id: int) -> DecisionRow:
    row = rulings.find(decision_id)
    if row is None:
        raise Http404
    return row


def _row_to_rule_on(request: StaffRequest, decision_id: int) -> DecisionRow:
    """The decision, if it was made at a desk that this supervisor answers for; looking at it is everybody's."""
    row = _row(request, decision_id)
    if not request.officer.serves(row.campus_id):
        raise Http404
    return row


def _act(request: StaffRequest, row: DecisionRow, deed: Any) -> HttpResponse:
    """Do it and show the receipt, or say why not."""
    try:
        deed()
    except Refused as refusal:
        fresh = _row(request, row.id)
        return _decision_page(request, fresh, problem=refusal.obstacle, status=409)
    _remember_job(request, row.id)
    return redirect("counter:decision", decision_id=row.id)


def _remember_job(request: StaffRequest, decision_id: int) -> None:
    row = rulings.find(decision_id)
    if row is not None and row.job_id is not None:
        remember(request, row.job_id)


def _decision_page(
    request: StaffRequest,
    row: DecisionRow,
    forms: dict[str, StrictForm] | None = None,
    *,
    problem: Obstacle | None = None,
    status: int = 200,
) -> HttpResponse:
    person = request.officer
    word, tone = STATES[row.state]
    context: dict[str, Any] = {
        "row": row,
        "word": word,
        "tone": tone,
        "effect": EFFECTS[row.action],
        "why": obstacle_words(row.why) if row.why else "",
        "problem": OBSTACLES[problem] if problem else "",
        "may_check": row.state is DecisionState.WAITING
        and person.role in CHECKS
        and person.serves(row.campus_id)
        and row.maker_id != person.id,
        "may_withdraw": row.open and row.maker_id == person.id,
        "may_carry_out": row.state is DecisionState.APPROVED and person.role in ACTS,
        "asks_code": asks_code(request),
        "refuse_form": ReasonForm(),
        "reader": panel(request, account_id=row.case.account_id, job_id=row.job_id)
        if row.job_id or row.state is DecisionState.APPROVED
        else None,
    }
    for name, form in (forms or {}).items():
        context[f"{name}_form"] = form
    return staff_page(request, "counter/decision.html", context, status=status)


def _shown(row: DecisionRow) -> dict[str, Any]:
    word, tone = STATES[row.state]
    return {"row": row, "word": word, "tone": tone}


def _shown_request(row: approvals.RequestRow) -> dict[str, Any]:
    word, tone = REQUEST_STATES[row.state]
    return {"row": row, "kind": kind_of(row.kind), "word": word, "tone": tone}


def _desk_id(request: StaffRequest) -> int | None:
    desk = desk_of(request)
    return desk.pk if desk is not None else None
