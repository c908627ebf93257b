"""The addresses of the terminal API, version 1 (docs/terminal-protocol.md)."""

from __future__ import annotations

from django.urls import path

from terminals.api import views

urlpatterns = [
    path("debit", views.debit),
    path("void", views.void),
    path("sighting", views.sighting),
    path("outcomes", views.outcomes),
    path("upload", views.upload),
    path("heartbeat", views.heartbeat),
    path("hotlist", views.hotlist_changes),
    path("enrol", views.enrol),
]
