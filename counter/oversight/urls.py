"""Addresses of this area; included by ``counter.urls``, in its namespace."""

from __future__ import annotations

from django.urls import path

from counter.oversight.views import audit, looks, operators, own, requests

urlpatterns = [
    path("requests/<int:request_id>/", requests.request_page, name="request"),
    path("requests/<int:request_id>/agree/", requests.agree, name="agree_request"),
    path("requests/<int:request_id>/refuse/", requests.refuse, name="refuse_request"),
    path("requests/<int:request_id>/withdraw/", requests.withdraw, name="withdraw_request"),
    path("requests/<int:request_id>/carry-out/", requests.carry_out, name="carry_out_request"),
    path("operators/", operators.operators, name="operators"),
    path("operators/new/", operators.new_operator, name="new_operator"),
    path("operators/<int:operator_id>/", operators.operator, name="operator"),
    path("operators/<int:operator_id>/change/", operators.change_operator, name="change_operator"),
    path("operators/<int:operator_id>/enable/", operators.enable_operator, name="enable_operator"),
    path("operators/<int:operator_id>/disable/", operators.disable_operator, name="disable_operator"),
    path("operators/<int:operator_id>/password/", operators.give_password, name="give_password"),
    path(
        "operators/<int:operator_id>/authenticator/", operators.give_authenticator, name="give_authenticator"
    ),
    path("operators/<int:operator_id>/end-sessions/", operators.end_sessions, name="end_sessions"),
    path("me/", own.me, name="me"),
    path("me/password/", own.own_password, name="own_password"),
    path("me/end-sessions/", own.end_own_sessions, name="end_own_sessions"),
    path("audit/", audit.audit, name="audit"),
    path("audit/export/", audit.export_audit, name="export_audit"),
    path("audit/<int:event_id>/", audit.event, name="audit_event"),
    path("patterns/", looks.patterns_page, name="patterns"),
    path("caseload/", looks.caseload, name="caseload"),
    path("accesses/", audit.accesses, name="accesses"),
    path("accounts/<int:account_id>/accesses/", audit.accesses_of, name="accesses_of"),
]
