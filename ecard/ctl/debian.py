"""System packages that only the whole test run needs, installed where that is allowed, else named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ecard.ctl import environment


@dataclass(frozen=True)
class Part:
    """A part of the tests that needs something from the system.

    A package may be written ``this | that``: the first one that the system's archive has.
    """

    name: str
    packages: tuple[str, ...]
    is_there: Callable[[], bool]


def _has(*programs: str) -> bool:
    return all(shutil.which(program) for program in programs)


def _has_chinese_font() -> bool:
    listed = (
        subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True, check=False)
        if _has("fc-list")
        else None
    )
    return bool(listed and listed.stdout.strip())


def _has_virtual_reader() -> bool:
    return any(Path("/etc/reader.conf.d").glob("vpcd*")) and any(
        Path(folder, "pcscd").exists() for folder in ("/usr/sbin", "/usr/bin")
    )


BROWSERS = (
    "/usr/lib/chromium/chromium-headless-shell",
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
)
"""Best first: the shell draws the same pages without a frame around them, at a third of the processor's time."""


def browser() -> str | None:
    """The program that shows the screens to the tests."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


BROWSER = Part(
    "screens in a real browser", ("chromium-headless-shell | chromium",), lambda: browser() is not None
)
FONT = Part("Chinese text in screenshots", ("fontconfig", "fonts-wqy-microhei"), _has_chinese_font)
READER = Part("cards at a virtual PC/SC reader", ("pcscd", "vsmartcard-vpcd"), _has_virtual_reader)
LIBRARY = Part(
    "building the reader library",
    ("libpcsclite-dev", "gcc", "libc6-dev", "python3-dev", "pkg-config"),
    lambda: (
        _has("gcc", "pkg-config")
        and Path("/usr/include/PCSC/winscard.h").exists()
        and environment.has_headers()
    ),
)
PARTS = (BROWSER, FONT, READER, LIBRARY)


def install_missing() -> list[str]:
    """Install what is missing when we may.

    Returns:
        One sentence for each part that stays impossible: what is left out, and why.
    """
    missing = [part for part in PARTS if not part.is_there()]
    if not missing:
        return []
    packages = [package for part in missing for package in part.packages]
    reason = _install(packages)
    return [
        f"{part.name}: left out, {reason or 'still not found after installing'} ({' '.join(part.packages)})"
        for part in missing
        if not part.is_there()
    ]


def _install(packages: list[str]) -> str:
    """Run apt-get; return why it did not work, or an empty string."""
    if not _has("apt-get"):
        return "this is no Debian system"
    prefix = _privilege()
    if prefix is None:
        return "neither root nor passwordless sudo"
    print(f"ecardctl: installing Debian packages {' '.join(packages)} …", file=sys.stderr)
    return _apt(prefix, "update") or _apt(
        prefix, "install", "-y", "--no-install-recommends", *map(_first_known, packages)
    )


def _apt(prefix: list[str], *arguments: str) -> str:
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    done = subprocess.run([*apt, *arguments], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    return f"apt-get {arguments[0]} failed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}"


def _first_known(package: str) -> str:
    """Of ``this | that`` the first that the archive has, else the last."""
    names = package.split(" | ")
    known = (
        name
        for name in names
        if subprocess.run(["apt-cache", "show", name], capture_output=True, check=False).returncode == 0
    )
    return next(known, names[-1])


def _privilege() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    allowed = (
        _has("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    )
    return ["sudo", "-n"] if allowed else None
