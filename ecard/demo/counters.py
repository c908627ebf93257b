"""The counters of the demo campus have been open for three weeks: what the staff has done until now, in its order."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path

from accounts import wiring
from accounts.models import Operator
from accounts.services.operators import Officer, officer_of
from ecard.demo import care, cash, deeds, roster, staff
from ecard.demo.inside import Past, PastDesk
from ecard.demo.places import DESK_NAME
from ecard.demo.roster import Office
from terminals.models import Terminal
from transactions.models import Shift


def live_at_the_counters(now: datetime, *, wallet: Path, desk_config: Path) -> None:
    """Make staff and everything that the staff has made, each part once; cards in ``wallet`` are written by it.

    The clock runs again afterwards, whatever happens.
    """
    staff.make_staff()
    cash.make_drawers(now)
    deeds.bind_bank_cards(_officer(staff.CLERK), now)
    deeds.ask_for_a_second(_officer(staff.CLERK), _officer(staff.SECOND_ADMIN), now)
    _at_the_reader(now, wallet, desk_config)
    care.make_care(now)


def _at_the_reader(now: datetime, wallet: Path, desk_config: Path) -> None:
    """What needs the desk's program: the freshmen's cards, and yesterday's top-ups."""
    terminal = Terminal.objects.filter(name_zh=DESK_NAME).first()
    if terminal is None or Shift.objects.exists():
        return
    alarms = logging.getLogger("ecard.terminals")
    heard = alarms.level
    alarms.setLevel(logging.ERROR)  # enrolments of the past are nobody's alarm
    past = Past(now)
    try:
        past.go_to(now - timedelta(days=20))
        desk = PastDesk(terminal, desk_config, wallet, past)
        try:
            roster.make_roster(Office(_officer(staff.CLERK), desk, past, wallet), now)
            cash.live_a_shift(_officer(staff.CASHIER), desk, past, now)
        finally:
            desk.close()
    finally:
        wiring.pretend(None)
        alarms.setLevel(heard)


def _officer(username: str) -> Officer:
    return officer_of(Operator.objects.select_related("campus").get(username=username))
