"""Signatures between terminal and server: who speaks, that nothing was changed and nothing is said twice.

Pure functions over bytes; docs/terminal-protocol.md spells the signed text byte by byte, with a test vector.
The server derives every key from its master, so no terminal secret is ever stored there.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from terminals.messages.strictjson import dumps, loads

SCHEME: Final = "ECARD-HMAC-SHA256"
REQUEST_HEADER: Final = "Authorization"
RESPONSE_HEADER: Final = "Ecard-Response"
SECRET_BYTES: Final = 32
NONCE_BYTES: Final = 16
SEAL_NONCE_BYTES: Final = 12
NO_RECORD_MAC: Final = "0" * 64
"""``prev_mac`` of the first record of a journal."""

_LABEL = b"ecard/terminal/v1"
_PARTNER_LABEL = b"ecard/partner/v1"
_VERSION = b"1"
_NUMBER = r"(0|[1-9][0-9]{0,15})"
_AUTHORIZATION = re.compile(
    rf"{SCHEME} terminal={_NUMBER},epoch={_NUMBER},boot={_NUMBER},seq={_NUMBER},at={_NUMBER},"
    r"nonce=([0-9a-f]{32}),mac=([0-9a-f]{64})"
)
_PARTNER = re.compile(
    rf"{SCHEME} key={_NUMBER},epoch={_NUMBER},at={_NUMBER},nonce=([0-9a-f]{{32}}),mac=([0-9a-f]{{64}})"
)
_RESPONSE = re.compile(rf"at={_NUMBER},mac=([0-9a-f]{{64}})")


class SignatureError(ValueError):
    """The signature is missing, malformed or wrong. Says nothing about which part was wrong."""


@dataclass(frozen=True, slots=True)
class TerminalKeys:
    """The five keys of one terminal and epoch, 32 bytes each. ``repr`` shows none of them.

    ``req`` and ``resp`` sign the two directions, ``jrnl`` journal records, ``hot`` the hotlist that the
    terminal keeps, ``seal`` hides card keys that are lent for one write.
    """

    req: bytes = field(repr=False)
    resp: bytes = field(repr=False)
    jrnl: bytes = field(repr=False)
    hot: bytes = field(repr=False)
    seal: bytes = field(repr=False)

    @classmethod
    def derive(cls, master: bytes, terminal: int, epoch: int) -> TerminalKeys:
        """The server's way: from the master of that epoch."""
        return cls.from_secret(terminal_secret(master, terminal, epoch))

    @classmethod
    def from_secret(cls, secret: bytes) -> TerminalKeys:
        """The terminal's way: from the secret that enrolment gave it."""
        return _keys(secret)


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, as both sides see it. ``host`` is the Host header, ``target`` the path with its query."""

    method: str
    host: str
    target: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who sends, and why this request can never be taken for another one.

    ``boot`` grows with every start of the terminal and ``seq`` with every request of one boot, so (boot, seq)
    only ever goes up. ``at_ms`` is the terminal's clock in Unix milliseconds, ``nonce`` 16 random bytes.
    """

    terminal: int
    epoch: int
    boot: int
    seq: int
    at_ms: int
    nonce: bytes


@dataclass(frozen=True, slots=True)
class PartnerStamp:
    """Which key of another system asks, and when. It may ask from many processes at once, so nothing counts up here:
    the nonce alone (16 random bytes) makes the question a new one.
    """

    partner: int
    epoch: int
    at_ms: int
    nonce: bytes


def partner_secret(master: bytes, partner: int, epoch: int) -> bytes:
    """The secret of another system's key, 32 bytes: as ``terminal_secret`` under a label of its own."""
    return _expand(master, _PARTNER_LABEL + partner.to_bytes(4, "big") + epoch.to_bytes(4, "big"))


def terminal_secret(master: bytes, terminal: int, epoch: int) -> bytes:
    """``K_term``, 32 bytes: HKDF-SHA256 (RFC 5869) of the master for this terminal and epoch."""
    return _expand(master, _LABEL + terminal.to_bytes(4, "big") + epoch.to_bytes(4, "big"))


def next_boot(last: int, at_ms: int) -> int:
    """The boot number of a terminal that starts now: above every earlier one, whatever its clock says."""
    return max(last + 1, at_ms)


