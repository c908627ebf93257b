"""The line to the server: signed requests over one kept connection, answers believed only with a right signature.

Whatever goes wrong on the way (no line, no answer in time, a wrong signature, nonsense) is one thing to a till:
``NoAnswer``. Only a signed refusal of the request itself is different.
"""

from __future__ import annotations

import http.client
import ipaddress
import secrets
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from terminals.device.clock import Clock
from terminals.messages import strictjson
from terminals.messages.records import UploadAnswer, UploadRequest
from terminals.messages.signing import (
    NONCE_BYTES,
    REQUEST_HEADER,
    RESPONSE_HEADER,
    Request,
    SignatureError,
    Stamp,
    TerminalKeys,
    sign_request,
    verify_response,
)
from terminals.messages.strictjson import WireError
from terminals.messages.taker import Taker
from terminals.messages.upkeep import (
    EnrolAnswer,
    EnrolRequest,
    HeartbeatAnswer,
    HeartbeatRequest,
    HotlistAnswer,
    HotlistRequest,
)
from terminals.messages.wire import DebitRequest, OutcomeReport, SightingRequest, TapAnswer, VoidRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

TAP_S = 0.35
"""How long a tap waits for an answer; together with one repetition the holder still stands there."""
QUIET_S = 5.0
"""How long anything may take that no holder waits for."""
ENROL_S = 20.0
PATH = "/api/terminal/v1/"
MAX_ANSWER_BYTES = 4 << 20

T = TypeVar("T")


class NoAnswer(Exception):
    """No answer that can be believed: the server may or may not have acted."""


class Rejected(Exception):
    """The server says, signed, that it did not act and why. ``code`` is the word of the error body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class BadAddress(ValueError):
    """The server's address is not one that this device talks to."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signs: terminal number, key generation, number of this start."""

    terminal: int
    epoch: int
    boot: int


