"""One movement, and what its holder does not agree with. Own rows only: everything else is not there (404)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.wiring import now, options
from portal.access import HolderRequest, holder_required
from portal.careforms import DisputeForm, KeyForm, MissingTopUpForm, WordForm
from portal.carewords import KIND_HINTS, MOMENTS, PROBLEMS, STATES, next_step
from portal.doors import actor_of
from portal.forms import StrictForm
from portal.pages import centers, own_page
from reconciliation import disputes as found_disputes
from reconciliation.deadlines import last_day
from reconciliation.disputes import DisputeFile, MovementFile
from reconciliation.kinds import DisputeKind, DisputeState
from reconciliation.services import disputes
from reconciliation.services.disputes import Claim, NotDone, kinds_for
from transactions.days import local_day
from transactions.entries import twin_of


@holder_required()
@require_safe
def movement(request: HolderRequest, entry_seq: int) -> HttpResponse:
    """Everything about one line of the statement, and whether it may still be disputed."""
    about = _movement(request, entry_seq)
    happened_on = local_day(about.movement.occurred_at)
    until = last_day(happened_on, options=options())
    context = {
        "file": about,
        "dispute": found_disputes.dispute_about(request.account.id, entry_seq),
        "until": until,
        "may_dispute": about.movement.fen != 0
        and local_day(now()) <= until
        and not (about.links.taken_back_by or about.links.refunded_by),
        "window_days": options().dispute_window_days,
    }
    return own_page(request, "portal/disputes/movement.html", context)


@holder_required()
@require_http_methods(["GET", "POST"])
def dispute_movement(request: HolderRequest, entry_seq: int) -> HttpResponse:
    """有疑问: which kind, the receipt, some words; what looks like the same purchase stands beside it."""
    about = _movement(request, entry_seq)
    known = found_disputes.dispute_about(request.account.id, entry_seq)
    if known is not None and request.method == "GET":
        return redirect("portal:dispute", dispute_id=known.id)
    twin = twin_of(about.movement)
    form = DisputeForm(
        request.POST if request.method == "POST" else None,
        kinds=kinds_for(about.movement),
        initial={"key": uuid4(), "kind": DisputeKind.DOUBLE if twin else None},
    )
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            claim = Claim(
                key=form.cleaned_data["key"],
                account_id=request.account.id,
                kind=DisputeKind(form.cleaned_data["kind"]),
                text=form.cleaned_data["text"],
                entry_seq=entry_seq,
                receipt_no=form.cleaned_data["receipt_no"],
            )
            answer = _open(request, form, claim)
            if answer is not None:
                return answer
            status = 409
    context = {
        "form": form,
        "key": _key_of(form),
        "file": about,
        "twin": twin,
        "hints": KIND_HINTS,
        "kinds": _kinds(form),
    }
    return own_page(request, "portal/disputes/open.html", context, status=status)


@holder_required()
@require_http_methods(["GET", "POST"])
def missing_top_up(request: HolderRequest) -> HttpResponse:
    """充值未到账: money that was paid in and is on no statement."""
    form = MissingTopUpForm(request.POST if request.method == "POST" else None, initial={"key": uuid4()})
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            claim = Claim(
                key=form.cleaned_data["key"],
                account_id=request.account.id,
                kind=DisputeKind.TOP_UP_MISSING,
                text=form.cleaned_data["text"],
                fen=form.cleaned_data["amount"],
                happened_on=form.cleaned_data["happened_on"],
                receipt_no=form.cleaned_data["receipt_no"],
            )
            answer = _open(request, form, claim)
            if answer is not None:
                return answer
            status = 409
    context = {"form": form, "key": _key_of(form)}
    return own_page(request, "portal/disputes/missing.html", context, status=status)


@holder_required()
@require_safe
def own_disputes(request: HolderRequest) -> HttpResponse:
    """The holder's disputes, newest first."""
    rows = [(row, *STATES[row.state]) for row in found_disputes.disputes_of(request.account.id)]
    return own_page(
        request, "portal/disputes/list.html", {"rows": rows, "window_days": options().dispute_window_days}
    )


