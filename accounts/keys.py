"""The secret keys of this room, as one object that is handed down.

Nothing below the interface reads settings.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass


class UnknownKey(Exception):
    """Data names a key id that is not in the ring (lost, or retired too early)."""


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """Key rings by id, the first being the current one, and the key of the blind indexes;

    all of at least 32 bytes. ``initial_x``: what stands for the X of an identity number in initial passwords; nothing
    is the guide's rule (L131), other schools have "0" or "1". It belongs to the installation for ever: with it the
    password of everybody changes who has not chosen one.
    """

    peppers: Mapping[int, bytes]
    field_keys: Mapping[int, bytes]
    index_key: bytes
    initial_x: str = ""

    def __repr__(self) -> str:
        return "Secrets(…)"

    @property
    def pepper_id(self) -> int:
        """Id of the pepper that new password hashes use."""
        return next(iter(self.peppers))

    @property
    def field_key_id(self) -> int:
        """Id of the key that seals new fields."""
        return next(iter(self.field_keys))

    def blind(self, purpose: str, text: str) -> bytes:
        """Derive a 32-byte index value from which the text cannot be found without the key."""
        return hmac.digest(
            self.index_key, f"{purpose}|{text}".encode("utf-8", "surrogatepass"), hashlib.sha256
        )