class Wire:
    """One HTTP connection to the server's host, made when needed and kept alive."""

    def __init__(self, url: str, *, ca: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise BadAddress(f"{url} is not the address of a server")
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise BadAddress("a server on another machine is spoken to over https only")
        self.host = parts.netloc
        self.prefix = parts.path.rstrip("/")
        self._name, self._port = parts.hostname, parts.port
        self._tls = _tls(ca) if parts.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None

    def post(
        self, target: str, body: bytes, headers: dict[str, str], *, timeout: float
    ) -> tuple[int, bytes, str]:
        """Send and return status, body and signature header. Raises ``OSError`` or ``HTTPException``."""
        headers = {"Host": self.host, "Content-Type": "application/json", **headers}
        connection = self._connected(timeout)
        try:
            connection.request("POST", target, body, headers)
            answer = connection.getresponse()
            content = answer.read(MAX_ANSWER_BYTES)
        except AttributeError as error:  # closed by another thread while reading; http.client trips over it
            self.close()
            raise ConnectionAbortedError("closed under way") from error
        except BaseException:
            self.close()
            raise
        if answer.will_close:
            self.close()
        return answer.status, content, answer.getheader(RESPONSE_HEADER) or ""

    @property
    def kept(self) -> bool:
        """Whether a connection from an earlier request is still there."""
        return self._connection is not None

    def close(self) -> None:
        """Drop the connection; from another thread this ends a request under way."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def _connected(self, timeout: float) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = (
                http.client.HTTPSConnection(self._name, self._port, timeout=timeout, context=self._tls)
                if self._tls
                else http.client.HTTPConnection(self._name, self._port, timeout=timeout)
            )
        self._connection.timeout = timeout
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout)
        return self._connection


class Client:
    """The calls of the terminal API. Taps go first: one that comes while the background talks cuts that talk off."""

    def __init__(self, wire: Wire, identity: Identity, keys: TerminalKeys, clock: Clock) -> None:
        self._wire = wire
        self._identity = identity
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._seq = 0
        self.plugged = True
        """The network switch of demo and tests; False is a pulled cable."""
        self.up = False
        """Whether the last call got a true answer."""
        self.changed: Callable[[bool], None] = lambda up: None

    # ------------------------------------------------------------------------------------------------- taps

    def debit(self, request: DebitRequest) -> TapAnswer:
        """Take money from the book. Raises ``NoAnswer`` or ``Rejected``."""
        return self._call("debit", request.to_json(), TapAnswer.parse, tap=True)

    def void(self, request: VoidRequest) -> TapAnswer:
        """Take a debit back."""
        return self._call("void", request.to_json(), TapAnswer.parse, tap=True)

    def sighting(self, request: SightingRequest) -> TapAnswer:
        """Ask what card and book hold."""
        return self._call("sighting", request.to_json(), TapAnswer.parse, tap=True)

    # ------------------------------------------------------------------------------------------- background

    def outcomes(self, reports: Iterable[OutcomeReport]) -> tuple[tuple[str, int], ...]:
        """Report outcomes; returns those that need not be sent again."""
        body = {"outcomes": [report.to_json() for report in reports]}
        return self._call("outcomes", body, _recorded)

    def upload(self, request: UploadRequest) -> UploadAnswer:
        """Hand over journal records."""
        return self._call("upload", request.to_json(), UploadAnswer.parse)

    def heartbeat(self, request: HeartbeatRequest) -> HeartbeatAnswer:
        """Say how this terminal does."""
        return self._call("heartbeat", request.to_json(), HeartbeatAnswer.parse)

    def hotlist(self, request: HotlistRequest) -> HotlistAnswer:
        """Ask which cards may not be accepted."""
        return self._call("hotlist", request.to_json(), HotlistAnswer.parse)

    def close(self) -> None:
        """Drop the connection."""
        self._wire.close()

    # ------------------------------------------------------------------------------------------------- call

    def _call(self, name: str, message: dict[str, Any], parse: Callable[[Any], T], *, tap: bool = False) -> T:
        body = strictjson.dumps(message)
        budget_s = TAP_S if tap else QUIET_S
        try:
            with self._turn(tap=tap):
                status, content = self._exchange(self._wire.prefix + PATH + name, body, budget_s)
            answer = _understood(status, content, parse)
        except NoAnswer:
            self._note(up=False)
            raise
        except Rejected:
            self._note(up=True)
            raise
        self._note(up=True)
        return answer

    def _exchange(self, target: str, body: bytes, budget_s: float) -> tuple[int, bytes]:
        """One request and its verified answer. A kept connection that the server closed meanwhile is made anew."""
        deadline = self._clock.mono() + budget_s
        while True:
            if not self.plugged:
                self._wire.close()
                raise NoAnswer("the network is switched off")
            left_s = deadline - self._clock.mono()
            if left_s <= 0:
                raise NoAnswer("no answer in time")
            was_kept, stamp = self._wire.kept, self._stamp()
            request = Request("POST", self._wire.host, target, body)
            headers = {REQUEST_HEADER: sign_request(self._keys, request, stamp)}
            try:
                status, content, signature = self._wire.post(target, body, headers, timeout=left_s)
            except TimeoutError as error:
                raise NoAnswer("no answer in time") from error
            except (OSError, http.client.HTTPException) as error:
                if was_kept:
                    continue
                raise NoAnswer(f"no line: {error!r}") from error
            try:
                server_ms = verify_response(
                    self._keys, signature, nonce=stamp.nonce, status=status, body=content
                )
            except SignatureError as error:
                self._wire.close()
                raise NoAnswer("an answer without the server's signature") from error
            self._clock.hear(server_ms)
            return status, content

    @contextmanager
    def _turn(self, *, tap: bool) -> Iterator[None]:
        """One request at a time, so that their numbers arrive in order. A tap does not wait for the background."""
        if tap and not self._lock.acquire(blocking=False):
            self._wire.close()
            self._lock.acquire()
        elif not tap:
            self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def _stamp(self) -> Stamp:
        self._seq += 1
        who = self._identity
        nonce = secrets.token_bytes(NONCE_BYTES)
        return Stamp(who.terminal, who.epoch, who.boot, self._seq, self._clock.now_ms(), nonce)

    def _note(self, *, up: bool) -> None:
        if up != self.up:
            self.up = up
            self.changed(up)


def enrol(url: str, code: str, *, ca: str | None = None) -> EnrolAnswer:
    """Exchange a one-time code for this device's keys: the one call without a signature. Raises like a call."""
    wire = Wire(url, ca=ca)
    body = strictjson.dumps(EnrolRequest(code).to_json())
    try:
        status, content, _ = wire.post(f"{wire.prefix}{PATH}enrol", body, {}, timeout=ENROL_S)
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"no line: {error!r}") from error
    finally:
        wire.close()
    return _understood(status, content, EnrolAnswer.parse)


def _understood(status: int, content: bytes, parse: Callable[[Any], T]) -> T:
    try:
        message = strictjson.loads(content)
        if status == http.HTTPStatus.OK:
            return parse(message)
    except WireError as error:
        raise NoAnswer(f"an answer that cannot be understood: {error}") from error
    if message.get("retry") is True:
        raise NoAnswer(f"the server is busy: {message.get('error')}")
    raise Rejected(status, str(message.get("error", "")), str(message.get("message", "")))


def _recorded(data: Any) -> tuple[tuple[str, int], ...]:
    take = Taker(data, "answer")
    pairs = take.items("recorded", 1_000)
    return take.done(tuple((str(journal), int(seq)) for journal, seq in pairs))


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _tls(ca: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
