"""How the places where people are served stand at a moment: open or not, in service or not, and why. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from terminals.hours import Special, Week, is_open, opens_next
from terminals.models import DayKind, PlaceKind, ServicePoint, SpecialDay
from transactions.days import local_day

SILENT = timedelta(minutes=10)
"""A kiosk speaks every minute; after this long without a word it is out of service (screens.md 6.1)."""
MACHINES = (PlaceKind.LOAD_KIOSK, PlaceKind.QUERY_KIOSK)


class Stand(StrEnum):
    """What one finds there now."""

    OPEN = "open"
    CLOSED = "closed"
    """Outside its hours, or a holiday."""
    OUT = "out"
    """Taken out of service by hand; the place says why."""
    SILENT = "silent"
    """A kiosk that has not been heard of for ten minutes."""
    UNKNOWN = "unknown"
    """A kiosk without a machine of ours: nothing can be said."""


WORDS: Mapping[Stand, tuple[str | Promise, str]] = {
    Stand.OPEN: (_("现在开放"), "good"),
    Stand.CLOSED: (_("现在休息"), ""),
    Stand.OUT: (_("暂停服务"), "bad"),
    Stand.SILENT: (_("暂停服务"), "bad"),
    Stand.UNKNOWN: (_("未接入"), ""),
}
_MACHINE_OPEN = _("服务中")


@dataclass(frozen=True, slots=True)
class Place:
    """One place with all that its screens say. ``specials``: the days near the moment it was read."""

    id: int
    code: str
    kind: PlaceKind
    campus_id: int
    campus_code: str
    campus_zh: str
    campus_en: str
    name_zh: str
    name_en: str
    week: Week
    terminal_id: int | None = None
    heard_at: datetime | None = None
    out_since: datetime | None = None
    out_reason_zh: str = ""
    out_reason_en: str = ""
    specials: Mapping[date, Special] = field(default_factory=dict)

    def stand(self, *, now: datetime) -> Stand:
        """What one finds there at this moment. A person's word goes before the machine's, that before the hours."""
        if self.out_since is not None:
            return Stand.OUT
        if self.kind in MACHINES:
            if self.terminal_id is None:
                return Stand.UNKNOWN
            if self.heard_at is None or now - self.heard_at > SILENT:
                return Stand.SILENT
        return Stand.OPEN if is_open(self.week, self.specials, now=now) else Stand.CLOSED

    def opens_at(self, *, now: datetime) -> datetime | None:
        """When it opens again, if it is outside its hours."""
        return opens_next(self.week, self.specials, now=now)

    def today(self, *, now: datetime) -> Special | None:
        """Why this day is not as others."""
        return self.specials.get(local_day(now))


def stand_words(place: Place, stand: Stand) -> tuple[str | Promise, str]:
    """The words of a stand and their tone."""
    if stand is Stand.OPEN and place.kind in MACHINES:
        return _MACHINE_OPEN, "good"
    return WORDS[stand]


@dataclass(frozen=True, slots=True)
class CampusPlaces:
    """The places of one campus, as a page lists them."""

    code: str
    name_zh: str
    name_en: str
    places: Sequence[Place]


def service_points(
    *, now: datetime, campus_id: int | None = None, kinds: Iterable[PlaceKind] = PlaceKind
) -> list[Place]:
    """Every place that is not given up, by campus, kind and the order of the guide. Two statements."""
    rows = (
        ServicePoint.objects.filter(closed_at=None, kind__in=list(kinds))
        .select_related("campus", "terminal__contact")
        .order_by("campus_id", "kind", "position", "id")
    )
    if campus_id is not None:
        rows = rows.filter(campus_id=campus_id)
    near = _near(now)
    return sorted((_place(row, near) for row in rows), key=lambda each: _ORDER[each.kind])


def by_campus(places: Iterable[Place]) -> list[CampusPlaces]:
    """The same, one list a campus."""
    found: dict[int, list[Place]] = {}
    for place in places:
        found.setdefault(place.campus_id, []).append(place)
    return [
        CampusPlaces(group[0].campus_code, group[0].campus_zh, group[0].campus_en, group)
        for _id, group in sorted(found.items())
    ]


def service_point(place_id: int, *, now: datetime) -> Place | None:
    """One place; None when there is none."""
    row = (
        ServicePoint.objects.filter(pk=place_id, closed_at=None)
        .select_related("campus", "terminal__contact")
        .first()
    )
    return _place(row, _near(now)) if row else None


def special_days(*, since: date) -> list[SpecialDay]:
    """The days from then on that are not as their weekday says."""
    return list(SpecialDay.objects.filter(on__gte=since).select_related("campus").order_by("on", "campus_id"))


_ORDER = {kind: place for place, kind in enumerate(PlaceKind)}
_Near = Mapping[int | None, Mapping[date, Special]]


def _near(now: datetime) -> _Near:
    """The special days of the coming month, by campus; None: of all."""
    today = local_day(now)
    found: dict[int | None, dict[date, Special]] = {}
    for row in SpecialDay.objects.filter(on__range=(today, today + timedelta(days=31))):
        special = Special(row.on, row.kind == DayKind.CLOSED, row.name_zh, row.name_en)
        found.setdefault(row.campus_id, {})[row.on] = special
    return found


def _place(row: ServicePoint, near: _Near) -> Place:
    contact = getattr(row.terminal, "contact", None)
    revoked = row.terminal is not None and row.terminal.revoked_at is not None
    return Place(
        id=row.pk,
        code=row.code,
        kind=PlaceKind(row.kind),
        campus_id=row.campus_id,
        campus_code=row.campus.code,
        campus_zh=row.campus.name_zh,
        campus_en=row.campus.name_en,
        name_zh=row.name_zh,
        name_en=row.name_en,
        week=Week.from_json(row.hours),
        terminal_id=None if revoked else row.terminal_id,
        heard_at=contact.last_contact_at if contact else None,
        out_since=row.out_since,
        out_reason_zh=row.out_reason_zh,
        out_reason_en=row.out_reason_en,
        specials={**near.get(None, {}), **near.get(row.campus_id, {})},
    )
