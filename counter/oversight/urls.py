"""Addresses of this area; included by ``counter.urls``, in its namespace."""

from __future__ import annotations

from django.urls import path

from counter.oversight.views import requests

urlpatterns = [
    path("requests/<int:request_id>/", requests.request_page, name="request"),
    path("requests/<int:request_id>/agree/", requests.agree, name="agree_request"),
    path("requests/<int:request_id>/refuse/", requests.refuse, name="refuse_request"),
    path("requests/<int:request_id>/withdraw/", requests.withdraw, name="withdraw_request"),
    path("requests/<int:request_id>/carry-out/", requests.carry_out, name="carry_out_request"),
]
