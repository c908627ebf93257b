"""The door for machines: a terminal's request goes straight to its view, past everything made for people."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import Resolver404, resolve


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
