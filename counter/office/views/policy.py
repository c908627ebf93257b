"""The university's numbers and words: what holds, what is to come, what was; setting one with a preview."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import policies
from accounts.approvals import RequestNeeds
from accounts.kinds import OperatorRole
from accounts.policies import Book, Told
from accounts.services import approvals
from accounts.services import policy as work
from accounts.services.approvals import NotApproved
from accounts.services.policy import NewValue, NotSet, Preview
from accounts.termlist import GROUPS, TERMS
from accounts.terms import Term
from accounts.wiring import forget_policy, now
from counter.access import StaffRequest, actor_of, hand_of, staff_required
from counter.forms import ReasonForm
from counter.office.access import ADMINS, LOOKS
from counter.office.forms import ConfirmValueForm, ValueForm
from counter.office.words import NOT_SET, Names, Words
from counter.oversight.words import WHY
from counter.pages import staff_page
from counter.stepup import asks_code, code_is_right
from counter.wiring import policy
from transactions.days import SHANGHAI, local_day

LIFETIME = timedelta(days=7)


@staff_required(*LOOKS)
@require_safe
def values(request: StaffRequest) -> HttpResponse:
    """Every value that holds now, by chapter, and what is to come."""
    moment = now()
    book = policies.read()
    held = book.at(moment)
    ahead: dict[str, list[Any]] = {}
    for change in book.changes:
        if change.effective_at > moment:
            ahead.setdefault(change.name, []).append((change, TERMS[change.name].shown(change.value)))
    chapters = [
        (
            words,
            [
                (
                    term,
                    term.shown(held.value(name)),
                    held.value(name) != policies.usual(name),
                    ahead.get(name, []),
                )
                for name, term in TERMS.items()
                if term.group is group
            ],
        )
        for group, words in GROUPS.items()
    ]
    return staff_page(request, "counter/office/values.html", {"chapters": chapters, "now": moment})


@staff_required(*LOOKS)
@require_http_methods(["GET", "POST"])
def value(request: StaffRequest, term_name: str) -> HttpResponse:
    """One value: what it means, its history, and for administrators the form of a new one, which is previewed."""
    term = _term(term_name)
    form = ValueForm(request.POST if request.method == "POST" else None, term=term, initial=_suggested(term))
    if request.method == "GET":
        return _value_page(request, term, form)
    if request.officer.role is not OperatorRole.ADMIN:
        return _value_page(request, term, form, status=403)
    if not form.is_valid():
        return _value_page(request, term, form, status=400)
    return _preview_page(request, term, form)


@staff_required(*ADMINS)
@sensitive_post_parameters("otp_token")
@require_POST
def set_value(request: StaffRequest, term_name: str) -> HttpResponse:
    """Set what was previewed, or lay it before a supervisor of all campuses."""
    term = _term(term_name)
    form = ConfirmValueForm(request.POST, term=term)
    if not form.is_valid():
        return _value_page(request, term, form, status=400)
    if term.two and not code_is_right(request, form):
        return _preview_page(request, term, form, status=403)
    wanted = _wanted(term, form, form.cleaned_data["key"])
    try:
        if term.two:
            return redirect(
                "counter:request", request_id=_propose(request, wanted, form.cleaned_data["digest"])
            )
        work.set_value(wanted, shown=form.cleaned_data["digest"], actor=actor_of(request), now=now())
    except NotSet as problem:
        form.add_error(None, _says(problem))
        return _value_page(request, term, form, status=409)
    except NotApproved as refusal:
        form.add_error(None, str(WHY[refusal.why]))
        return _value_page(request, term, form, status=409)
    forget_policy()
    messages.success(request, _("已设置，到时自动生效。"))
    return redirect("counter:value", term_name=term.name)


@staff_required(*ADMINS)
@require_POST
def call_off(request: StaffRequest, change_id: int) -> HttpResponse:
    """Call off a value that has not begun."""
    told = policies.change(change_id)
    if told is None:
        raise Http404
    term, form = _term(told.name), ReasonForm(request.POST)
    if not form.is_valid():
        return _value_page(request, term, _fresh(term), off=form, off_id=change_id, status=400)
    try:
        work.call_off(change_id, form.cleaned_data["reason"], actor=actor_of(request), now=now())
    except NotSet as problem:
        form.add_error(None, _says(problem))
        return _value_page(request, term, _fresh(term), off=form, off_id=change_id, status=409)
    forget_policy()
    messages.success(request, _("已撤销，原来的值继续有效。"))
    return redirect("counter:value", term_name=term.name)


def _propose(request: StaffRequest, wanted: NewValue, shown: bytes) -> int:
    """Ask for it, if it is still what was shown. Raises ``NotSet`` and ``NotApproved``."""
    moment = now()
    if work.preview(wanted, now=moment).digest != shown:
        raise NotSet(work.Why.CHANGED)
    ask = approvals.Ask(wanted.key, work.KIND, wanted.content(), wanted.reason, needs=RequestNeeds.CHIEF)
    return approvals.propose(ask, hand=hand_of(request), now=moment, policy=policy(), lifetime=LIFETIME).pk


def _term(name: str) -> Term:
    if name not in TERMS:
        raise Http404
    return TERMS[name]


def _suggested(term: Term) -> dict[str, Any]:
    """Tomorrow, and the value of now to start from."""
    moment = now()
    tomorrow = datetime.combine(local_day(moment) + timedelta(days=1), time(0), SHANGHAI)
    return {"value": term.typed(policies.read().at(moment).value(term.name)), "effective_at": tomorrow}


def _fresh(term: Term) -> ValueForm:
    return ValueForm(term=term, initial=_suggested(term))


def _wanted(term: Term, form: ValueForm, key: UUID) -> NewValue:
    chosen = form.cleaned_data
    return NewValue(key, term.name, chosen["value"], chosen["effective_at"], chosen["reason"])


def _says(problem: NotSet) -> str:
    words: Words = problem.detail or NOT_SET[problem.why]
    return str(words)


def _preview_page(request: StaffRequest, term: Term, form: ValueForm, *, status: int = 200) -> HttpResponse:
    """What changes, before it is confirmed."""
    key = form.cleaned_data.get("key") or UUID(int=0)
    try:
        found: Preview = work.preview(_wanted(term, form, key), now=now())
    except NotSet as problem:
        form.add_error(None, _says(problem))
        return _value_page(request, term, form, status=409)
    context = {
        "term": term,
        "form": form,
        "shown_key": form.cleaned_data.get("key"),
        "found": found,
        "before": term.shown(found.before),
        "after": term.shown(found.after),
        "until": found.until,
        "until_value": term.shown(found.until.value) if found.until else "",
        "digest": found.digest.hex(),
        "asks_code": term.two and asks_code(request),
    }
    return staff_page(request, "counter/office/value_preview.html", context, status=status)


def _value_page(
    request: StaffRequest,
    term: Term,
    form: ValueForm,
    *,
    off: ReasonForm | None = None,
    off_id: int = 0,
    status: int = 200,
) -> HttpResponse:
    moment = now()
    rows = policies.history(term.name)
    book = policies.read()
    names = Names(who for row in rows for who in (row.set_by, row.agreed_by, row.withdrawn_by))
    usual = policies.usual(term.name)
    context = {
        "term": term,
        "group": GROUPS[term.group],
        "held": term.shown(book.at(moment).value(term.name)),
        "usual": term.shown(usual),
        "rows": [_line(term, row, book, names, moment) for row in rows],
        "form": form,
        "off_form": off or ReasonForm(),
        "off_id": off_id,
        "may_set": request.officer.role is OperatorRole.ADMIN,
    }
    return staff_page(request, "counter/office/value.html", context, status=status)


def _line(term: Term, row: Told, book: Book, names: Names, moment: datetime) -> dict[str, Any]:
    """A change with its place in time: called off, to come, in force, over."""
    begun = [each.id for each in book.changes if each.name == term.name and each.effective_at <= moment]
    if row.withdrawn_at is not None:
        stand = "off"
    elif row.effective_at > moment:
        stand = "ahead"
    else:
        stand = "held" if begun and begun[-1] == row.id else "over"
    return {
        "row": row,
        "value": term.shown(row.value),
        "stand": stand,
        "set_by": names.of(row.set_by),
        "agreed_by": names.of(row.agreed_by) if row.agreed_by else "",
        "withdrawn_by": names.of(row.withdrawn_by) if row.withdrawn_by else "",
    }
