"""Reading the keys of other systems: how each stands, what it asked, why it was refused. Nobody's name in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from django.db.models import Count, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Service
from accounts.rights import Denial
from terminals.denials import WORDS as DENIALS
from terminals.models import ASKABLE, DoorRefusal, Partner, PartnerContact, PartnerDay, SecurityEvent
from terminals.services.asking import REFUSALS_KEPT
from transactions.days import local_day

__all__ = ["ASKABLE", "WORDS", "PartnerRow", "Place", "State", "partner", "partners"]

SOON: Final = timedelta(days=30)
"""A key that ends within so many days is pointed out."""
Words = str | Promise


class State(StrEnum):
    """How a key stands, the gravest first."""

    EXPIRED = "expired"
    SOON = "soon"
    UNUSED = "unused"
    """Nobody has ever asked with it."""
    GOOD = "good"
    REVOKED = "revoked"


WORDS: Final[Mapping[State, tuple[Words, str]]] = {
    State.EXPIRED: (_("已过期"), "bad"),
    State.SOON: (_("30 天内到期"), "warn"),
    State.UNUSED: (pgettext_lazy("partner", "从未使用"), ""),
    State.GOOD: (_("正常"), "good"),
    State.REVOKED: (pgettext_lazy("partner", "已停用"), ""),
}
_RANK: Final = {state: place for place, state in enumerate(State)}


@dataclass(frozen=True, slots=True)
class Place:
    """A campus on which its doors stand."""

    id: int
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class PartnerRow:
    """One key. ``kept_until``: until when the key of before is good besides; None for not at all."""

    id: int
    name_zh: str
    name_en: str
    contact: str
    services: tuple[Service, ...]
    campuses: tuple[Place, ...]
    tells_name: bool
    tells_school_no: bool
    by_number: bool
    addresses: tuple[str, ...]
    per_minute: int
    expires_on: date
    epoch: int
    kept_until: datetime | None
    made_at: datetime
    turned_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None
    used_epoch: int
    asked: int
    refused: int
    rejected: int
    """Of today: questions, the ones answered with no, calls that were not let in."""
    state: State

    @property
    def new_key_unused(self) -> bool:
        """Whether the present key still waits to be put to use while the one of before is in use."""
        return 0 < self.used_epoch < self.epoch

    def stands_on(self, campus_id: int | None) -> bool:
        """Whether it concerns this campus; None is all of them."""
        return campus_id is None or any(place.id == campus_id for place in self.campuses)


@dataclass(frozen=True, slots=True)
class Refused:
    """How often within a week, for one service and reason."""

    service: Service
    reason: Words
    count: int


@dataclass(frozen=True, slots=True)
class ShutDoor:
    """A no that the desk explains to its holder: which system said it, for which service, why."""

    at: datetime
    name_zh: str
    name_en: str
    service: Service
    reason: Words


def partners(*, now: datetime, campus_id: int | None = None) -> list[PartnerRow]:
    """The keys of one campus or of all, the gravest state first, revoked ones last. Three statements."""
    found = _rows(Partner.objects.all(), now)
    return sorted(
        (row for row in found if row.stands_on(campus_id)), key=lambda row: (_RANK[row.state], row.id)
    )


def partner(partner_id: int, *, now: datetime) -> PartnerRow | None:
    """One key; None for an unknown one."""
    return next(iter(_rows(Partner.objects.filter(pk=partner_id), now)), None)


def days_of(partner_id: int, *, newest: int = 14) -> list[PartnerDay]:
    """What it asked, day by day, newest first."""
    return list(PartnerDay.objects.filter(partner_id=partner_id).order_by("-on")[:newest])


def reasons_of(partner_id: int, *, now: datetime) -> list[Refused]:
    """Why it was told no within the last seven days, the commonest first."""
    lately = DoorRefusal.objects.filter(partner_id=partner_id, at__gte=now - REFUSALS_KEPT)
    found = lately.values_list("service", "denial").annotate(count=Count("id")).order_by("-count", "denial")
    return [Refused(Service(service), DENIALS[Denial(denial)], count) for service, denial, count in found]


def events_of(partner_id: int, *, newest: int = 10) -> list[SecurityEvent]:
    """What was noticed about it, newest first."""
    found = SecurityEvent.objects.filter(terminal__isnull=True, detail__partner=partner_id)
    return list(found.order_by("-at")[:newest])


def shut_doors(account_id: int, *, now: datetime, newest: int = 5) -> list[ShutDoor]:
    """Where a holder was told no within the last seven days, newest first: for whoever explains it at the desk."""
    lately = DoorRefusal.objects.filter(account_id=account_id, at__gte=now - REFUSALS_KEPT)
    rows = lately.select_related("partner").order_by("-at")[:newest]
    return [
        ShutDoor(
            row.at,
            row.partner.name_zh,
            row.partner.name_en,
            Service(row.service),
            DENIALS[Denial(row.denial)],
        )
        for row in rows
    ]


def _rows(found: QuerySet[Partner], now: datetime) -> list[PartnerRow]:
    rows = list(found.select_related("last_contact").prefetch_related("campuses"))
    today = PartnerDay.objects.filter(on=local_day(now), partner__in=rows)
    days = {day.partner_id: day for day in today}
    return [_row(row, row.last_contact, days.get(row.pk), now) for row in rows]


def _row(row: Partner, contact: PartnerContact, day: PartnerDay | None, now: datetime) -> PartnerRow:
    places = sorted(row.campuses.all(), key=lambda campus: campus.pk)
    return PartnerRow(
        id=row.pk,
        name_zh=row.name_zh,
        name_en=row.name_en,
        contact=row.contact,
        services=tuple(service for service in ASKABLE if service in row.services),
        campuses=tuple(Place(campus.pk, campus.name_zh, campus.name_en) for campus in places),
        tells_name=row.tells_name,
        tells_school_no=row.tells_school_no,
        by_number=row.by_number,
        addresses=tuple(row.addresses),
        per_minute=row.per_minute,
        expires_on=row.expires_on,
        epoch=row.epoch,
        kept_until=row.kept_until if row.kept_until and now < row.kept_until else None,
        made_at=row.made_at,
        turned_at=row.turned_at,
        revoked_at=row.revoked_at,
        used_at=contact.used_at,
        used_epoch=contact.used_epoch,
        asked=day.asked if day else 0,
        refused=day.refused if day else 0,
        rejected=day.rejected if day else 0,
        state=_state(row, contact, local_day(now)),
    )


def _state(row: Partner, contact: PartnerContact, today: date) -> State:
    if row.revoked_at is not None:
        return State.REVOKED
    if row.expires_on < today:
        return State.EXPIRED
    if row.expires_on - today <= SOON:
        return State.SOON
    return State.UNUSED if contact.used_at is None else State.GOOD


def in_force(rows: Sequence[PartnerRow]) -> list[PartnerRow]:
    """Without the revoked ones."""
    return [row for row in rows if row.state is not State.REVOKED]


def worrying(rows: Sequence[PartnerRow]) -> int:
    """How many somebody should look after."""
    return sum(row.state in (State.EXPIRED, State.SOON) for row in rows)
