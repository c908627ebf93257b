"""The signed API over HTTP: a real granian on the measured database, and a till with a keep-alive connection."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from django.conf import settings
from django.db import connection

from accounts.wiring import now
from ecard import serving
from ecard.demo.stage import free_port
from ecard.lifetime import bound
from terminals.messages.signing import (
    RESPONSE_HEADER,
    Request,
    Stamp,
    TerminalKeys,
    sign_request,
    verify_response,
)

TARGET = "/api/terminal/v1/debit"
READY_S = 30.0


class HttpFailed(Exception):
    """A measured request was not answered with an accepted purchase."""


@contextmanager
def server() -> Iterator[int]:
    """Run the site on the measured database; yields its port. Served as in operation."""
    port = free_port()
    environment = os.environ | {"DATABASE_URL": _url(), "SITE_URL": f"http://127.0.0.1:{port}"}
    process = subprocess.Popen(
        bound([sys.executable, "-m", *serving.command(port)]),
        env=environment,
        cwd=settings.BASE_DIR,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_until_ready(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(20)


@dataclass
class Till:
    """The least a till must do: sign, send, read, verify."""

    terminal: int
    port: int
    target: str = TARGET

    def __post_init__(self) -> None:
        _, master = next(iter(settings.TERMINAL_MASTER.items()))
        self._keys = TerminalKeys.derive(master, self.terminal, 1)
        self._boot = int(time.time() * 1000)
        self._numbers = count(1)
        self._host = f"127.0.0.1:{self.port}"
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, body: bytes) -> dict[str, Any]:
        """Any message to ``target``; returns the verified answer."""
        message, nonce = self.sign(body)
        self.socket.sendall(message)
        told = b""
        while not is_whole(told):
            told += self.hear()
        return self.verify(told, nonce)

    def sign(self, body: bytes) -> tuple[bytes, bytes]:
        """The whole HTTP message as it goes over the line, and the nonce that its answer must be bound to."""
        nonce, number, at_ms = secrets.token_bytes(16), next(self._numbers), int(now().timestamp() * 1000)
        stamp = Stamp(self.terminal, 1, self._boot, number, at_ms, nonce)
        signature = sign_request(self._keys, Request("POST", self._host, self.target, body), stamp)
        head = (
            f"POST {self.target} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Authorization: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body, nonce

    def hear(self) -> bytes:
        """The next piece of an answer; it mostly comes in one."""
        part = self.socket.recv(65536)
        if not part:
            raise HttpFailed("the server hung up")
        return part

    def verify(self, told: bytes, nonce: bytes) -> dict[str, Any]:
        """The content of a whole answer, if it is 200 and signed for the question with this nonce."""
        head, _, content = told.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(first.split()[1])
        if status != 200:
            raise HttpFailed(f"{status} {content[:200]!r}")
        verify_response(
            self._keys, headers[RESPONSE_HEADER.lower()], nonce=nonce, status=status, body=content
        )
        found: dict[str, Any] = json.loads(content)
        return found


def is_whole(told: bytes) -> bool:
    """Whether an answer is here to its last byte."""
    end = told.find(b"\r\n\r\n")
    return end >= 0 and len(told) >= end + 4 + int(_LENGTH.search(told, 0, end + 2)[1])  # type: ignore[index]


_LENGTH = re.compile(rb"(?i)\r\ncontent-length: ([0-9]+)\r\n")


def _url() -> str:
    """The measured database as a URL for the server's own process."""
    found = connection.settings_dict
    host = str(found["HOST"]).replace("/", "%2F")
    password = f":{found['PASSWORD']}" if found["PASSWORD"] else ""
    port = f":{found['PORT']}" if found["PORT"] else ""
    return f"postgresql://{found['USER']}{password}@{host}{port}/{found['NAME']}"


def _wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise HttpFailed("the server did not start")
