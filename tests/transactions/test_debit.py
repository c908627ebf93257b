"""A purchase at an online till, as the guide tells it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from accounts.models import AuditEvent
from purse.policy import Policy
from purse.procedures import Outcome
from purse.rules import Refusal
from terminals.device.reader.tearing import Tear
from tests.campus import NOON, Counter, book, make_person
from transactions.models import Answer, CardFinding, Entry, EntryKind
from transactions.services.debit import debit
from transactions.services.orders import KeyReused
from transactions.services.outcomes import CardWrite

pytestmark = pytest.mark.django_db

BEFORE_THE_WRITE = 11
"""UID, three authentications and five reads, then UID and authentication again: the write is the next operation."""


def test_book_and_card_pay_together():
    till, person = Counter(), make_person(28_40)

    sale = till.tap(person, 5_50)

    assert (sale.refusal, sale.outcome) == (None, Outcome.CONFIRMED)
    assert (person.book_fen, person.card_fen, sale.reply.card_fen) == (22_90, 22_90, 22_90)


def test_taking_the_card_away_too_fast_leaves_the_card_above_the_book():
    """指南 L101: 数据库余额、卡片余额为2.4元,消费1.3元,由于拿卡过快,数据库1.1元,卡片中仍然余额为2.4元。"""
    till, person = Counter(), make_person(2_40)

    sale = till.tap(person, 1_30, leave_after=BEFORE_THE_WRITE)

    assert sale.outcome is Outcome.UNKNOWN
    assert (person.book_fen, person.card_fen) == (1_10, 2_40)
    assert person.card_row.legs["spend"][0][2] == 1_30


def test_the_next_tap_anywhere_heals_a_torn_one_without_a_second_debit():
    till, other, person = Counter(7), Counter(8), make_person(2_40)
    till.tap(person, 1_30, leave_after=BEFORE_THE_WRITE, tear=Tear.ZEROS)

    sale = other.tap(person, 50)

    assert sale.reply.healed_fen == 1_30
    assert (person.book_fen, person.card_fen) == (60, 60)
    assert Entry.objects.filter(account=person.account, kind=EntryKind.PURCHASE).count() == 2


def test_a_refused_tap_heals_too():
    """screens.md 6.8: card enough, book not (after a torn tap): refused, and healed to 1.10."""
    till, person = Counter(), make_person(2_40)
    till.tap(person, 1_30, leave_after=BEFORE_THE_WRITE)

    sale = till.tap(person, 2_00)

    assert sale.refusal == "insufficient"
    assert (person.book_fen, person.card_fen) == (1_10, 1_10)


def test_a_reported_outcome_settles_the_card_with_the_next_request():
    till, person, next_person = Counter(), make_person(10_00), make_person(10_00)
    till.tap(person, 1_00)
    assert person.fresh()
    assert person.card_row.legs

    till.tap(next_person, 1_00)

    person.fresh()
    assert (person.card_row.legs, person.card_row.images) == ({}, {})
    assert (person.card_row.spend_seq, person.card_row.spend_total_fen) == (1, 1_00)


def test_the_same_order_twice_moves_money_once():
    till, person = Counter(), make_person(10_00)
    person.field.place(person.plastic)
    _, raw = till.read(person)
    order = till.order(raw, 3_00)

    first, second = debit(order, book=book()), debit(order, book=book())

    assert (first.replay, second.replay) == (False, True)
    assert first.writes == second.writes
    assert person.book_fen == 7_00


def test_the_same_key_with_another_amount_is_a_fault_and_moves_nothing():
    till, person = Counter(), make_person(10_00)
    person.field.place(person.plastic)
    _, raw = till.read(person)
    order = till.order(raw, 3_00)
    debit(order, book=book())

    with pytest.raises(KeyReused):
        debit(replace(order, fen=4_00, asked=b"other"), book=book())

    assert person.book_fen == 7_00


def test_a_refused_key_stays_refused():
    till, person = Counter(), make_person(1_00)
    person.field.place(person.plastic)
    _, raw = till.read(person)
    order = till.order(raw, 3_00)

    first, second = debit(order, book=book()), debit(order, book=book())

    assert first.refusal is second.refusal is Refusal.INSUFFICIENT
    assert second.replay
    assert Answer.objects.count() == 1


def test_fifty_in_a_day_needs_no_password_and_the_next_fen_does():
    """指南 L85: 如果读卡器屏幕出现“------”提示,则说明您的累计消费金额超过了规定的额度。"""
    till, person = Counter(), make_person(100_00)
    till.tap(person, 30_00)
    till.tap(person, 20_00)

    over = till.tap(person, 1)
    paid = till.tap(person, 1, pin="408273")
    wrong = till.tap(person, 1, pin="111111")

    assert (over.refusal, paid.refusal, wrong.refusal) == ("password_needed", None, "password_wrong")
    assert wrong.reply.pin_left == 2
    assert (person.book_fen, person.card_fen) == (49_99, 49_99)


def test_a_new_day_begins_at_midnight_in_shanghai():
    till, person = Counter(), make_person(100_00)
    till.now = NOON.replace(hour=23, minute=59, second=59, microsecond=999_000)
    till.tap(person, 50_00)
    late = till.tap(person, 1)

    till.now += timedelta(milliseconds=1)
    early = till.tap(person, 1)

    assert (late.refusal, early.refusal) == ("password_needed", None)


@pytest.mark.parametrize(
    ("gap_fen", "refusal"), [(50_00, None), (50_01, "card_frozen")], ids=["gap 50.00", "gap 50.01"]
)
def test_a_card_more_than_fifty_above_its_book_is_frozen(gap_fen, refusal):
    """指南 L95: 差额大于50元 (卡80元,库28元,差额52元)。"""
    till, person = Counter(), make_person(80_00, limit_fen=600_00)
    till.tap(person, gap_fen, leave_after=BEFORE_THE_WRITE)

    sale = till.tap(person, 1_00)

    assert sale.refusal == refusal
    assert bool(person.fresh().frozen_reasons) == (refusal is not None)


def test_eighty_on_the_card_and_twenty_eight_in_the_book_is_frozen_and_the_card_is_marked():
    till, person = Counter(), make_person(80_00, limit_fen=600_00)
    till.tap(person, 52_00, leave_after=BEFORE_THE_WRITE)

    first, second = till.tap(person, 1_00), till.tap(person, 1_00)

    assert (first.refusal, second.refusal) == ("card_frozen", "card_frozen")
    assert person.fresh().frozen_reasons == ["card_above_book"]
    assert person.book_fen == 28_00
    assert len(first.reply.writes) == 1
    assert not second.reply.writes


def test_thirty_eight_torn_taps_of_1_30_are_not_frozen_and_the_thirty_ninth_is():
    """指南 L101: 当多次拿卡过快,数据库和卡片余额累计差额大于50时,智能卡将被冻结。"""
    till, person = Counter(), make_person(100_00, limit_fen=600_00)
    for _ in range(38):
        assert till.tap(person, 1_30, leave_after=BEFORE_THE_WRITE).refusal is None
    at_49_40 = till.look(person)

    till.tap(person, 1_30, leave_after=BEFORE_THE_WRITE)
    at_50_70 = till.look(person)

    assert (at_49_40.refusal, at_50_70.refusal) == (None, Refusal.CARD_FROZEN)
    assert (person.card_fen, person.book_fen) == (100_00, 100_00 - 39 * 1_30)


def test_unclaimed_money_rides_on_a_purchase():
    from transactions.services.credit import Credit, credit_unclaimed

    till, person = Counter(), make_person(28_40)
    credit_unclaimed(Credit(uuid.uuid4(), person.account.id, 50_00), now=NOON)

    sale = till.tap(person, 5_50)

    assert (sale.reply.claimed_fen, sale.reply.card_fen) == (50_00, 72_90)
    assert (person.book_fen, person.card_fen, person.account.unclaimed_fen) == (72_90, 72_90, 0)


def test_a_till_that_may_not_load_leaves_unclaimed_money_alone():
    from transactions.services.credit import Credit, credit_unclaimed

    till, person = Counter(may_claim=False), make_person(1_00)
    credit_unclaimed(Credit(uuid.uuid4(), person.account.id, 50_00), now=NOON)

    sale = till.tap(person, 5_50)

    assert sale.refusal == "insufficient"
    assert (person.book_fen, person.card_fen, person.account.unclaimed_fen) == (1_00, 1_00, 50_00)


def test_a_restored_dump_is_refused_and_leaves_evidence_but_no_freeze():
    """tap-protocol.md: a restored dump or clone is refused and becomes a case; the guide has two freeze rules only."""
    from terminals.device.reader.model import ClassicCard

    till, person = Counter(), make_person(20_00)
    dump = person.plastic.to_json()
    till.tap(person, 5_00)
    till.look(person)
    till.tap(person, 1_00)
    person.plastic = ClassicCard.from_json(dump)

    sale = till.tap(person, 5_00)

    assert sale.refusal == "card_suspect"
    assert person.fresh().frozen_reasons == []
    assert [finding.kind for finding in CardFinding.objects.all()] == ["rollback"]


def test_a_blank_card_is_foreign_and_writes_no_money():

    till, person = Counter(), make_person(20_00)
    person.field.place(person.plastic)
    _, raw = till.read(person)
    order = till.order(replace(raw, uid=b"\x01\x02\x03\x04"), 1_00)

    assert debit(order, book=book()).refusal is Refusal.FOREIGN_CARD
    assert person.book_fen == 20_00


@pytest.mark.parametrize(("life", "refusal"), [("replaced", "card_replaced"), ("void", "card_replaced")])
def test_dead_cards_are_refused(life, refusal):
    till, person = Counter(), make_person(20_00)
    type(person.card_row).objects.filter(pk=person.card_row.pk).update(life=life)

    assert till.tap(person, 1_00).refusal == refusal
    assert person.book_fen == 20_00


def test_a_void_puts_the_money_back_on_card_and_book():
    till, person = Counter(), make_person(28_40)
    sale = till.tap(person, 5_50)

    undone = till.void(person, sale)
    again = till.void(person, sale)

    assert (undone.refusal, undone.reply.fen, again.refusal) == (None, 5_50, "nothing_to_void")
    assert (person.book_fen, person.card_fen) == (28_40, 28_40)
    assert person.account.spent_fen == 0


def test_a_sale_above_the_bound_of_one_purchase_is_refused():
    till, person = Counter(), make_person(90_00)
    policy = Policy(sale_max_fen=10_00)

    assert till.tap(person, 10_01, policy=policy).refusal == "sale_too_large"
    assert till.tap(person, 10_00, policy=policy).refusal is None


def test_an_issued_card_is_in_use_from_its_first_tap():
    """requirements 3.1: ISSUED → ACTIVE by the first tap; who and where stands in the audit (S6)."""
    till, person = Counter(), make_person(20_00, life="issued")

    assert till.tap(person, 1_00).refusal is None

    person.fresh()
    assert person.card_row.life == "active"
    assert AuditEvent.objects.filter(action="card.active", object_id=str(person.card_row.pk)).count() == 1


@pytest.mark.parametrize(
    ("under_way", "findings"),
    [(timedelta(seconds=2), 0), (timedelta(minutes=2), 0), (timedelta(minutes=2, seconds=1), 1)],
)
def test_an_order_that_was_under_way_while_the_card_paid_elsewhere_is_refused_without_suspicion(
    under_way, findings
):
    """The first till's line hung; the holder paid at the next one. What the first till read is old, the card is not."""
    till, other, person = Counter(7), Counter(8), make_person(20_00)
    person.field.place(person.plastic)
    order = till.order(till.read(person)[1], 3_00)
    other.now = NOON + timedelta(seconds=1)
    other.report(other.tap(person, 1_00), CardWrite.WRITTEN)

    late = debit(order, book=book(NOON + under_way))

    assert late.refusal is Refusal.CARD_SUSPECT
    assert (CardFinding.objects.count(), Answer.objects.filter(key=order.key).count()) == (findings, findings)
    assert person.book_fen == 19_00
