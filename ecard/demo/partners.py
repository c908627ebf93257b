"""The systems that are connected in the demo: library, dormitory doors and PC rooms, with two weeks of questions."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from accounts.checks.identifiers import AccountNumber
from accounts.models import Account, Campus, Service
from terminals.messages.signing import PartnerStamp
from terminals.models import Partner, PartnerContact, PartnerDay
from terminals.services import asking
from terminals.services.asking import Question
from transactions.days import local_day

DAYS = 14
_SYSTEMS = (
    ("图书馆管理系统", "Library", "图书馆技术部 0532-66780001", ("library_gate", "lending"), 300, 1800),
    ("学生公寓门禁", "Dormitory doors", "后勤处公寓科 0532-66780002", ("dorm_door",), 21, 5200),
    ("机房管理系统", "PC rooms", "网络中心 0532-66780003", ("pc_room", "identity"), 200, 640),
)
_SHUT_OUT = ((10087, Service.LIBRARY_GATE), (10091, Service.DORM_DOOR), (10093, Service.DORM_DOOR))
"""Holders of the demo who stood before a shut door this morning: frozen, lost, a named card."""


def connect(*, number: int, now: datetime) -> None:
    """Make all that; the same for the same number and moment. The key of the doors ends soon."""
    chance = random.Random(number)  # noqa: S311 - a demo is to be the same every time
    for name_zh, name_en, contact, services, days_left, a_day in _SYSTEMS:
        partner = Partner.objects.create(
            name_zh=name_zh,
            name_en=name_en,
            contact=contact,
            services=list(services),
            tells_name="lending" in services,
            tells_school_no="lending" in services or "pc_room" in services,
            by_number="lending" in services,
            expires_on=local_day(now) + timedelta(days=days_left),
            made_at=now - timedelta(days=160),
            turned_at=now - timedelta(days=160),
        )
        partner.campuses.add(*Campus.objects.all())
        PartnerContact.objects.create(partner=partner)
        for ago in range(1, DAYS):
            asked = round(a_day * chance.uniform(0.7, 1.2))
            unknown = asked // 90
            PartnerDay.objects.create(
                partner=partner,
                on=local_day(now) - timedelta(days=ago),
                asked=asked,
                refused=unknown + asked // 40,
                unknown=unknown,
                rejected=chance.choice((0, 0, 0, 1, 2)),
            )
        _this_morning(partner, chance, now=now)


def _this_morning(partner: Partner, chance: random.Random, *, now: datetime) -> None:
    """Questions as they come in: a few holders, and whoever stood before a shut door."""
    key = asking.find_key(partner.pk)
    assert key is not None
    usual = Service(min(key.services))
    here = Account.objects.order_by("id").values_list("number", flat=True)[:5]
    wanted = [(account, service) for account, service in _SHUT_OUT if service in key.services]
    wanted += [(account, usual) for account in here]
    campus_id = next(iter(key.campuses.values()))
    for place, (account, service) in enumerate(wanted):
        at = now - timedelta(minutes=40 - place)
        stamp = PartnerStamp(partner.pk, 1, int(at.timestamp() * 1000), chance.randbytes(16))
        asking.admit(key, stamp, now=at)
        asking.look(key, Question(service, campus_id, AccountNumber(account)), now=at)
