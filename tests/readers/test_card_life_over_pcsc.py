"""A card's life through a real pcscd with a (virtual) reader: issued, loaded, used, lost, replaced; books exact."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from accounts.actors import AtCounter
from accounts.models import Account, AccountLife, Card, CardLife, DocumentKind
from accounts.services import issuing
from reconciliation.services.verify import verify
from terminals.device.reader.field import Fault
from terminals.device.reader.model import ClassicCard
from terminals.device.reader.tearing import Tear
from terminals.models import JobState
from tests.campus import NOON, POLICY, Counter, Person
from tests.readers.test_desk_over_pcsc import bench
from tests.terminals.conftest import server
from tests.terminals.desk import CLERK
from tests.transactions.card_desk import HOUSE, Desk, new_account, top_up
from tests.transactions.cash_desk import Till
from transactions.models import Entry
from transactions.services import cardmoney

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("pcscd")]
__all__ = ["bench", "server"]
HERE = AtCounter(CLERK, DocumentKind.NONE, card_on_reader=True)


def make(desk, person: Person, card_id: int, uid: str, *, torn_at: int | None = None) -> None:
    """Write the blank on the reader, read it back, hand it over; torn once on the way if asked."""
    chip = ClassicCard.blank(bytes.fromhex(uid))
    job = desk.order("prepare", person, card_id=card_id)
    if torn_at is not None:
        assert desk.do(job, chip, fault=Fault(torn_at, Tear.MIX)).state is JobState.CARD_AWAITED
    assert desk.do(job, chip).state is JobState.DONE
    person.plastic, person.card_row = chip, Card.objects.get(pk=card_id)
    seen = desk.do(desk.order("read", person), chip)
    assert (seen.state, seen.result["number"]) == (JobState.DONE, person.account.number)
    issuing.hand_over(uuid.uuid4(), person.account.pk, door=HERE, now=NOON)


def test_issued_loaded_paid_lost_replaced_extended(bench):
    clerk, till = Desk(), Counter()
    opened = cardmoney.open_account(
        new_account(), clerk.pays(), "记名卡押金", door=clerk.door(), now=NOON, house=HOUSE
    )
    person = Person(Account.objects.get(pk=opened.account_id), Card.objects.get(pk=opened.card_id), None)
    make(bench, person, opened.card_id, "04e20001", torn_at=30)
    assert top_up(bench, Till(), person, 50_00).state is JobState.DONE
    assert till.tap(person, 12_30).refusal is None
    assert (person.book_fen, person.card_fen) == (37_70, 37_70)

    first = person.plastic
    replaced = clerk.replace(person)
    make(bench, person, replaced.card_id, "04e20002")
    assert (person.book_fen, person.card_fen) == (37_70, 37_70)
    second, person.plastic = person.plastic, first
    assert till.tap(person, 1_00).refusal == "card_replaced"
    person.plastic = second

    day = NOON.date() + timedelta(days=400)
    issuing.extend_card(uuid.uuid4(), person.account.pk, day, door=clerk.door(), now=NOON)
    written = bench.do(bench.order("extend", person, card_id=replaced.card_id), person.plastic)
    assert written.state is JobState.DONE
    assert till.tap(person, 7_70).refusal is None
    assert (person.book_fen, person.card_fen) == (30_00, 30_00)

    old, new = Card.objects.order_by("issue_no")
    assert (old.life, old.lost, new.life, person.account.life) == (
        CardLife.REPLACED, True, CardLife.ACTIVE, AccountLife.OPEN,
    )  # fmt: skip
    kinds = [entry.kind for entry in Entry.objects.order_by("id")]
    assert kinds == ["top_up", "deposit", "top_up", "purchase", "top_up", "fee", "purchase"]
    assert not verify(policy=POLICY).broken
