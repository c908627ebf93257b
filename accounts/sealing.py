"""Sealed fields: AES-256-GCM with a random nonce, bound to table, column and row.

Layout: version 1 byte, key id 2 bytes (big-endian), nonce 12, ciphertext and tag. The row's uid is part of
the authenticated data, so a value copied to another row or column does not open there.
"""

from __future__ import annotations

import secrets as random
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from accounts.keys import Secrets, UnknownKey

_HEAD = struct.Struct(">BH")
_VERSION = 1
_NONCE_BYTES = 12
_TAG_BYTES = 16


class SealBroken(Exception):
    """A sealed value was changed, cut or moved to another row or column."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value lives."""

    table: str
    column: str
    row: object

    def aad(self) -> bytes:
        return f"{self.table}|{self.column}|{self.row}".encode()


def seal(text: str, place: Place, secrets: Secrets) -> bytes:
    """Encrypt ``text`` for this place with the current field key."""
    return seal_bytes(text.encode(), place, secrets)


def seal_bytes(data: bytes, place: Place, secrets: Secrets) -> bytes:
    """The same for what is not text."""
    head = _HEAD.pack(_VERSION, secrets.field_key_id)
    nonce = random.token_bytes(_NONCE_BYTES)
    cipher = AESGCM(secrets.field_keys[secrets.field_key_id])
    return head + nonce + cipher.encrypt(nonce, data, head + place.aad())


def unseal(sealed: bytes, place: Place, secrets: Secrets) -> str:
    """Decrypt a value of this place. Raises ``SealBroken`` or ``UnknownKey``."""
    return unseal_bytes(sealed, place, secrets).decode()


def unseal_bytes(sealed: bytes, place: Place, secrets: Secrets) -> bytes:
    """The same for what is not text."""
    if len(sealed) < _HEAD.size + _NONCE_BYTES + _TAG_BYTES:
        raise SealBroken(f"{place.table}.{place.column}: too short")
    head, nonce = sealed[: _HEAD.size], sealed[_HEAD.size : _HEAD.size + _NONCE_BYTES]
    version, key_id = _HEAD.unpack(head)
    if version != _VERSION:
        raise SealBroken(f"{place.table}.{place.column}: unknown version {version}")
    if key_id not in secrets.field_keys:
        raise UnknownKey(f"field key {key_id} is not in the ring")
    try:
        return AESGCM(secrets.field_keys[key_id]).decrypt(
            nonce, sealed[_HEAD.size + _NONCE_BYTES :], head + place.aad()
        )
    except InvalidTag:
        raise SealBroken(f"{place.table}.{place.column} of row {place.row}") from None


def sealed_with(sealed: bytes) -> int:
    """Say which field key sealed a value, for finding what a rotation has left to do."""
    key_id: int = _HEAD.unpack(sealed[: _HEAD.size])[1]
    return key_id
