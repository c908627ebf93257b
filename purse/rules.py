"""The decisions, as pure functions: facts and policy in, verdict out. Server and offline till call the same ones.

Every refusal is one value of ``Refusal``: the same word on the wire, in the book and behind the code on the display.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from purse.policy import Policy


class Refusal(StrEnum):
    """Why a tap was not accepted. The value is the word on the wire and in the book."""

    INSUFFICIENT = "insufficient"
    UNREADABLE = "unreadable"
    CARD_LOST = "card_lost"
    CARD_FROZEN = "card_frozen"
    CARD_EXPIRED = "card_expired"
    CARD_REPLACED = "card_replaced"
    ACCOUNT_CLOSED = "account_closed"
    FOREIGN_CARD = "foreign_card"
    CARD_SUSPECT = "card_suspect"
    CARD_WORN = "card_worn"
    PASSWORD_NEEDED = "password_needed"
    PASSWORD_WRONG = "password_wrong"
    PASSWORD_LOCKED = "password_locked"
    OFFLINE_PASSWORD = "offline_password"
    OFFLINE_CAP = "offline_cap"
    OFFLINE_STOPPED = "offline_stopped"
    SALE_TOO_LARGE = "sale_too_large"
    SERVICE_RIGHT = "service_right"
    TERMINAL_RIGHT = "terminal_right"
    VOIDED = "voided"
    NOTHING_TO_VOID = "nothing_to_void"
    TOP_UP_TOO_LARGE = "top_up_too_large"


class FreezeReason(StrEnum):
    """Why account and card are frozen (L95, L109)."""

    BOOK_NEGATIVE = "book_negative"
    CARD_ABOVE_BOOK = "card_above_book"
    LATE_UPLOAD = "late_upload"
    BY_HAND = "by_hand"


class Pin(StrEnum):
    """What is known of the consumption password at this tap."""

    NOT_GIVEN = "not_given"
    RIGHT = "right"
    WRONG = "wrong"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether this card of this account may be used at all."""

    account_open: bool = True
    account_frozen: bool = False
    card_usable: bool = True
    """False for replaced, returned, damaged and void cards."""
    card_lost: bool = False
    card_expired: bool = False
    suspect: bool = False
    """The card shows more than any record explains, an older state than proven, or one sequence number twice."""


@dataclass(frozen=True, slots=True)
class DebitFacts:
    """All that ``refuse_debit`` looks at. Amounts in fen; ``card_fen`` is what the card will hold once it is healed."""

    standing: Standing
    amount_fen: int
    card_fen: int
    book_fen: int
    spent_today_fen: int
    """The larger of what book and card know of today (A13)."""
    limit_fen: int
    pin: Pin = Pin.NOT_GIVEN
    card_worn: bool = False


@dataclass(frozen=True, slots=True)
class OfflineFacts:
    """What a till without the network knows before it sells."""

    amount_fen: int
    card_fen: int
    spent_today_fen: int
    limit_fen: int
    sold_here_today_fen: int
    in_a_row: int
    stop_mark: bool
    on_hotlist: Refusal | None
    behind_last_seen: bool
    """The card shows an older sequence than this till has been told of: a restored dump."""
    expired: bool
    list_age_s: float | None
    """Age of the hotlist in seconds; None when there is none."""
    card_worn: bool = False


def refuse_standing(standing: Standing) -> Refusal | None:
    """Say why this card may neither pay, load nor identify its holder, or None (requirements 3.3).

    A dead or lost card is named before a frozen account, a frozen account before doubts about the card's content.
    """
    if not standing.card_usable:
        return Refusal.CARD_REPLACED
    if not standing.account_open:
        return Refusal.ACCOUNT_CLOSED
    if standing.card_lost:
        return Refusal.CARD_LOST
    if standing.account_frozen:
        return Refusal.CARD_FROZEN
    if standing.card_expired:
        return Refusal.CARD_EXPIRED
    if standing.suspect:
        return Refusal.CARD_SUSPECT
    return None


