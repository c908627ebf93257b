"""The addresses of the portal (interfaces.md)."""

from __future__ import annotations

from django.urls import path

from portal.views import entry, own, public

app_name = "portal"
urlpatterns = [
    path("", public.home, name="home"),
    path("login/", entry.login, name="login"),
    path("logout/", entry.logout, name="logout"),
    path("me/", own.overview, name="overview"),
    path("me/extend/", entry.extend, name="extend"),
    path("me/statement/", own.statement, name="statement"),
    path("me/loss/", own.loss, name="loss"),
    path("me/loss/<str:reference>/", own.loss_done, name="loss_done"),
    path("me/security/", own.security, name="security"),
]
