"""One HTTP connection on which no wait outlives its deadline: name look-up, connecting, TLS, and bytes that drip.

``http.client`` allows a time for each read and for each address; a holder who stands at the till has one time for all.
"""

from __future__ import annotations

import http.client
import ipaddress
import math
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from terminals.messages.signing import RESPONSE_HEADER

MAX_ANSWER_BYTES = 4 << 20
NAME_FRESH_S = 300.0
"""After this long a known address is looked up again, behind the back of whoever uses it."""
IDLE_S = 30.0
"""A connection that was silent for longer is made anew: what lies between may have forgotten it without a word."""

_Address = tuple[Any, ...]


class BadAddress(ValueError):
    """The server's address is not one that this device talks to."""


class Wire:
    """The way to the server's host: a connection made when needed and kept alive. One request at a time."""

    def __init__(self, url: str, *, ca: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise BadAddress(f"{url} is not the address of a server")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise BadAddress("a server on another machine is spoken to over https only")
        self.host = parts.netloc
        self.prefix = parts.path.rstrip("/")
        self._names = Names(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
        self._tls = _tls(ca) if parts.scheme == "https" else None
        self._connection: _Connection | None = None
        self._using = threading.Lock()
        self._used_at = -math.inf

    def twin(self) -> Wire:
        """Another connection to the same host, with the same addresses and the same trust."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._connection, twin._using = None, threading.Lock()
        return twin

    def open(self, *, timeout: float) -> bool:
        """Connect unless a connection is kept; True when it was. Raises ``OSError`` (also ``TimeoutError``)."""
        with self._using:
            if self._connection is not None and time.monotonic() - self._used_at > IDLE_S:
                self._drop()
            kept = self._connection is not None
            self._connected(time.monotonic() + timeout)
            return kept

    def post(
        self, target: str, body: bytes, headers: dict[str, str], *, timeout: float
    ) -> tuple[int, bytes, str]:
        """Send and return status, body and signature header. Raises ``OSError`` or ``HTTPException``.

        ``ConnectionAbortedError``: ended by ``close``, so nobody wants it tried again.
        """
        headers = {"Host": self.host, "Content-Type": "application/json", **headers}
        with self._using:
            connection = self._connected(time.monotonic() + timeout)
            try:
                connection.request("POST", target, body, headers)
                answer = connection.getresponse()
                content = answer.read(MAX_ANSWER_BYTES)
            except BaseException as error:
                self._drop()
                if connection.interrupted:
                    raise ConnectionAbortedError("closed under way") from error
                raise
            self._used_at = time.monotonic()
            if answer.will_close:
                self._drop()
        return answer.status, content, answer.getheader(RESPONSE_HEADER) or ""

    def close(self) -> None:
        """Drop the connection; from another thread this ends a request under way."""
        if self._using.acquire(blocking=False):
            try:
                self._drop()
            finally:
                self._using.release()
        elif (connection := self._connection) is not None:
            connection.interrupt()

    def _connected(self, deadline: float) -> _Connection:
        if self._connection is None:
            self._connection = _Connection(self._names, self._tls)
            try:
                self._connection.open(deadline)
            except BaseException:
                self._drop()
                raise
        self._connection.deadline = deadline
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()


class Names:
    """The addresses of one host. A name server that does not answer keeps nobody waiting beyond his deadline."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self._found: list[_Address] = []
        self._found_at = -math.inf
        self._looking: threading.Event | None = None
        self._guard = threading.Lock()

    def addresses(self, deadline: float) -> list[_Address]:
        """What is known; asked for and waited for only when nothing is. Raises ``OSError``."""
        if time.monotonic() - self._found_at > NAME_FRESH_S:
            looked = self._look()
            if not self._found and not looked.wait(max(0.0, deadline - time.monotonic())):
                raise TimeoutError(f"nobody says where {self.name} is")
        if not self._found:
            raise OSError(f"{self.name} is not known")
        return self._found

    def _look(self) -> threading.Event:
        """Begin to look, on a thread of its own: a look-up cannot be broken off. At most one at a time."""
        with self._guard:
            if self._looking is None:
                self._looking = threading.Event()
                threading.Thread(target=self._ask, args=(self._looking,), name="names", daemon=True).start()
            return self._looking

    def _ask(self, looked: threading.Event) -> None:
        try:
            found = socket.getaddrinfo(self.name, self.port, type=socket.SOCK_STREAM)
            self._found, self._found_at = [tuple(item) for item in found], time.monotonic()
        except OSError:
            pass  # the old addresses stay as good as they were
        finally:
            with self._guard:
                self._looking = None
            looked.set()


class _Hurried:
    """Part of a socket: every single wait is given only what is left until the deadline."""

    deadline = math.inf

    def hurry(self) -> None:
        """Raises ``TimeoutError`` when nothing is left."""
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("no answer in time")
        self.settimeout(min(left_s, 3600.0))  # type: ignore[attr-defined]


class _Socket(_Hurried, socket.socket):
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.hurry()
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.hurry()
        super().sendall(*args, **kwargs)


class _TlsSocket(_Hurried, ssl.SSLSocket):
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.hurry()
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.hurry()
        return super().send(*args, **kwargs)


class _Connection(http.client.HTTPConnection):
    """A connection of ``http.client`` over sockets that hurry."""

    def __init__(self, names: Names, tls: ssl.SSLContext | None) -> None:
        super().__init__(names.name, names.port)
        self.auto_open = 0
        self._names = names
        self._context = tls
        self._raw: _Socket | None = None
        self.sock: Any = None
        self.interrupted = False

    @property
    def deadline(self) -> float:
        """The monotonic second at which every wait on this connection ends."""
        return float(self.sock.deadline)

    @deadline.setter
    def deadline(self, at: float) -> None:
        self.sock.deadline = at

    def open(self, deadline: float) -> None:
        """Connect to the first address that lets us, each being given its share of the time. Raises ``OSError``."""
        addresses = self._names.addresses(deadline)
        problem = OSError("no address")
        for place, address in enumerate(addresses):
            now = time.monotonic()
            try:
                self._open(address, now + (deadline - now) / (len(addresses) - place))
            except OSError as error:
                problem = error
                continue
            self.deadline = deadline
            return
        raise problem

    def _open(self, address: _Address, deadline: float) -> None:
        family, kind, protocol, _, place = address
        self._raw = raw = _Socket(family, kind, protocol)
        raw.deadline = deadline
        try:
            raw.hurry()
            raw.connect(place)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock = self._wrapped(raw)
        except BaseException:
            raw.close()
            raise

    def interrupt(self) -> None:
        """Wake whoever waits on this connection; called by another thread."""
        self.interrupted = True
        raw = self.sock or self._raw
        if raw is not None:
            with suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)

    def _wrapped(self, raw: _Socket) -> Any:
        if self._context is None:
            return raw
        raw.hurry()
        return self._context.wrap_socket(raw, server_hostname=self.host)


def is_loopback(name: str) -> bool:
    """Whether a host is this machine."""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _tls(ca: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _TlsSocket
    return context
