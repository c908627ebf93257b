"""Card keys: one master per university, one key per role, one diversified key per card and sector (NXP AN10922).

A holder of a ``KeyBundle`` can do exactly what its roles say: an online till writes SPEND sectors and has no MAC key
at all; only desks and kiosks hold LOAD. The server's bundle has every role.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from purse.link import KEY_BYTES

MASTER_BYTES = 32
ROLE_KEY_BYTES = 16
MAC_BYTES = 4
_SYSTEM = b"ECARD/1"


class Role(StrEnum):
    """What a key is for. The first four open sectors, the last three sign their content."""

    READ = "read"
    SPEND = "spend"
    LOAD = "load"
    CENTER = "center"
    MAC_IDENT = "mac-ident"
    MAC_SPEND = "mac-spend"
    MAC_LOAD = "mac-load"


ONLINE_TILL = frozenset({Role.READ, Role.SPEND})
OFFLINE_TILL = ONLINE_TILL | {Role.MAC_IDENT, Role.MAC_SPEND, Role.MAC_LOAD}
"""Selling without the server takes checking and signing slots; such a till still cannot write LOAD sectors."""
DESK = frozenset({Role.READ, Role.SPEND, Role.LOAD, Role.CENTER})


class KeyMissing(LookupError):
    """This bundle does not hold the key of that role; the caller asked for something it may not do."""


@dataclass(frozen=True, slots=True)
class KeyBundle:
    """The role keys that one party holds. ``repr`` never shows a key."""

    version: int
    keys: Mapping[Role, bytes] = field(repr=False)

    @classmethod
    def from_master(cls, version: int, master: bytes) -> KeyBundle:
        """Derive every role key from the 32-byte card master (HKDF-SHA256, RFC 5869)."""
        if len(master) != MASTER_BYTES:
            raise ValueError(f"a card master is {MASTER_BYTES} bytes, not {len(master)}")
        return cls(version, {role: _role_key(master, role) for role in Role})

    def only(self, roles: Iterable[Role]) -> KeyBundle:
        """A smaller bundle to hand to a terminal."""
        return KeyBundle(self.version, {role: self._key(role) for role in roles})

    def holds(self, role: Role) -> bool:
        """Say whether this party may do what ``role`` stands for."""
        return role in self.keys

    def with_sector_key(self, uid: bytes, sector: int, role: Role, key: bytes) -> LentBundle:
        """This bundle plus the sector key of ONE card, as unsealed from a signed answer (tap-protocol.md)."""
        return LentBundle(self.version, self.keys, lent=((uid, sector, role, key),))

    def sector_key(self, uid: bytes, sector: int, role: Role) -> bytes:
        """The 6-byte key of this card's sector for this role. Raises ``KeyMissing``."""
        return diversify(self._key(role), uid, sector, role)[:KEY_BYTES]

    def mac(self, uid: bytes, account_no: int, block: int, data: bytes, role: Role) -> bytes:
        """The 4-byte CMAC of a block's first twelve bytes: bound to card, account and place (NIST SP 800-38B)."""
        key = diversify(self._key(role), uid, 0, role)
        return aes_cmac(key, uid + account_no.to_bytes(4, "little") + bytes([block]) + data)[:MAC_BYTES]

    def mac_matches(self, uid: bytes, account_no: int, block: int, image: bytes, role: Role) -> bool:
        """Say whether a 16-byte block carries its right MAC."""
        data, mac = image[:-MAC_BYTES], image[-MAC_BYTES:]
        return compare_digest(self.mac(uid, account_no, block, data, role), mac)

    def to_json(self) -> dict[str, object]:
        """For the sealed part of an enrolment answer: ``{"version": 1, "keys": {"read": hex32, …}}``."""
        return {"version": self.version, "keys": {role.value: key.hex() for role, key in self.keys.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> KeyBundle:
        """Inverse of ``to_json``. Raises ``ValueError`` for anything else."""
        version, keys = data.get("version"), data.get("keys")
        if not isinstance(version, int) or not isinstance(keys, Mapping):
            raise ValueError("not a key bundle")  # noqa: TRY004 - it is the content that is wrong
        return cls(version, {Role(name): bytes.fromhex(str(text)) for name, text in keys.items()})

    def _key(self, role: Role) -> bytes:
        try:
            return self.keys[role]
        except KeyError:
            raise KeyMissing(role.value) from None


@dataclass(frozen=True, slots=True)
class LentBundle(KeyBundle):
    """A till's bundle with the LOAD key of the one card in the field, for one write."""

    lent: tuple[tuple[bytes, int, Role, bytes], ...] = field(default=(), repr=False)

    def sector_key(self, uid: bytes, sector: int, role: Role) -> bytes:
        """The lent key where card, sector and role are the ones it was lent for, else the bundle's own."""
        for lent_uid, lent_sector, lent_role, key in self.lent:
            if (lent_uid, lent_sector, lent_role) == (uid, sector, role):
                return key
        return KeyBundle.sector_key(self, uid, sector, role)


def aes_cmac(key: bytes, message: bytes) -> bytes:
    """AES-CMAC (NIST SP 800-38B), 16 bytes."""
    mac = _keyed(key).copy()
    mac.update(message)
    return mac.finalize()


@lru_cache(maxsize=8192)
def _keyed(key: bytes) -> CMAC:
    """A CMAC of this key that has seen nothing yet: a copy takes a fifth of the time that a new one does."""
    return CMAC(AES(key))


def an10922(key: bytes, diversification: bytes) -> bytes:
    """Diversify a 128-bit AES key as NXP AN10922 section 2.2 says: CMAC over ``01`` and 16 to 31 bytes of input.

    Shorter input would need the application note's own padding to 32 bytes; we always feed enough, so plain CMAC is it.
    """
    if not 16 <= len(diversification) <= 31:
        raise ValueError("diversification input is 16 to 31 bytes here")
    return aes_cmac(key, b"\x01" + diversification)


@lru_cache(maxsize=65536)
def diversify(key: bytes, uid: bytes, sector: int, role: Role) -> bytes:
    """The 16-byte key of one card, sector and role. Cached: a lunch queue meets the same cards every day."""
    label = role.value.encode().ljust(9, b"\0")
    return an10922(key, uid.ljust(7, b"\0") + bytes([sector]) + label + _SYSTEM)


def _role_key(master: bytes, role: Role) -> bytes:
    info = b"ecard/card/v1/" + role.value.encode()
    return HKDF(algorithm=SHA256(), length=ROLE_KEY_BYTES, salt=None, info=info).derive(master)
