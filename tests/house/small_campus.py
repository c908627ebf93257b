"""A handful of people and one till that works in the same process as the server, for tests of keeping the database."""

from __future__ import annotations

import uuid

from django.utils import timezone

from accounts import wiring
from accounts.actors import Actor, Channel
from accounts.models import Account
from banking.services import bindings
from ecard.demo.inside import HOST, Inside
from ecard.simulate import campus
from ecard.simulate.plan import Plan
from purse.policy import Policy
from terminals.api import wiring as door
from terminals.device import config as configuration
from terminals.device.reader.sim import SimReader
from terminals.device.station import Parts
from terminals.device.store import Store
from terminals.device.tapped import Order
from terminals.services import enrolment
from terminals.services.enrolment import NewTerminal

CLERK = Actor.operator(4, role="clerk", channel=Channel.COUNTER, place="desk-1")


class SmallCampus:
    """Four people, one till, one bank card. Cards are files; ``20001`` is the first."""

    def __init__(self, folder):
        self.folder = folder
        plan = Plan(tills=1, cards=4, minutes=1, seed=1, folder=folder)
        merchants, _ = campus.populate(plan, now=timezone.now())
        wanted = NewTerminal("01号机", "till", merchants[0].campus_id, merchants[0].pk, may_sell_offline=True)
        code = enrolment.register(wanted, actor=campus.ACTOR, now=timezone.now()).code
        enrolled = enrolment.enrol(
            code, source="test", keyring=door.keyring(), policy=Policy(), now=timezone.now()
        )
        door.registry().forget()
        configuration.save(folder / "till.json", enrolled)
        self.config = configuration.load(folder / "till.json")
        self.journal = configuration.journal_path(folder / "till.json", self.config)
        self.reader = SimReader(folder / "wallet")
        self.start()

    def start(self):
        self.parts = Parts.assemble(self.config, f"http://{HOST}", lambda: Store(self.journal), wire=Inside())
        self.parts.background.greet()

    def close(self):
        self.parts.close()

    def live(self):
        """What makes rows in the tables that a backup must bring back."""
        account = Account.objects.get(number=20001)
        row = bindings._new(
            account.pk,
            bindings.BankCard("9999991234567890128", "崂山", "Laoshan"),
            bindings.index_of("9999991234567890128", wiring.secrets()),
            wiring.secrets(),
            by=CLERK,
            now=timezone.now(),
        )
        row.uid = row.uid or uuid.uuid4()
        row.save(force_insert=True)

    def sell(self, *, online=0, offline=0, card="20001", fen=1_00):
        """So many sales of each kind; the offline ones are uploaded at the end."""
        for _ in range(online):
            self._tap(card, fen)
        if offline:
            self.network(up=False)
            for _ in range(offline):
                self._tap(card, fen)
            self.network(up=True)

    def network(self, *, up):
        self.parts.client.plugged = up
        if up:
            self.parts.background.greet()
        else:
            self.parts.client.up = False

    def look(self, card):
        """An empty tap."""
        self.reader.place(card)
        tapped = self.parts.sales.balance(self.reader.wait_for_card(0))
        self.reader.lift()
        return tapped

    def _tap(self, card, fen):
        self.reader.place(card)
        tapped = self.parts.sales.buy(self.reader.wait_for_card(0), Order(fen, again=True))
        self.reader.lift()
        if self.parts.client.up:
            self.parts.background.greet()
        return tapped
