"""How six digits are stored: ``pin2$<pepper id>$argon2id$…`` over HMAC-SHA256(pepper, kind | account | pin).

Six digits behind any hash fall in hours; what protects them is the pepper, which never enters the database.
Argon2id with 19 MiB, 2 passes, 1 lane (OWASP minimum); at most four at once per process, so that a flood
cannot eat the machine.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from accounts.keys import Secrets
from accounts.models import SecretKind

AT_ONCE = 4
WAIT_S = 2.0
_PREFIX = "pin2"
_hasher = PasswordHasher(
    time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)
_gate = BoundedSemaphore(AT_ONCE)


class Busy(Exception):
    """All places for verifying passwords were taken for two seconds;

    nothing was counted. Answer 503 and 可重试.
    """


@dataclass(frozen=True, slots=True)
class Verified:
    """The outcome of one comparison. ``stale``: right, but by an old pepper or setting, so hash it anew."""

    right: bool
    stale: bool = False


@contextmanager
def place_at_the_gate() -> Iterator[None]:
    """Hold one of the places for a comparison. Taken *before* a guess is counted. Raises ``Busy``."""
    if not _gate.acquire(timeout=WAIT_S):
        raise Busy
    try:
        yield
    finally:
        _gate.release()


def hash_pin(pin: str, *, kind: SecretKind, account_id: int, secrets: Secrets) -> str:
    """Make the text to store, with the current pepper and a fresh salt."""
    pepper_id = secrets.pepper_id
    digest = _digest(pin, kind=kind, account_id=account_id, pepper=secrets.peppers[pepper_id])
    return f"{_PREFIX}${pepper_id}{_hasher.hash(digest)}"


def verify_pin(
    stored: str | None, pin: str, *, kind: SecretKind, account_id: int, secrets: Secrets
) -> Verified:
    """Compare, always at the cost of one full hash.

    ``stored`` None (nobody there, no password set, or its pepper is gone) costs the same and is never right.
    """
    pepper_id, argon = _split(stored)
    pepper = secrets.peppers.get(pepper_id) if pepper_id is not None else None
    if pepper is None or argon is None:
        hash_pin(pin, kind=kind, account_id=account_id, secrets=secrets)
        return Verified(right=False)
    try:
        _hasher.verify(argon, _digest(pin, kind=kind, account_id=account_id, pepper=pepper))
    except (VerifyMismatchError, InvalidHashError):
        return Verified(right=False)
    stale = pepper_id != secrets.pepper_id or _hasher.check_needs_rehash(argon)
    return Verified(right=True, stale=stale)


def pepper_of(stored: str) -> int | None:
    """Say which pepper a stored hash needs, for finding what a rotation has left to do."""
    return _split(stored)[0]


def _digest(pin: str, *, kind: SecretKind, account_id: int, pepper: bytes) -> bytes:
    return hmac.digest(pepper, f"{SecretKind(kind).value}|{account_id}|{pin}".encode(), hashlib.sha256)


def _split(stored: str | None) -> tuple[int | None, str | None]:
    prefix, _, rest = (stored or "").partition("$")
    number, _, argon = rest.partition("$")
    if prefix != _PREFIX or not number.isdecimal():
        return None, None
    try:
        extract_parameters(f"${argon}")
    except InvalidHashError:
        return None, None
    return int(number), f"${argon}"
