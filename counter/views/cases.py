"""One case: everything about it on one page, and the small deeds that need no second person."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.kinds import OperatorRole
from accounts.wiring import now
from counter.access import StaffRequest, actor_of, hand_of, staff_required
from counter.drawings import bridge
from counter.forms import AssignForm, HoldForm, ReasonForm
from counter.jobs import panel
from counter.pages import ACTS, staff_page
from counter.views.entry import DESK
from counter.words import ADVICE, EFFECTS, OBSTACLES, STANDS, note_words
from reconciliation import casefile
from reconciliation.casefile import CaseFile
from reconciliation.difference import Difference, in_words
from reconciliation.services import desk as desk_work
from reconciliation.services.cases import NotClosable
from reconciliation.services.remedies import Refused
from transactions.days import local_day

_SEEN = "cases_seen"


@staff_required(*DESK)
@require_safe
def case(request: StaffRequest, case_id: int) -> HttpResponse:
    """Card beside book, why they differ, the card's life, what can be done."""
    return case_page(request, file_of(request, case_id))


@staff_required(*ACTS)
@require_POST
def take(request: StaffRequest, case_id: int) -> HttpResponse:
    """Say that one looks after it."""
    file = file_of(request, case_id)
    try:
        desk_work.take(case_id, hand=hand_of(request), now=now())
    except Refused as refusal:
        return case_page(request, file, problem=refusal)
    return redirect("counter:case", case_id=case_id)


@staff_required(*ACTS)
@require_POST
def remark(request: StaffRequest, case_id: int) -> HttpResponse:
    """Add what one has to say."""
    return _with_reason(request, case_id, "remark")


@staff_required(*ACTS)
@require_POST
def escalate(request: StaffRequest, case_id: int) -> HttpResponse:
    """Ask a supervisor to look."""
    return _with_reason(request, case_id, "escalate")


@staff_required(OperatorRole.SUPERVISOR)
@require_POST
def close(request: StaffRequest, case_id: int) -> HttpResponse:
    """Close a case about a suspect card."""
    return _with_reason(request, case_id, "close_suspect")


@staff_required(OperatorRole.SUPERVISOR)
@require_POST
def assign(request: StaffRequest, case_id: int) -> HttpResponse:
    """Give it to a colleague."""
    file, form = file_of(request, case_id), AssignForm(request.POST)
    if not form.is_valid():
        return case_page(request, file, forms={"assign": form}, status=400)
    try:
        desk_work.assign(case_id, form.cleaned_data["operator"], hand=hand_of(request), now=now())
    except Refused as refusal:
        return case_page(request, file, problem=refusal)
    return redirect("counter:case", case_id=case_id)


@staff_required(*ACTS)
@require_POST
def hold(request: StaffRequest, case_id: int) -> HttpResponse:
    """Put it off to a day."""
    file, form, moment = file_of(request, case_id), HoldForm(request.POST), now()
    if not form.is_valid():
        return case_page(request, file, forms={"hold": form}, status=400)
    until, reason = form.cleaned_data["until"], form.cleaned_data["reason"]
    try:
        desk_work.put_off(case_id, until, reason, hand=hand_of(request), now=moment, today=local_day(moment))
    except desk_work.BadDay:
        form.add_error("until", _("请选择明天起 60 天内的一天"))
        return case_page(request, file, forms={"hold": form}, status=400)
    except Refused as refusal:
        return case_page(request, file, problem=refusal)
    messages.success(request, _("已挂账，到期自动回到待办。"))
    return redirect("counter:case", case_id=case_id)


def file_of(request: StaffRequest, case_id: int) -> CaseFile:
    """The file of a case of whatever campus (L31: any desk serves any holder); leaves a line in the audit (P6)."""
    moment = now()
    file = casefile.find(case_id, today=local_day(moment), now=moment)
    if file is None:
        raise Http404
    seen = request.session.get(_SEEN, [])
    if case_id not in seen:
        casefile.note_reading(file, actor=actor_of(request), now=moment)
        request.session[_SEEN] = [*seen[-199:], case_id]
    return file


def difference_of(file: CaseFile) -> Difference | None:
    """The difference in the words of the holder's own page."""
    card_fen = file.explanation.card_fen
    if card_fen is None:
        return None
    frozen = file.account.frozen_at is not None
    return in_words(book_fen=file.explanation.book_fen, card_fen=card_fen, items=file.items, frozen=frozen)


def case_page(
    request: StaffRequest,
    file: CaseFile,
    *,
    forms: dict[str, Any] | None = None,
    problem: Refused | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of a case, with a problem or a form to fill in again."""
    moment = now()
    own = request.officer.holder_id is not None and request.officer.holder_id == file.holder_id
    difference = difference_of(file)
    card_fen = file.explanation.card_fen
    context = {
        "file": file,
        "own": own,
        "may_act": request.officer.role in ACTS and not own,
        "advice": ADVICE[file.case.mismatch],
        "difference": difference,
        "beams": bridge(difference, book_fen=file.explanation.book_fen, card_fen=card_fen)
        if card_fen is not None
        else (),
        "offers": [
            (offer, EFFECTS[offer.action], OBSTACLES[offer.obstacle] if offer.obstacle else "")
            for offer in file.offers
        ],
        "lines": [
            (traced, *STANDS[traced.line.stand], note_words(traced.line.movement)) for traced in file.lines
        ],
        "reader": panel(request, account_id=file.account.id),
        "problem": OBSTACLES[problem.obstacle] if problem else "",
        "now": moment,
        "reason_form": ReasonForm(),
        "hold_form": HoldForm(),
        "colleagues": request.officer.role is OperatorRole.SUPERVISOR,
        "assign_form": AssignForm() if request.officer.role is OperatorRole.SUPERVISOR else None,
    }
    for name, form in (forms or {}).items():
        context[f"{name}_form"] = form
    if problem is not None and status == 200:
        status = 409
    return staff_page(request, "counter/case.html", context, status=status)


def _with_reason(request: StaffRequest, case_id: int, deed: str) -> HttpResponse:
    file, form = file_of(request, case_id), ReasonForm(request.POST)
    if not form.is_valid():
        return case_page(request, file, forms={deed: form}, status=400)
    try:
        getattr(desk_work, deed)(case_id, form.cleaned_data["reason"], hand=hand_of(request), now=now())
    except Refused as refusal:
        return case_page(request, file, problem=refusal)
    except NotClosable:
        messages.warning(request, _("差额还在，不能人工结案；差额消失后案例自动结案。"))
        return case_page(request, file, status=409)
    return redirect("counter:case", case_id=case_id)
