"""A reader, whatever is behind it: a PC/SC device or a folder of simulated cards.

The device programs know only this protocol and choose the reader by a path: ``pcsc:ACR122`` or
``sim:var/wallet``.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Protocol

from purse.link import CardLink


class ReaderState(StrEnum):
    """What the reader can say about itself without touching a card."""

    NO_SERVICE = "no_service"
    """The PC/SC service does not answer."""
    NO_READER = "no_reader"
    """The service runs, but the reader is not plugged in."""
    EMPTY = "empty"
    CARD = "card"
    SEVERAL = "several"
    """More than one card in the field (请只放一张卡)."""


class Reader(Protocol):
    """One reader. Used by one thread at a time; ``state`` and ``card_present`` may be asked from any thread."""

    def wait_for_card(self, timeout: float) -> CardLink | None:
        """Wait up to ``timeout`` seconds for exactly one card and return a fresh link to it.

        A card that is already there counts. The link given out before is dead from then on. None when no card
        came or none could be reached; ``state`` says why. Raises ``SeveralCards`` at once when more than one
        card is there; then wait for removal. A missing service or reader is waited for like a card.
        """
        ...

    def card_present(self) -> bool:
        """Whether any card is in the field now."""
        ...

    def wait_for_removal(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds until the card of the last link has left; say whether it has.

        True also when another card took its place, and when the reader itself is gone.
        """
        ...

    def state(self) -> ReaderState:
        """What the reader can say about itself now."""
        ...

    def close(self) -> None:
        """Let go of the card and the reader. Harmless to repeat; never waits for a card."""
        ...


def open_reader(path: str) -> Reader:
    """Open ``sim:DIR`` (a folder of card files) or ``pcsc:NAME`` (part of a reader's name; empty = the first).

    Never fails because a reader or its service is missing: that is a state. Raises ``ValueError`` for another
    scheme.
    """
    scheme, separator, place = path.partition(":")
    if separator and scheme == "sim" and place:
        from .sim import SimReader

        return SimReader(Path(place))
    if separator and scheme == "pcsc":
        from .pcsc import PcscReader  # here, so that machines without PC/SC never import it

        return PcscReader(place)
    raise ValueError(f"a reader is sim:DIR or pcsc:NAME, not {path!r}")
