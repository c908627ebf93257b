"""The secrets of a demo or test machine: random, made at first use, in `var/`, never in the repository."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

RINGS = ("PIN_PEPPERS", "FIELD_KEYS", "TERMINAL_MASTER", "CARD_MASTER", "DAY_KEYS")
SINGLE = ("INDEX_KEY", "AUDIT_KEY")


def demo_settings(path: Path) -> dict[str, str]:
    """Read the demo settings from `path` (mode 0600), adding at random what this release needs and it lacks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        lines = file.read().splitlines()
        known = {line.partition("=")[0] for line in lines}
        new = [f"{name}={value}" for name, value in _generate().items() if name not in known]
        if new:
            file.write("\n".join(new) + "\n")
            lines += new
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _generate() -> dict[str, str]:
    settings = {"ECARD_DEMO": "1", "TRUSTED_PROXY_HOPS": "0", "SECRET_KEY": secrets.token_urlsafe(64)}
    settings |= {name: f"1:{secrets.token_hex(32)}" for name in RINGS}
    settings |= {name: secrets.token_hex(32) for name in SINGLE}
    return settings
