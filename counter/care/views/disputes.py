"""The desk's side of disputes: the list by promised day, one file, the answers, the refund with its preview."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.selectors import AccountOverview, account_overview, campuses
from accounts.wiring import now
from counter.access import StaffRequest, actor_of, hand_of, staff_required
from counter.care.forms import KeyedForm, ListForm, WordsForm
from counter.care.words import MOMENTS, PROBLEMS, STATES, campus_choices
from counter.forms import DecideForm, StrictForm
from counter.pages import ACTS, staff_page
from counter.stepup import asks_code, code_is_right
from counter.views.entry import DESK
from counter.wiring import policy
from counter.words import EFFECTS, OBSTACLES
from reconciliation import disputes as reading
from reconciliation.disputes import DisputeFile, Show, Wanted
from reconciliation.kinds import DisputeEventKind, Needs
from reconciliation.services import disputes
from reconciliation.services.disputes import NotDone
from reconciliation.services.remedies import Obstacle, Refused
from transactions.days import local_day

_SEEN = "disputes_seen"


@staff_required(*DESK)
@require_safe
def dispute_list(request: StaffRequest) -> HttpResponse:
    """What waits, the most urgent first; overdue ones in red."""
    person, today = request.officer, local_day(now())
    form = ListForm(request.GET, campuses=campus_choices())
    if not form.is_valid():
        return staff_page(request, "counter/care/disputes.html", {"form": form, "refused": True}, status=400)
    chosen = form.cleaned_data
    by_code = {place.code: place.id for place in campuses()}
    campus_id = by_code.get(chosen["campus"]) or (None if chosen["campus"] == "all" else person.campus_id)
    wanted = Wanted(
        show=Show(chosen["show"] or Show.OPEN),
        today=today,
        operator_id=person.id,
        campus_id=campus_id,
        kind=chosen["kind"] or None,
    )
    page = reading.page(wanted, after=chosen["after"])
    context = {
        "form": form,
        "page": page,
        "rows": [(row, *STATES[row.state], row.days_left(today)) for row in page.rows],
        "after": f"{page.after.due_on.isoformat()}_{page.after.id}" if page.after else "",
        "counts": reading.counts(campus_id, today=today),
        "wanted": wanted,
    }
    return staff_page(request, "counter/care/disputes.html", context)


@staff_required(*DESK)
@require_safe
def dispute(request: StaffRequest, dispute_id: int) -> HttpResponse:
    """Everything about one dispute: the movement, its twin, the till's minute, the holder's history."""
    return dispute_page(request, file_of(request, dispute_id))


@staff_required(*ACTS)
@require_POST
def take(request: StaffRequest, dispute_id: int) -> HttpResponse:
    """Say that one looks after it."""
    return _work(request, dispute_id, DisputeEventKind.TAKEN, KeyedForm, _("已受理，由您核查。"))


@staff_required(*ACTS)
@require_POST
def ask(request: StaffRequest, dispute_id: int) -> HttpResponse:
    """Ask the holder for more."""
    return _work(request, dispute_id, DisputeEventKind.ASKED, WordsForm, _("已请持卡人补充。"))


@staff_required(*ACTS)
@require_POST
def remark(request: StaffRequest, dispute_id: int) -> HttpResponse:
    """Note something for colleagues."""
    return _work(request, dispute_id, DisputeEventKind.REMARKED, WordsForm, _("已记下，持卡人看不到。"))


@staff_required(*ACTS)
@require_POST
def settle(request: StaffRequest, dispute_id: int) -> HttpResponse:
    """Answer, where no money is to be moved here."""
    return _work(request, dispute_id, DisputeEventKind.SETTLED, WordsForm, _("已答复并办结；款项没有变动。"))


@staff_required(*ACTS)
@require_POST
def refuse(request: StaffRequest, dispute_id: int) -> HttpResponse:
    """Refuse, with the reason that the holder reads."""
    return _work(
        request, dispute_id, DisputeEventKind.REFUSED, WordsForm, _("已答复不予退款；款项没有变动。")
    )


@staff_required(*ACTS)
@sensitive_post_parameters("otp_token")
@require_http_methods(["GET", "POST"])
def refund(request: StaffRequest, dispute_id: int) -> HttpResponse:
    """What the refund would do, who must agree, and one button that makes exactly one decision."""
    file = file_of(request, dispute_id)
    form = DecideForm(request.POST if request.method == "POST" else None)
    if request.method == "GET":
        return _refund_page(request, file, form)
    if not form.is_valid():
        return _refund_page(request, file, form, status=400)
    if not code_is_right(request, form):
        return _refund_page(request, file, form, status=403)
    try:
        made = disputes.refund(
            dispute_id,
            form.cleaned_data["digest"],
            form.cleaned_data["reason"],
            key=form.cleaned_data["key"],
            hand=hand_of(request),
            now=now(),
            policy=policy(),
        )
    except NotDone as refusal:
        return dispute_page(request, _fresh(dispute_id), problem=str(PROBLEMS[refusal.problem]), status=409)
    except Refused as refusal:
        form.add_error(None, str(OBSTACLES[refusal.obstacle]))
        return _refund_page(request, _fresh(dispute_id), form, status=409)
    return redirect("counter:decision", decision_id=made.pk)


def file_of(request: StaffRequest, dispute_id: int) -> DisputeFile:
    """A dispute for this operator, of whatever campus; once a session a line in the audit (P6)."""
    file = reading.file(dispute_id)
    if file is None:
        raise Http404
    seen = request.session.get(_SEEN, [])
    if dispute_id not in seen:
        reading.note_reading(file, actor=actor_of(request), now=now())
        request.session[_SEEN] = [*seen[-199:], dispute_id]
    return file


def dispute_page(
    request: StaffRequest,
    file: DisputeFile,
    *,
    forms: Mapping[str, StrictForm] | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    """The page of a dispute, with a problem or a form to fill in again."""
    today = local_day(now())
    account = account_overview(file.row.account_id, today=today)
    own = _is_own(request, account)
    word, tone = STATES[file.row.state]
    context: dict[str, Any] = {
        "file": file,
        "row": file.row,
        "account": account,
        "word": word,
        "tone": tone,
        "days_left": file.row.days_left(today),
        "moments": [(moment, MOMENTS[moment.kind]) for moment in file.moments],
        "minute": reading.till_minute(file.about.movement) if file.about else (),
        "others": [
            (row, *STATES[row.state])
            for row in reading.disputes_of(file.row.account_id, newest=10)
            if row.id != file.row.id
        ],
        "own": own,
        "may_act": request.officer.role in ACTS and not own,
        "problem": problem,
        "words_form": WordsForm(),
    }
    for name, form in (forms or {}).items():
        context[f"{name}_form"] = form
    return staff_page(request, "counter/care/dispute.html", context, status=status)


def _is_own(request: StaffRequest, account: AccountOverview) -> bool:
    holder_id = request.officer.holder_id
    return holder_id is not None and holder_id == account.holder_id


def _fresh(dispute_id: int) -> DisputeFile:
    file = reading.file(dispute_id)
    assert file is not None
    return file


def _work(
    request: StaffRequest,
    dispute_id: int,
    kind: DisputeEventKind,
    form_class: Callable[..., StrictForm],
    done: str,
) -> HttpResponse:
    file, form = file_of(request, dispute_id), form_class(request.POST)
    if not form.is_valid():
        return dispute_page(request, file, forms={kind.value: form}, status=400)
    text = form.cleaned_data.get("reason", "")
    try:
        disputes.work(dispute_id, kind, text, key=form.cleaned_data["key"], hand=hand_of(request), now=now())
    except NotDone as refusal:
        return dispute_page(request, _fresh(dispute_id), problem=str(PROBLEMS[refusal.problem]), status=409)
    messages.success(request, done)
    return redirect("counter:dispute", dispute_id=dispute_id)


def _refund_page(
    request: StaffRequest, file: DisputeFile, form: DecideForm, *, status: int = 200
) -> HttpResponse:
    """The plan of this moment. Where there is none, the page of the dispute says why."""
    try:
        found = disputes.preview_refund(file.row.id, hand=hand_of(request), now=now(), policy=policy())
    except NotDone as refusal:
        return dispute_page(request, file, problem=str(PROBLEMS[refusal.problem]), status=409)
    except Refused as refusal:
        return dispute_page(request, file, problem=_obstacle(refusal.obstacle), status=409)
    context = {
        "file": file,
        "row": file.row,
        "action": found.plan.action,
        "effect": EFFECTS[found.plan.action],
        "plan": found.plan,
        "needs": found.needs,
        "needs_second": found.needs is not Needs.ALONE,
        "digest": found.plan.digest.hex(),
        "form": form,
        "key": form["key"].value() if form.is_bound and "key" not in form.errors else None,
        "reason": form["reason"].value() if form.is_bound else "",
        "asks_code": asks_code(request),
    }
    return staff_page(request, "counter/care/refund.html", context, status=status)


def _obstacle(obstacle: Obstacle) -> str:
    if obstacle is Obstacle.REVERSED:
        return _("这一笔已经冲正，钱已在持卡人账户里；请答复并办结")
    return str(OBSTACLES[obstacle])
