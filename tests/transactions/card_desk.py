"""A clerk at a desk who issues, replaces and closes, for tests: his door, his drawer, and his desk's chips."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from datetime import date, timedelta

from accounts.actors import Actor, AtCounter, Channel
from accounts.keys import Secrets
from accounts.models import Card, CounterDeed, HolderKind, OperatorRole, ServiceKind
from accounts.options import Options
from accounts.papers import PaperKind
from accounts.services import cards, issuing
from accounts.services.issuing import Applicant
from accounts.services.rows import By
from purse.procedures import ClassicDriver
from terminals.device.reader.field import Field
from terminals.device.reader.model import ClassicCard
from terminals.services import topups
from tests.campus import KEYS, NOON, POLICY, Person, book, make_campus
from tests.transactions.cash_desk import Till
from transactions.services import cardmoney, chips, slips
from transactions.services.cardmoney import Cause, House, PaidBy, Replacement

SECRETS = Secrets(peppers={1: b"p" * 32}, field_keys={1: b"f" * 32}, index_key=b"i" * 32)
HOUSE = House(POLICY, Options(), SECRETS)
TODAY = NOON.date()
_uids = itertools.count(0xC0000000)
_people = itertools.count(1)


class Desk:
    """A clerk with an open shift."""

    def __init__(self, float_fen: int = 500_00, role: OperatorRole = OperatorRole.CLERK, holder=None) -> None:
        self.till = Till(float_fen, role, holder)
        self.operator = self.till.operator
        self.actor = Actor.operator(
            self.operator.pk, role=role.value, channel=Channel.COUNTER, place="10.0.0.7"
        )

    def door(self, paper: PaperKind = PaperKind.RESIDENT, *, card: bool = False, own: int | None = None):
        """A document was seen, and perhaps that card lies on the reader."""
        return AtCounter(self.actor, paper, card, own, "agrees")

    def pays(self, paid_by: PaidBy = PaidBy.CASH) -> cardmoney.Till:
        shift = self.till.shift.pk if paid_by is PaidBy.CASH else None
        return cardmoney.Till(self.operator.pk, paid_by, shift)

    def replace(
        self, person: Person, cause: Cause = Cause.LOST, *, paid_by=PaidBy.CASH, now=NOON, **changes
    ) -> CounterDeed:
        order = Replacement(uuid.uuid4(), person.account.pk, cause, self.pays(paid_by), "补卡工本费")
        return cardmoney.replace_card(replace(order, **changes), door=self.door(), now=now, house=HOUSE)

    def open(self, kind=ServiceKind.NAMED, paper=PaperKind.RESIDENT, *, key=None, now=NOON, **person):
        """Open an account; a person nobody knows yet, unless fields say otherwise."""
        new = new_account(kind, key=key, **person)
        return cardmoney.open_account(
            new, self.pays(), "记名卡押金", door=self.door(paper), now=now, house=HOUSE
        )

    def make(self, card_id: int, *, now=NOON) -> ClassicCard:
        """The chip of a blank row, as the desk's job makes it."""
        card = Card.objects.select_related("account").get(pk=card_id)
        plastic = ClassicCard.blank(next(_uids).to_bytes(4, "big"))
        content = chips.prepare_chip(
            card, plastic.uid, school_number_mac=b"12345678", keys=KEYS, book=book(now)
        )
        assert isinstance(content, chips.ChipContent), content
        hand = Field()
        hand.place(plastic)
        link = hand.select()
        assert link is not None
        ClassicDriver(link, KEYS).personalise(plastic.uid, dict(content.blocks))
        cards.issue(card_id, plastic.uid.hex().upper(), by=By(self.actor, now))
        assert chips.chip_written(card_id, content.load_fen, content.first_seq, book=book(now))
        return plastic

    def remake(self, person: Person, deed: CounterDeed) -> Person:
        """The holder with the new card of a replacement in his hand."""
        person.plastic = self.make(deed.card_id)
        person.card_row = Card.objects.get(pk=deed.card_id)
        person.fresh()
        return person


def top_up(bench, cashier: Till, person: Person, fen: int, *, now=NOON):
    """Cash over the counter: announced, shown to the customer, confirmed; the card is loaded at the bench's desk."""
    new = slips.NewSlip(uuid.uuid4(), person.account.pk, fen)
    slip = slips.announce(new, officer=cashier.officer, policy=POLICY, now=now)
    job = topups.confirm(
        slip.pk, desk_id=bench.id, read_here=True, officer=cashier.officer, actor=cashier.by.actor, now=now
    )
    return bench.do(job.id, person.plastic)


def new_account(kind=ServiceKind.NAMED, *, key=None, expires_on="usual", **person) -> issuing.NewAccount:
    campus, _ = make_campus()
    serial = next(_people)
    fields = {
        "school_no": f"V{serial:06d}", "name": "李访客", "kind": HolderKind.OTHER,
    } | person  # fmt: skip
    usual: date | None = TODAY + timedelta(days=180) if kind is ServiceKind.NAMED else None
    return issuing.NewAccount(
        key or uuid.uuid4(),
        Applicant(**fields),
        kind,
        campus.pk,
        usual if expires_on == "usual" else expires_on,
    )
