"""The door for machines, past everything made for people; and what people are told when the database cannot answer."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import Resolver404, resolve

_log = logging.getLogger("ecard.busy")


class MachineDoor:
    """First in MIDDLEWARE: answers the paths of `MACHINE_PATHS` itself, so nothing below it runs for them.

    A till pays for no session, login, CSRF token or language, and is never redirected (ASVS 4.1.2:
    an API host refuses plain http instead). Tests and the live server go the same way as production.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(settings.MACHINE_PATHS):
            return self.get_response(request)
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            return JsonResponse({"error": "https_required"}, status=403)
        try:
            match = resolve(request.path_info)
        except Resolver404:
            return JsonResponse({"error": "not_found"}, status=404)
        request.resolver_match = match
        answer: HttpResponse = match.func(request, *match.args, **match.kwargs)
        answer.headers.setdefault("Cache-Control", "no-store")
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        answer.headers.setdefault("Content-Length", str(len(answer.content)))  # else it goes out in chunks
        return answer


class BusyDatabase:
    """Tells people that the database was busy or gone: 503, and that the same form may be sent again (C2, C3).

    A lock or a statement that took too long, a deadlock, a lost connection: what was begun is undone, or was done and
    its answer got lost. Either way every form has its key, so sending it once more does it once.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The answer to a request whose view could not finish; None for any other fault."""
        if not isinstance(error, OperationalError | InterfaceError):
            return None
        _log.warning("busy %s", getattr(error.__cause__, "sqlstate", None) or type(error).__name__)
        if "application/json" in request.headers.get("Accept", ""):
            answer: HttpResponse = JsonResponse({"error": "busy"}, status=503)
        else:
            answer = render(request, "503.html", status=503)
        answer.headers["Retry-After"], answer.headers["Cache-Control"] = "3", "no-store"
        return answer
