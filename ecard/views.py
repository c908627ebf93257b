"""The pages that belong to no room: health, figures, and the last resort when something broke."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from accounts.jobs import late_jobs
from accounts.wiring import now


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers and is writable, else 503; always JSON ``{"ok", "database", "late"}``.

    ``late``: the nightly jobs without a good end for more than a day. That is for people, not for a load balancer.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT NOT pg_is_in_recovery()")
            (writable,) = cursor.fetchone()
        late = [job.name for job in late_jobs(now=now())]
    except DatabaseError:
        return JsonResponse({"ok": False, "database": "unreachable", "late": []}, status=503)
    database = "writable" if writable else "read-only"
    return JsonResponse({"ok": writable, "database": database, "late": late}, status=200 if writable else 503)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures in the Prometheus text format: from this machine, or with ``Authorization: Bearer TOKEN``."""
    if not (_is_local(request) or _has_token(request)):
        return JsonResponse({"error": "forbidden"}, status=403)
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's plain error page for people, JSON for machines."""
    if request.path_info.startswith(settings.MACHINE_PATHS):
        return JsonResponse({"error": "server_error"}, status=500)
    return defaults.server_error(request)


def _is_local(request: HttpRequest) -> bool:
    """Asked directly over loopback. Behind a proxy of ours every request comes from loopback, so none is."""
    forwarded = "HTTP_X_FORWARDED_FOR" in request.META or "HTTP_FORWARDED" in request.META
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback and not forwarded
    except ValueError:
        return False


def _has_token(request: HttpRequest) -> bool:
    offered = request.headers.get("Authorization", "")
    wanted = f"Bearer {settings.METRICS_TOKEN}"
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(offered.encode(), wanted.encode())
