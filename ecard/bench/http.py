"""The purchase over HTTP: signed request and response, a keep-alive connection per till, a real granian behind it."""

from __future__ import annotations

import json
import os
import random
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
from ecard.bench import campus
from ecard.bench.runs import Prepare, Work
from ecard.bench.taps import Deck
from ecard.demo.stage import free_port
from ecard.lifetime import bound
from purse.evidence import Side
from purse.keys import KeyBundle
from terminals.messages.signing import (
    RESPONSE_HEADER,
    Request,
    Stamp,
    TerminalKeys,
    sign_request,
    verify_response,
)
from terminals.messages.wire import DebitRequest, OutcomeReport

TARGET = "/api/terminal/v1/debit"
READY_S = 30.0


class HttpFailed(Exception):
    """A measured request was not answered with an accepted purchase."""


@contextmanager
def server() -> Iterator[int]:
    """Run the site on the measured database; yields its port. A worker more than cores, each with one connection."""
    port = free_port()
    command = [
        *("granian", "--interface", "wsgi", "--no-ws", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", str((os.cpu_count() or 1) + 1), "--blocking-threads", "1", "--log-level", "error"),
        "ecard.wsgi:application",
    ]
    environment = os.environ | {"DATABASE_URL": _url(), "SITE_URL": f"http://127.0.0.1:{port}"}
    process = subprocess.Popen(
        bound([sys.executable, "-m", *command]),
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


def debits(keys: KeyBundle, size: campus.Size, *, port: int, one_merchant: bool) -> Prepare:
    """One operation = one signed purchase of 0.01. With ``one_merchant`` every till sells for the same merchant."""

    def prepare(client: int, clients: int) -> Work:
        deck = Deck.deal(keys, client=client, clients=clients, size=size)
        terminal = campus.till_of(client, size, one_merchant=one_merchant)
        till = Till(terminal, port)
        chance = random.Random(client)  # noqa: S311

        def work() -> None:
            account = deck.pick(chance)
            for write in till.buy(deck, account):
                deck.write(account, Side(write["side"]), write["slot"], bytes.fromhex(write["image"]))

        return work

    return prepare


@dataclass
class Till:
    """The least a till must do: sign, send, read, verify. It takes turns with the server on the same cores."""

    terminal: int
    port: int
    target: str = TARGET

    def __post_init__(self) -> None:
        _, master = next(iter(settings.TERMINAL_MASTER.items()))
        self._keys = TerminalKeys.derive(master, self.terminal, 1)
        self._journal = secrets.token_hex(16)
        self._boot = int(time.time() * 1000)
        self._numbers = count(1)
        self._before: tuple[OutcomeReport, ...] = ()
        self._host = f"127.0.0.1:{self.port}"
        self._socket = socket.create_connection(("127.0.0.1", self.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def buy(self, deck: Deck, account: int) -> list[dict[str, Any]]:
        """One purchase with the outcome of the one before; returns what to write on the card."""
        number = next(self._numbers)
        at_ms = int(now().timestamp() * 1000)
        asked = DebitRequest(self._journal, number, deck.card(account), 1, at_ms, None, self._before)
        self._before = (OutcomeReport(self._journal, number, "written"),)
        answer = self._post(json.dumps(asked.to_json()).encode(), number, at_ms)
        if answer["refusal"] is not None:
            raise HttpFailed(answer["refusal"])
        writes: list[dict[str, Any]] = answer["writes"]
        return writes

    def send(self, body: bytes) -> dict[str, Any]:
        """Any message to ``target``; returns the verified answer."""
        return self._post(body, next(self._numbers), int(now().timestamp() * 1000))

    def _post(self, body: bytes, number: int, at_ms: int) -> dict[str, Any]:
        stamp = Stamp(self.terminal, 1, self._boot, number, at_ms, secrets.token_bytes(16))
        signature = sign_request(self._keys, Request("POST", self._host, self.target, body), stamp)
        head = (
            f"POST {self.target} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Authorization: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + body)
        status, headers, content = self._receive()
        if status != 200:
            raise HttpFailed(f"{status} {content[:200]!r}")
        verify_response(
            self._keys, headers[RESPONSE_HEADER.lower()], nonce=stamp.nonce, status=status, body=content
        )
        found: dict[str, Any] = json.loads(content)
        return found

    def _receive(self) -> tuple[int, dict[str, str], bytes]:
        """One answer: status, headers by their lower-case names, body. It mostly comes in one piece."""
        told = self._socket.recv(65536)
        while (end := told.find(b"\r\n\r\n")) < 0:
            told += self._more()
        first, *lines = told[:end].decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        begin, size = end + 4, int(headers["content-length"])
        while len(told) < begin + size:
            told += self._more()
        return int(first.split()[1]), headers, told[begin:]

    def _more(self) -> bytes:
        part = self._socket.recv(65536)
        if not part:
            raise HttpFailed("the server hung up")
        return part


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