def sign_request(keys: TerminalKeys, request: Request, stamp: Stamp) -> str:
    """The value of the ``Authorization`` header."""
    mac = _request_mac(keys, request, stamp).hex()
    return (
        f"{SCHEME} terminal={stamp.terminal},epoch={stamp.epoch},boot={stamp.boot},seq={stamp.seq},"
        f"at={stamp.at_ms},nonce={stamp.nonce.hex()},mac={mac}"
    )


def parse_authorization(header: str) -> tuple[Stamp, bytes]:
    """The stamp that a request *claims*, and its MAC. Raises ``SignatureError`` for any other form."""
    found = _AUTHORIZATION.fullmatch(header)
    if found is None:
        raise SignatureError("no signature of this scheme")
    terminal, epoch, boot, seq, at_ms = (int(number) for number in found.groups()[:5])
    if terminal >= 2**32 or epoch >= 2**32 or max(boot, seq, at_ms) >= 2**53:
        raise SignatureError("a number is out of range")
    return Stamp(terminal, epoch, boot, seq, at_ms, bytes.fromhex(found[6])), bytes.fromhex(found[7])


def verify_request(keys: TerminalKeys, request: Request, stamp: Stamp, mac: bytes) -> None:
    """Check the MAC. Raises ``SignatureError``; clock, replay and rights are for the caller to check."""
    if not hmac.compare_digest(_request_mac(keys, request, stamp), mac):
        raise SignatureError("the signature does not match")


def sign_partner_request(keys: TerminalKeys, request: Request, stamp: PartnerStamp) -> str:
    """The value of the ``Authorization`` header of another system."""
    mac = _partner_mac(keys, request, stamp).hex()
    return f"{SCHEME} key={stamp.partner},epoch={stamp.epoch},at={stamp.at_ms},nonce={stamp.nonce.hex()},mac={mac}"


def parse_partner_authorization(header: str) -> tuple[PartnerStamp, bytes]:
    """The stamp that another system *claims*, and its MAC. Raises ``SignatureError`` for any other form."""
    found = _PARTNER.fullmatch(header)
    if found is None:
        raise SignatureError("no signature of this scheme")
    partner, epoch, at_ms = (int(number) for number in found.groups()[:3])
    if partner >= 2**31 or epoch >= 2**31 or at_ms >= 2**53:
        raise SignatureError("a number is out of range")
    return PartnerStamp(partner, epoch, at_ms, bytes.fromhex(found[4])), bytes.fromhex(found[5])


def verify_partner_request(keys: TerminalKeys, request: Request, stamp: PartnerStamp, mac: bytes) -> None:
    """Check the MAC. Raises ``SignatureError``; clock, replay and rights are for the caller to check."""
    if not hmac.compare_digest(_partner_mac(keys, request, stamp), mac):
        raise SignatureError("the signature does not match")


def sign_response(keys: TerminalKeys, *, nonce: bytes, status: int, body: bytes, at_ms: int) -> str:
    """The value of the ``Ecard-Response`` header: the server's clock, and the answer bound to its request."""
    mac = _response_mac(keys, nonce, status, body, at_ms).hex()
    return f"at={at_ms},mac={mac}"


def verify_response(keys: TerminalKeys, header: str, *, nonce: bytes, status: int, body: bytes) -> int:
    """The server's clock in Unix milliseconds, if the answer is genuine. Raises ``SignatureError``."""
    found = _RESPONSE.fullmatch(header)
    if found is None:
        raise SignatureError("the answer carries no signature")
    at_ms = int(found[1])
    if not hmac.compare_digest(_response_mac(keys, nonce, status, body, at_ms), bytes.fromhex(found[2])):
        raise SignatureError("the signature of the answer does not match")
    return at_ms


def document_mac(key: bytes, document: Mapping[str, Any]) -> str:
    """HMAC-SHA256, in hex, over the canonical JSON of all but ``mac``: journal records, kept hotlists."""
    unsigned = {name: value for name, value in document.items() if name != "mac"}
    return hmac.digest(key, dumps(unsigned), "sha256").hex()


def document_genuine(key: bytes, document: Mapping[str, Any]) -> bool:
    """Say whether the document's ``mac`` is right."""
    claimed = document.get("mac")
    return isinstance(claimed, str) and hmac.compare_digest(
        document_mac(key, document).encode(), claimed.encode("utf-8", "replace")
    )


