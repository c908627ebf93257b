"""The short way in for machines: a well-formed message goes to its call without Django's handler.

A request of a till needs nothing of what Django prepares for one, and that preparation took half of the server's time
for a sale. Whatever is not just as a till sends it goes the long way, so that there is one place that says no.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from io import BytesIO
from typing import Any

from django.conf import settings
from django.db import close_old_connections
from django.http.request import split_domain_port, validate_host
from django.urls import URLPattern

from terminals.api.door import BODY_MAX, CONTENT_TYPE, SignedCall
from terminals.messages.signing import RESPONSE_HEADER, Request

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]

_STATUS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class Entrance:
    """A WSGI application in front of the site. Knows the signed calls of one URL list by their path."""

    def __init__(self, site: Wsgi, *, prefix: str, patterns: Iterable[URLPattern]) -> None:
        self._site = site
        self._calls: Mapping[str, SignedCall] = {
            f"{prefix}{pattern.pattern}": pattern.callback
            for pattern in patterns
            if isinstance(pattern.callback, SignedCall)
        }
        self._hosts: set[str] = set()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer what is plain; hand everything else to the site untouched."""
        call = self._calls.get(environ["PATH_INFO"])
        if call is None or not self._is_plain(environ):
            return self._site(environ, start_response)
        size = int(environ["CONTENT_LENGTH"])
        body = environ["wsgi.input"].read(size)
        if len(body) != size:
            return self._site(environ | {"wsgi.input": BytesIO(body)}, start_response)
        close_old_connections()
        message = Request("POST", environ["HTTP_HOST"], environ["PATH_INFO"], body)
        found = call.answer(lambda: message, environ.get("HTTP_AUTHORIZATION", ""))
        headers = [
            ("Content-Type", CONTENT_TYPE),
            ("Content-Length", str(len(found.body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        if found.signature is not None:
            headers.append((RESPONSE_HEADER, found.signature))
        start_response(_STATUS[found.status], headers)
        return (found.body,)

    def _is_plain(self, environ: Environ) -> bool:
        """Whether nothing about this request needs a second look."""
        get = environ.get
        size = get("CONTENT_LENGTH", "")
        return (
            get("REQUEST_METHOD") == "POST"
            and get("CONTENT_TYPE") == CONTENT_TYPE
            and not get("QUERY_STRING")
            and not get("SCRIPT_NAME")
            and "HTTP_CONTENT_ENCODING" not in environ
            and "HTTP_TRANSFER_ENCODING" not in environ
            and size.isdecimal()
            and size.isascii()
            and int(size) <= BODY_MAX
            and self._is_secure_enough(environ)
            and self._is_our_name(get("HTTP_HOST", ""))
        )

    def _is_secure_enough(self, environ: Environ) -> bool:
        if not settings.SECURE_SSL_REDIRECT or environ.get("wsgi.url_scheme") == "https":
            return True
        name, value = settings.SECURE_PROXY_SSL_HEADER or ("", None)
        return bool(name) and environ.get(name) == value

    def _is_our_name(self, host: str) -> bool:
        """What Django says of it; a name that it took once is remembered, and there are few that it takes."""
        if host in self._hosts:
            return True
        if settings.USE_X_FORWARDED_HOST or not validate_host(
            split_domain_port(host)[0], settings.ALLOWED_HOSTS
        ):
            return False
        if len(self._hosts) < len(settings.ALLOWED_HOSTS) * 4:
            self._hosts.add(host)
        return True
