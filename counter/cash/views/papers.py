"""Receipts: the page, the paper (58 or 80 mm), the bytes for a thermal printer. Printed again it is a copy."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.services.rows import By
from accounts.wiring import now, secrets
from counter.access import StaffRequest, actor_of, staff_required
from counter.cash import paper
from counter.cash.found import LOOKS, paper_of, receipt_here
from counter.cash.views.voids import context_of
from counter.pages import staff_page
from transactions import selectors_cash
from transactions.services import escpos, receipts
from transactions.services.shifts import HOLDERS

WIDTHS = {"58": escpos.Paper.MM58, "80": escpos.Paper.MM80}


@staff_required(*LOOKS)
@require_safe
def receipt(request: StaffRequest, receipt_id: int) -> HttpResponse:
    """What the receipt says, whether it stands, and what can be done with it."""
    found = receipt_here(request, receipt_id)
    context = paper_of(found) | context_of(request, found)
    context["copies"] = selectors_cash.copies(found.pk)
    context["may_print"] = request.officer.role in HOLDERS
    return staff_page(request, "counter/cash/receipt.html", context)


@staff_required(*HOLDERS)
@require_POST
def print_receipt(request: StaffRequest, receipt_id: int) -> HttpResponse:
    """Count this print and show the paper: the first is the original, the next ones are copies."""
    found = receipt_here(request, receipt_id)
    copy_no = receipts.print_copy(found.pk, officer_id=request.officer.id, by=By(actor_of(request), now()))
    return redirect("counter:receipt_paper", found.pk, copy_no)


@staff_required(*HOLDERS)
@require_safe
def receipt_paper(request: StaffRequest, receipt_id: int, copy_no: int) -> HttpResponse:
    """The print that was counted last, for the browser's printer; an earlier one, above all the original, is over."""
    found = receipt_here(request, receipt_id)
    if copy_no != selectors_cash.copies(found.pk) - 1:
        raise Http404
    context = paper_of(found) | {
        "copy_no": copy_no,
        "width": "58" if request.GET.get("width") == "58" else "80",
    }
    return staff_page(request, "counter/cash/paper.html", context)


@staff_required(*HOLDERS)
@require_POST
def receipt_bytes(request: StaffRequest, receipt_id: int) -> HttpResponse:
    """The same for a thermal printer: ESC/POS with GB18030. Counts like every print."""
    found = receipt_here(request, receipt_id)
    copy_no = receipts.print_copy(found.pk, officer_id=request.officer.id, by=By(actor_of(request), now()))
    width = WIDTHS.get(request.POST.get("width", ""), escpos.Paper.MM80)
    code = receipts.check_code(found, secrets=secrets())
    data = escpos.printed(paper.lines(found, code=code, copy_no=copy_no), width)
    answer = HttpResponse(data, content_type="application/octet-stream")
    answer["Content-Disposition"] = f'attachment; filename="{found.number}.bin"'
    return answer
