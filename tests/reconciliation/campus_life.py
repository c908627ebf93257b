"""One holder, some tills, weeks of life on the real services and a real card; beside it only what he truly bought."""

from __future__ import annotations

import random
import uuid
from collections import Counter as Tally
from dataclasses import replace
from datetime import timedelta

from accounts.actors import Actor, AtCounter, Channel
from accounts.models import DocumentKind
from accounts.services import standing
from purse.policy import Policy
from reconciliation import gaps, items
from reconciliation.selectors import explain
from reconciliation.services.reconcile import RunOrder, reconcile
from terminals.models import Terminal, TerminalContact
from tests.campus import NOON, Counter, make_person
from tests.reconciliation.silence import speaks, till
from tests.transactions.test_debit import BEFORE_THE_WRITE
from tests.transactions.test_offline import sell_offline
from transactions.models import CardFinding
from transactions.services.corrections import RefundOrder, refund_late
from transactions.services.credit import Credit, credit_unclaimed
from transactions.services.offline import post_offline

START_FEN = 200_00
CLERK = Actor.operator(1, role="clerk", channel=Channel.COUNTER)
POLICY = Policy(freeze_gap_fen=50_00)
DEEDS = {
    "buy": 6, "buy_torn": 3, "buy_offline": 5, "look": 3, "come_back": 2, "night": 4, "get_subsidy": 1, "refund": 1
}  # fmt: skip
TEARER = DEEDS | {"buy": 1, "buy_torn": 7}


class Life:
    """``bought_fen`` is what the tills rang up for him, once each, whatever the systems made of it."""

    def __init__(self, rng: random.Random, *, tearer: bool) -> None:
        self.rng, self.deeds = rng, TEARER if tearer else DEEDS
        self.person = make_person(START_FEN, limit_fen=600_00)
        self.online = Counter(8)
        self.away = {number: self._till(number) for number in (3, 4)}
        self.records = {3: [], 4: []}
        self.lost: set[int] = set()
        self.now = NOON
        self.bought_fen = self.given_fen = 0
        self.done: Tally[str] = Tally()
        self.strange: list[str] = []
        """Differences that the items did not add up to, or that no record explained."""

    @staticmethod
    def _till(number: int) -> Counter:
        if Terminal.objects.filter(id=number).exists():
            TerminalContact.objects.filter(terminal_id=number).update(last_contact_at=NOON)
            return Counter(number)
        return till(number)

    def step(self) -> None:
        name = self.rng.choices(list(self.deeds), list(self.deeds.values()))[0]
        self.done[name] += 1
        self.now += timedelta(hours=self.rng.randrange(1, 30))
        self.online.now = self.now
        getattr(self, name)()
        shown = explain(self.person.account.id)
        assert shown is not None
        found = [item.mismatch for item in shown.items]
        if "EXCESS" in found or sum(item.fen for item in shown.items) != shown.difference_fen:
            self.strange.append(f"after {name}: {shown}")

    # ---------------------------------------------------------------------------------------------- the holder

    def buy(self, leave_after: int | None = None) -> None:
        fen = self.rng.randrange(1, 20_00)
        sale = self.online.tap(self.person, fen, leave_after=leave_after, policy=POLICY)
        if sale.reply is not None and sale.refusal is None:
            self.bought_fen += fen

    def buy_torn(self) -> None:
        self.buy(leave_after=self.rng.choice([BEFORE_THE_WRITE, BEFORE_THE_WRITE + 1]))

    def buy_offline(self) -> None:
        number = self.rng.choice([3, 4])
        fen = self.rng.randrange(1, 20_00)
        if self.person.card_fen < fen or self._in_a_row() >= POLICY.offline_in_a_row or self._stopped():
            return
        self.records[number].append(sell_offline(self.away[number], self.person, fen))
        self.bought_fen += fen

    def look(self) -> None:
        self.online.look(self.person)

    def get_subsidy(self) -> None:
        fen = self.rng.randrange(1, 20_00)
        credit_unclaimed(Credit(uuid.uuid4(), self.person.account.id, fen), now=self.now)
        self.given_fen += fen

    # ----------------------------------------------------------------------------------------------- the others

    def come_back(self) -> None:
        """A till has the network again: it uploads what it has, some of it twice, in any order."""
        number = self.rng.choice([3, 4])
        records = self.records[number]
        self.rng.shuffle(records)
        kept = []
        for record in records:
            speaks(self.away[number], self.now)
            post_offline(record, till=self.away[number].till, policy=POLICY, now=self.now)
            if self.rng.random() < 0.2:
                kept.append(record)
        self.records[number] = kept

    def night(self) -> None:
        self.now += timedelta(days=self.rng.choice([1, 1, 3, 6]))
        self.done["levelled"] += reconcile(RunOrder(now=self.now, policy=POLICY)).levelled

    def refund(self) -> None:
        for item in gaps.late_items([self.person.account.id]):
            order = RefundOrder(uuid.uuid4(), self.person.account.id, item.entry_id, "重复扣款")
            refund_late(order, actor=CLERK, now=self.now, policy=POLICY)
            self.done["refunded"] += 1
        self._unfreeze()

    # ---------------------------------------------------------------------------------------------------- the end

    def drain(self) -> None:
        """Every record comes, five more days pass, every late item is refunded, and the card is healed."""
        for number in (3, 4):
            while self.records[number]:
                for record in self.records[number]:
                    post_offline(record, till=self.away[number].till, policy=POLICY, now=self.now)
                self.records[number] = []
        self.online.now = self.now
        self.online.look(self.person)
        self.refund()
        self.online.tap(self.person, 1, policy=replace(POLICY, sale_max_fen=0))
        self.online.look(self.person)
        self.now += timedelta(days=6)
        self.done["levelled"] += reconcile(RunOrder(now=self.now, policy=POLICY)).levelled

    def wrong(self) -> str | None:
        """None, or in what way somebody lost or gained: the book and what waits are what he had less what he bought."""
        if self.strange or CardFinding.objects.filter(account_id=self.person.account.id).exists():
            return f"an honest card is suspect: {self.strange}"
        account = self.person.fresh()
        truly_fen = START_FEN + self.given_fen - self.bought_fen
        if account.book_fen + account.unclaimed_fen != truly_fen:
            return f"book {account.book_fen} + {account.unclaimed_fen}, but {truly_fen} are his"
        shown = items.account_items(account.id, now=self.now, policy=POLICY)
        assert shown is not None
        if any(item.mismatch not in ("TORN", "TORN_LOAD") for item in shown.explanation.items):
            return f"open: {shown.explanation.items}"
        if sum(item.fen for item in shown.explanation.items) != shown.explanation.difference_fen:
            return f"the items do not add up: {shown.explanation}"
        return None

    def _in_a_row(self) -> int:
        self.person.fresh()
        return sum(len(records) for records in self.records.values())

    def _stopped(self) -> bool:
        """An offline till refuses a card with the stop mark on it."""
        return bool(self.person.fresh().frozen_reasons)

    def _unfreeze(self) -> None:
        account = self.person.fresh()
        if not account.frozen_reasons or account.book_fen < 0:
            return
        self.online.look(self.person)
        shown = items.account_items(account.id, now=self.now, policy=POLICY)
        assert shown is not None
        door = AtCounter(CLERK, DocumentKind.RESIDENT, card_on_reader=True)
        standing.unfreeze(
            account.id,
            door=door,
            open_items_fen=shown.explanation.difference_fen,
            now=self.now,
            reason="已处理",
        )
        self.done["unfrozen"] += 1
