"""Opening a dispute for a holder who stands at the desk: his document, his movement, his words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.checks import Rejected
from accounts.selectors import account_overview, find_overview
from accounts.wiring import now, options
from counter.access import StaffRequest, staff_required
from counter.care.forms import OpenForm, parse_seq
from counter.care.words import PROBLEMS
from counter.pages import ACTS, staff_page
from counter.people import sight
from counter.people.documents import door
from reconciliation import disputes as reading
from reconciliation.disputes import MovementFile
from reconciliation.kinds import DisputeKind
from reconciliation.services import disputes
from reconciliation.services.disputes import Claim, NotDone, kinds_for
from transactions.days import local_day
from transactions.entries import twin_of
from transactions.selectors import StatementRange, statement_page


@staff_required(*ACTS)
@require_http_methods(["GET", "POST"])
def open_dispute(request: StaffRequest, account_id: int) -> HttpResponse:
    """First which movement (or a missing top-up), then what is wrong with it and the document seen."""
    today = local_day(now())
    account = find_overview(account_id, today=today)
    if account is None:
        raise Http404
    about = _about(request, account_id)
    missing = request.GET.get("missing") == "1"
    if about is None and not missing and request.method == "GET":
        return _choice_page(request, account_id)
    if about is None and not missing:
        raise Http404
    kinds = kinds_for(about.movement) if about else (DisputeKind.TOP_UP_MISSING,)
    form = OpenForm(request.POST if request.method == "POST" else None, kinds=kinds, missing=missing)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            answer = _open(request, form, account_id, about)
            if answer is not None:
                return answer
            status = 409
    bound_key = form["key"].value() if form.is_bound and "key" not in form.errors else uuid4()
    context: dict[str, Any] = {
        "account": account,
        "form": form,
        "key": bound_key,
        "file": about,
        "twin": twin_of(about.movement) if about else None,
        "missing": missing,
    }
    return staff_page(request, "counter/care/open.html", context, status=status)


def _choice_page(request: StaffRequest, account_id: int) -> HttpResponse:
    """The movements that may still be disputed. Looking at them stands in the audit first (P6)."""
    today = local_day(now())
    if not sight.is_open(request, account_id, card_here=False):
        sight.open_for(request, account_id, reason=_("登记争议"))
    older = parse_seq(request.GET.get("older", ""))
    window = timedelta(days=options().dispute_window_days)
    page = statement_page(account_id, StatementRange(today - window, today), older_than=older)
    context = {
        "account": account_overview(account_id, today=today),
        "page": page,
        "window_days": window.days,
        "disputed": {row.entry_seq: row for row in reading.disputes_of(account_id)},
    }
    return staff_page(request, "counter/care/choose.html", context)


def _about(request: StaffRequest, account_id: int) -> MovementFile | None:
    text = request.GET.get("entry", "")
    if not text:
        return None
    seq = parse_seq(text)
    found = reading.movement_file(account_id, seq) if seq is not None else None
    if found is None:
        raise Http404
    return found


def _open(
    request: StaffRequest, form: OpenForm, account_id: int, about: MovementFile | None
) -> HttpResponse | None:
    """Open it and go to its page, or None with the reason at the form."""
    cleaned = form.cleaned_data
    claim = Claim(
        key=cleaned["key"],
        account_id=account_id,
        kind=DisputeKind(cleaned["kind"]) if about else DisputeKind.TOP_UP_MISSING,
        text=cleaned["text"],
        entry_seq=about.movement.seq if about else None,
        fen=0 if about else cleaned["amount"],
        happened_on=None if about else cleaned["happened_on"],
        receipt_no=cleaned["receipt_no"],
    )
    try:
        seen = door(request, account_id, form.seen())
        opened = disputes.open_dispute(claim, actor=seen.actor, now=now(), options=options(), door=seen)
    except Rejected as rejected:
        form.add_error("tail", rejected.message)
        return None
    except NotDone as refusal:
        form.add_error(None, str(PROBLEMS[refusal.problem]))
        return None
    if opened.known and opened.dispute.key != claim.key:
        messages.info(request, _("这一笔已有争议，下面是它的进展。"))
    else:
        messages.success(request, _("争议已登记，款项没有变动。"))
    return redirect("counter:dispute", dispute_id=opened.dispute.pk)
