"""The addresses of the staff. Everything but the door itself asks for password and one-time code."""

from __future__ import annotations

from django.urls import include, path

from counter import views

app_name = "counter"
urlpatterns = [
    path("", views.home, name="home"),
    path("login/", views.login, name="login"),
    path("logout/", views.logout, name="logout"),
    path("cases/", views.cases, name="cases"),
    path("", include("counter.jobs")),
]
