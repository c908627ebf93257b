"""Addresses of this area; included by ``counter.urls``, in its namespace."""

from __future__ import annotations

from django.urls import path

from counter.office import requests as _requests  # noqa: F401 - makes the kinds known
from counter.office.views import home, jobs, merchants, partners, places, policy, terminals

urlpatterns = [
    path("office/", home.office, name="office"),
    path("office/values/", policy.values, name="values"),
    path("office/values/<slug:term_name>/", policy.value, name="value"),
    path("office/values/<slug:term_name>/set/", policy.set_value, name="set_value"),
    path("office/value-changes/<int:change_id>/call-off/", policy.call_off, name="call_off_value"),
    path("office/places/", places.places, name="places"),
    path("office/places/<int:place_id>/", places.place, name="place"),
    path("office/places/<int:place_id>/out/", places.take_out, name="take_place_out"),
    path("office/places/<int:place_id>/back/", places.put_back, name="put_place_back"),
    path("office/days/add/", places.add_day, name="add_day"),
    path("office/days/<int:day_id>/drop/", places.drop_day, name="drop_day"),
    path("office/terminals/", terminals.terminals, name="terminals"),
    path("office/terminals/new/", terminals.new_terminal, name="new_terminal"),
    path("office/terminals/<int:terminal_id>/", terminals.terminal, name="terminal"),
    path("office/terminals/<int:terminal_id>/code/", terminals.new_code, name="new_code"),
    path("office/terminals/<int:terminal_id>/revoke/", terminals.revoke, name="revoke_terminal"),
    path("office/terminals/<int:terminal_id>/rest/", terminals.rest_gap, name="rest_gap"),
    path("office/requests/<int:request_id>/code/", terminals.hand_code, name="hand_code"),
    path("office/partners/", partners.partners, name="partners"),
    path("office/partners/new/", partners.new_partner, name="new_partner"),
    path("office/partners/<int:partner_id>/", partners.partner, name="partner"),
    path("office/partners/<int:partner_id>/turn/", partners.turn_key, name="turn_key"),
    path("office/partners/<int:partner_id>/shut-out/", partners.shut_out, name="shut_out_partner"),
    path("office/requests/<int:request_id>/key/", partners.hand_key, name="hand_key"),
    path("office/merchants/", merchants.merchants, name="merchants"),
    path("office/merchants/new/", merchants.new_merchant, name="new_merchant"),
    path("office/merchants/<int:merchant_id>/", merchants.merchant, name="merchant"),
    path("office/merchants/<int:merchant_id>/terms/", merchants.set_terms, name="set_terms"),
    path("office/jobs/", jobs.jobs, name="jobs"),
    path("office/jobs/<slug:job_name>/", jobs.job, name="job_runs"),
]
