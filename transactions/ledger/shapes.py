"""What the ledger reads (facts) and writes (a change), as plain values."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from purse.evidence import SideMirror


class NotAdmitted(Exception):
    """The prelude of a read changed no row: whoever asks was heard before. Nothing was read or written."""


@dataclass(frozen=True, slots=True)
class Prelude:
    """Something that must happen once before the facts are read, in the same round trip (a terminal's contact).

    ``advance`` is the text of a common table expression ``advanced``, fixed in code, that returns a row if it did.
    ``relax`` is one that lets the commit not wait for the disk: only for a statement that moves no money. ``call`` is
    the same as ``advance`` as a call of a function that returns whether it did.
    """

    advance: str
    relax: str
    call: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """The account row as read; every change must still find ``version``."""

    id: int
    number: int
    life: str
    frozen_reasons: tuple[str, ...]
    limit_fen: int
    book_fen: int
    unclaimed_fen: int
    entry_seq: int
    version: int
    spent_on: date | None
    spent_fen: int

    def spent_on_day(self, day: date) -> int:
        """What the book knows of this day's spending, in fen."""
        return self.spent_fen if self.spent_on == day else 0


@dataclass(frozen=True, slots=True)
class CardFacts:
    """The card row as read, its purse as the book mirrors it."""

    id: int
    life: str
    lost: bool
    expires_on: date | None
    late_fen: int
    spend: SideMirror
    load: SideMirror
    levelled_seq: int = 0
    """Spend sequence up to which a levelling stands in for records that had not come."""


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """What this operation key was answered before."""

    asked: bytes
    reply: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TapFacts:
    """All that one tap needs. ``account`` and ``card`` are None for a card that is not ours."""

    account: AccountFacts | None
    card: CardFacts | None
    answer: AnswerFacts | None


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A movement to insert. ``seq`` must follow the account's last one; the sides are as in ``models.Entry``."""

    seq: int
    kind: str
    book_change_fen: int
    unclaimed_change_fen: int
    book_after_fen: int
    unclaimed_after_fen: int
    contra: str
    contra_ref: int | None
    source_key: uuid.UUID
    occurred_at: datetime
    mode: str
    card_id: int | None = None
    purse_side: str | None = None
    purse_seq: int | None = None
    terminal_id: int | None = None
    reverses: int | None = None
    corrects: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """The line for the idempotency register."""

    key: uuid.UUID
    op: str
    asked: bytes
    reply: dict[str, Any]
    told: dict[str, list[int]] = field(default_factory=dict)
    entry_seq: int | None = None
    terminal_id: int | None = None
    journal_seq: int | None = None


@dataclass(frozen=True, slots=True)
class CardChange:
    """The card row after this tap."""

    id: int
    spend: SideMirror
    load: SideMirror
    late_fen: int
    seen_at: datetime | None = None
    seen_terminal: int | None = None
    seen_place: str = ""
    first_use: bool = False
    """An issued card becomes active with its first tap."""
    levelled_seq: int | None = None
    """Set by a levelling alone."""


@dataclass(frozen=True, slots=True)
class Change:
    """One tap's whole effect on one account, written by one statement or not at all."""

    before: AccountFacts
    book_fen: int
    unclaimed_fen: int
    spent_on: date | None
    spent_fen: int
    frozen_reasons: tuple[str, ...]
    now: datetime
    entries: tuple[NewEntry, ...] = ()
    answer: NewAnswer | None = None
    card: CardChange | None = None
    confirmed: tuple[uuid.UUID, ...] = ()
    """Keys of earlier operations whose card write was read back; their cards are settled on the way."""
    reverses: tuple[int, int] | None = None
    """Ledger ids (reversed, reversing): an entry can be reversed once, which the table itself refuses to forget."""


@dataclass(frozen=True, slots=True)
class Written:
    """What the statement did: whether the account was still as read, and which confirmations could be applied."""

    moved: bool
    confirmed: tuple[uuid.UUID, ...]
