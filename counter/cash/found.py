"""Receipts as the pages find them: of the own campus, with their check code and what they come to in capitals."""

from __future__ import annotations

from typing import Any

from django.http import Http404

from accounts.kinds import OperatorRole
from accounts.wiring import secrets
from counter.access import StaffRequest
from purse.capitals import capitals
from transactions import selectors_cash
from transactions.services import receipts
from transactions.services.shifts import HOLDERS

LOOKS = (*HOLDERS, OperatorRole.AUDITOR)


def receipt_here(request: StaffRequest, receipt_id: int) -> Any:
    """A receipt of the own campus; another campus's is not there (404)."""
    found = selectors_cash.receipt(receipt_id)
    if found is None or not request.officer.serves(found.series.campus_id):
        raise Http404
    return found


def paper_of(receipt: Any) -> dict[str, Any]:
    """What the paper says besides the row itself."""
    return {
        "receipt": receipt,
        "code": receipts.check_code(receipt, secrets=secrets()),
        "capitals": capitals(receipt.fen),
        "out": receipt.kind in selectors_cash.OUT_OF_THE_DRAWER,
        "voided": getattr(receipt, "voided_by", None),
    }
