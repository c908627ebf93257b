"""Files that only the holder of a private key can read, written and read as a stream.

A fresh X25519 key for each file, HKDF-SHA256, then AES-256-GCM over chunks of a mebibyte. The nonce counts the chunks
and marks the last one (the STREAM construction), so a file that was cut, reordered or changed does not open.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import IO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC: Final = b"ecard sealed 1\n"
CHUNK: Final = 1 << 20
_TAG: Final = 16
_KEY: Final = 32
_PUBLIC, _PRIVATE = "x25519:", "x25519-private:"


class NotAKey(Exception):
    """The text is not a key of ours; it is not repeated here."""


class Unreadable(Exception):
    """The file was cut or changed, or was sealed for somebody else."""


def new_pair() -> tuple[str, str]:
    """A private key and its public half, as the two texts that people keep."""
    private = X25519PrivateKey.from_private_bytes(secrets.token_bytes(_KEY))
    return f"{_PRIVATE}{private.private_bytes_raw().hex()}", _told(private.public_key())


def public_key(text: str) -> bytes:
    """The 32 bytes of ``x25519:hex``. Raises ``NotAKey``."""
    return _raw(text, _PUBLIC)


def private_key(text: str) -> bytes:
    """The 32 bytes of ``x25519-private:hex``. Raises ``NotAKey``."""
    return _raw(text, _PRIVATE)


class Sealer:
    """Takes plain bytes and writes sealed ones. Without ``close`` the file has no end and does not open."""

    def __init__(self, file: IO[bytes], recipient: bytes) -> None:
        own = X25519PrivateKey.generate()
        public = own.public_key().public_bytes_raw()
        shared = own.exchange(X25519PublicKey.from_public_bytes(recipient))
        self._file, self._cipher = file, _cipher(shared, public, recipient)
        self._held, self._chunks = bytearray(), 0
        file.write(MAGIC + public)

    def write(self, data: bytes) -> None:
        """Seal what fills a chunk; the rest waits."""
        self._held += data
        while len(self._held) > CHUNK:
            self._put(bytes(self._held[:CHUNK]), last=False)
            del self._held[:CHUNK]

    def close(self) -> None:
        """Seal the last chunk. The file below stays open."""
        self._put(bytes(self._held), last=True)

    def _put(self, chunk: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._chunks, last=last), chunk, MAGIC))
        self._chunks += 1


def opened(file: IO[bytes], private: bytes) -> Iterator[bytes]:
    """The plain bytes, a chunk at a time. Raises ``Unreadable``; what came before it was genuine, but is not all."""
    own = X25519PrivateKey.from_private_bytes(private)
    head = file.read(len(MAGIC) + _KEY)
    if len(head) < len(MAGIC) + _KEY or not head.startswith(MAGIC):
        raise Unreadable("not a sealed file")
    public = head[len(MAGIC) :]
    shared = own.exchange(X25519PublicKey.from_public_bytes(public))
    cipher = _cipher(shared, public, own.public_key().public_bytes_raw())
    number, chunk = 0, file.read(CHUNK + _TAG)
    while True:
        after = file.read(CHUNK + _TAG)
        try:
            yield cipher.decrypt(_nonce(number, last=not after), chunk, MAGIC)
        except InvalidTag:
            raise Unreadable("cut, changed, or sealed for another key") from None
        if not after:
            return
        number, chunk = number + 1, after


def _cipher(shared: bytes, sender: bytes, recipient: bytes) -> AESGCM:
    kdf = HKDF(SHA256(), length=_KEY, salt=sender + recipient, info=b"ecard/backup/v1")
    return AESGCM(kdf.derive(shared))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _told(key: X25519PublicKey) -> str:
    return f"{_PUBLIC}{key.public_bytes_raw().hex()}"


def _raw(text: str, prefix: str) -> bytes:
    found = text.strip()
    try:
        key = bytes.fromhex(found.removeprefix(prefix))
    except ValueError:
        key = b""
    if not found.startswith(prefix) or len(key) != _KEY:
        raise NotAKey(f"a key looks like {prefix} and 64 hexadecimal digits")
    return key
