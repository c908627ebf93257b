"""The demo's moving parts: the web server, one enrolled till, and the minute's chores, all ended together."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from accounts.actors import Actor
from accounts.services.onerun import AlreadyRunning
from accounts.wiring import now
from ecard import serving
from ecard.demo.places import DESK_NAME
from ecard.lifetime import bound
from portal import alertjob
from terminals.models import Terminal
from terminals.services import enrolment, hotlist

READY_S = 30.0
CHORES_EVERY_S = 20.0
TILL_NAME = "示范一餐厅01号机"
_STOP_S = 10.0


class NotReady(Exception):
    """A part of the demo did not come up; ``str`` says which and what it printed."""


class Stage:
    """The server's address, the folder of cards and the till's configuration."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.cards = folder / "wallet"
        self.till_config = folder / "till.json"
        self.desk_config = folder / "desk.json"
        self._children: list[subprocess.Popen[bytes]] = []
        self._over = threading.Event()

    @property
    def url(self) -> str:
        """Where the site is."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def open(self) -> Iterator[Stage]:
        """Run server and chores inside the block; whatever was started is ended with it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._serve()
            threading.Thread(target=self._chores, daemon=True).start()
            yield self
        finally:
            self._over.set()
            for child in reversed(self._children):
                child.terminate()
            for child in self._children:
                _end(child)

    def till_command(self, *arguments: str) -> list[str]:
        """The command line of the demo's till."""
        return self._device("till", self.till_config, arguments)

    def desk_command(self, *arguments: str) -> list[str]:
        """The command line of the desk's program, whose reader the counter pages use."""
        return self._device("desk", self.desk_config, arguments)

    def enrol_till(self) -> None:
        """Give the till its keys the way an administrator would: a one-time code, typed once."""
        self._enrol(TILL_NAME, self.till_config, self.till_command)

    def enrol_desk(self) -> bool:
        """The same for the desk. False on a campus that was seeded before there was one."""
        if not Terminal.objects.filter(name_zh=DESK_NAME).exists():
            return False
        self._enrol(DESK_NAME, self.desk_config, self.desk_command)
        return True

    def _device(self, kind: str, config: Path, arguments: tuple[str, ...]) -> list[str]:
        return [
            *(sys.executable, "-m", "terminals.device", kind, "--server", self.url),
            *("--config", str(config), "--reader", f"sim:{self.cards}", *arguments),
        ]

    def _enrol(self, name: str, config: Path, command: Callable[..., list[str]]) -> None:
        if config.exists():
            return
        terminal = Terminal.objects.get(name_zh=name)
        issued = enrolment.issue_code(terminal.pk, actor=Actor.system("demo"), now=now())
        done = subprocess.run(
            command("--enrol", issued.code), capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode != 0:
            raise NotReady(f"{name}: {done.stderr.strip()}")

    def start(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a further part."""
        child = subprocess.Popen(bound(command), start_new_session=True)
        self._children.append(child)
        return child

    def watch(self) -> None:
        """Return when any part has ended."""
        while all(child.poll() is None for child in self._children):
            time.sleep(0.5)

    def _serve(self) -> None:
        command = [sys.executable, "-m", *serving.command(self.port, workers=1, threads=8)]
        settings.SITE_URL = self.url  # the letters of the chores lead to where the server is
        environment = os.environ | {"SITE_URL": self.url}
        server = subprocess.Popen(
            bound(command), start_new_session=True, env=environment, cwd=settings.BASE_DIR, stdout=sys.stderr
        )
        self._children.append(server)
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and server.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:  # noqa: S310 - our own address
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                time.sleep(0.1)
        raise NotReady(f"the site did not answer at {self.url} (is the port taken? try --port)")

    def _chores(self) -> None:
        """What cron does in operation: keep the hotlist in step with loss reports and freezes, send alerts."""
        while not self._over.is_set():
            hotlist.sync_hotlist(now=now())
            with suppress(AlreadyRunning):
                alertjob.run()
            self._over.wait(CHORES_EVERY_S)


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
