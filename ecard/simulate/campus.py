"""The simulated university: people with money on their cards, merchants, tills enrolled as an administrator does it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection

from accounts import wiring
from accounts.actors import Actor
from accounts.checks.idnumber import default_pin
from accounts.models import Account
from ecard.database import as_owner
from ecard.demo import wallet
from ecard.demo.history import History, Line
from ecard.demo.people import make_people
from ecard.demo.places import SHOPS, make_merchants
from ecard.demo.seed import Resident, plant
from ecard.simulate.crowd import Plastic
from ecard.simulate.plan import Plan
from purse.keys import KeyBundle
from terminals.device import config as configuration
from terminals.device.client import enrol
from terminals.models import TerminalKind
from terminals.services import enrolment
from terminals.services.enrolment import NewTerminal
from transactions.days import local_day
from transactions.models import Contra, EntryKind, Merchant, Mode

DATABASE = "ecard_simulate"
FIRST_NO = 20001
WIDE_LIMIT_FEN = 600_00
NARROW_LIMIT_FEN = 50_00
"""Every fifth holder has this one: his password is asked for during the run."""
ACTOR = Actor.system("simulate_campus")


class InUse(Exception):
    """The database has accounts: nothing may be invented beside them."""


def use_own_database() -> str:
    """Make the simulation's own database anew and point this process at it; returns its name.

    What the configured database holds is not touched, not even looked at.
    """
    with as_owner(), connection.cursor() as cursor:
        name = connection.ops.quote_name(DATABASE)
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    settings.DATABASES["default"]["NAME"] = DATABASE
    settings.DATABASE_OWNER["NAME"] = DATABASE
    connection.settings_dict["NAME"] = DATABASE
    call_command("migrate", verbosity=0)
    return DATABASE


def card_keys() -> KeyBundle:
    """The university's card keys."""
    version, master = next(iter(settings.CARD_MASTER.items()))
    return KeyBundle.from_master(version, master)


def populate(plan: Plan, *, now: datetime) -> tuple[list[Merchant], list[Plastic]]:
    """Fill an empty database with merchants and holders, and the wallet with their cards. Raises ``InUse``."""
    if Account.objects.exists():
        raise InUse
    merchants = make_merchants(now)
    residents = _residents(plan, now)
    plant(residents, [], secrets=wiring.secrets(), now=now)
    wallet.fill(plan.folder / "wallet", residents, keys=card_keys(), today=local_day(now))
    return merchants, [_plastic(resident) for resident in residents]


def set_up_tills(plan: Plan, merchants: list[Merchant], *, url: str, now: datetime) -> list[Path]:
    """Register each till, type its one-time code at it, keep what it was given; returns their configurations."""
    paths = []
    for number in range(plan.tills):
        shop, merchant = SHOPS[number % len(SHOPS)], merchants[number % len(merchants)]
        wanted = NewTerminal(
            name_zh=f"{shop.name_zh}{number // len(SHOPS) + 1:02d}号机",
            name_en=f"{shop.name_en}, till {number // len(SHOPS) + 1}",
            kind=TerminalKind.TILL,
            campus_id=merchant.campus_id,
            merchant_id=merchant.pk,
            place=shop.name_zh,
            may_sell_offline=True,
        )
        code = enrolment.register(wanted, actor=ACTOR, now=now).code
        path = plan.folder / f"till-{number}" / "till.json"
        configuration.save(path, enrol(url, code))
        paths.append(path)
    return paths


def _residents(plan: Plan, now: datetime) -> list[Resident]:
    chance = plan.chance("people")
    people = make_people(plan.cards, first_no=FIRST_NO, chance=chance)
    return [
        Resident(
            person=person,
            history=_savings(now, chance),
            limit_fen=NARROW_LIMIT_FEN if serial % 5 == 4 else WIDE_LIMIT_FEN,
            unclaimed_fen=0,
            lost=False,
            serial=serial,
        )
        for serial, person in enumerate(people)
    ]


def _savings(now: datetime, chance: random.Random) -> History:
    fen = chance.randrange(60_00, 300_00)
    at = now - timedelta(days=2)
    return History([Line(at, EntryKind.TOP_UP, fen, Contra.DRAWER, None, Mode.SERVER)])


def _plastic(resident: Resident) -> Plastic:
    number = resident.person.id_number
    pin = default_pin(number) if number else None
    return Plastic(str(resident.person.account_no), resident.person.account_no, pin or "")
