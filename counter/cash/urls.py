"""Addresses of this area; included by ``counter.urls``, in its namespace."""

from __future__ import annotations

from django.urls import path

import counter.cash.approving  # noqa: F401 - makes its kind of request known
from counter.cash.views import display, drawers, papers, shifts, slip, till, voids

urlpatterns = [
    path("cash/", till.home, name="cash"),
    path("cash/open/", till.open_shift, name="cash_open"),
    path("cash/top-up/", till.top_up, name="top_up"),
    path("cash/slips/<uuid:slip_id>/", slip.slip, name="slip"),
    path("cash/slips/<uuid:slip_id>/confirm/", slip.confirm, name="slip_confirm"),
    path("cash/slips/<uuid:slip_id>/drop/", slip.drop, name="slip_drop"),
    path("shifts/", shifts.shift_list, name="shifts"),
    path("shifts/<int:shift_id>/", shifts.shift, name="shift"),
    path("shifts/<int:shift_id>/close/", shifts.close, name="shift_close"),
    path("shifts/<int:shift_id>/accept/", shifts.accept, name="shift_accept"),
    path("shifts/<int:shift_id>/hand-over/", shifts.handover, name="shift_handover"),
    path("shifts/<int:shift_id>/deposit/", shifts.deposit, name="shift_deposit"),
    path("cash/receipts/<int:receipt_id>/", papers.receipt, name="receipt"),
    path("cash/receipts/<int:receipt_id>/print/", papers.print_receipt, name="receipt_print"),
    path("cash/receipts/<int:receipt_id>/bytes/", papers.receipt_bytes, name="receipt_bytes"),
    path("cash/receipts/<int:receipt_id>/paper/<int:copy_no>/", papers.receipt_paper, name="receipt_paper"),
    path("cash/receipts/<int:receipt_id>/void/", voids.propose, name="receipt_void"),
    path("cash/receipts/<int:receipt_id>/unload/", voids.unload, name="receipt_unload"),
    path("cash/drawers/", drawers.drawers, name="drawers"),
    path("cash/display/", display.own, name="display_own"),
    path("cash/display/<uuid:display_key>/", display.display, name="display"),
    path("cash/display/<uuid:display_key>/state/", display.state, name="display_state"),
]