@holder_required()
@require_safe
def dispute(request: HolderRequest, dispute_id: int) -> HttpResponse:
    """One dispute: how far it is, what was said, what comes next."""
    return _dispute_page(request, _file(request, dispute_id))


@holder_required()
@require_POST
def add_word(request: HolderRequest, dispute_id: int) -> HttpResponse:
    """Say more."""
    file, form = _file(request, dispute_id), WordForm(request.POST)
    if not form.is_valid():
        return _dispute_page(request, file, form=form, status=400)
    try:
        disputes.add_word(
            request.account.id,
            dispute_id,
            form.cleaned_data["text"],
            key=form.cleaned_data["key"],
            actor=actor_of(request, request.account.holder.uid),
            now=now(),
        )
    except NotDone as refusal:
        form.add_error(None, str(PROBLEMS[refusal.problem]))
        return _dispute_page(request, _file(request, dispute_id), form=form, status=409)
    messages.success(request, _("已补充。"))
    return redirect("portal:dispute", dispute_id=dispute_id)


@holder_required()
@require_POST
def withdraw(request: HolderRequest, dispute_id: int) -> HttpResponse:
    """Take it back."""
    file, form = _file(request, dispute_id), KeyForm(request.POST)
    if not form.is_valid():
        return _dispute_page(request, file, problem=_("页面已过期，请刷新后再试"), status=400)
    try:
        disputes.withdraw(
            request.account.id,
            dispute_id,
            key=form.cleaned_data["key"],
            actor=actor_of(request, request.account.holder.uid),
            now=now(),
        )
    except NotDone as refusal:
        problem = str(PROBLEMS[refusal.problem])
        return _dispute_page(request, _file(request, dispute_id), problem=problem, status=409)
    messages.success(request, _("争议已撤回；款项没有变动。"))
    return redirect("portal:dispute", dispute_id=dispute_id)


def _open(request: HolderRequest, form: StrictForm, claim: Claim) -> HttpResponse | None:
    """Open it and go to its page, or None with the reason at the form."""
    try:
        opened = disputes.open_dispute(
            claim,
            actor=actor_of(request, request.account.holder.uid),
            now=now(),
            options=options(),
        )
    except NotDone as refusal:
        form.add_error(None, str(PROBLEMS[refusal.problem]))
        return None
    if opened.known and opened.dispute.key != claim.key:
        messages.info(request, _("这一笔您已提出过争议，下面是它的进展。"))
    else:
        messages.success(request, _("争议已登记，款项没有变动。"))
    return redirect("portal:dispute", dispute_id=opened.dispute.pk)


def _movement(request: HolderRequest, entry_seq: int) -> MovementFile:
    about = found_disputes.movement_file(request.account.id, entry_seq)
    if about is None:
        raise Http404
    return about


def _file(request: HolderRequest, dispute_id: int) -> DisputeFile:
    file = found_disputes.own_file(request.account.id, dispute_id)
    if file is None:
        raise Http404
    return file


def _dispute_page(
    request: HolderRequest,
    file: DisputeFile,
    *,
    form: WordForm | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    word, tone = STATES[file.row.state]
    today = local_day(now())
    context: dict[str, Any] = {
        "file": file,
        "row": file.row,
        "word": word,
        "tone": tone,
        "next": next_step(file.row.state, file.row.due_on, today),
        "late": file.row.open and today > file.row.due_on,
        "moments": [(moment, MOMENTS[moment.kind]) for moment in file.moments],
        "form": form or WordForm(),
        "problem": problem,
        "asked": file.row.state is DisputeState.ASKED,
        **centers(),
    }
    return own_page(request, "portal/disputes/dispute.html", context, status=status)


def _key_of(form: StrictForm) -> object:
    """The key stays with a form that is filled in again; a broken one is replaced."""
    return form["key"].value() if "key" not in form.errors else uuid4()


def _kinds(form: DisputeForm) -> list[tuple[str, Any, Any, bool]]:
    """The choices with a sentence each: value, label, hint, whether it is chosen."""
    chosen = form["kind"].value()
    choices: Any = getattr(form.fields["kind"], "choices", ())
    return [
        (value, label, KIND_HINTS[DisputeKind(value)], str(chosen or "") == value) for value, label in choices
    ]
