"""The till's own face in a browser on the same machine: LED, lines, lamp, sounds, keypad, and with simulated cards a
wallet. Loopback only, strict CSP, no framework; events go out as server-sent events, commands come in as JSON.
"""

from __future__ import annotations

import json
import queue
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, ClassVar

from terminals.device.alone import Stop, stop_words
from terminals.device.commands import BadCommand, Commands
from terminals.device.console import event_to_json
from terminals.device.reader.sim import SimReader
from terminals.device.station import Station
from terminals.device.till import Event, LineChanged, Shows, Silence, Sounds

LOOPBACK = ("127.0.0.1", "localhost", "::1")
STILL_THERE_S = 15.0
MAX_BODY_BYTES = 4096
MAX_WAITING = 1000

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_TILL = {
    "/": ("till.html", "text/html; charset=utf-8"),
    "/till.css": ("till.css", "text/css; charset=utf-8"),
    "/face.js": ("face.js", "text/javascript; charset=utf-8"),
    "/till.js": ("till.js", "text/javascript; charset=utf-8"),
}


class LocalPage(ABC):
    """A device's face on ``HOST:PORT``; port 0 takes a free one. Raises ``ValueError`` off the loopback."""

    files: ClassVar[Mapping[str, tuple[str, str]]]
    """Address → (file in ``static``, content type)."""
    shown: ClassVar[str]
    """The event that a page which comes later must hear again."""

    def __init__(self, place: str) -> None:
        host, _, port = place.rpartition(":")
        if host.strip("[]") not in LOOPBACK or not port.isdigit():
            raise ValueError(f"the device's face is served on this machine only, not on {place!r}")
        self.doing = threading.Lock()
        self.token = secrets.token_urlsafe(16)
        """Commands must carry it: another page in the same browser cannot know it."""
        self._browsers: set[queue.Queue[dict[str, Any]]] = set()
        self._last: dict[str, Any] | None = None
        self._guard = threading.Lock()
        handler = type("PageHandler", (_Handler,), {"page": self})
        self._server = ThreadingHTTPServer((host.strip("[]"), int(port)), handler)
        self._server.daemon_threads = True
        self.hosts = {f"{name}:{self._server.server_port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        self.url = f"http://{host}:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, name="page", daemon=True)

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What a page needs to know at its start, and again when something about it changed."""

    @abstractmethod
    def do(self, said: Mapping[str, Any]) -> None:
        """Carry out a command of the page. Raises ``BadCommand``."""

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def join(self) -> queue.Queue[dict[str, Any]]:
        """A new browser: its events, beginning with what the display shows now."""
        events: queue.Queue[dict[str, Any]] = queue.Queue(MAX_WAITING)
        with self._guard:
            events.put(self.state())
            if self._last is not None:
                events.put(self._last)
            self._browsers.add(events)
        return events

    def leave(self, events: queue.Queue[dict[str, Any]]) -> None:
        """The browser is gone."""
        with self._guard:
            self._browsers.discard(events)

    def announce(self) -> None:
        """Tell every page the state anew."""
        self._send(self.state())

    def tell(self, message: dict[str, Any]) -> None:
        """Tell every page what happened."""
        if message["event"] == self.shown:
            self._last = message
        self._send(message)

    def _send(self, message: dict[str, Any]) -> None:
        with self._guard:
            for events in list(self._browsers):
                try:
                    events.put_nowait(message)
                except queue.Full:
                    self._browsers.discard(events)


class Page(LocalPage):
    """The till's own face."""

    files = _TILL
    shown = "display"

    def __init__(self, station: Station, place: str) -> None:
        super().__init__(place)
        self.station = station
        self.commands = Commands(station)
        station.listen(self._hear)

    def state(self) -> dict[str, Any]:
        """Name, line, reader, cards."""
        reader, parts = self.station.reader, self.station.parts
        return {
            "event": "state",
            "name": asdict(self.station.config.name),
            "campus": self.station.config.enrolled.campus,
            "merchant": self.station.config.enrolled.merchant,
            "sim": isinstance(reader, SimReader),
            "cards": self.commands.cards(),
            "lying": self.commands.lying(),
            "reader": self.station.reader_state.value,
            "plugged": parts.client.plugged,
            "online": parts.client.up,
            "unsent": parts.line()[1],
            "stopped": asdict(stop_words(parts.stop)) if parts.stop else None,
            "storage": parts.stop is Stop.STORAGE,
            "sale_max_fen": parts.sales.offline_max_fen if parts.sales else 0,
        }

    def do(self, said: Mapping[str, Any]) -> None:
        """As on the console."""
        self.commands.do(said)

    def _hear(self, event: Event) -> None:
        if isinstance(event, LineChanged):
            self.announce()
            return
        message = _to_json(event)
        if message is not None:
            self.tell(message)


class _Handler(BaseHTTPRequestHandler):
    page: ClassVar[LocalPage]
    protocol_version = "HTTP/1.1"
    server_version = "device"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        if not self._is_ours():
            return
        if self.path == "/events":
            self._events()
        elif self.path in self.page.files:
            name, kind = self.page.files[self.path]
            content = (files("terminals.device") / "static" / name).read_bytes()
            self._answer(HTTPStatus.OK, content.replace(b"{{token}}", self.page.token.encode()), kind)
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"", "text/plain")

    def do_POST(self) -> None:
        if not self._is_ours():
            return
        if self.path != "/do" or self.headers.get("Till-Token") != self.page.token:
            self._answer(HTTPStatus.FORBIDDEN, b"{}", "application/json")
            return
        try:
            length = int(self.headers.get("Content-Length", ""))
            if not 0 < length <= MAX_BODY_BYTES:
                raise BadCommand("too long")
            said = json.loads(self.rfile.read(length))
            if not isinstance(said, dict):
                raise BadCommand("one JSON object")
            with self.page.doing:
                self.page.do(said)
        except (ValueError, TimeoutError) as error:
            body = json.dumps({"error": str(error)}).encode()
            self._answer(HTTPStatus.BAD_REQUEST, body, "application/json")
            return
        self.page.announce()
        self._answer(HTTPStatus.OK, b"{}", "application/json")

    def _events(self) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in {**_HEADERS, "Content-Type": "text/event-stream", "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        events = self.page.join()
        try:
            while True:
                try:
                    message = json.dumps(events.get(timeout=STILL_THERE_S), ensure_ascii=False)
                except queue.Empty:
                    message = json.dumps(self.page.state(), ensure_ascii=False)
                self.wfile.write(f"data: {message}\n\n".encode())
                self.wfile.flush()
        except OSError:
            return
        finally:
            self.page.leave(events)

    def _is_ours(self) -> bool:
        """Refuse names other than our own (DNS rebinding) and requests that other pages made."""
        origin = self.headers.get("Origin")
        host = self.headers.get("Host", "")
        if host in self.page.hosts and origin in (None, f"http://{host}"):
            return True
        self._answer(HTTPStatus.FORBIDDEN, b"", "text/plain")
        return False

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class gave it
        """Say nothing: commands may carry a password."""


def _to_json(event: Event) -> dict[str, Any] | None:
    """An event for the page: both languages, and how the sound goes."""
    match event:
        case Shows(face):
            return {"event": "display", **asdict(face)}
        case Sounds(sound, beep):
            return {"event": "sound", "sound": sound.value, **asdict(beep)}
        case Silence():
            return {"event": "silence"}
        case _:
            return event_to_json(event)
