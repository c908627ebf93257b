"""What the administration of the demo campus looks at: the guide's places, their kiosks, contracts, nights of cron."""

from __future__ import annotations

import random
from datetime import datetime, time, timedelta
from uuid import NAMESPACE_OID, UUID, uuid5

from accounts import jobs
from accounts.actors import Actor
from accounts.models import JobRun
from accounts.services import policy
from accounts.services.policy import NewValue
from ecard.demo import partners
from terminals.models import DayKind, PlaceKind, ServicePoint, Terminal, TerminalContact, TerminalKind
from terminals.services import places
from terminals.services.places import NewDay
from transactions.days import SHANGHAI, local_day
from transactions.models import Merchant
from transactions.services import merchants
from transactions.services.merchants import NewTerms

ACTOR = Actor.system("seed_demo")
NIGHTS = 30
_SILENT = "fushan-query-kiosk-2"
_REBUILT = "yushan-load-kiosk-2"
_TOOK_S = {"reconcile": (40, 90), "verify": (20, 45)}
_USUALLY_S = (2, 6)
_COUNTS = {
    "close_day": {"days": 1, "months_added": 0},
    "reconcile": {"compared": 200, "levelled": 0, "opened": 1, "closed": 1},
    "verify": {"checked": 9_400, "broken": 0},
    "backup": {"kilobytes": 21_300, "tables": 100, "rows": 61_000, "entries": 9_400, "dropped": 1},
    "retention": {"logins": 12, "web_sessions": 40},
    "restore_drill": {
        "rows": 61_000,
        "promises": 27,
        "id_numbers": 200,
        "restore_s": 9,
        "check_s": 21,
        "found": 0,
    },
}
"""What the nights of the demo say that they did; other jobs say nothing."""
_DRILLED = timedelta(days=11)
"""So long ago a backup was restored for practice."""


def furnish(*, number: int, now: datetime) -> None:
    """Make all that, for a campus with its merchants; the same for the same number and moment."""
    _places(now)
    _contracts(now)
    _nights(random.Random(number), now)  # noqa: S311 - a demo is to be the same every time
    partners.connect(number=number, now=now)
    tomorrow = datetime.combine(local_day(now) + timedelta(days=1), time(0), SHANGHAI)
    wanted = NewValue(_key("retap"), "retap", timedelta(seconds=15), tomorrow, "补刷来不及的多，放宽到 15 秒")
    policy.set_value(wanted, shown=policy.preview(wanted, now=now).digest, actor=ACTOR, now=now)


def _places(now: datetime) -> None:
    """The guide's places; one has a kiosk that fell silent, one is being rebuilt, a holiday is near.

    The others have no machine yet: a kiosk of the demo that nobody runs would be out of service ten minutes later.
    """
    places.seed_places(actor=ACTOR, now=now)
    place = ServicePoint.objects.select_related("campus").get(code=_SILENT)
    machine = Terminal.objects.create(
        name_zh=f"{place.name_zh}{PlaceKind.QUERY_KIOSK.label}",
        name_en=f"{place.name_en}, query kiosk",
        kind=TerminalKind.QUERY_KIOSK,
        campus=place.campus,
        place=place.name_zh,
        epoch=1,
        enrolled_at=now - timedelta(days=200),
    )
    heard = now - timedelta(days=2)
    TerminalContact.objects.create(terminal=machine, last_contact_at=heard, heartbeat_at=heard, free_mb=5_200)
    places.stand_terminal_at(machine.pk, place.pk)
    rebuilt = ServicePoint.objects.get(code=_REBUILT)
    places.take_out(
        rebuilt.pk,
        "餐厅入口装修，请到师苑餐厅",
        "Entrance under repair, please go to Shiyuan Canteen",
        actor=ACTOR,
        now=now,
    )
    holiday = NewDay(local_day(now) + timedelta(days=20), DayKind.CLOSED, "校庆日", "Anniversary")
    places.set_special_day(holiday, actor=ACTOR, now=now)


def _contracts(now: datetime) -> None:
    """Terms for every merchant; one contract ends soon."""
    today = local_day(now)
    for place, merchant in enumerate(Merchant.objects.order_by("id")):
        terms = NewTerms(
            key=_key(f"terms-{merchant.pk}"),
            effective_on=today,
            fee_bp=0 if merchant.category == "canteen" else 60,
            settlement="monthly",
            reason="年度合同",
        )
        merchants.set_terms(merchant.pk, terms, actor=ACTOR, now=now)
        merchant.contract_no = f"HT-2026-{place + 1:02d}"
        merchant.contract_until = today + timedelta(days=12 if place == 4 else 300)
        merchant.save(update_fields=["contract_no", "contract_until"])


def _nights(chance: random.Random, now: datetime) -> None:
    """Thirty nights of cron, the last one this morning."""
    for job in jobs.JOBS:
        if job.at is None:
            continue
        for ago in range(NIGHTS, -1, -1):
            started = datetime.combine(local_day(now) - timedelta(days=ago), job.at, SHANGHAI)
            if started < now - timedelta(minutes=5):
                took = timedelta(seconds=chance.uniform(*_TOOK_S.get(job.name, _USUALLY_S)))
                JobRun.objects.create(
                    job=job.name,
                    started_at=started,
                    ended_at=started + took,
                    result="ok",
                    counts=_COUNTS.get(job.name, {}),
                )
    drilled = now - _DRILLED
    JobRun.objects.create(
        job="restore_drill",
        started_at=drilled,
        ended_at=drilled + timedelta(minutes=4),
        result="ok",
        counts=_COUNTS["restore_drill"],
    )


def _key(name: str) -> UUID:
    return uuid5(NAMESPACE_OID, f"demo-{name}")
