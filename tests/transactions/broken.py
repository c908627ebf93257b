"""Ways to break the wire to PostgreSQL: a proxy that cuts at a message, a backend that dies at a statement."""

from __future__ import annotations

import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from django.db import DatabaseError, connection

from transactions import ledger

_TERMINATE = b"X\0\0\0\4"


class Proxy:
    """Stands between the client and the server's Unix socket, and cuts both sides at a chosen client message.

    ``arm(n, after)``: the n-th message from now is the last; not forwarded, or forwarded and its effect awaited.
    """

    def __init__(self, server: str, folder: Path) -> None:
        self.folder = folder
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self._cut: tuple[int, bool] | None = None
        self._silent: set[socket.socket] = set()
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.seen = 0
        self.cuts = 0
        self._accepting = self._run(self._accept)

    def arm(self, number: int | None, *, after: bool = False) -> None:
        self._cut, self.seen = (None if number is None else (number, after)), 0

    def close(self) -> None:
        _shut(self._listener)
        self._accepting.join(5)
        _shut(*self._ends)
        for thread in self._threads:
            thread.join(5)
        for end in (self._listener, *self._ends):
            end.close()

    def _run(self, act: Callable[..., None], *ends: socket.socket) -> threading.Thread:
        thread = threading.Thread(target=act, args=ends, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            self._ends += [client, server]
            self._run(self._answers, server, client)
            self._run(self._questions, client, server)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        try:
            while data := server.recv(65536):
                if server not in self._silent:
                    client.sendall(data)
        except OSError:
            pass
        _shut(server, client)

    def _questions(self, client: socket.socket, server: socket.socket) -> None:
        try:
            server.sendall(_startup(client))
            while message := _message(client):
                if self._is_last():
                    self._end(message, server)
                    break
                server.sendall(message)
        except OSError:
            pass
        if server not in self._silent:
            _shut(client, server)

    def _is_last(self) -> bool:
        number, self.seen = self.seen, self.seen + 1
        return self._cut is not None and number == self._cut[0]

    def _end(self, message: bytes, server: socket.socket) -> None:
        """Answers reach nobody any more; the client sees the end when the backend has done what it was told."""
        assert self._cut is not None
        after, self._cut = self._cut[1], None
        self.cuts += 1
        self._silent.add(server)
        if after:
            server.sendall(message)
        server.sendall(_TERMINATE)


def _startup(client: socket.socket) -> bytes:
    head = _exactly(client, 4)
    return head + _exactly(client, struct.unpack("!I", head)[0] - 4)


def _message(client: socket.socket) -> bytes:
    head = _exactly(client, 5)
    return head + _exactly(client, struct.unpack("!I", head[1:])[0] - 4) if head else b""


def _exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = client.recv(count - len(data))
        if not more:
            return b""
        data += more
    return data


def _shut(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied() -> Iterator[Proxy]:
    """Lead this thread's Django connection through a proxy."""
    settings = connection.settings_dict
    before = settings["HOST"], settings["PORT"]
    params = connection.get_connection_params()
    host, port = params.get("host") or before[0], params.get("port") or before[1] or 5432
    with tempfile.TemporaryDirectory(prefix="cut-") as folder:
        proxy = Proxy(str(Path(host) / f".s.PGSQL.{port}"), Path(folder))
        connection.close()
        settings["HOST"], settings["PORT"] = folder, "5432"
        try:
            yield proxy
        finally:
            connection.close()
            settings["HOST"], settings["PORT"] = before
            proxy.close()


class Killer:
    """Counts the statements of this thread, COMMIT included, and ends the backend before or after one of them."""

    def __init__(self) -> None:
        self.seen = 0
        self._at: tuple[int, bool] | None = None
        self._side = psycopg.connect(**connection.get_connection_params(), autocommit=True)

    def arm(self, number: int | None, *, after: bool = False) -> None:
        self._at, self.seen = (None if number is None else (number, after)), 0

    def around(self, act: Callable[[], object]) -> object:
        number, self.seen = self.seen, self.seen + 1
        due = self._at is not None and self._at[0] == number
        if due and not self._at[1]:
            self._kill()
        result = act()
        if due and self._at[1]:
            self._kill()
        return result

    def _kill(self) -> None:
        connection.ensure_connection()
        pid = connection.connection.info.backend_pid
        self._side.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    def close(self) -> None:
        self._side.close()


@contextmanager
def killing(monkeypatch) -> Iterator[Killer]:
    """Every statement of the ledger, of the ORM, and every COMMIT passes a killer."""
    killer = Killer()
    fetch, commit = ledger.statement.fetch, connection._commit
    with (
        monkeypatch.context() as patch,
        connection.execute_wrapper(lambda execute, *args: killer.around(lambda: execute(*args))),
    ):
        patch.setattr(ledger.statement, "fetch", lambda *args: killer.around(lambda: fetch(*args)))
        patch.setattr(connection, "_commit", lambda: killer.around(commit))
        yield killer
    killer.close()


def quietly(act: Callable[[], object], *errors: type[Exception]) -> object | None:
    """Do it; a broken wire is expected, and the connection is then thrown away, as Django does at a request's end."""
    try:
        return act()
    except (DatabaseError, *errors):
        connection.close()
        return None
