"""Talking to the server: signed requests over kept connections, answers believed only with a right signature.

Whatever goes wrong on the way (no line, no answer in time, a wrong signature, nonsense) is one thing to a till:
``NoAnswer``. Only a signed refusal of the request itself is different.
"""

from __future__ import annotations

import http.client
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from purse.keys import KeyBundle
from terminals.device.clock import Clock
from terminals.device.line import Wire
from terminals.messages import strictjson
from terminals.messages.records import UploadAnswer, UploadRequest
from terminals.messages.signing import (
    NONCE_BYTES,
    REQUEST_HEADER,
    Request,
    SignatureError,
    Stamp,
    TerminalKeys,
    next_boot,
    sign_request,
    unseal_keys,
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
    KeysAnswer,
)
from terminals.messages.wire import DebitRequest, OutcomeReport, SightingRequest, TapAnswer, VoidRequest

__all__ = ("Client", "Identity", "NoAnswer", "Rejected", "Wire", "enrol")

TAP_S = 0.25
"""How long a holder waits for an answer; reading and writing his card takes the rest of the half second.
A tap that can only be done with the server waits twice as long."""
QUIET_S = 5.0
"""How long anything may take that no holder waits for."""
ENROL_S = 20.0
PATH = "/api/terminal/v1/"
REPLAY, UNAUTHORIZED = "replay", "unauthorized"

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


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signs: terminal number, key generation, number of this start."""

    terminal: int
    epoch: int
    boot: int


class Client:
    """The calls of the terminal API. Taps have a connection of their own and wait for nobody.

    Requests are numbered in the order in which they leave; while a tap is on its way nothing else is numbered, so it
    is never the one that comes late.
    """

    def __init__(self, wire: Wire, identity: Identity, keys: TerminalKeys, clock: Clock) -> None:
        self._tap_line, self._quiet_line = _Line(wire), _Line(wire.twin())
        self._identity = identity
        self._keys = keys
        self._clock = clock
        self._numbering = threading.Condition()
        self._taps = 0
        self._seq = 0
        self.plugged = True
        """The network switch of demo and tests; False is a pulled cable."""
        self.up = False
        """Whether the last call got a true answer."""
        self.changed: Callable[[bool], None] = lambda up: None
        self.rebooted: Callable[[int], None] = lambda boot: None
        """Called with a new boot number before it is used: the server knows a higher one than ours."""

    # ------------------------------------------------------------------------------------------------- taps

    def debit(self, request: DebitRequest, *, within_s: float | None = None) -> TapAnswer:
        """Take money from the book, in ``TAP_S`` or what is told. Raises ``NoAnswer`` or ``Rejected``."""
        return self._tap("debit", request.to_json(), within_s)

    def void(self, request: VoidRequest, *, within_s: float | None = None) -> TapAnswer:
        """Take a debit back."""
        return self._tap("void", request.to_json(), within_s)

    def sighting(self, request: SightingRequest, *, within_s: float | None = None) -> TapAnswer:
        """Ask what card and book hold."""
        return self._tap("sighting", request.to_json(), within_s)

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

    def card_keys(self) -> KeyBundle:
        """Fetch the card keys that go with what this terminal may do now. Raises like a call."""
        who, answer = self._identity, self._call("keys", {}, KeysAnswer.parse)
        try:
            found = unseal_keys(self._keys.seal, answer.sealed, terminal=who.terminal, epoch=who.epoch)
            return KeyBundle.from_json(found)
        except (SignatureError, ValueError) as error:
            raise NoAnswer("card keys that cannot be opened") from error

    def close(self) -> None:
        """Drop the connections; a request under way ends without an answer."""
        self._tap_line.wire.close()
        self._quiet_line.wire.close()

    # ------------------------------------------------------------------------------------------------- call

    def _tap(self, name: str, message: dict[str, Any], within_s: float | None) -> TapAnswer:
        with self._numbering:
            self._taps += 1
        try:
            within_s = TAP_S if within_s is None else within_s
            return self._call(name, message, TapAnswer.parse, line=self._tap_line, within_s=within_s)
        finally:
            with self._numbering:
                self._taps -= 1
                self._numbering.notify_all()

    def _call(
        self,
        name: str,
        message: dict[str, Any],
        parse: Callable[[Any], T],
        *,
        line: _Line | None = None,
        within_s: float = QUIET_S,
    ) -> T:
        """Ask and understand, on the quiet line unless told otherwise. Raises ``NoAnswer`` or ``Rejected``."""
        line, body = line or self._quiet_line, strictjson.dumps(message)
        righted: set[str] = set()
        deadline = self._clock.mono() + within_s
        try:
            with line.turn(within_s):
                while True:
                    status, content, jumped = self._exchange(line, name, body, deadline)
                    problem = self._set_right(status, content, jumped=jumped)
                    if not problem or problem in righted:
                        break
                    righted.add(problem)
            answer = _understood(status, content, parse)
        except NoAnswer:
            self._note(up=False)
            raise
        except Rejected:
            self._note(up=True)
            raise
        self._note(up=True)
        return answer

    def _exchange(self, line: _Line, name: str, body: bytes, deadline: float) -> tuple[int, bytes, bool]:
        """One request and its verified answer, and whether our clock was wrong by it.

        A kept connection that the server closed meanwhile is made anew.
        """
        wire, target = line.wire, line.wire.prefix + PATH + name
        while True:
            if not self.plugged:
                wire.close()
                raise NoAnswer("the network is switched off")
            kept = False
            try:
                kept = wire.open(timeout=self._left_s(deadline))
                stamp = self._stamp(line, deadline)
                request = Request("POST", wire.host, target, body)
                headers = {REQUEST_HEADER: sign_request(self._keys, request, stamp)}
                status, content, signature = wire.post(target, body, headers, timeout=self._left_s(deadline))
            except (TimeoutError, ConnectionAbortedError) as error:
                raise NoAnswer("no answer in time, or none wanted any more") from error
            except (OSError, http.client.HTTPException) as error:
                if kept:
                    continue
                raise NoAnswer(f"no line: {error!r}") from error
            try:
                server_ms = verify_response(
                    self._keys, signature, nonce=stamp.nonce, status=status, body=content
                )
            except SignatureError as error:
                wire.close()
                raise NoAnswer("an answer without the server's signature") from error
            return status, content, self._clock.hear(server_ms)

    def _left_s(self, deadline: float) -> float:
        left_s = deadline - self._clock.mono()
        if left_s <= 0:
            raise TimeoutError("no answer in time")
        return left_s

    def _stamp(self, line: _Line, deadline: float) -> Stamp:
        """Number a request, at the last moment before it leaves. What nobody waits for lets taps go first."""
        with self._numbering:
            if line is self._quiet_line and not self._numbering.wait_for(
                lambda: not self._taps, self._left_s(deadline)
            ):
                raise TimeoutError("taps came first")
            self._seq += 1
            who, seq = self._identity, self._seq
        nonce = secrets.token_bytes(NONCE_BYTES)
        return Stamp(who.terminal, who.epoch, who.boot, seq, self._clock.now_ms(), nonce)

    def _set_right(self, status: int, content: bytes, *, jumped: bool) -> str:
        """What was wrong with time or number of a request that was refused for it, and is right now; else nothing.

        Signing anew is worth while then, once for each. So a till whose clock or journal went back (a new journal after
        enrolment anew, a restored disk) gets in again.
        """
        if status != http.HTTPStatus.UNAUTHORIZED:
            return ""
        try:
            said = strictjson.loads(content)
        except WireError:
            return ""
        last_boot = said.get("last_boot")
        if said.get("error") == UNAUTHORIZED and jumped:
            return UNAUTHORIZED
        if said.get("error") != REPLAY or isinstance(last_boot, bool) or not isinstance(last_boot, int):
            return ""
        with self._numbering:
            if last_boot > self._identity.boot:
                boot = next_boot(last_boot, self._clock.now_ms())
                self.rebooted(boot)
                self._identity, self._seq = replace(self._identity, boot=boot), 0
        return REPLAY

    def _note(self, *, up: bool) -> None:
        if up != self.up:
            self.up = up
            self.changed(up)


class _Line:
    """A connection and the queue before it: one request at a time."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._turn = threading.Lock()

    @contextmanager
    def turn(self, within_s: float) -> Iterator[None]:
        """Wait for the one before. Raises ``NoAnswer`` when it takes too long."""
        if not self._turn.acquire(timeout=within_s):
            raise NoAnswer("another request is still under way")
        try:
            yield
        finally:
            self._turn.release()


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
