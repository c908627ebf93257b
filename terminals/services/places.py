"""Changing where and when people are served: the guide's places to begin with, then what the staff knows better.

Every change leaves a line in the audit; what is given up is marked, not deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.models import Campus
from accounts.services.audit import Deed, record
from terminals import guide_places
from terminals.hours import Week
from terminals.models import DayKind, PlaceKind, ServicePoint, SpecialDay


class NoSuchPlace(Exception):
    """There is no such place, or it was given up."""


class DayTaken(Exception):
    """The day is already marked as special on this campus."""


@dataclass(frozen=True, slots=True)
class Details:
    """What the staff may say of a place."""

    name_zh: str
    name_en: str
    week: Week


@dataclass(frozen=True, slots=True)
class NewDay:
    """A day that is not as its weekday says; ``campus_id`` None: everywhere."""

    on: date
    kind: DayKind
    name_zh: str
    name_en: str = ""
    campus_id: int | None = None


@transaction.atomic
def seed_places(*, actor: Actor, now: datetime) -> int:
    """Make the campuses and places of the guide that are not there yet; returns how many places. Safe to repeat.

    What is there already stays as the staff has it.
    """
    campuses = {
        code: Campus.objects.get_or_create(code=code, defaults={"name_zh": name_zh, "name_en": name_en})[0]
        for code, name_zh, name_en in guide_places.CAMPUSES
    }
    here = set(ServicePoint.objects.values_list("code", flat=True))
    missing = [seed for seed in guide_places.seeds() if seed.code not in here]
    ServicePoint.objects.bulk_create(
        ServicePoint(
            code=seed.code,
            kind=seed.kind,
            campus=campuses[seed.campus],
            position=seed.position,
            name_zh=seed.name_zh,
            name_en=seed.name_en,
            hours=seed.week.to_json(),
        )
        for seed in missing
    )
    if missing:
        after = {"places": [seed.code for seed in missing]}
        record(Deed("place.seed", "place", "guide", after=after), actor=actor, now=now)
    return len(missing)


@transaction.atomic
def describe(place_id: int, details: Details, *, actor: Actor, now: datetime) -> None:
    """Change names and hours. Raises ``NoSuchPlace``."""
    place = _lock(place_id)
    wanted = {"name_zh": details.name_zh, "name_en": details.name_en, "hours": details.week.to_json()}
    _change(place, "place.describe", wanted, actor=actor, now=now)


@transaction.atomic
def take_out(place_id: int, reason_zh: str, reason_en: str = "", *, actor: Actor, now: datetime) -> None:
    """Say that a place serves nobody for the time being, and why. Raises ``NoSuchPlace``."""
    place = _lock(place_id)
    wanted = {"out_since": place.out_since or now, "out_reason_zh": reason_zh, "out_reason_en": reason_en}
    _change(place, "place.take_out", wanted, actor=actor, now=now, reason=reason_zh)


@transaction.atomic
def put_back(place_id: int, *, actor: Actor, now: datetime) -> None:
    """Say that it serves people again. Raises ``NoSuchPlace``."""
    wanted = {"out_since": None, "out_reason_zh": "", "out_reason_en": ""}
    _change(_lock(place_id), "place.put_back", wanted, actor=actor, now=now)


@transaction.atomic
def set_special_day(day: NewDay, *, actor: Actor, now: datetime) -> int:
    """Mark a day. Raises ``DayTaken``."""
    values = {item.name: getattr(day, item.name) for item in fields(day)}
    try:
        with transaction.atomic():
            made = SpecialDay.objects.create(**values)
    except IntegrityError as error:
        if "special_day_once" not in str(error):
            raise
        raise DayTaken from None
    record(Deed("special_day.set", "special_day", made.pk, after=_plain(values)), actor=actor, now=now)
    return made.pk


@transaction.atomic
def drop_special_day(day_id: int, *, actor: Actor, now: datetime) -> None:
    """Let the day be as its weekday says. Repeating it does nothing."""
    day = SpecialDay.objects.filter(pk=day_id).first()
    if day is None or not SpecialDay.objects.filter(pk=day_id).delete()[0]:
        return
    before = _plain({item.name: getattr(day, item.name) for item in fields(NewDay)})
    record(Deed("special_day.drop", "special_day", day_id, before=before), actor=actor, now=now)


def stand_terminal_at(terminal_id: int, place_id: int) -> None:
    """Let a kiosk stand at a place, inside the caller's transaction. Raises ``NoSuchPlace`` for one that is taken.

    The database refuses a machine of another kind or campus.
    """
    free = ServicePoint.objects.filter(pk=place_id, closed_at=None, terminal=None)
    if not free.update(terminal_id=terminal_id):
        raise NoSuchPlace(str(place_id))


def free_places(campus_id: int, kind: PlaceKind) -> list[ServicePoint]:
    """Where a kiosk could stand."""
    return list(
        ServicePoint.objects.filter(campus_id=campus_id, kind=kind, closed_at=None, terminal=None).order_by(
            "position"
        )
    )


def _lock(place_id: int) -> ServicePoint:
    place = ServicePoint.objects.select_for_update().filter(pk=place_id, closed_at=None).first()
    if place is None:
        raise NoSuchPlace(str(place_id))
    return place


def _change(
    place: ServicePoint,
    action: str,
    wanted: Mapping[str, Any],
    *,
    actor: Actor,
    now: datetime,
    reason: str = "",
) -> None:
    """Write what differs and note it; nothing when nothing does, so a second click is harmless."""
    before = {name: getattr(place, name) for name, value in wanted.items() if getattr(place, name) != value}
    if not before:
        return
    for name in before:
        setattr(place, name, wanted[name])
    place.save(update_fields=list(before))
    after = _plain({name: wanted[name] for name in before})
    deed = Deed(action, "place", place.code, before=_plain(before), after=after, reason=reason)
    record(deed, actor=actor, now=now)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, date | datetime) else value
        for name, value in values.items()
    }
