"""The one place where this room meets settings and clock. For views and commands, never for services.

Every room above may use it, so all of them have the same clock and the same idea of who is calling.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from functools import cache
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from accounts import policies
from accounts.keys import Secrets
from accounts.options import Options
from accounts.policies import Shelf
from accounts.services.throttle import SHANGHAI
from purse.policy import Policy

_STARTED_S = time.monotonic()
_pretended: list[datetime] = []
_shelf = Shelf(policies.read)


@cache
def secrets() -> Secrets:
    """The keys of this installation, read once per process."""
    return Secrets(
        peppers=settings.PIN_PEPPERS,
        field_keys=settings.FIELD_KEYS,
        index_key=settings.INDEX_KEY,
        initial_x=settings.INITIAL_PIN_X,
    )


def now() -> datetime:
    """The present moment, aware.

    With ``ECARD_NOW`` (demo and tests) that moment, running on from process start.
    """
    if _pretended:
        return _pretended[-1]
    if settings.ECARD_NOW is None:
        return timezone.now()
    start: datetime = settings.ECARD_NOW
    if start.tzinfo is None:
        start = start.replace(tzinfo=SHANGHAI)
    return start + timedelta(seconds=time.monotonic() - _STARTED_S)


def pretend(moment: datetime | None) -> None:
    """Let this process's clock stand at a moment, or run again (None). For making the demo's past, nowhere else.

    Raises ``RuntimeError`` outside the demo.
    """
    if not settings.DEMO:
        raise RuntimeError("the clock of a real installation is not turned")
    _pretended[:] = [] if moment is None else [moment]


def policy() -> Policy:
    """The bounds in force at this moment.

    The changes are read every few seconds and process, never for a single sale; each takes effect at its very moment.
    """
    return _shelf.in_force(now(), monotonic_s=time.monotonic()).policy


def options() -> Options:
    """The university's fees, waiting times and words in force at this moment; read as ``policy`` is."""
    return _shelf.in_force(now(), monotonic_s=time.monotonic()).options


def widest_policy() -> Policy:
    """The bounds as wide as they ever were, for verifying what was done under them."""
    return policies.read().widest(until=now())


def forget_policy() -> None:
    """Read the changes anew at the next question: whoever has set a value sees it at once."""
    _shelf.forget()


def client_address(request: HttpRequest) -> str:
    """The address of whoever asks, as the outermost proxy of ours saw it.

    ``X-Forwarded-For`` is believed only as far as our own ``TRUSTED_PROXY_HOPS`` proxies wrote it; what
    stands before that was written by the caller (security.md section 4).
    """
    direct = str(request.META.get("REMOTE_ADDR") or "0.0.0.0")  # noqa: S104 - a Unix socket has no address
    hops = settings.TRUSTED_PROXY_HOPS or 0
    named = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if hops == 0 or len(named) < hops:
        return direct
    try:
        return str(ip_address(named[-hops]))
    except ValueError:
        return direct
