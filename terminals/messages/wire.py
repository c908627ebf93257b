"""The shapes of the terminal API, version 1 (docs/terminal-protocol.md). A surplus field is an error.

Every class has ``to_json`` and ``parse``; ``parse`` raises ``WireError``. Amounts are integers of fen, times are Unix
milliseconds, bytes are lower-case hex.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any

from purse.evidence import Side
from purse.procedures import Outcome, RawCard
from purse.rules import Refusal
from terminals.messages.strictjson import WireError, dumps
from terminals.messages.taker import Taker, as_hex, as_integer

ABANDONED = "abandoned"
"""Outcome of a key whose sale the till gave up without ever writing a card: the book takes its debit back."""
WRITTEN_OFFLINE = "written_offline"
"""Outcome of a key that the till finished offline; the record follows by upload."""
OUTCOMES = frozenset({*(outcome.value for outcome in Outcome), ABANDONED, WRITTEN_OFFLINE})
MAX_OUTCOMES = 50

_PIN = re.compile(r"\A[0-9]{6}\Z")


@dataclass(frozen=True, slots=True)
class OperationKey:
    """Names one operation for ever: which terminal, which journal (16 random bytes a journal), which number in it."""

    terminal: int
    journal: str
    seq: int

    def as_uuid(self, purpose: str = "operation") -> uuid.UUID:
        """A 128-bit name for the idempotency register: terminal, 40 bits of the journal's hash, seq.

        In this order one till's keys follow each other in the index, so that a sale touches a page that is warm
        already. ``purpose`` tells another register from that of operations.
        """
        journal = _short(purpose, self.journal)
        return uuid.UUID(bytes=self.terminal.to_bytes(4, "big") + journal + self.seq.to_bytes(7, "big"))

    def __str__(self) -> str:
        return f"{self.terminal}-{self.journal[:8]}-{self.seq}"


@lru_cache(maxsize=4096)
def _short(purpose: str, journal: str) -> bytes:
    """Five bytes that stand for a journal; a till keeps the same one for years."""
    return sha256(f"{purpose}|{journal}".encode()).digest()[:5]


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """How the card write of an earlier key of this terminal ended (one of ``OUTCOMES``)."""

    journal: str
    seq: int
    outcome: str

    def to_json(self) -> dict[str, Any]:
        """``{"journal", "seq", "outcome"}``."""
        return {"journal": self.journal, "seq": self.seq, "outcome": self.outcome}

    @classmethod
    def parse(cls, data: object) -> OutcomeReport:
        """Inverse of ``to_json``."""
        take = Taker(data, "outcomes")
        outcome = take.text("outcome", 20)
        if outcome not in OUTCOMES:
            raise WireError("outcome", "未知的结果")
        return take.done(cls(take.hex("journal", 16), take.integer("seq", 1, 2**53), outcome))


def card_to_json(raw: RawCard) -> dict[str, Any]:
    """``{"uid", "ident", "spend": [2], "load": [2], "ring": [0 or 6]}``."""
    return {
        "uid": raw.uid.hex(),
        "ident": raw.ident.hex(),
        "spend": [image.hex() for image in raw.spend],
        "load": [image.hex() for image in raw.load],
        "ring": [image.hex() for image in raw.ring],
    }


def parse_card(data: object) -> RawCard:
    """Inverse of ``card_to_json``."""
    take = Taker(data, "card")
    uid = bytes.fromhex(take.hex("uid"))
    if len(uid) not in (4, 7):
        raise WireError("uid", "须为 4 或 7 字节")
    spend, load = take.images("spend", (2,)), take.images("load", (2,))
    ring = take.images("ring", (0, 6))
    ident = bytes.fromhex(take.hex("ident", 16))
    return take.done(RawCard(uid, ident, (spend[0], spend[1]), (load[0], load[1]), ring))


@dataclass(frozen=True, slots=True)
class DebitRequest:
    """A tap at an online till."""

    journal: str
    seq: int
    card: RawCard
    fen: int
    at_ms: int
    pin: str | None = field(default=None, repr=False)
    outcomes: tuple[OutcomeReport, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """``{"journal", "seq", "card", "fen", "at_ms", "pin", "outcomes"}``."""
        return {
            "journal": self.journal,
            "seq": self.seq,
            "card": card_to_json(self.card),
            "fen": self.fen,
            "at_ms": self.at_ms,
            "pin": self.pin,
            "outcomes": [report.to_json() for report in self.outcomes],
        }

    def content_hash(self) -> bytes:
        """``content_hash`` of this message."""
        return sha256(
            b'{"fen":%d,"journal":"%b","seq":%d,"uid":"%b"}'
            % (self.fen, self.journal.encode(), self.seq, self.card.uid.hex().encode())
        ).digest()

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> DebitRequest:
        """Inverse of ``to_json``."""
        take = Taker(data, "body")
        pin = take.optional("pin", _pin)
        found = cls(
            journal=take.hex("journal", 16),
            seq=take.integer("seq", 1, 2**53),
            card=parse_card(take.raw("card")),
            fen=take.fen("fen"),
            at_ms=take.integer("at_ms", 0, 2**53),
            pin=pin,
            outcomes=_outcomes(take),
        )
        return take.done(found)


@dataclass(frozen=True, slots=True)
class VoidRequest:
    """Take back the debit ``of_seq`` of the same terminal, with its card on the reader (撤销)."""

    journal: str
    seq: int
    of_journal: str
    of_seq: int
    card: RawCard
    at_ms: int
    outcomes: tuple[OutcomeReport, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """``{"journal", "seq", "of_journal", "of_seq", "card", "at_ms", "outcomes"}``."""
        return {
            "journal": self.journal,
            "seq": self.seq,
            "of_journal": self.of_journal,
            "of_seq": self.of_seq,
            "card": card_to_json(self.card),
            "at_ms": self.at_ms,
            "outcomes": [report.to_json() for report in self.outcomes],
        }

    def content_hash(self) -> bytes:
        """``content_hash`` of this message."""
        return content_hash(self.to_json())

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> VoidRequest:
        """Inverse of ``to_json``."""
        take = Taker(data, "body")
        found = cls(
            journal=take.hex("journal", 16),
            seq=take.integer("seq", 1, 2**53),
            of_journal=take.hex("of_journal", 16),
            of_seq=take.integer("of_seq", 1, 2**53),
            card=parse_card(take.raw("card")),
            at_ms=take.integer("at_ms", 0, 2**53),
            outcomes=_outcomes(take),
        )
        return take.done(found)


@dataclass(frozen=True, slots=True)
class SightingRequest:
    """An empty tap: show the holder what card and book hold. Writes nothing to the card."""

    card: RawCard
    at_ms: int
    outcomes: tuple[OutcomeReport, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """``{"card", "at_ms", "outcomes"}``."""
        return {
            "card": card_to_json(self.card),
            "at_ms": self.at_ms,
            "outcomes": [report.to_json() for report in self.outcomes],
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> SightingRequest:
        """Inverse of ``to_json``."""
        take = Taker(data, "body")
        found = cls(parse_card(take.raw("card")), take.integer("at_ms", 0, 2**53), _outcomes(take))
        return take.done(found)


@dataclass(frozen=True, slots=True)
class Write:
    """One slot to write on the card that was read, in the order given. ``sealed_key`` opens a LOAD sector once."""

    side: Side
    slot: int
    image: bytes
    sealed_key: str | None = None

    def to_json(self) -> dict[str, Any]:
        """``{"side", "slot", "image", "sealed_key"}``."""
        return {
            "side": self.side.value,
            "slot": self.slot,
            "image": self.image.hex(),
            "sealed_key": self.sealed_key,
        }

    @classmethod
    def parse(cls, data: object) -> Write:
        """Inverse of ``to_json``."""
        take = Taker(data, "writes")
        side = take.text("side", 5)
        if side not in {member.value for member in Side}:
            raise WireError("side", "未知的钱包侧")
        image = bytes.fromhex(take.hex("image", 16))
        sealed = take.optional("sealed_key", lambda value: as_hex(value, "sealed_key"))
        return take.done(cls(Side(side), take.integer("slot", 0, 1), image, sealed))


@dataclass(frozen=True, slots=True)
class TapAnswer:
    """What the server says to a tap: accepted or why not, and what to write in either case (a refused tap heals too).

    ``card_fen`` is what the card holds once every write is done. ``claimed_fen`` is unclaimed money that rides along,
    ``healed_fen`` the torn debits of before. ``recorded`` names the outcome reports that need not be sent again.
    """

    refusal: Refusal | None
    book_fen: int
    card_fen: int
    writes: tuple[Write, ...] = ()
    fen: int = 0
    claimed_fen: int = 0
    healed_fen: int = 0
    unclaimed_fen: int = 0
    today_fen: int = 0
    limit_fen: int = 0
    pin_left: int | None = None
    replay: bool = False
    recorded: tuple[tuple[str, int], ...] = ()
    hotlist_version: int = 0

    def to_json(self) -> dict[str, Any]:
        """All fields by name; refusal as its word or null."""
        return {
            "refusal": self.refusal.value if self.refusal else None,
            "book_fen": self.book_fen,
            "card_fen": self.card_fen,
            "writes": [write.to_json() for write in self.writes],
            "fen": self.fen,
            "claimed_fen": self.claimed_fen,
            "healed_fen": self.healed_fen,
            "unclaimed_fen": self.unclaimed_fen,
            "today_fen": self.today_fen,
            "limit_fen": self.limit_fen,
            "pin_left": self.pin_left,
            "replay": self.replay,
            "recorded": [list(pair) for pair in self.recorded],
            "hotlist_version": self.hotlist_version,
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> TapAnswer:
        """Inverse of ``to_json``."""
        take = Taker(data, "answer")
        anything = 2**53
        found = cls(
            refusal=take.optional("refusal", _refusal),
            book_fen=take.integer("book_fen", -anything, anything),
            card_fen=take.integer("card_fen", -anything, anything),
            writes=tuple(Write.parse(item) for item in take.items("writes", 4)),
            fen=take.integer("fen", 0, anything),
            claimed_fen=take.integer("claimed_fen", 0, anything),
            healed_fen=take.integer("healed_fen", 0, anything),
            unclaimed_fen=take.integer("unclaimed_fen", 0, anything),
            today_fen=take.integer("today_fen", 0, anything),
            limit_fen=take.integer("limit_fen", 0, anything),
            pin_left=take.optional("pin_left", lambda value: as_integer(value, "pin_left", 0, 99)),
            replay=take.boolean("replay"),
            recorded=tuple(_pair(item) for item in take.items("recorded", MAX_OUTCOMES)),
            hotlist_version=take.integer("hotlist_version", 0, anything),
        )
        return take.done(found)


def _outcomes(take: Taker) -> tuple[OutcomeReport, ...]:
    return tuple(OutcomeReport.parse(item) for item in take.items("outcomes", MAX_OUTCOMES))


def content_hash(message: Mapping[str, Any]) -> bytes:
    """SHA-256 of what an operation asks for: outcomes, password and clock may differ when it is asked again."""
    asked = {
        name: value for name, value in message.items() if name not in {"outcomes", "pin", "at_ms", "card"}
    }
    card = message.get("card")
    asked["uid"] = card["uid"] if isinstance(card, Mapping) else None
    return sha256(dumps(asked)).digest()


def _pin(value: object) -> str:
    if not isinstance(value, str) or not _PIN.match(value):
        raise WireError("pin", "请输入 6 位半角数字")
    return value


def _refusal(value: object) -> Refusal:
    try:
        return Refusal(str(value))
    except ValueError:
        raise WireError("refusal", "未知的拒绝原因") from None


def _pair(value: object) -> tuple[str, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise WireError("recorded", "须为 [journal, seq]")
    return as_hex(value[0], "recorded"), as_integer(value[1], "recorded", 1, 2**53)
