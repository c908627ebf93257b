"""A week in which card and book drift apart, lived through by real tills and the real nightly run.

One till falls silent for six days and comes back after its gaps were levelled: what it uploads was deducted before,
and 10090 is frozen with 23.40 too little in his book. Another stays away, a third is away for three days. One card was
tampered with, one was copied, one was replaced before its last sale came.
"""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from accounts import wiring
from accounts.models import Card
from accounts.services import cards, standing
from accounts.services.rows import By
from ecard.demo.inside import ACTOR, Past, PastTill
from purse.evidence import Side, State
from purse.keys import KeyBundle
from purse.procedures import ClassicDriver, decode, load_image, slot_write
from reconciliation.services.reconcile import RunOrder, reconcile
from terminals.device.reader.sim import SimReader
from terminals.models import Terminal
from transactions.days import local_day

LATE = 10090
LATE_FEN = (8_80, 6_60, 8_00)
"""What he paid at the silent till: 23.40, the example of the desk's screens."""
CAME_BACK = {
    20010: 4_50,
    20014: 11_00,
    20023: 7_50,
    20031: 3_00,
    20042: 12_00,
    20055: 9_50,
    20068: 6_00,
    20081: 15_00,
}
"""Who else paid how much there."""
STAYS_AWAY = {20012: 8_00, 20047: 5_50}
THREE_DAYS = {20016: 7_00, 20028: 13_50, 20052: 4_00, 20074: 10_50}
TAMPERED, COPIED, REPLACED = 20036, 20061, 20090
MADE_UP_FEN = 20_00
REPLACED_FEN = 6_50
DRIFTERS = frozenset({LATE, *CAME_BACK, *STAYS_AWAY, *THREE_DAYS, TAMPERED, COPIED, REPLACED})
ENOUGH_FEN = 45_00
"""So much they have at least: what is played is about differences, not about debts."""
BEFORE = timedelta(days=8)
"""Their ordinary life ended so long ago; what follows is played."""
SILENT_PLACES = {"came_back": 5, "stays_away": 11, "three_days": 2, "online": 8}
"""Positions in ``places.SHOPS`` of the tills that play."""


@dataclass
class Week:
    """Everything that the week is played with."""

    tills: Sequence[Terminal]
    wallet: Path
    folder: Path
    keys: KeyBundle
    now: datetime

    def play(self) -> None:
        """From eight days ago until now. The clock runs again afterwards, whatever happens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._past = Past(self.now)
        self._open: list[PastTill] = []
        alarms = logging.getLogger("ecard.terminals")
        heard = alarms.level
        alarms.setLevel(logging.ERROR)  # enrolments of the past are nobody's alarm
        try:
            self._seventh_day()
            self._third_day()
            self._yesterday()
            self._today()
        finally:
            for till in self._open:
                till.close()
            wiring.pretend(None)
            alarms.setLevel(heard)

    def _seventh_day(self) -> None:
        """Two tills lose the network and go on selling; who paid there is seen elsewhere an hour later."""
        self._ago(days=6, hours=2)
        self._came_back, self._stays_away = self._till("came_back"), self._till("stays_away")
        self._online = self._till("online")
        for till in (self._came_back, self._stays_away):
            till.network(up=False)
        for number, fen in enumerate(LATE_FEN):
            self._ago(days=6, hours=2, minutes=-10 * number - 5)
            self._came_back.sell(str(LATE), fen)
        self._sell_all(self._came_back, CAME_BACK | {REPLACED: REPLACED_FEN})
        self._sell_all(self._stays_away, STAYS_AWAY)
        self._ago(days=6, hours=1)
        for card in (LATE, *CAME_BACK, *STAYS_AWAY):
            self._online.look(str(card))
        self._ago(days=6)
        self._replace(REPLACED)
        self._night()

    def _third_day(self) -> None:
        """A third till falls silent; a copy of a card is used, and one that was written at home."""
        self._ago(days=3, hours=1)
        self._three_days = self._till("three_days")
        self._three_days.network(up=False)
        shutil.copy(self.wallet / f"{COPIED}.json", self.wallet / f"{COPIED}-copy.json")
        self._sell_all(self._three_days, THREE_DAYS)
        self._three_days.sell(f"{COPIED}-copy", 5_00)
        self._ago(days=3)
        self._online.network(up=True)
        for card in list(THREE_DAYS)[:2]:
            self._online.look(str(card))
        self._online.sell(str(COPIED), 6_00)
        self._online.network(up=True)  # it reports that the card was written
        self._online.sell(f"{COPIED}-copy", 3_00)
        self._write_at_home(TAMPERED)
        self._online.sell(str(TAMPERED), 9_00)
        self._online.network(up=True)
        self._night()

    def _yesterday(self) -> None:
        """Five days of silence are full: the gaps are levelled (guide L109)."""
        self._ago(hours=20)
        self._night()

    def _today(self) -> None:
        """The first silent till is heard of again; what it uploads was deducted before."""
        self._ago(hours=2)
        self._came_back.network(up=True)
        self._online.network(up=True)

    # ------------------------------------------------------------------------------------------------ tools

    def _ago(self, **span: float) -> None:
        self._past.go_to(self.now - timedelta(**span))

    def _till(self, name: str) -> PastTill:
        till = PastTill(self.tills[SILENT_PLACES[name]], self.folder, self.wallet, self._past)
        self._open.append(till)
        return till

    def _sell_all(self, till: PastTill, amounts: dict[int, int]) -> None:
        for card, fen in amounts.items():
            self._past.go_to(self._past.moment + timedelta(minutes=1))
            till.sell(str(card), fen)

    def _night(self) -> None:
        reconcile(RunOrder(now=self._past.moment))

    def _replace(self, number: int) -> None:
        """He reports his card lost and gets rid of it; the new one waits at the desk."""
        card = Card.objects.select_related("account").get(account__number=number)
        key = uuid.uuid5(uuid.NAMESPACE_OID, f"demo-loss-{number}")
        standing.report_lost(card.account_id, key=key, actor=ACTOR, now=self._past.moment)
        cards.replace(card.pk, by=By(ACTOR, self._past.moment, "补卡"))

    def _write_at_home(self, number: int) -> None:
        """Somebody who has the keys puts 20.00 on his card."""
        reader = SimReader(self.wallet)
        reader.place(str(number))
        link = reader.wait_for_card(0)
        if link is None:
            raise RuntimeError(f"card {number} is not in the wallet")
        driver = ClassicDriver(link, self.keys)
        raw = driver.read_purse()
        purse = decode(raw, self.keys)
        more = State(purse.load.seq + 1, purse.load.total_fen + MADE_UP_FEN, 1 - purse.load.slot)
        image = load_image(raw.uid, number, more, local_day(self.now), purse.day_limit_fen, self.keys)
        driver.commit(slot_write(raw, Side.LOAD, more.slot, image), raw.uid)
