"""The addresses of the identity API, version 1 (docs/identity-api.md)."""

from __future__ import annotations

from django.urls import path

from terminals.api import identity

urlpatterns = [
    path("identity", identity.identity, name="identity"),
    path("identity/denied", identity.denied, name="identity_denied"),
]