def seal(key: bytes, *, uid: bytes, sector: int, operation: str, sector_key: bytes, nonce: bytes) -> str:
    """Hide a card's sector key for one write of one operation.

    AES-256-GCM, as hex of nonce (12 bytes), text and tag (16). ``operation`` is the ``operation_text`` of the
    key that the answer belongs to.
    """
    return (nonce + AESGCM(key).encrypt(nonce, sector_key, _seal_context(uid, sector, operation))).hex()


def unseal(key: bytes, *, uid: bytes, sector: int, operation: str, sealed: str) -> bytes:
    """The sector key again. Raises ``SignatureError`` when it was meant for another use or terminal."""
    try:
        raw = bytes.fromhex(sealed)
        nonce, text = raw[:SEAL_NONCE_BYTES], raw[SEAL_NONCE_BYTES:]
        return AESGCM(key).decrypt(nonce, text, _seal_context(uid, sector, operation))
    except (InvalidTag, ValueError) as error:
        raise SignatureError("the sealed key is not for this use") from error


def seal_keys(key: bytes, keys: Mapping[str, Any], *, terminal: int, epoch: int, nonce: bytes) -> str:
    """Hide a bundle of card keys on its way to one terminal: as ``seal``, with its canonical JSON as the text."""
    return (nonce + AESGCM(key).encrypt(nonce, dumps(dict(keys)), _keys_context(terminal, epoch))).hex()


def unseal_keys(key: bytes, sealed: str, *, terminal: int, epoch: int) -> dict[str, Any]:
    """The bundle again. Raises ``SignatureError`` when it was meant for another terminal or epoch."""
    try:
        raw = bytes.fromhex(sealed)
        nonce, text = raw[:SEAL_NONCE_BYTES], raw[SEAL_NONCE_BYTES:]
        return loads(AESGCM(key).decrypt(nonce, text, _keys_context(terminal, epoch)))
    except (InvalidTag, ValueError) as error:
        raise SignatureError("the sealed keys are not for this terminal") from error


def operation_text(terminal: int, journal: str, seq: int) -> str:
    """The whole operation key as text, as it is bound into a sealed key."""
    return f"{terminal}-{journal}-{seq}"


def _expand(key: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=SECRET_BYTES, salt=None, info=info).derive(key)


@lru_cache(maxsize=4096)
def _keys(secret: bytes) -> TerminalKeys:
    names = (b"req", b"resp", b"jrnl", b"hot", b"seal")
    return TerminalKeys(*(_expand(secret, _LABEL + b"/" + name) for name in names))


def _framed(*parts: bytes) -> bytes:
    """Each part behind its length in four bytes, so that no two lists of parts give the same text."""
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


@lru_cache(maxsize=256)
def _framed_address(method: str, host: str, target: str) -> bytes:
    """What a request is framed with first; a server has few addresses."""
    return _framed(_VERSION, method.encode(), host.encode(), target.encode())


def _request_mac(keys: TerminalKeys, request: Request, stamp: Stamp) -> bytes:
    numbers = (stamp.terminal, stamp.epoch, stamp.boot, stamp.seq, stamp.at_ms)
    return _mac_of(keys, request, numbers, stamp.nonce)


def _partner_mac(keys: TerminalKeys, request: Request, stamp: PartnerStamp) -> bytes:
    return _mac_of(keys, request, (stamp.partner, stamp.epoch, stamp.at_ms), stamp.nonce)


def _mac_of(keys: TerminalKeys, request: Request, numbers: tuple[int, ...], nonce: bytes) -> bytes:
    told = _framed(*[str(number).encode() for number in numbers], nonce, sha256(request.body).digest())
    address = _framed_address(request.method, request.host, request.target)
    return hmac.digest(keys.req, address + told, "sha256")


def _response_mac(keys: TerminalKeys, nonce: bytes, status: int, body: bytes, at_ms: int) -> bytes:
    text = _framed(_VERSION, nonce, str(status).encode(), str(at_ms).encode(), sha256(body).digest())
    return hmac.digest(keys.resp, text, "sha256")


def _keys_context(terminal: int, epoch: int) -> bytes:
    return _framed(b"card-keys", str(terminal).encode(), str(epoch).encode())


def _seal_context(uid: bytes, sector: int, operation: str) -> bytes:
    return _framed(uid, bytes([sector]), operation.encode())
