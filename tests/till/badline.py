"""A piece of network between till and server that fails in every way a network can."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from enum import StrEnum


class Trouble(StrEnum):
    """What becomes of a connection."""

    NONE = "none"
    REFUSED = "refused"
    NO_CONNECTION = "black hole at connect"
    NO_TLS = "black hole in the handshake"
    MID_REQUEST = "black hole in the request"
    NO_ANSWER = "black hole after the request"
    MID_ANSWER = "black hole in the answer"
    DRIP = "an answer a byte at a time"
    RESET = "reset in the answer"


class BadLine:
    """Listens like a server and hands on to the real one, as the trouble of the moment allows."""

    def __init__(self, port: int) -> None:
        self.trouble = Trouble.NONE
        self.cut_after: tuple[str, int] | None = None
        """``request`` or ``answer``, and after how many of its bytes the line is cut."""
        self.cuts = 0
        """How many connections are still to be cut so."""
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._full = socket.socket()
        self._full.bind(("127.0.0.1", 0))
        self._full.listen(0)
        self._waiting = [socket.socket() for _ in range(4)]
        self._open: list[socket.socket] = []
        self._over = False
        self.port = self._listener.getsockname()[1]
        self.full_port = self._full.getsockname()[1]
        """A port whose queue is full: connecting to it never ends."""
        for one in self._waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self.full_port))
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, trouble: Trouble) -> None:
        """From now on this happens, to kept connections too."""
        self.trouble = trouble
        if trouble in (Trouble.REFUSED, Trouble.NO_CONNECTION):
            self._drop_all()

    def close(self) -> None:
        self._over = True
        self._drop_all()
        for one in (self._listener, self._full, *self._waiting):
            one.close()

    def _drop_all(self) -> None:
        while self._open:
            one = self._open.pop()
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while not self._over:
            try:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                return
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self.trouble is Trouble.REFUSED:
            client.close()
            return
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
            self._open.append(server)
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            self._back(client, server)

    def _ends(self, way: str, passed: int) -> bool:
        return bool(self.cuts and self.cut_after and self.cut_after[0] == way and passed > self.cut_after[1])

    def _part(self, client: socket.socket, server: socket.socket) -> None:
        self.cuts -= 1
        for one in (client, server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            passed = 0
            while data := client.recv(65536):
                if self._ends("request", passed + len(data)):
                    server.sendall(data[: self.cut_after[1] - passed])
                    self._part(client, server)
                    return
                passed += len(data)
                if self.trouble is Trouble.MID_REQUEST:
                    server.sendall(data[: len(data) // 2])
                    return
                server.sendall(data)

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        while data := server.recv(65536):
            if self._ends("answer", passed + len(data)):
                client.sendall(data[: self.cut_after[1] - passed])
                self._part(client, server)
                return
            passed += len(data)
            match self.trouble:
                case Trouble.NO_ANSWER | Trouble.NO_TLS | Trouble.MID_REQUEST:
                    return
                case Trouble.MID_ANSWER:
                    client.sendall(data[: len(data) // 2])
                    return
                case Trouble.RESET:
                    client.sendall(data[: len(data) // 2])
                    client.shutdown(socket.SHUT_RDWR)
                    return
                case Trouble.DRIP:
                    for place in range(len(data)):
                        client.sendall(data[place : place + 1])
                        time.sleep(0.05)
                case _:
                    client.sendall(data)
