"""How a tap ended, as a value: what the display says, what the console tells, what must still be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from purse.rules import Refusal
from terminals.device import display
from terminals.device.cardwork import Work
from terminals.device.display import Signal
from terminals.messages.wire import OperationKey, TapAnswer


class Ending(StrEnum):
    """How a tap ended, in the words of the console."""

    PAID = "paid"
    PAID_OFFLINE = "paid_offline"
    VOIDED = "voided"
    REFUSED = "refused"
    TORN = "torn"
    UNKNOWN = "unknown"
    BALANCE = "balance"
    DOUBLE = "double"
    """Not an ending yet: the operator is asked whether the same sale is meant again."""
    OTHER_CARD = "other_card"
    """Not the card that the till waits for; it was not touched."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the operator wants of the next card.

    ``again``: a second sale of the same amount is meant. ``only``: the UID of the card whose holder typed ``pin``.
    """

    fen: int
    pin: str | None = field(default=None, repr=False)
    again: bool = False
    only: bytes = b""


@dataclass(frozen=True, slots=True)
class Tapped:
    """What came of a tap. ``work`` is what the same card must come back for."""

    ending: Ending
    signal: Signal
    key: OperationKey | None = None
    refusal: Refusal | None = None
    card_fen: int | None = None
    book_fen: int | None = None
    uid: bytes = b""
    work: Work | None = None


@dataclass(frozen=True, slots=True)
class Sold:
    """A sale that can be taken back."""

    key: OperationKey
    uid: bytes
    fen: int


def refused(
    refusal: Refusal,
    *,
    answer: TapAnswer | None = None,
    key: OperationKey | None = None,
    fen: int = 0,
    uid: bytes = b"",
) -> Tapped:
    """A refusal, with the amounts of the server's answer where there is one. ``fen``: what was to be paid."""
    if answer is None:
        return Tapped(Ending.REFUSED, display.refused(refusal), key, refusal, uid=uid)
    funds_fen = max(0, min(answer.card_fen, answer.book_fen))
    signal = display.refused(refusal, fen=fen, funds_fen=funds_fen, pin_left=answer.pin_left)
    return Tapped(Ending.REFUSED, signal, key, refusal, answer.card_fen, answer.book_fen, uid)


def torn(work: Work) -> Tapped:
    """The card was pulled with a key open; it must come back."""
    return Tapped(Ending.TORN, display.torn(), work.key, book_fen=work.book_fen, uid=work.uid, work=work)


def stopped() -> Tapped:
    """Nothing can be written down, so nothing is sold."""
    return Tapped(Ending.REFUSED, display.journal_broken())
