"""Where people are served, for the public: centers, kiosks and cash points as they stand at this moment.

A university that has not set up its places yet shows those of the guide, so that nobody finds an empty page.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import get_language

from accounts.wiring import options
from terminals import guide_places
from terminals.kinds import PlaceKind
from terminals.places import CampusPlaces, Place, Stand, by_campus, service_points, stand_words

ALL = tuple(PlaceKind)


def places(*, now: datetime, kinds: Collection[PlaceKind] = ALL) -> Sequence[Place]:
    """The places of these kinds. Two statements."""
    return service_points(now=now, kinds=kinds) or [place for place in _of_the_guide() if place.kind in kinds]


def centers_shown(*, now: datetime) -> dict[str, Any]:
    """The card centers (校园智能卡管理中心) and whether one of them serves people now: any serves any holder."""
    found = places(now=now, kinds=(PlaceKind.CENTER,))
    return {
        "centers": found,
        "hours": found[0].week.in_words() if len({str(place.week.to_json()) for place in found}) == 1 else [],
        "open": any(place.stand(now=now) is Stand.OPEN for place in found),
    }


def bank_shown() -> str:
    """The bank whose cards load the campus card, in the reader's language (guide L43, R016)."""
    english = (get_language() or "").startswith("en")
    return options().bank_name_en if english else options().bank_name_zh


def groups_shown(*, now: datetime) -> list[tuple[CampusPlaces, list[tuple[PlaceKind, list[dict[str, Any]]]]]]:
    """Every place, by campus and kind, with how it stands in words."""
    return [
        (group, [(kind, rows) for kind in PlaceKind if (rows := _rows(group, kind, now))])
        for group in by_campus(places(now=now))
    ]


def _rows(group: CampusPlaces, kind: PlaceKind, now: datetime) -> list[dict[str, Any]]:
    rows = []
    for place in group.places:
        if place.kind is kind:
            stand = place.stand(now=now)
            word, tone = stand_words(place, stand)
            opens_at = place.opens_at(now=now) if stand is Stand.CLOSED else None
            rows.append({"place": place, "stand": stand, "word": word, "tone": tone, "opens_at": opens_at})
    return rows


def _of_the_guide() -> list[Place]:
    """The guide's places as they are before anybody set them up."""
    campuses = {
        code: (number, zh, en) for number, (code, zh, en) in enumerate(guide_places.CAMPUSES, start=1)
    }
    return [
        Place(
            id=0,
            code=seed.code,
            kind=seed.kind,
            campus_id=campuses[seed.campus][0],
            campus_code=seed.campus,
            campus_zh=campuses[seed.campus][1],
            campus_en=campuses[seed.campus][2],
            name_zh=seed.name_zh,
            name_en=seed.name_en,
            week=seed.week,
        )
        for seed in guide_places.seeds()
    ]
