"""How far the making of a card is: what the desk's page of the four steps shows (write, look, hand over)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db.models.functions import Greatest

from accounts.checks.masks import mask_name
from accounts.models import (
    LIVE_CARD,
    Account,
    AccountLife,
    Card,
    CardLife,
    CounterDeed,
    DeedKind,
    IssueItem,
    Secret,
    ServiceKind,
)

SEQ_LAST = 65_535
"""The last number that a side of the card can write (``purse.layout``)."""
SEQ_NEAR_END = 60_000
"""From here on it should be replaced: a year and a half of ten purchases a day is left."""
_MAKES = (DeedKind.OPEN, DeedKind.ISSUE, DeedKind.REPLACE, DeedKind.VOID)


class Step(StrEnum):
    """Where the newest card of an account is."""

    NOTHING = "nothing"
    """No card is being made, none is waiting."""
    WRITE = "write"
    """A blank is noted and must be written."""
    LOOK = "look"
    """Written and read back by the job; to be laid on the reader once more, and handed over."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Making:
    """The card that is being made, or the one in use. ``spoilt``: how many blanks of this account went wrong."""

    step: Step
    card_id: int | None = None
    issue_no: int = 0
    expires_on: date | None = None
    uid: str = ""
    spoilt: int = 0
    account_pending: bool = False
    own_passwords: bool = False
    """Whether the holder has chosen a password himself, so that no slip is due."""
    slips_printed: bool = False
    deed_key: UUID | None = None
    """What the card was noted by, if a desk did; its receipt bears a key of it."""


@dataclass(frozen=True, slots=True)
class Unused:
    """A named card that nobody uses: for the yearly clean-up (N06)."""

    account_id: int
    number: int
    name: str
    campus_code: str
    opened_at: datetime
    seen_at: datetime | None
    expires_on: date | None
    book_fen: int


def making_of(account_id: int) -> Making:
    """How far it is. A few small queries."""
    pending = Account.objects.values_list("life", flat=True).get(pk=account_id) == AccountLife.PENDING
    cards = Card.objects.filter(account_id=account_id)
    card = cards.filter(life=CardLife.BLANK).first() or cards.filter(life__in=LIVE_CARD).first()
    own = Secret.objects.filter(account_id=account_id, is_default=False).exists()
    printed = CounterDeed.objects.filter(account_id=account_id, kind=DeedKind.SLIPS).exists()
    if card is None:
        return Making(Step.NOTHING, account_pending=pending, own_passwords=own, slips_printed=printed)
    here = Step.LOOK if pending or not_handed_over(card) else Step.DONE
    step = Step.WRITE if card.life == CardLife.BLANK else here
    return Making(
        step=step,
        card_id=card.pk,
        issue_no=card.issue_no,
        expires_on=card.expires_on,
        uid=card.uid,
        spoilt=cards.filter(life=CardLife.VOID).count(),
        account_pending=pending,
        own_passwords=own,
        slips_printed=printed,
        deed_key=CounterDeed.objects.filter(card=card, kind__in=_MAKES).values_list("key", flat=True).first(),
    )


def not_handed_over(card: Card) -> bool:
    """Whether this card was made and is not in its holder's hand yet. Reading it back already takes it into use."""
    if IssueItem.objects.filter(card=card, handed_at__isnull=False).exists():
        return False
    if card.life == CardLife.ISSUED:
        return True
    done = set(CounterDeed.objects.filter(card=card).values_list("kind", flat=True))
    return bool(done & set(_MAKES)) and DeedKind.HAND_OVER not in done


@dataclass(frozen=True, slots=True)
class Worn:
    """A card that has few writes left, or none: to be replaced while it still pays. ``left`` of 65,535."""

    account_id: int
    number: int
    name: str
    left: int


def nearly_worn(*, newest: int = 200) -> tuple[Worn, ...]:
    """Cards in use whose one side or other was written so often, the most worn first. One query."""
    most = Greatest("spend_seq", "load_seq")
    rows = Card.objects.filter(life__in=LIVE_CARD).annotate(most=most).filter(most__gte=SEQ_NEAR_END)
    return tuple(
        Worn(card.account_id, card.account.number, mask_name(card.account.holder.name), SEQ_LAST - card.most)
        for card in rows.select_related("account__holder").order_by("-most", "pk")[:newest]
    )


def unused_named(*, now: datetime, unused_for: timedelta, newest: int = 200) -> tuple[Unused, ...]:
    """Named cards in use that no reader has seen for so long, the longest unused first. One query."""
    since = now - unused_for
    rows = (
        Card.objects.filter(life__in=[*LIVE_CARD, CardLife.EXPIRED], account__kind=ServiceKind.NAMED)
        .filter(account__life=AccountLife.OPEN, account__opened_at__lt=since)
        .exclude(seen_at__gte=since)
        .select_related("account__holder", "account__campus")
        .order_by("seen_at", "account__opened_at", "pk")
    )
    return tuple(
        Unused(
            account_id=card.account_id,
            number=card.account.number,
            name=mask_name(card.account.holder.name),
            campus_code=card.account.campus.code,
            opened_at=card.account.opened_at,
            seen_at=card.seen_at,
            expires_on=card.expires_on,
            book_fen=card.account.book_fen,
        )
        for card in rows[:newest]
    )
