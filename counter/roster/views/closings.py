"""Closing the accounts of many who leave: choose, look, begin in slices, and see who is left over and why."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.kinds import ClosingState, OperatorRole
from accounts.roster_files.columns import NUMBER_ONLY, find_columns
from accounts.roster_files.persons import read_school_number
from accounts.roster_files.sheets import MAX_BYTES, Unreadable
from accounts.roster_files.texts import Doubtful
from accounts.services.roster import read_table
from counter.access import StaffRequest, staff_required
from counter.pages import staff_page
from counter.roster.forms import ClosingForm
from counter.roster.uploads import FORM_BYTES, bounded, is_too_large
from counter.roster.views.common import LOOKS, by, slice_answer, visible
from counter.roster.words import AGAINST, CLOSING_TONES
from counter.wiring import options
from reconciliation import graduation as batches
from reconciliation.graduation import BatchFacts
from reconciliation.services import graduation
from reconciliation.services.graduation import Leaving, NobodyChosen

CLOSES = (OperatorRole.SUPERVISOR,)
"""A closing takes an account out of use: for many at once that is a supervisor's deed."""


@bounded(MAX_BYTES + FORM_BYTES)
@staff_required(*CLOSES)
@require_http_methods(["GET", "POST"])
def new(request: StaffRequest) -> HttpResponse:
    """Choose who leaves. Nothing is done to any account by this."""
    if request.method == "GET":
        return _new(request, ClosingForm(initial={"key": uuid4()}))
    form = ClosingForm(request.POST, request.FILES)
    if is_too_large(request):
        form.errors.clear()
        form.add_error(None, _("文件超过 %(limit)s MB") % {"limit": MAX_BYTES // 1024 // 1024})
        return _new(request, form, status=413)
    if not form.is_valid():
        return _new(request, form, status=400)
    try:
        made = graduation.lay_out(
            form.cleaned_data["key"],
            form.cleaned_data["name"],
            _leaving(request, form),
            officer=request.officer,
            by=by(request),
        )
    except Unreadable as unreadable:
        form.add_error("file", str(unreadable.problem))
        return _new(request, form, status=400)
    except NobodyChosen as nobody:
        form.add_error(None, str(nobody.message))
        return _new(request, form, status=409)
    return redirect("counter:closings", closing_id=made.pk)


def _new(request: StaffRequest, form: ClosingForm, *, status: int = 200) -> HttpResponse:
    return staff_page(request, "counter/roster/closing_new.html", {"form": form}, status=status)


def _leaving(request: StaffRequest, form: ClosingForm) -> Leaving:
    chosen = form.cleaned_data
    sent = chosen["file"]
    return Leaving(
        year=chosen["year"],
        kind=chosen["kind"],
        left_roster=chosen["left"],
        numbers=_numbers(sent.name or "", sent.read()) if sent else (),
        campus_id=request.officer.campus_id,
    )


def _numbers(name: str, data: bytes) -> tuple[str, ...]:
    """The school numbers of a list. Raises ``Unreadable``, also for a single line that is no number."""
    try:
        found = find_columns(read_table(name, data), wanted=NUMBER_ONLY)
    except Doubtful:
        raise Unreadable(_("看不出文件的编码，请另存为 UTF-8 编码的 CSV 或 xlsx")) from None
    read = [read_school_number(row, found) for row in found.rows]
    for reading in read:
        if reading.problems:
            text = _("第 %(line)s 行：%(problem)s")
            raise Unreadable(text, line=reading.line, problem=str(reading.problems[0]))
    return tuple(dict.fromkeys(reading.school_no for reading in read))


@staff_required(*LOOKS)
@require_safe
def batch(request: StaffRequest, closing_id: int) -> HttpResponse:
    """One list: who can be closed, who cannot and why, with the money; then how far it is, then what became of it."""
    found = _batch(request, closing_id)
    hindered = _rows(closing_id, request.GET.get("hindered", ""), hindered=True)
    others = _rows(closing_id, request.GET.get("others", ""), hindered=False)
    context = {
        "batch": found,
        "tone": CLOSING_TONES[found.state],
        "hindered": hindered,
        "others": others,
        "may_start": request.officer.role in CLOSES and found.state is ClosingState.READY,
        "wait_days": options().closing_wait_days,
    }
    return staff_page(request, "counter/roster/closing.html", context)


def _rows(closing_id: int, asked: str, *, hindered: bool) -> dict[str, Any]:
    after = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 8 else 0
    rows = batches.items(closing_id, hindered=hindered, after=after)
    return {
        "rows": [(row, AGAINST.get(row.against, "") if row.against else "") for row in rows[: batches.PAGE]],
        "next": rows[batches.PAGE - 1].place if len(rows) > batches.PAGE else None,
    }


@staff_required(*CLOSES)
@require_POST
def start(request: StaffRequest, closing_id: int) -> HttpResponse:
    """The one confirmation of the list."""
    _batch(request, closing_id)
    graduation.start(closing_id, by=by(request))
    return redirect("counter:closings", closing_id=closing_id)


@staff_required(*CLOSES)
@require_POST
def go_on(request: StaffRequest, closing_id: int) -> HttpResponse:
    """Begin the next closings of a list under way."""
    _batch(request, closing_id)
    over = graduation.advance(closing_id, by=by(request), options=options())
    share = _batch(request, closing_id).share
    return slice_answer(
        request, over=over, share=share, onward=lambda: reverse("counter:closings", args=[closing_id])
    )


@staff_required(*CLOSES)
@require_POST
def discard(request: StaffRequest, closing_id: int) -> HttpResponse:
    """Put a list away before anything was done."""
    _batch(request, closing_id)
    if not graduation.discard(closing_id, by=by(request)):
        messages.info(request, _("这份名单已经开始办理"))
    return redirect("counter:roster")


def _batch(request: StaffRequest, closing_id: int) -> BatchFacts:
    found = batches.batch_facts(closing_id)
    own = found.campus.pk if found is not None and found.campus is not None else None
    shown: BatchFacts = visible(request, found, campus_id=own)
    return shown
