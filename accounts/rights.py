"""Which services a card opens: what doors, gates and lending desks ask, and what the desk shows (R002, R003, R057)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from django.db.models import Case, OuterRef, QuerySet, Subquery, Value, When

from accounts.checks.identifiers import AccountNumber, SchoolNumber
from accounts.checks.masks import mask_name
from accounts.models import (
    IDENTIFYING,
    LIVE_CARD,
    Account,
    AccountLife,
    Card,
    CardLife,
    Service,
    ServiceGrant,
    ServiceKind,
)
from purse.rules import Standing, refuse_standing


@dataclass(frozen=True, slots=True)
class Right:
    """One service of one account. ``until_on``: the last day of a grant; None where the card's class opens it."""

    service: Service
    open: bool
    until_on: date | None = None
    by_grant: bool = False
    """Whether it depends on a grant at all: a named card and a service that says who somebody is."""


CAMPUS_BOUND: Final = frozenset({Service.DORM_DOOR})
"""Services of one campus alone: a dormitory lets its own people in. Libraries, PC rooms and buses serve everybody."""


class Denial(StrEnum):
    """Why a card opens nothing here: the standing of ``purse.rules.Refusal``, and what only a door can say."""

    UNKNOWN = "unknown"
    CARD_REPLACED = "card_replaced"
    ACCOUNT_CLOSED = "account_closed"
    CARD_LOST = "card_lost"
    CARD_FROZEN = "card_frozen"
    CARD_EXPIRED = "card_expired"
    CARD_SUSPECT = "card_suspect"
    SERVICE_RIGHT = "service_right"
    OTHER_CAMPUS = "other_campus"


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever bears a card, as far as a door has to know. ``name`` is masked. No money.

    ``good_until_on``: the last day on which card and grant are good, None where no end is set.
    """

    account_id: int
    account_number: int
    name: str
    school_no: str
    denial: Denial | None
    good_until_on: date | None


@dataclass(frozen=True, slots=True)
class Door:
    """What is to be opened: the service, the campus it stands on, the day.

    ``proven_account``: the account number that the card's own signature proved to the door, 0 for a forged one, None
    where only the UID was read.
    """

    service: Service
    campus_id: int
    today: date
    proven_account: int | None = None


def bearer_of_card(uid: str, door: Door) -> Bearer | None:
    """The bearer of a card by its UID (hex, either case), or None for a card that is not ours. One statement.

    Of several cards that had this UID the live one counts, else the last.
    """
    return _bearer(Card.objects.filter(uid=uid.upper()), door)


def bearer_of_number(number: AccountNumber | SchoolNumber, door: Door) -> Bearer | None:
    """The holder of an account or school number by the newest card of it, or None. One statement."""
    if isinstance(number, AccountNumber):
        return _bearer(Card.objects.filter(account__number=number.value), door)
    return _bearer(Card.objects.filter(account__holder__school_no=number.value), door)


def _bearer(cards: QuerySet[Card], door: Door) -> Bearer | None:
    grant = ServiceGrant.objects.filter(
        account=OuterRef("account_id"), service=door.service, ended_at=None, until_on__gte=door.today
    )
    closed = Case(When(account__life=AccountLife.CLOSED, then=Value(1)), default=Value(0))
    dead = Case(When(life__in=LIVE_CARD, then=Value(0)), default=Value(1))
    found = (
        cards.select_related("account__holder")
        .annotate(granted_until_on=Subquery(grant.values("until_on")[:1]), closed=closed, dead=dead)
        .order_by("closed", "dead", "-id")
        .first()
    )
    if found is None:
        return None
    account, granted = found.account, found.granted_until_on
    ends = [day for day in (found.expires_on, granted) if day is not None]
    return Bearer(
        account_id=account.pk,
        account_number=account.number,
        name=mask_name(account.holder.name),
        school_no=account.holder.school_no,
        denial=denial_of(found, door, granted),
        good_until_on=min(ends, default=None),
    )


def denial_of(card: Card, door: Door, granted_until_on: date | None) -> Denial | None:
    """Why this card opens nothing here, or None: standing first (guide L111), then its class (L17), then the place.

    ``granted_until_on``: the last day of a grant in force for this service.
    """
    account = card.account
    standing = Standing(
        account_open=account.life == AccountLife.OPEN,
        account_frozen=account.frozen,
        card_usable=card.life in (*LIVE_CARD, CardLife.EXPIRED),
        card_lost=card.lost,
        card_expired=card.life == CardLife.EXPIRED
        or (card.expires_on is not None and card.expires_on < door.today),
        suspect=door.proven_account not in (None, account.number),
    )
    refusal = refuse_standing(standing)
    if refusal is not None:
        return Denial(refusal.value)
    if _by_grant(account.kind, door.service) and granted_until_on is None:
        return Denial.SERVICE_RIGHT
    if door.service in CAMPUS_BOUND and account.campus_id != door.campus_id:
        return Denial.OTHER_CAMPUS
    return None


def rights_of(account_id: int, *, today: date) -> tuple[Right, ...]:
    """All ten services of an account, in the order of the guide, whatever its standing. Two queries."""
    kind = Account.objects.values_list("kind", flat=True).get(pk=account_id)
    grants = ServiceGrant.objects.filter(account_id=account_id, ended_at=None)
    ends = {grant.service: grant.until_on for grant in grants}
    found = []
    for service in Service:
        if not _by_grant(kind, service):
            found.append(Right(service, open=True))
        else:
            until = ends.get(service.value)
            found.append(Right(service, until is not None and until >= today, until, by_grant=True))
    return tuple(found)


def _by_grant(kind: str, service: Service) -> bool:
    return kind == ServiceKind.NAMED and service in IDENTIFYING
