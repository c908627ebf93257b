"""Every address of the site. The machines' come first: they are asked for most often."""

from __future__ import annotations

from importlib.util import find_spec

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from ecard import views


def _room(prefix: str, module: str) -> list[URLPattern | URLResolver]:
    """The addresses of a room."""
    return [path(prefix, include(module))] if find_spec(module) else []


urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", views.healthz, name="healthz"),
    path("metrics", views.metrics, name="metrics"),
    *_room("api/terminal/v1/", "terminals.urls"),
    *_room("api/v1/", "terminals.identity_urls"),
    *_room("counter/", "counter.urls"),
    *_room("kiosk/", "selfservice.urls"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    *_room("", "portal.urls"),
]
handler500 = views.server_error
