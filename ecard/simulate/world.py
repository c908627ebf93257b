"""The simulated campus's clock, and its server: a real granian process that is started anew when days are skipped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection

from ecard import serving
from ecard.demo.stage import NotReady, free_port
from ecard.lifetime import bound

READY_S = 120.0
"""A loaded machine takes its time; a server that ends is noticed at once."""
STOP_S = 15.0
"""What the server runs; tests plant their bugs here."""


class World:
    """Time as everybody on the simulated campus has it: real seconds, and days that are skipped."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._began_s = time.monotonic()
        self._skipped_s = 0.0

    def now(self) -> datetime:
        """The present moment on campus, aware."""
        return self._start + timedelta(seconds=self.mono() - self._began_s)

    def now_ms(self) -> int:
        """The same as Unix milliseconds."""
        return int(self.now().timestamp() * 1000)

    def mono(self) -> float:
        """Seconds that only go up, as a till counts them."""
        return time.monotonic() + self._skipped_s

    def skip(self, span: timedelta) -> None:
        """Let time pass in which nothing happens. The server must be told: ``Server.restart``."""
        self._skipped_s += span.total_seconds()


class Server:
    """The site on the present database, at the campus's time (``ECARD_NOW``), always at one port; it logs to a file."""

    def __init__(self, world: World, log: Path) -> None:
        self._world = world
        self._log = log
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the tills find it."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it answers. Raises ``NotReady``."""
        command = [sys.executable, "-m", *serving.command(self.port)]
        environment = os.environ | {
            "DATABASE_URL": database_url(),
            "SITE_URL": self.url,
            "ECARD_NOW": self._world.now().isoformat(),
            "LOG_LEVEL": "WARNING",
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                bound(command),
                env=environment,
                cwd=settings.BASE_DIR,
                start_new_session=True,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=2):  # noqa: S310 - our own address
                    return
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                time.sleep(0.1)
        raise NotReady("the server did not start")

    def stop(self, *, kill: bool = False) -> None:
        """End it: properly, or as a power cut would, in the middle of whatever it does."""
        process, self._process = self._process, None
        if process is None:
            return
        if kill:
            _kill_all(process)
        else:
            process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            _kill_all(process)
            process.wait(STOP_S)

    def restart(self, *, kill: bool = False) -> None:
        """Stop and start with the campus's present time."""
        self.stop(kill=kill)
        _wait_until_free(self.port)
        self.start()


def database_url() -> str:
    """The present database of this process as a URL for a server's own process."""
    found = connection.settings_dict
    host = str(found["HOST"]).replace("/", "%2F")
    password = f":{found['PASSWORD']}" if found["PASSWORD"] else ""
    port = f":{found['PORT']}" if found["PORT"] else ""
    return f"postgresql://{found['USER']}{password}@{host}{port}/{found['NAME']}"


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    """The server with its workers; it leads a session of its own."""
    os.killpg(process.pid, 9)


def _wait_until_free(port: int) -> None:
    """Workers of a killed server may hold the port for a moment."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                time.sleep(0.1)
            else:
                return
    raise NotReady(f"port {port} stays in use")
