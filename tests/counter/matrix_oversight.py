"""The rows of second persons, operators, audit and access records."""

from __future__ import annotations

from uuid import uuid4

from django.utils import timezone

from accounts.models import AuditEvent, OperatorRole
from accounts.services import approvals
from accounts.services.approvals import Ask
from purse.policy import Policy
from tests.reconciliation import desk

ROWS = """
# a: anonymous holder | clerk elsewhere cashier | supervisor elsewhere of_all | auditor elsewhere | merchant admin
counter:request          GET   in - 200 404 404 200 404 200 200 200 403 404
counter:request          POST  in - 405 405 405 405 405 405 405 405 403 405
counter:agree_request    GET   in - 403 403 403 405 405 405 403 403 403 405
counter:agree_request    POST  in - 403 403 403 400 404 400 403 403 403 404
counter:refuse_request   GET   in - 403 403 403 405 405 405 403 403 403 405
counter:refuse_request   POST  in - 403 403 403 400 404 400 403 403 403 404
counter:withdraw_request GET   in - 405 405 405 405 405 405 403 403 403 405
counter:withdraw_request POST  in - 409 404 404 409 404 409 403 403 403 404
counter:carry_out_request GET  in - 405 405 405 405 405 405 403 403 403 405
counter:carry_out_request POST in - 409 404 404 409 404 409 403 403 403 404

counter:operators        GET   in - 403 403 403 403 403 403 200 200 403 200
counter:operators        POST  in - 403 403 403 403 403 403 405 405 403 405
counter:new_operator     GET   in - 403 403 403 403 403 403 403 403 403 200
counter:new_operator     POST  in - 403 403 403 403 403 403 403 403 403 400
counter:operator         GET   in - 403 403 403 403 403 403 200 200 403 200
counter:operator         POST  in - 403 403 403 403 403 403 405 405 403 405
counter:change_operator  GET   in - 403 403 403 403 403 403 403 403 403 200
counter:change_operator  POST  in - 403 403 403 403 403 403 403 403 403 400
counter:enable_operator  GET   in - 403 403 403 403 403 403 403 403 403 405
counter:enable_operator  POST  in - 403 403 403 403 403 403 403 403 403 400
counter:disable_operator GET   in - 403 403 403 403 403 403 403 403 403 405
counter:disable_operator POST  in - 403 403 403 403 403 403 403 403 403 400
counter:give_password    GET   in - 403 403 403 403 403 403 403 403 403 405
counter:give_password    POST  in - 403 403 403 403 403 403 403 403 403 200
counter:give_authenticator GET in - 403 403 403 403 403 403 403 403 403 405
counter:give_authenticator POST in - 403 403 403 403 403 403 403 403 403 200
counter:end_sessions     GET   in - 403 403 403 403 403 403 403 403 403 405
counter:end_sessions     POST  in - 403 403 403 403 403 403 403 403 403 go
counter:audit            GET   in - 403 403 403 200 200 200 200 200 403 403
counter:audit            POST  in - 403 403 403 405 405 405 405 405 403 403
counter:audit_event      GET   in - 403 403 403 200 404 200 200 200 403 403
counter:audit_event      POST  in - 403 403 403 405 405 405 405 405 403 403
counter:export_audit     GET   in - 403 403 403 403 403 403 405 405 403 403
counter:export_audit     POST  in - 403 403 403 403 403 403 400 400 403 403
counter:accesses         GET   in - 403 403 403 200 200 200 200 200 403 403
counter:accesses         POST  in - 403 403 403 405 405 405 405 405 403 403
counter:accesses_of      GET   in - 403 403 403 200 200 200 200 200 403 403
counter:accesses_of      POST  in - 403 403 403 405 405 405 405 405 403 403
counter:patterns         GET   in - 403 403 403 200 200 200 200 200 403 403
counter:patterns         POST  in - 403 403 403 405 405 405 405 405 403 403
counter:caseload         GET   in - 403 403 403 200 200 200 200 200 403 403
counter:caseload         POST  in - 403 403 403 405 405 405 405 405 403 403
counter:me               GET   in - 200 - - - - - - - - -
counter:me               POST  in - 405 - - - - - - - - -
counter:own_password     GET   in - 200 - - - - - - - - -
counter:own_password     POST  in - 400 - - - - - - - - -
counter:end_own_sessions GET   in - 405 - - - - - - - - -
counter:end_own_sessions POST  in - go  - - - - - - - - -
"""


def world() -> dict[str, object]:
    """A request of a cashier of 崂山 that waits for a supervisor."""
    moment = timezone.now()
    maker = desk.operator("request.maker", OperatorRole.CASHIER)
    ask = Ask(uuid4(), "matrix.deed", {"what": "x"}, "because", amount_fen=10_00)
    asked = approvals.propose(ask, hand=desk.hand(maker, now=moment), now=moment, policy=Policy())
    told = AuditEvent.objects.get(action="request.make", object_id=str(asked.pk))
    return {"request_id": asked.pk, "operator_id": maker.pk, "event_id": told.pk}
