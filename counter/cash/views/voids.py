"""Taking the own last top-up back: asked for with a reason, agreed to by a supervisor, done with the card (K03)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.services.approvals import NotApproved
from accounts.wiring import now, policy
from counter.access import StaffRequest, actor_of, hand_of, staff_required
from counter.cash.forms import KeyForm, VoidForm
from counter.cash.found import receipt_here
from counter.cash.views.till import TILL
from counter.cash.words import VOIDS, agreement_words
from counter.jobs import PROBLEMS, desk_of, panel, remember
from counter.pages import staff_page
from terminals.services import topups
from terminals.services.jobs import KeyReused, OrderProblem, OrderRefused
from terminals.services.topups import NotVoidable


@staff_required(*TILL)
@require_http_methods(["GET", "HEAD", "POST"])
def propose(request: StaffRequest, receipt_id: int) -> HttpResponse:
    """What would happen, and why; then a supervisor has to agree."""
    receipt = receipt_here(request, receipt_id)
    form = VoidForm(request.POST or None)
    error: Any = ""
    if request.method == "POST" and form.is_valid():
        try:
            topups.propose_void(
                receipt,
                form.cleaned_data["reason"],
                key=form.cleaned_data["key"],
                hand=hand_of(request),
                officer=request.officer,
                policy=policy(),
                now=now(),
            )
        except NotVoidable as refused:
            error = VOIDS[refused.why]
        except NotApproved as refused:
            error = agreement_words(refused.why)
        else:
            messages.success(request, _("已提交复核；主管同意后，请持卡人放卡撤销。"))
            return redirect("counter:receipt", receipt.pk)
    why = topups.why_not_void(receipt, officer=request.officer)
    context = {
        "receipt": receipt,
        "form": form,
        "key": request.POST.get("key") or uuid4(),
        "error": error,
        "why_not": VOIDS[why] if why else "",
        "waiting": topups.void_request(receipt),
    }
    status = 400 if request.method == "POST" else 200
    return staff_page(request, "counter/cash/void.html", context, status=status)


@staff_required(*TILL)
@require_POST
def unload(request: StaffRequest, receipt_id: int) -> HttpResponse:
    """The supervisor has agreed and the card is here: have the desk take the money back."""
    receipt = receipt_here(request, receipt_id)
    form, asked, desk = KeyForm(request.POST), topups.void_request(receipt), desk_of(request)
    if asked is None or not form.is_valid():
        raise Http404
    try:
        if desk is None:
            raise OrderRefused(OrderProblem.NOT_A_DESK)
        job = topups.order_unload(
            receipt,
            asked.pk,
            key=form.cleaned_data["key"],
            desk_id=desk.pk,
            officer=request.officer,
            actor=actor_of(request),
            now=now(),
        )
    except NotVoidable as refused:
        messages.error(request, str(VOIDS[refused.why]))
    except OrderRefused as refused:
        messages.error(request, str(PROBLEMS[refused.problem]))
        if refused.job is not None:
            remember(request, refused.job)
    except KeyReused:
        messages.error(request, str(PROBLEMS[OrderProblem.BAD_PARAMS]))
    else:
        remember(request, job.pk)
    return redirect("counter:receipt", receipt.pk)


def context_of(request: StaffRequest, receipt: Any) -> dict[str, Any]:
    """What the page of a receipt says of its void: the request, what stands against it, the reader."""
    asked = topups.void_request(receipt)
    ruling = getattr(asked, "ruling", None) if asked is not None else None
    result = getattr(asked, "result", None) if asked is not None else None
    mine = request.officer.role in TILL
    why = topups.why_not_void(receipt, officer=request.officer) if mine else "shift"
    agreed = ruling is not None and ruling.verdict == "agreed" and result is None
    return {
        "asked": asked,
        "ruling": ruling,
        "may_void": why is None and (asked is None or (ruling is not None and not agreed)),
        "why_not": VOIDS[why] if mine and why == "spent" else "",
        "may_unload": why is None and agreed,
        "reader": panel(request, account_id=receipt.account_id) if mine else None,
    }