def refuse_debit(facts: DebitFacts, policy: Policy) -> Refusal | None:
    """Say why this purchase is not accepted online, or None.

    Funds are the smaller of card and book (A6). The password is asked when the day's total *exceeds* the limit (L85,
    A11): a total of exactly the limit passes. A wrong password is reported before anything that it could reveal.
    """
    if refusal := refuse_standing(facts.standing):
        return refusal
    if facts.card_worn:
        return Refusal.CARD_WORN
    if facts.pin is Pin.LOCKED:
        return Refusal.PASSWORD_LOCKED
    if facts.pin is Pin.WRONG:
        return Refusal.PASSWORD_WRONG
    if facts.amount_fen > policy.sale_max_fen:
        return Refusal.SALE_TOO_LARGE
    if facts.amount_fen > min(facts.card_fen, facts.book_fen):
        return Refusal.INSUFFICIENT
    if facts.pin is Pin.NOT_GIVEN and password_asked(
        spent_today_fen=facts.spent_today_fen, amount_fen=facts.amount_fen, limit_fen=facts.limit_fen
    ):
        return Refusal.PASSWORD_NEEDED
    return None


def password_asked(*, spent_today_fen: int, amount_fen: int, limit_fen: int) -> bool:
    """Say whether this purchase takes the day's total above the holder's limit (M2)."""
    return spent_today_fen + amount_fen > limit_fen


def refuse_offline(facts: OfflineFacts, policy: Policy) -> Refusal | None:
    """Say why a till without the network does not sell, or None (M4; ``tap-protocol.md``, offline debit)."""
    if facts.on_hotlist is not None:
        return facts.on_hotlist
    if facts.stop_mark:
        return Refusal.CARD_FROZEN
    if facts.expired:
        return Refusal.CARD_EXPIRED
    if facts.behind_last_seen:
        return Refusal.CARD_SUSPECT
    if facts.card_worn:
        return Refusal.CARD_WORN
    if facts.list_age_s is None or facts.list_age_s >= policy.hotlist_dead.total_seconds():
        return Refusal.OFFLINE_STOPPED
    if facts.amount_fen > facts.card_fen:
        return Refusal.INSUFFICIENT
    if password_asked(
        spent_today_fen=facts.spent_today_fen, amount_fen=facts.amount_fen, limit_fen=facts.limit_fen
    ):
        return Refusal.OFFLINE_PASSWORD
    stale = facts.list_age_s > policy.hotlist_stale.total_seconds()
    sale_max_fen = policy.offline_stale_sale_max_fen if stale else policy.offline_sale_max_fen
    if facts.amount_fen > sale_max_fen:
        return Refusal.OFFLINE_CAP
    if facts.sold_here_today_fen + facts.amount_fen > policy.offline_day_max_fen:
        return Refusal.OFFLINE_CAP
    if facts.in_a_row >= policy.offline_in_a_row:
        return Refusal.OFFLINE_CAP
    return None


def freeze_reason(*, book_fen: int, card_fen: int, policy: Policy) -> FreezeReason | None:
    """Say why card and book are too far apart to let the card be used, or None (L95).

    Directed: a book above its card is normal while a till is away (A4).
    """
    if book_fen < 0:
        return FreezeReason.BOOK_NEGATIVE
    if card_fen - book_fen > policy.freeze_gap_fen:
        return FreezeReason.CARD_ABOVE_BOOK
    return None


def levelling_due(
    *, now: datetime, terminal_contact_at: datetime | None, gap_since: datetime, policy: Policy
) -> bool:
    """Say whether a gap may be levelled: its till has been silent for five days, and the gap is as old (L109, A3).

    A terminal that never made contact since its enrolment is silent from ``gap_since`` on.
    """
    silent_since = terminal_contact_at or gap_since
    return now - silent_since >= policy.levelling_silence and now - gap_since >= policy.levelling_silence


def refuse_top_up(*, standing: Standing, amount_fen: int, book_fen: int, policy: Policy) -> Refusal | None:
    """Say why money may not be put on this account and card now, or None (L43, C5)."""
    if refusal := refuse_standing(standing):
        return refusal
    if book_fen + amount_fen > policy.max_book_fen:
        return Refusal.TOP_UP_TOO_LARGE
    return None


def bank_load_in_range(amount_fen: int, policy: Policy) -> bool:
    """转账资金范围在1元至500元之间 (L43), both ends included."""
    return policy.load_min_fen <= amount_fen <= policy.load_max_fen
