"""What a terminal asks of the book, and what it is answered. Plain values; the wire shapes stand in ``terminals``."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from accounts.services.passwords import PinVerdict
from purse.evidence import Side, SideMirror
from purse.keys import KeyBundle
from purse.policy import Policy
from purse.procedures import RawCard
from purse.rules import Refusal
from transactions.ledger import NotAdmitted, Prelude, TapFacts

__all__ = [
    "NO_CARD",
    "BookContext",
    "Busy",
    "KeyReused",
    "NotAdmitted",
    "Prelude",
    "TapOrder",
    "TapReply",
    "TellWrite",
    "Till",
]

NO_CARD = RawCard(b"", b"", (b"", b""), (b"", b""))
"""For operations of a till that no card takes part in."""


class KeyReused(Exception):
    """The same operation key with another content: a fault of the terminal, or a forgery. Nothing was written."""


class Busy(Exception):
    """The book is out of reach or contended; nothing was written, and asking again with the same key is safe."""


@dataclass(frozen=True, slots=True)
class Till:
    """The machine that asks, as its registration says."""

    id: int
    merchant_id: int | None = None
    place: str = ""
    may_claim: bool = True
    """Whether it may be lent the LOAD key of one card for one write."""


@dataclass(frozen=True, slots=True)
class TapOrder:
    """A card on a reader, and what is asked of it. ``fen`` is 0 where no purchase is meant."""

    key: uuid.UUID
    journal_seq: int
    asked: bytes
    """SHA-256 of the content, so that the same key with another content is noticed."""
    card: RawCard
    fen: int
    at: datetime
    """The till's own clock, corrected; the book keeps its own time beside it."""
    till: Till
    pin: str | None = field(default=None, repr=False)
    confirmed: tuple[uuid.UUID, ...] = ()
    """Earlier operations of this till whose card write was read back."""
    prelude: Prelude | None = None
    """What must happen with the first look at the book; ``NotAdmitted`` when it cannot."""
    facts: TapFacts | None = None
    """What the book showed already, a moment ago."""


@dataclass(frozen=True, slots=True)
class BookContext:
    """What the interface layer lends to the services: the university's numbers, keys and clock."""

    policy: Policy
    keys: KeyBundle
    now: datetime
    check_pin: Callable[[int, str], PinVerdict]
    """Compare a consumption password of an account; reserves an attempt first."""


@dataclass(frozen=True, slots=True)
class TellWrite:
    """A slot image that the terminal shall write."""

    side: Side
    slot: int
    image: bytes

    @property
    def seq(self) -> int:
        """The sequence number of the image."""
        return int.from_bytes(self.image[:2], "little")


@dataclass(frozen=True, slots=True)
class TapReply:
    """The answer to a tap. Field meanings as in ``terminals.messages.wire.TapAnswer``."""

    refusal: Refusal | None
    book_fen: int = 0
    card_fen: int = 0
    writes: tuple[TellWrite, ...] = ()
    fen: int = 0
    claimed_fen: int = 0
    healed_fen: int = 0
    unclaimed_fen: int = 0
    today_fen: int = 0
    limit_fen: int = 0
    pin_left: int | None = None
    replay: bool = False
    recorded: tuple[uuid.UUID, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For the register. What belongs to one asking only (``replay``, ``recorded``) is left out."""
        return {
            "refusal": self.refusal.value if self.refusal else None,
            "book": self.book_fen,
            "card": self.card_fen,
            "writes": [[write.side.value, write.slot, write.image.hex()] for write in self.writes],
            "fen": self.fen,
            "claimed": self.claimed_fen,
            "healed": self.healed_fen,
            "unclaimed": self.unclaimed_fen,
            "today": self.today_fen,
            "limit": self.limit_fen,
            "pin_left": self.pin_left,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TapReply:
        """Inverse of ``to_json``, as a replay."""
        return cls(
            refusal=Refusal(data["refusal"]) if data["refusal"] else None,
            book_fen=data["book"],
            card_fen=data["card"],
            writes=tuple(
                TellWrite(Side(side), slot, bytes.fromhex(image)) for side, slot, image in data["writes"]
            ),
            fen=data["fen"],
            claimed_fen=data["claimed"],
            healed_fen=data["healed"],
            unclaimed_fen=data["unclaimed"],
            today_fen=data["today"],
            limit_fen=data["limit"],
            pin_left=data["pin_left"],
            replay=True,
        )

    def only_open_writes(self, *, spend: SideMirror, load: SideMirror) -> TapReply:
        """Drop images that this card has for certain, or has gone past: writing one again would roll it back.

        The mirrors are as a new sighting left them. An offline sale may have taken the place of an image whose number
        is the higher one.
        """
        mirrors = {Side.SPEND: spend, Side.LOAD: load}
        return replace(
            self, writes=tuple(w for w in self.writes if mirrors[w.side].may_be_written(w.seq, w.slot))
        )
