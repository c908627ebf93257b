"""A real pcscd with vpcd readers for the tests: own socket, loopback only, no rights needed, several side by side."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

SHIM = Path(__file__).with_name("pcscd_shim.c")
SLOTS = 2
"""Every vpcd reader has two slots, on two neighbouring ports; PC/SC shows each as a reader of its own."""


def missing() -> str | None:
    """Say what this machine lacks for a PC/SC stack without hardware, or None."""
    if not pcscd_path():
        return "pcscd is not installed"
    if not driver():
        return "the vpcd driver is not installed (vsmartcard-vpcd)"
    if not shutil.which("gcc"):
        return "gcc is not installed"
    try:
        import smartcard.scard  # noqa: F401 - only whether it can be imported
    except ImportError as error:
        return f"pyscard cannot be imported: {error}"
    return None


def pcscd_path() -> str | None:
    return shutil.which("pcscd") or shutil.which("pcscd", path="/usr/sbin:/usr/local/sbin")


@cache
def polkit_off() -> list[str]:
    """The option of pcscd 2 without which only a seated user may reach it; version 1.9 has neither."""
    usage = subprocess.run([str(pcscd_path()), "--help"], capture_output=True, text=True, check=False)
    return ["--disable-polkit"] if "--disable-polkit" in usage.stdout + usage.stderr else []


@cache
def driver() -> Path | None:
    places = sorted(Path("/usr/lib/pcsc").glob("drivers/serial/libifdvpcd.so"))
    return places[0] if places else None


class Pcscd:
    """One daemon with some vpcd readers. Its folder holds the configuration, the socket, the log and the shim."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "run" / "pcscd.comm"
        self.readers: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._shim = folder / "shim.so"
        (folder / "config").mkdir(parents=True)
        (folder / "run").mkdir()
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", self._shim, SHIM, "-ldl"], check=True)

    def add_reader(self, name: str) -> int:
        """Plug a vpcd reader in (seen at the next start); return the port of its first slot."""
        self.readers[name] = self.readers.get(name) or neighbouring_ports()
        port = self.readers[name]
        lines = [
            f'FRIENDLYNAME "{name}"',
            f"DEVICENAME /dev/null:{port:#x}",
            f"LIBPATH {driver()}",
            f"CHANNELID {port:#x}",
        ]
        self._entry(name).write_text("\n".join(lines) + "\n", encoding="ascii")
        return port

    def _entry(self, name: str) -> Path:
        return self.folder / "config" / name.replace(" ", "-")

    def start(self) -> None:
        """Start and wait until it listens."""
        self.socket.unlink(missing_ok=True)
        environment = os.environ | {"LD_PRELOAD": str(self._shim), "PCSCD_RUN": str(self.folder / "run")}
        command = [str(pcscd_path()), "--foreground", "--info", "--config", str(self.folder / "config")]
        command += polkit_off()
        with (self.folder / "pcscd.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        until(lambda: self.socket.exists() or self._process.poll() is not None)
        if not self.socket.exists():
            raise RuntimeError((self.folder / "pcscd.log").read_text(errors="replace"))

    def ensure_running(self) -> None:
        """Start if stopped, go on if frozen."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        self.freeze(False)

    def replug(self, name: str, plugged: bool) -> None:
        """Pull a reader's cable or put it back. A vpcd reader comes and goes only with a new start of the daemon."""
        self.stop()
        if plugged:
            self.add_reader(name)
        else:
            self._entry(name).unlink()
        self.start()

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the daemon; by default as a crash does, because an orderly end takes it three seconds."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=20)
            self._process = None

    def freeze(self, frozen: bool) -> None:
        """Let the daemon hang without ending, or go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)
        until(lambda: self._stopped() == frozen)

    def _stopped(self) -> bool:
        assert self._process is not None
        about = Path(f"/proc/{self._process.pid}/stat").read_text()
        return about.rpartition(")")[2].split()[0] == "T"

    def listeners(self) -> set[str]:
        """The addresses on which the vpcd ports listen, from /proc/net/tcp."""
        ours = {f"{port + slot:04X}" for port in self.readers.values() for slot in range(SLOTS)}
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        local = [line.split()[1].split(":") for line in lines if line.split()[3] == "0A"]
        return {socket.inet_ntoa(bytes.fromhex(host)[::-1]) for host, port in local if port in ours}


def neighbouring_ports() -> int:
    """Return a free port whose successor is free as well."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def until(reached: Callable[[], object], seconds: float = 15.0) -> bool:
    """Wait until something is so; say whether it became so in time."""
    deadline = time.monotonic() + seconds
    while not (result := bool(reached())) and time.monotonic() < deadline:
        time.sleep(0.02)
    return result
