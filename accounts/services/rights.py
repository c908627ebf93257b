"""Opening services for a named card until a day, and closing them again (guide L17, reading A18)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts.actors import AtCounter
from accounts.models import (
    IDENTIFYING,
    AccountLife,
    Card,
    CounterDeed,
    DeedKind,
    Service,
    ServiceGrant,
    ServiceKind,
)
from accounts.services import audit, deeds
from accounts.services.errors import NotAllowed, Reason
from accounts.services.passwords import refuse_own
from accounts.services.rows import lock
from accounts.services.throttle import SHANGHAI


@dataclass(frozen=True, slots=True)
class GrantOrder:
    """Open these services until this day, included. One that is open already gets the new last day."""

    key: UUID
    account_id: int
    services: tuple[Service, ...]
    until_on: date


@transaction.atomic
def grant(order: GrantOrder, *, door: AtCounter, now: datetime) -> CounterDeed:
    """Grant services to a named card. The day may not lie behind, nor after the card's own last day.

    Raises ``NotAllowed`` (NO_GRANT_NEEDED, NO_SERVICE, BAD_DAY, AFTER_EXPIRY, ACCOUNT_ENDED) and ``KeyReused``.
    """
    wanted = tuple(service for service in Service if service in order.services)
    content = {"account": order.account_id, "services": [*wanted], "until": order.until_on.isoformat()}
    asked = deeds.Asked(order.key, DeedKind.GRANT, content)
    if (known := deeds.begin(asked)) is not None:
        return known
    account = lock(order.account_id)
    refuse_own(account, door)
    if account.life not in {AccountLife.PENDING, AccountLife.OPEN}:
        raise NotAllowed(Reason.ACCOUNT_ENDED)
    if account.kind != ServiceKind.NAMED:
        raise NotAllowed(Reason.NO_GRANT_NEEDED)
    if not wanted or any(service not in IDENTIFYING for service in wanted):
        raise NotAllowed(Reason.NO_SERVICE)
    if order.until_on < now.astimezone(SHANGHAI).date():
        raise NotAllowed(Reason.BAD_DAY)
    card = Card.objects.filter(account=account).order_by("-issue_no").first()
    if card is not None and card.expires_on is not None and order.until_on > card.expires_on:
        raise NotAllowed(Reason.AFTER_EXPIRY)
    _end(ServiceGrant.objects.filter(account=account, service__in=wanted, ended_at=None), door, now)
    ServiceGrant.objects.bulk_create(
        ServiceGrant(
            account=account,
            service=service,
            until_on=order.until_on,
            granted_by=door.actor.who,
            granted_at=now,
        )
        for service in wanted
    )
    after = {"services": [*wanted], "until": order.until_on.isoformat(), **door.noted}
    audit.record(audit.Deed("account.grant", "account", account.pk, after=after), actor=door.actor, now=now)
    return deeds.note(asked, deeds.Done(account.pk, None, content), door=door, now=now)


@transaction.atomic
def revoke(key: UUID, account_id: int, service: Service, *, door: AtCounter, now: datetime) -> CounterDeed:
    """End a grant now; needs no document. Raises ``NotAllowed`` (NO_SERVICE: not granted) and ``KeyReused``."""
    content = {"account": account_id, "services": [service.value]}
    asked = deeds.Asked(key, DeedKind.REVOKE, content)
    if (known := deeds.begin(asked)) is not None:
        return known
    account = lock(account_id)
    refuse_own(account, door)
    if not _end(ServiceGrant.objects.filter(account=account, service=service, ended_at=None), door, now):
        raise NotAllowed(Reason.NO_SERVICE)
    after = {"services": [service.value]}
    audit.record(audit.Deed("account.revoke", "account", account.pk, after=after), actor=door.actor, now=now)
    return deeds.note(asked, deeds.Done(account.pk, None, content), door=door, now=now)


def _end(grants: QuerySet[ServiceGrant], door: AtCounter, now: datetime) -> int:
    return grants.update(ended_at=now, ended_by=door.actor.who)
