"""How much may be sent: a page that takes files says its bound before the body is read.

Django reads the whole body when somebody first looks at a form field, and the check of the CSRF token is the first to
look. So the bound is set outside of that check, and the check is made inside.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt, csrf_protect

View = Callable[..., HttpResponseBase]
FORM_BYTES = 64 * 1024
"""What the other fields and the frame of a form take at most."""


class _Bound(FileUploadHandler):
    """Stops reading when more comes than was allowed, or was announced."""

    def __init__(self, request: HttpRequest, limit: int) -> None:
        super().__init__(request)
        self.limit = limit
        self.seen = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.seen += len(raw_data)
        if self.seen > self.limit:
            cast(Any, self.request).too_large = True
            raise StopUpload(connection_reset=False)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


def bounded(limit: int) -> Callable[[View], View]:
    """Let a page take at most ``limit`` bytes of files; ``is_too_large`` says in the view whether more came."""

    def wrap(view: View) -> View:
        checked = csrf_protect(view)

        @csrf_exempt
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            request.upload_handlers.insert(0, _Bound(request, limit))
            return checked(request, *args, **kwargs)

        return guarded

    return wrap


def is_too_large(request: HttpRequest) -> bool:
    """Whether the file was cut off at the bound."""
    return getattr(request, "too_large", False)
