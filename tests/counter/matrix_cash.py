"""Rows of the permission matrix for ``counter/cash``, and the shift, slip and receipt that its addresses name.

The shift is the one of the cashier of 崂山 who visits (``cashier.1``); everything in it belongs to that campus.
"""

from __future__ import annotations

import uuid

from accounts.actors import Actor, Channel
from accounts.models import Operator, OperatorRole
from accounts.services.operators import officer_of
from accounts.services.rows import By
from purse.policy import Policy
from tests.reconciliation.books import NOW, Book, campus
from tests.reconciliation.desk import operator
from transactions.services import cash, receipts, shifts, slips
from transactions.services.cash import Fee
from transactions.services.shifts import Opening
from transactions.services.slips import NewSlip

ROWS = """
# a: anonymous holder | clerk elsewhere cashier | supervisor elsewhere of_all | auditor elsewhere | merchant admin
portal:receipt          GET   200 - - - - - - - - - - -
portal:receipt          POST  400 - - - - - - - - - - -
counter:cash            GET   in - go go 200 go go go 403 403 403 403
counter:cash            POST  in - 405 405 405 405 405 405 403 403 403 403
counter:cash_open       GET   in - 200 200 go 200 200 200 403 403 403 403
counter:cash_open       POST  in - 400 400 go 400 400 400 403 403 403 403
counter:top_up          GET   in - 403 403 405 403 403 403 403 403 403 403
counter:top_up          POST  in - 403 403 400 403 403 403 403 403 403 403
counter:slip            GET   in - 403 403 200 403 403 403 403 403 403 403
counter:slip            POST  in - 403 403 405 403 403 403 403 403 403 403
counter:slip_confirm    GET   in - 403 403 405 403 403 403 403 403 403 403
counter:slip_confirm    POST  in - 403 403 409 403 403 403 403 403 403 403
counter:slip_drop       GET   in - 403 403 405 403 403 403 403 403 403 403
counter:slip_drop       POST  in - 403 403 go 403 403 403 403 403 403 403
counter:shifts          GET   in - 200 200 200 200 200 200 200 200 403 403
counter:shifts          POST  in - 405 405 405 405 405 405 405 405 403 403
counter:shift           GET   in - 404 404 200 200 404 200 200 404 403 403
counter:shift           POST  in - 405 405 405 405 405 405 405 405 403 403
counter:shift_close     GET   in - 404 404 200 404 404 404 403 403 403 403
counter:shift_close     POST  in - 404 404 400 404 404 404 403 403 403 403
counter:shift_accept    GET   in - 403 403 403 405 405 405 403 403 403 403
counter:shift_accept    POST  in - 403 403 403 go 404 go 403 403 403 403
counter:shift_handover  GET   in - 404 404 404 404 404 404 404 404 403 403
counter:shift_handover  POST  in - 405 405 405 405 405 405 405 405 403 403
counter:shift_deposit   GET   in - 404 404 404 404 404 404 404 404 403 403
counter:shift_deposit   POST  in - 405 405 405 405 405 405 405 405 403 403
counter:receipt         GET   in - 200 404 200 200 404 200 200 404 403 403
counter:receipt         POST  in - 405 405 405 405 405 405 405 405 403 403
counter:receipt_print   GET   in - 405 405 405 405 405 405 403 403 403 403
counter:receipt_print   POST  in - go 404 go go 404 go 403 403 403 403
counter:receipt_bytes   GET   in - 405 405 405 405 405 405 403 403 403 403
counter:receipt_bytes   POST  in - 200 404 200 200 404 200 403 403 403 403
counter:receipt_paper   GET   in - 200 404 200 200 404 200 403 403 403 403
counter:receipt_paper   POST  in - 405 405 405 405 405 405 403 403 403 403
counter:receipt_void    GET   in - 403 403 200 403 403 403 403 403 403 403
counter:receipt_void    POST  in - 403 403 400 403 403 403 403 403 403 403
counter:receipt_unload  GET   in - 403 403 405 403 403 403 403 403 403 403
counter:receipt_unload  POST  in - 403 403 404 403 403 403 403 403 403 403
counter:drawers         GET   in - 403 403 403 200 200 200 403 403 403 403
counter:drawers         POST  in - 403 403 403 400 400 400 403 403 403 403
counter:display_own     GET   in - 403 403 go 403 403 403 403 403 403 403
counter:display_own     POST  in - 403 403 405 403 403 403 403 403 403 403
counter:display         GET   200 - - - - - - - - - - -
counter:display         POST  405 - - - - - - - - - - -
counter:display_state   GET   200 - - - - - - - - - - -
counter:display_state   POST  405 - - - - - - - - - - -
"""


def world() -> dict[str, object]:
    """An open shift of the visiting cashier with one slip that waits and one printed receipt."""
    place, book = campus("laoshan"), Book.open(50_00)
    boss = operator("drawer.maker", OperatorRole.SUPERVISOR)
    drawer = shifts.add_drawer(place.pk, "LS01", name_zh="一餐厅充值点", name_en="", by=_by(boss))
    cashier = operator("cashier.1", OperatorRole.CASHIER)
    shift = shifts.open_shift(Opening(drawer.pk, 200_00, {}), officer=officer_of(cashier), by=_by(cashier))
    fee = Fee(uuid.uuid4(), book.account.pk, 20_00, "补卡工本费", cashier.pk, shift_id=shift.pk)
    receipt = cash.take_fee(fee, actor=_by(cashier).actor, policy=Policy(), now=NOW).receipt
    receipts.print_copy(receipt.pk, officer_id=cashier.pk, by=_by(cashier))
    new = NewSlip(uuid.uuid4(), book.account.pk, 50_00)
    slip = slips.announce(new, officer=officer_of(cashier), policy=Policy(), now=NOW)
    return {
        "shift_id": shift.pk,
        "slip_id": slip.pk,
        "receipt_id": receipt.pk,
        "copy_no": 0,
        "display_key": shift.display_key,
    }


def _by(person: Operator) -> By:
    return By(Actor.operator(person.pk, role=person.role, channel=Channel.COUNTER), NOW)
