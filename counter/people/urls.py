"""Addresses of this area; included by ``counter.urls``, in its namespace."""

from __future__ import annotations

from django.urls import path

from counter.people import approving  # noqa: F401 - registers what takes two people
from counter.people.views import account, bank, deeds, diagnosis, pad, passwords, search, statement

_ACCOUNT = "accounts/<int:account_id>/"

urlpatterns = [
    path("accounts/", search.accounts, name="accounts"),
    path(_ACCOUNT, account.account, name="account"),
    path(f"{_ACCOUNT}open-statement/", account.open_statement, name="open_statement"),
    path(f"{_ACCOUNT}identity/", account.identity, name="identity"),
    path(f"{_ACCOUNT}statement/", statement.statement, name="statement"),
    path(f"{_ACCOUNT}history/", deeds.loss_history, name="loss_history"),
    path(f"{_ACCOUNT}loss/", deeds.report_loss, name="report_loss"),
    path(f"{_ACCOUNT}un-loss/", deeds.lift_loss, name="lift_loss"),
    path(f"{_ACCOUNT}freeze/", deeds.freeze, name="freeze"),
    path(f"{_ACCOUNT}limit/", deeds.limit, name="limit"),
    path(f"{_ACCOUNT}passwords/", passwords.passwords, name="passwords"),
    path(f"{_ACCOUNT}pad/<uuid:pad_id>/", passwords.pad_progress, name="pad_progress"),
    path(f"{_ACCOUNT}pad/<uuid:pad_id>/cancel/", passwords.cancel_pad, name="cancel_pad"),
    path(f"{_ACCOUNT}bank-card/", bank.bank_card, name="bank_card"),
    path(f"{_ACCOUNT}unbind/", bank.unbind, name="unbind"),
    path(f"{_ACCOUNT}heal/", diagnosis.heal_card, name="heal_card"),
    path(f"{_ACCOUNT}done/<uuid:done_key>/", deeds.done, name="served"),
    path("jobs/<uuid:job_id>/diagnosis/", diagnosis.diagnose_card, name="diagnose_card"),
    path("pinpad/", pad.waiting, name="pad_waiting"),
    path("pinpad/<uuid:pad_key>/", pad.pad, name="pad"),
]
