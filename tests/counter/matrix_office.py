"""Rows of the permission matrix for ``counter/office`` and the public places, and what their addresses name."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from django.utils import timezone

from accounts.models import PolicyChange
from terminals.models import ServicePoint, SpecialDay, Terminal, TerminalContact
from tests.reconciliation.books import campus
from transactions.models import Merchant

ROWS = """
# a: anonymous holder | clerk elsewhere cashier | supervisor elsewhere of_all | auditor elsewhere | merchant admin
portal:places           GET   200 - - - - - - - - - - -
portal:places           POST  405 - - - - - - - - - - -
counter:office          GET   in - 403 403 403 200 200 200 200 200 403 200
counter:office          POST  in - 403 403 403 405 405 405 405 405 403 405
counter:values          GET   in - 403 403 403 200 200 200 200 200 403 200
counter:values          POST  in - 403 403 403 405 405 405 405 405 403 405
counter:value           GET   in - 403 403 403 200 200 200 200 200 403 200
counter:value           POST  in - 403 403 403 403 403 403 403 403 403 400
counter:set_value       GET   in - 403 403 403 403 403 403 403 403 403 405
counter:set_value       POST  in - 403 403 403 403 403 403 403 403 403 400
counter:call_off_value  GET   in - 403 403 403 403 403 403 403 403 403 405
counter:call_off_value  POST  in - 403 403 403 403 403 403 403 403 403 400
counter:places          GET   in - 403 403 403 200 200 200 200 200 403 200
counter:places          POST  in - 403 403 403 405 405 405 405 405 403 405
counter:place           GET   in - 403 403 403 200 404 200 200 404 403 200
counter:place           POST  in - 403 403 403 403 404 403 403 404 403 400
counter:take_place_out  GET   in - 403 403 403 405 405 405 403 403 403 405
counter:take_place_out  POST  in - 403 403 403 400 404 400 403 403 403 400
counter:put_place_back  GET   in - 403 403 403 405 405 405 403 403 403 405
counter:put_place_back  POST  in - 403 403 403 go  404 go  403 403 403 go
counter:add_day         GET   in - 403 403 403 405 405 405 403 403 403 405
counter:add_day         POST  in - 403 403 403 400 400 400 403 403 403 400
counter:drop_day        GET   in - 403 403 403 405 405 405 403 403 403 405
counter:drop_day        POST  in - 403 403 403 go  404 go  403 403 403 go
counter:terminals       GET   in - 403 403 403 200 200 200 200 200 403 200
counter:terminals       POST  in - 403 403 403 405 405 405 405 405 403 405
counter:new_terminal    GET   in - 403 403 403 403 403 403 403 403 403 200
counter:new_terminal    POST  in - 403 403 403 403 403 403 403 403 403 400
counter:terminal        GET   in - 403 403 403 200 404 200 200 404 403 200
counter:terminal        POST  in - 403 403 403 405 405 405 405 405 403 405
counter:new_code        GET   in - 403 403 403 403 403 403 403 403 403 405
counter:new_code        POST  in - 403 403 403 403 403 403 403 403 403 400
counter:revoke_terminal GET   in - 403 403 403 405 405 405 403 403 403 405
counter:revoke_terminal POST  in - 403 403 403 400 404 400 403 403 403 400
counter:rest_gap        GET   in - 403 403 403 405 405 405 403 403 403 405
counter:rest_gap        POST  in - 403 403 403 400 404 400 403 403 403 400
counter:hand_code       GET   in - 403 403 403 404 404 404 403 403 403 404
counter:hand_code       POST  in - 403 403 403 404 404 404 403 403 403 404
counter:merchants       GET   in - 403 403 403 200 200 200 200 200 403 200
counter:merchants       POST  in - 403 403 403 405 405 405 405 405 403 405
counter:new_merchant    GET   in - 403 403 403 403 403 403 403 403 403 200
counter:new_merchant    POST  in - 403 403 403 403 403 403 403 403 403 400
counter:merchant        GET   in - 403 403 403 200 404 200 200 404 403 200
counter:merchant        POST  in - 403 403 403 403 404 403 403 404 403 400
counter:set_terms       GET   in - 403 403 403 403 403 403 403 403 403 405
counter:set_terms       POST  in - 403 403 403 403 403 403 403 403 403 400
counter:jobs            GET   in - 403 403 403 200 200 200 200 200 403 200
counter:jobs            POST  in - 403 403 403 405 405 405 405 405 403 405
counter:job_runs        GET   in - 403 403 403 200 200 200 200 200 403 200
counter:job_runs        POST  in - 403 403 403 405 405 405 405 405 403 405
"""


def world() -> dict:
    """A place, a holiday, a terminal and a merchant of 崂山, and a value that begins tomorrow."""
    here, moment = campus("laoshan"), timezone.now()
    shop = Merchant.objects.create(id=900_001, name_zh="合同店", campus=here, contract_from=moment.date())
    machine = Terminal.objects.create(name_zh="一号机", kind="till", campus=here, merchant=shop)
    TerminalContact.objects.create(terminal=machine)
    place = ServicePoint.objects.create(
        code="here", kind="center", campus=here, name_zh="大厅", name_en="Hall"
    )
    day = SpecialDay.objects.create(
        on=(moment + timedelta(days=9)).date(), campus=here, kind="closed", name_zh="校庆"
    )
    change = PolicyChange.objects.create(
        key=uuid4(), name="double_tap", value=5, effective_at=moment + timedelta(days=1), set_at=moment,
        set_by="operator:1", reason="x",
    )  # fmt: skip
    return {
        "term_name": "double_tap",
        "change_id": change.pk,
        "place_id": place.pk,
        "day_id": day.pk,
        "terminal_id": machine.pk,
        "merchant_id": shop.pk,
        "job_name": "reconcile",
    }
