"""An offline sale as its journal record tells it, and what can become of it. Plain values."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from purse.evidence import State


class Posting(StrEnum):
    """What became of an offline sale."""

    POSTED = "posted"
    DUPLICATE = "duplicate"
    """Its key was charged already, online or by an earlier upload."""
    NOT_WRITTEN = "not_written"
    """The till was in doubt, and the card has shown since that it never took the sale: nothing to charge."""
    SUSPECT = "suspect"
    """Kept raw for a person, or until the card is seen: nothing moved."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of one sale. ``why``: what somebody may want to know, in words of the wire separated by spaces."""

    posting: Posting
    why: str = ""


@dataclass(frozen=True, slots=True)
class OfflineSale:
    """One sale out of a till's journal. Totals in fen as they stood on the card; ``asked`` as for an online debit."""

    key: uuid.UUID
    journal_seq: int
    asked: bytes
    uid: bytes
    fen: int
    occurred_at: datetime
    card_seq_after: int
    spend_total_after_fen: int
    offline_spent_after_fen: int
    certain: bool
    """False when the till could not tell whether the card was written."""
    account_no: int | None = None
    """The account that the card named; None when that is not known."""
    charge: bool = False
    """A person decided that it is to be charged. What it says of the card is then no evidence any more."""

    @property
    def state(self) -> State:
        """The SPEND side as the card showed it after the sale; its slot is not known here."""
        return State(self.card_seq_after, self.spend_total_after_fen, 0, self.offline_spent_after_fen)
