"""What the overview says in words: how a status looks, why card and book differ, with the arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import get_language

from accounts.selectors import AccountOverview, CardFacts
from accounts.status import Status
from purse.evidence import OpenItems
from reconciliation.difference import Difference, in_words

_TONES = {
    Status.NORMAL: ("good", "check"),
    Status.PENDING: ("warn", "clock"),
    Status.CLOSING: ("warn", "clock"),
    Status.EXPIRED: ("warn", "clock"),
    Status.FROZEN: ("bad", "frozen"),
    Status.LOST: ("bad", "lost"),
}


@dataclass(frozen=True, slots=True)
class Chip:
    """A status as a word with its picture; colour comes third."""

    word: str
    tone: str
    icon: str


def status_chip(account: AccountOverview) -> Chip:
    """The chip of an account."""
    tone, icon = _TONES.get(account.shown.status, ("bad", "alert"))
    return Chip(str(account.shown.word), tone, icon)


def difference(account: AccountOverview, card: CardFacts, items: OpenItems) -> Difference | None:
    """The difference in words, or None when card and book agree and nothing is open."""
    return in_words(
        book_fen=account.book_fen,
        card_fen=card.card_fen,
        items=items,
        frozen=account.frozen_at is not None,
    )


def local_name(thing: Any) -> str:
    """``name_en`` for readers of English where there is one, else ``name_zh``; like the filter of that name."""
    english = getattr(thing, "name_en", "") if (get_language() or "").startswith("en") else ""
    return str(english or thing.name_zh)
