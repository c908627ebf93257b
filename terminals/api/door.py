"""The door of the terminal API: who may in, what a message must look like, and how every answer leaves.

Nothing behind it ever sees an unverified byte, and nothing leaves it unsigned once the terminal is known. The money
path pays no statement for it but the one that notes the contact.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import update_wrapper, wraps
from time import monotonic
from typing import Any, Final

from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from accounts import pinhash
from accounts.wiring import now as present
from terminals.api.authentication import Caller, admit, heard_before, identify
from terminals.api.errors import ApiError, malformed, unavailable
from terminals.messages import signing, strictjson
from terminals.messages.signing import TerminalKeys
from terminals.services.rights import Call
from transactions.services.orders import Busy, KeyReused, NotAdmitted

BODY_MAX: Final = 256 * 1024

Handler = Callable[[Caller, Any], Any]
Read = Callable[[bytes], Any]
Write = Callable[[Any], bytes]
View = Callable[[HttpRequest], HttpResponse]
CONTENT_TYPE: Final = "application/json"

_log = logging.getLogger("ecard.terminals")


@dataclass(frozen=True, slots=True)
class Answer:
    """What leaves: ``signature`` is the value of the ``Ecard-Response`` header, None while nobody is known."""

    status: int
    body: bytes
    signature: str | None


class SignedCall:
    """A view of one handler: message in, answer out, for terminals that may make this call."""

    csrf_exempt = True

    def __init__(self, call: Call, handle: Handler, read: Read, write: Write) -> None:
        update_wrapper(self, handle)
        self._call = call
        self._handle = handle
        self._read = read
        self._write = write

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The way through Django."""
        authorization = request.headers.get("Authorization", "")
        return as_http(self.answer(lambda: read(request), authorization))

    def answer(self, message: Callable[[], signing.Request], authorization: str) -> Answer:
        """Answer a message whatever happens; ``message`` may raise ``ApiError``."""
        now, envelope = present(), Envelope()

        def run() -> bytes:
            asked = message()
            identity = identify(asked, authorization, now=now, monotonic_s=monotonic())
            envelope.keys, envelope.nonce = identity.keys, identity.stamp.nonce
            caller = admit(identity, self._call, now=now)
            try:
                return self._write(self._handle(caller, self._read(asked.body)))
            except NotAdmitted:
                raise heard_before(caller.machine, caller.stamp, now=now) from None

        return answered(run, envelope, now=now)


@dataclass(slots=True)
class Envelope:
    """How to sign the answer; empty until we know who asks."""

    keys: TerminalKeys | None = None
    nonce: bytes = b""


def signed(
    call: Call, *, read: Read = strictjson.loads, write: Write = strictjson.dumps
) -> Callable[[Handler], SignedCall]:
    """Make a view of a handler. ``read`` makes of the body what it takes, ``write`` a body of what it returns."""
    return lambda handle: SignedCall(call, handle, read, write)


def unsigned(handle: Callable[[dict[str, Any], HttpRequest], dict[str, Any]]) -> View:
    """Make a view of the one call that a machine makes before it has keys."""

    @csrf_exempt
    @wraps(handle)
    def view(request: HttpRequest) -> HttpResponse:
        def run() -> bytes:
            return strictjson.dumps(handle(strictjson.loads(read(request).body), request))

        return as_http(answered(run, Envelope(), now=present()))

    return view


def read(request: HttpRequest, method: str = "POST") -> signing.Request:
    """The message as it was sent, if a machine may send such a thing. Forwarded-… headers are never looked at."""
    if request.method != method:
        raise ApiError(405, "method_not_allowed", f"只接受 {method}")
    try:
        host = request.get_host()
    except DisallowedHost:
        raise ApiError(400, "bad_host", "主机名不正确", field="Host") from None
    if method == "POST" and request.content_type != CONTENT_TYPE:
        raise ApiError(415, "not_json", "内容类型须为 application/json", field="Content-Type")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise ApiError(415, "encoded", "不接受压缩的内容", field="Content-Encoding")
    try:
        body = request.body
    except RequestDataTooBig:
        raise ApiError(413, "too_large", "内容不得超过 256 KiB", field="body") from None
    except UnreadablePostError:
        raise malformed("body", "内容不完整") from None
    if len(body) > BODY_MAX:
        raise ApiError(413, "too_large", "内容不得超过 256 KiB", field="body")
    if method == "GET" and body:
        raise malformed("body", "GET 不带内容")
    return signing.Request(method, host, request.get_full_path(), body)


def answered(run: Callable[[], bytes], envelope: Envelope, *, now: datetime) -> Answer:
    """What ``run`` makes or whatever it raises, signed if ``envelope`` says how by then."""
    try:
        status, body = 200, run()
    except ApiError as error:
        status, body = error.status, strictjson.dumps(error.to_json())
    except Exception as error:  # noqa: BLE001 - the outermost place: a till must always get an answer it can read
        refused = _as_api_error(error)
        status, body = refused.status, strictjson.dumps(refused.to_json())
    if envelope.keys is None:
        return Answer(status, body, None)
    at_ms = int(now.timestamp() * 1000)
    signature = signing.sign_response(
        envelope.keys, nonce=envelope.nonce, status=status, body=body, at_ms=at_ms
    )
    return Answer(status, body, signature)


def as_http(found: Answer, method: str = "POST") -> HttpResponse:
    """The answer as Django sends it, for a call that takes ``method``."""
    answer = HttpResponse(found.body, status=found.status, content_type=CONTENT_TYPE)
    if found.status == 405:
        answer.headers["Allow"] = method
    if found.signature is not None:
        answer.headers[signing.RESPONSE_HEADER] = found.signature
    return answer


def _as_api_error(error: Exception) -> ApiError:
    if isinstance(error, strictjson.WireError):
        return malformed(error.field, error.problem)
    if isinstance(error, KeyReused):
        return ApiError(409, "key_reused", "同一流水号的内容不一致")
    if isinstance(error, Busy | pinhash.Busy | OperationalError | InterfaceError):
        _log.warning("terminal.unavailable", extra={"why": type(error).__name__})
    else:
        _log.error("terminal.fault", exc_info=error)
    return unavailable()
