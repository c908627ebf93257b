"""Addresses of this area; included by ``counter.urls``, in its namespace."""

from __future__ import annotations

from django.urls import path

from counter.people.views import account, search

urlpatterns = [
    path("accounts/", search.accounts, name="accounts"),
    path("accounts/<int:account_id>/", account.account, name="account"),
]
