"""The wire to one card on one reader: what the purse asks of every reader, real or simulated.

A link speaks the small common set of a MIFARE-Classic-class card (UID, authenticate, read, write). It says *what
happened on the wire*; what that means for money is decided in ``purse.procedures``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

BLOCK_BYTES = 16
KEY_BYTES = 6


class KeySlot(StrEnum):
    """Which of the two keys of a sector opens it."""

    A = "A"
    B = "B"


class LinkError(Exception):
    """Something went wrong between reader and card. Says nothing about a write that was under way."""


class CardGone(LinkError):
    """The card left the field, or stopped answering; any later operation on this link raises this too."""


class KeyRefused(LinkError):
    """The card did not accept the key: a foreign card, another school's keys, or a damaged trailer."""


class AccessRefused(LinkError):
    """The card knows the key, but its access bits forbid this operation; nothing was changed."""


class ReaderGone(LinkError):
    """The reader was unplugged, its service stopped, or a watchdog gave up waiting for an answer."""


class GarbledAnswer(LinkError):
    """The reader answered with the wrong length or an unknown status word."""


class SeveralCards(LinkError):
    """More than one card lies in the field (请只放一张卡)."""


class CardLink(Protocol):
    """One card in the field. Every call may raise ``LinkError``; a link never repeats an operation by itself."""

    def uid(self) -> bytes:
        """Ask the card for its UID, 4 or 7 bytes (PC/SC: ``FF CA``). Always asked anew, never remembered."""
        ...

    def authenticate(self, block: int, key: bytes, slot: KeySlot) -> None:
        """Open the sector of ``block`` (0–63) with a 6-byte key. Raises ``KeyRefused``."""
        ...

    def read(self, block: int) -> bytes:
        """Read 16 bytes of a block in the open sector. Raises ``AccessRefused``."""
        ...

    def write(self, block: int, data: bytes) -> None:
        """Write 16 bytes to a block in the open sector.

        Raises ``AccessRefused`` when the card said no. *Any other* error after this call leaves the block in doubt.
        """
        ...
