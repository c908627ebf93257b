"""Which services a card opens: what doors, gates and lending desks ask, and what the desk shows (R002, R003, R057)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from accounts.models import (
    IDENTIFYING,
    LIVE_CARD,
    Account,
    AccountLife,
    Card,
    Service,
    ServiceGrant,
    ServiceKind,
)
from purse.rules import Refusal, Standing, refuse_standing


@dataclass(frozen=True, slots=True)
class Right:
    """One service of one account. ``until_on``: the last day of a grant; None where the card's class opens it."""

    service: Service
    open: bool
    until_on: date | None = None
    by_grant: bool = False
    """Whether it depends on a grant at all: a named card and a service that says who somebody is."""


def may_use(account_id: int, service: Service, *, today: date) -> Refusal | None:
    """Why this account's card does not open this service on this day, or None. Two small queries.

    Standing first: a lost, frozen, expired or closed card opens nothing, not even a door (guide L111). Raises
    ``Account.DoesNotExist``.
    """
    account = Account.objects.get(pk=account_id)
    card = Card.objects.filter(account=account, life__in=LIVE_CARD).first()
    standing = Standing(
        account_open=account.life == AccountLife.OPEN,
        account_frozen=account.frozen,
        card_usable=card is not None,
        card_lost=card is not None and card.lost,
        card_expired=card is not None and card.expires_on is not None and card.expires_on < today,
    )
    refusal = refuse_standing(standing)
    if refusal is not None:
        return refusal
    if not _by_grant(account.kind, service) or _granted(account_id, service, today) is not None:
        return None
    return Refusal.SERVICE_RIGHT


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


def _granted(account_id: int, service: Service, today: date) -> ServiceGrant | None:
    grants = ServiceGrant.objects.filter(account_id=account_id, service=service, ended_at=None)
    return grants.filter(until_on__gte=today).first()
