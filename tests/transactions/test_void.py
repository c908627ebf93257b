"""Taking sales back: at the till with the card, by the till that gave up, and whatever arrives too late."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from purse.rules import Refusal
from terminals.device.reader.tearing import Tear
from tests.campus import NOON, Counter, book, make_person
from transactions.models import CardFinding, OutcomeNote
from transactions.services.debit import debit
from transactions.services.orders import KeyReused
from transactions.services.outcomes import CardWrite, Report, report_outcomes
from transactions.services.void import void

pytestmark = pytest.mark.django_db
BEFORE_THE_WRITE = 11


def ordered(till, person, fen):
    person.field.place(person.plastic)
    return till.order(till.read(person)[1], fen)


def give_up(till, key):
    return report_outcomes([Report(key, CardWrite.ABANDONED)], till=till.till, now=NOON)


def money(person):
    account = person.fresh()
    return account.book_fen, account.unclaimed_fen, person.card_fen


def test_a_sale_given_up_before_its_order_came_is_refused_when_it_comes():
    till, person = Counter(), make_person(20_00)
    order = ordered(till, person, 3_00)

    give_up(till, order.key)
    reply = debit(order, book=book())

    assert (reply.refusal, reply.replay) == (Refusal.VOIDED, True)
    assert money(person) == (20_00, 0, 20_00)
    assert give_up(till, order.key) == (order.key,)


def test_a_posted_sale_that_was_given_up_comes_back_into_the_book_once():
    till, person = Counter(), make_person(20_00)
    order = ordered(till, person, 3_00)
    debit(order, book=book())

    for _ in range(3):
        give_up(till, order.key)

    assert money(person) == (20_00, 0, 20_00)
    assert person.card_row.legs == {}
    assert till.tap(person, 1_00).reply.healed_fen == 0
    assert money(person) == (19_00, 0, 19_00)


def test_a_sale_given_up_after_another_till_wrote_it_becomes_unclaimed_money():
    """The card carries it now, and totals only grow: it comes back on the load side."""
    till, other, person = Counter(7), Counter(8), make_person(20_00)
    order = ordered(till, person, 3_00)
    debit(order, book=book())
    other.tap(person, 1_00)

    give_up(till, order.key)

    assert money(person) == (16_00, 3_00, 16_00)
    other.tap(person, 1_00)
    assert money(person) == (18_00, 0, 18_00)


def test_a_sale_given_up_gives_its_part_of_the_day_back():
    till, person = Counter(), make_person(90_00)
    order = ordered(till, person, 50_00)
    debit(order, book=book())

    give_up(till, order.key)

    assert person.fresh().spent_fen == 0


def test_a_till_gives_up_only_its_own_sales():
    till, thief, person = Counter(7), Counter(8), make_person(20_00)
    order = ordered(till, person, 3_00)
    debit(order, book=book())

    give_up(thief, order.key)

    assert money(person)[0] == 17_00


def test_a_void_whose_card_is_torn_away_is_finished_by_the_next_tap():
    till, other, person = Counter(7), Counter(8), make_person(20_00)
    sale = till.tap(person, 5_00)
    order = ordered(till, person, 0)
    void(order, of=sale.key, book=book())

    assert money(person) == (20_00, 0, 15_00)
    other.tap(person, 1_00)
    assert money(person) == (19_00, 0, 19_00)
    assert not CardFinding.objects.exists()


def test_a_void_of_a_torn_sale_leaves_nothing_open():
    till, person = Counter(), make_person(20_00)
    sale = till.tap(person, 5_00, leave_after=BEFORE_THE_WRITE, tear=Tear.MIX)

    undone = till.void(person, sale)
    till.tap(person, 1_00)

    assert undone.refusal is None
    assert money(person) == (19_00, 0, 19_00)


def test_a_void_without_the_right_to_load_leaves_the_money_unclaimed():
    till, person = Counter(may_claim=False), make_person(20_00)
    sale = till.tap(person, 5_00)

    till.void(person, sale)

    assert money(person) == (15_00, 5_00, 15_00)


@pytest.mark.parametrize(
    "how", ["twice", "another till", "another day", "another card", "a refused sale", "no sale"]
)
def test_what_cannot_be_taken_back_is_refused_and_moves_nothing(how):
    till, other = Counter(7), Counter(8)
    person, neighbour = make_person(20_00), make_person(20_00)
    sale = till.tap(person, 5_00)
    if how == "twice":
        till.void(person, sale)
    if how == "a refused sale":
        sale = till.tap(person, 90_00)
    if how == "no sale":
        sale = replace(sale, key=uuid.uuid4())
    if how == "another day":
        till.now = NOON + timedelta(hours=12)
    before = person.book_fen, neighbour.book_fen

    undone = (other if how == "another till" else till).void(
        neighbour if how == "another card" else person, sale
    )

    assert undone.refusal == "nothing_to_void"
    assert (person.book_fen, neighbour.book_fen) == before


def test_the_same_void_twice_gives_back_once_and_another_content_is_a_fault():
    till, person = Counter(), make_person(20_00)
    sale = till.tap(person, 5_00)
    order = ordered(till, person, 0)

    first, second = (void(order, of=sale.key, book=book()) for _ in range(2))

    assert (first.replay, second.replay, person.book_fen) == (False, True, 20_00)
    with pytest.raises(KeyReused):
        void(replace(order, asked=b"other"), of=sale.key, book=book())


@pytest.mark.parametrize("flag", ["card_lost", "frozen"])
def test_a_card_that_may_not_be_used_gets_nothing_back(flag):
    till, person = Counter(), make_person(20_00)
    sale = till.tap(person, 5_00)
    if flag == "frozen":
        type(person.account).objects.filter(pk=person.account.pk).update(
            frozen_reasons=["by_hand"], frozen_at=NOON
        )
    else:
        type(person.card_row).objects.filter(pk=person.card_row.pk).update(lost=True, lost_at=NOON)

    assert till.void(person, sale).refusal == {"frozen": "card_frozen"}.get(flag, flag)
    assert person.book_fen == 15_00


# ------------------------------------------------------------------------------------------------- outcomes


def test_a_late_outcome_of_an_earlier_write_settles_nothing_that_came_after():
    till, other, person = Counter(7), Counter(8), make_person(20_00)
    first = till.tap(person, 1_00, report=False)
    other.tap(person, 2_00, leave_after=BEFORE_THE_WRITE, tear=Tear.ZEROS, report=False)

    till.report(first, CardWrite.WRITTEN)
    healed = Counter(9).tap(person, 50)

    assert healed.refusal is None
    assert money(person) == (16_50, 0, 16_50)
    assert not CardFinding.objects.exists()


def test_outcomes_in_any_order_and_twice_end_the_same():
    till, person = Counter(), make_person(20_00)
    sales = [till.tap(person, fen, report=False) for fen in (1_00, 2_00, 3_00)]

    for sale in [sales[2], sales[0], sales[1], sales[2]]:
        till.report(sale, CardWrite.WRITTEN)

    assert money(person) == (14_00, 0, 14_00)
    assert (person.card_row.legs, person.card_row.images) == ({}, {})


def test_what_did_not_simply_succeed_is_noted_once():
    till, person = Counter(), make_person(20_00)
    sale = till.tap(person, 1_00, leave_after=BEFORE_THE_WRITE)

    for _ in range(2):
        till.report(sale, CardWrite.UNKNOWN)

    note = OutcomeNote.objects.get()
    assert (note.outcome, note.account_id, note.entry_seq) == ("unknown", person.account.id, 2)


def test_a_replayed_answer_is_not_written_over_an_offline_sale():
    """The torn image has the higher number; the till that holds it asks again after the card sold offline elsewhere."""
    from tests.transactions.test_offline import sell_offline

    till, other, person = Counter(7), Counter(8), make_person(50_00)
    till.tap(person, 1_00, leave_after=BEFORE_THE_WRITE)
    order = ordered(till, person, 2_00)
    assert len(debit(order, book=book()).writes) == 1
    sell_offline(other, person, 3_00)
    _, raw = till.read(person) if person.field.cards else (None, ordered(till, person, 0).card)

    again = debit(replace(order, card=raw), book=book())

    assert (again.replay, again.refusal, again.writes) == (True, None, ())
    assert person.card_fen == 47_00


@pytest.mark.parametrize(("taken", "refusal"), [(65_534, None), (65_535, "card_worn")])
def test_a_card_with_no_number_left_is_refused_even_when_a_tear_took_the_last_one(taken, refusal):
    """card.md: 65,535 writes. The card still shows 0; the number went with an image that was torn."""
    till, person = Counter(), make_person(50_00)
    torn = {"spend": {"floor": [0, 0, 0, False], "told": [[taken, 0, False]]}}
    type(person.card_row).objects.filter(pk=person.card_row.pk).update(images=torn)

    assert till.tap(person, 1_00).refusal == refusal
