"""The one place where the terminal API meets settings. Services get everything as arguments."""

from __future__ import annotations

from datetime import datetime
from functools import cache, partial

from django.conf import settings

from accounts.services.passwords import verify_consumption
from accounts.services.throttle import Source
from accounts.wiring import policy, secrets
from purse.keys import KeyBundle
from terminals.services.keyring import Keyring
from terminals.services.registry import Registry
from transactions.services.orders import BookContext

__all__ = ["book_for", "keyring", "policy", "registry"]


@cache
def keyring() -> Keyring:
    """The masters of this installation, read once per process."""
    version, master = next(iter(settings.CARD_MASTER.items()))
    return Keyring(masters=settings.TERMINAL_MASTER, card=KeyBundle.from_master(version, master))


@cache
def registry() -> Registry:
    """The list of terminals of this process."""
    return Registry()


def book_for(terminal: int, *, now: datetime) -> BookContext:
    """What the book needs for a tap at this terminal; passwords are counted against it as their source."""
    check = partial(verify_consumption, source=Source.pos(terminal), now=now, secrets=secrets())
    return BookContext(policy=policy(), keys=keyring().card, now=now, check_pin=check)
