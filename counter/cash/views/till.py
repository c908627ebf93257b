"""The cashier's home: the shift, the card on the reader, the amount; and opening a shift."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import rosters
from accounts import selectors as people
from accounts.kinds import OperatorRole
from accounts.services.rows import By
from accounts.wiring import now, policy
from counter.access import StaffRequest, actor_of, staff_required
from counter.cash.forms import OpenForm, TopUpForm
from counter.cash.words import SHIFTS, slip_words
from counter.jobs import desk_of, panel
from counter.pages import staff_page
from terminals.kinds import JobKind
from terminals.services import jobs
from transactions import selectors_cash
from transactions.days import local_day
from transactions.services import shifts, slips
from transactions.services.orders import KeyReused
from transactions.services.shifts import HOLDERS, Opening, ShiftRefused
from transactions.services.slips import NewSlip, SlipRefused

TILL = (OperatorRole.CASHIER,)


@staff_required(*HOLDERS)
@require_safe
def home(request: StaffRequest) -> HttpResponse:
    """No shift: open one. Else the reader, whoever's card lies there, and the last receipts."""
    return till_page(request, TopUpForm(initial={"key": uuid4()}))


def till_page(
    request: StaffRequest, form: TopUpForm, *, error: Any = "", then: Any = "", status: int = 200
) -> HttpResponse:
    """The till, with a form that may have errors."""
    shift = shifts.current(request.officer.id)
    if shift is None:
        return redirect("counter:cash_open")
    account = _on_the_reader(request) if request.officer.role in TILL else None
    context: dict[str, Any] = {
        "shift": shift,
        "sums": selectors_cash.sums(shift),
        "receipts": selectors_cash.latest_receipts(shift),
        "open_slip": selectors_cash.open_slip(shift.pk),
        "display_there": slips.display_there(shift, now=now()),
        "tops_up": request.officer.role in TILL,
        "reader": panel(request),
        "form": form,
        "error": error,
        "then": then,
        "policy": policy(),
        "account": account,
        "face": has_face(account),
    }
    return staff_page(request, "counter/cash/till.html", context, status=status)


@staff_required(*TILL)
@require_POST
def top_up(request: StaffRequest) -> HttpResponse:
    """Key an amount for the card on the reader: it goes to the customer's display; nothing is booked yet."""
    form = TopUpForm(request.POST)
    if not form.is_valid():
        return till_page(request, form, status=400)
    typed = form.cleaned_data
    desk = desk_of(request)
    if desk is None or jobs.card_on_reader(typed["account"], desk_id=desk.pk, now=now()) is None:
        said = _("请先读卡：持卡人的卡须刚在本柜台的读卡器上读过。")
        return till_page(request, form, error=said, then=_("钱没有动。"), status=409)
    try:
        slip = slips.announce(
            NewSlip(typed["key"], typed["account"], typed["amount"]),
            officer=request.officer,
            policy=policy(),
            now=now(),
        )
    except SlipRefused as refused:
        why, then = slip_words(refused.why)
        return till_page(request, form, error=why, then=then, status=409)
    except KeyReused:
        said = _("页面已用过，请重新输入金额。")
        return till_page(request, form, error=said, then=_("钱没有动。"), status=409)
    return redirect("counter:slip", slip.pk)


@staff_required(*HOLDERS)
@require_http_methods(["GET", "HEAD", "POST"])
def open_shift(request: StaffRequest) -> HttpResponse:
    """Begin a shift at a drawer of the own campus."""
    mine = shifts.current(request.officer.id)
    if mine is not None:
        return redirect("counter:cash")
    form = OpenForm(request.POST or None)
    error: Any = ""
    if request.method == "POST" and form.is_valid():
        opening = Opening(form.cleaned_data["drawer"], form.cleaned_data["float_fen"], form.count)
        try:
            shift = shifts.open_shift(opening, officer=request.officer, by=By(actor_of(request), now()))
        except ShiftRefused as refused:
            error = SHIFTS[refused.why]
        else:
            messages.success(
                request, _("已开班：%(drawer)s 第 %(no)s 班") % {"drawer": shift.drawer.code, "no": shift.no}
            )
            return redirect("counter:cash")
    context = {
        "form": form,
        "error": error,
        "drawers": selectors_cash.drawers(campus_id=request.officer.campus_id),
        "chosen": request.POST.get("drawer", ""),
    }
    return staff_page(
        request, "counter/cash/open.html", context, status=400 if request.method == "POST" else 200
    )


def has_face(account: Any | None) -> bool:
    """Whether there is a photo to compare the person with."""
    return account is not None and rosters.photo_of(account.holder_id) is not None


def _on_the_reader(request: StaffRequest) -> Any | None:
    """Whose card this desk has just read; None after anything else, so that no amount meets the wrong person."""
    desk = desk_of(request)
    shown = panel(request).job
    if desk is None or shown is None or shown.kind is not JobKind.READ or not shown.over:
        return None
    account_id = (shown.result or {}).get("account_id")
    if account_id is None or jobs.card_on_reader(account_id, desk_id=desk.pk, now=now()) is None:
        return None
    return people.find_overview(account_id, today=local_day(now()))
