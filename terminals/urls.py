"""The addresses of the terminal API, version 1 (docs/terminal-protocol.md)."""

from __future__ import annotations

from django.urls import path

from terminals.api import jobs, views

urlpatterns = [
    path("debit", views.debit),
    path("void", views.void),
    path("sighting", views.sighting),
    path("outcomes", views.outcomes),
    path("upload", views.upload),
    path("heartbeat", views.heartbeat),
    path("hotlist", views.hotlist_changes),
    path("keys", views.card_keys),
    path("job", jobs.job),
    path("job_progress", jobs.job_progress),
    path("job_card", jobs.job_card),
    path("job_result", jobs.job_result),
    path("enrol", views.enrol),
]
