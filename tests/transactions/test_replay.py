"""The same key again, with a card that has moved on: what may still be written, and what the report then means."""

from __future__ import annotations

import uuid

import pytest

from accounts.models import Card
from purse.evidence import Side
from tests.campus import NOON, Counter, book, make_person
from transactions import ledger
from transactions.services import replay
from transactions.services.credit import Credit, credit_unclaimed
from transactions.services.debit import debit
from transactions.services.orders import Busy
from transactions.services.outcomes import CardWrite, Report, report_outcomes

pytestmark = pytest.mark.django_db
CLAIM_FEN, FEN = 5_00, 2_00


@pytest.fixture
def lost():
    """A purchase with a claim on it whose answer was lost, sold offline under its key: (till, person, order, raw)."""
    till, person = Counter(), make_person(50_00)
    credit_unclaimed(Credit(uuid.uuid4(), person.account.id, CLAIM_FEN), now=NOON)
    order = till.order(read(till, person), FEN)
    assert {write.side for write in debit(order, book=book()).writes} == {Side.SPEND, Side.LOAD}
    till.sell_offline(person, FEN, key=order.key, journal_seq=order.journal_seq, asked=order.asked)
    return till, person, order


def read(till, person):
    person.field.place(person.plastic)
    return till.read(person)[1]


def ask_again(till, person, order):
    link, raw = (person.field.place(person.plastic), till.read(person))[1]
    again = till.order(raw, order.fen, key=order.key)
    reply = debit(again, book=book())
    till._finish(again, reply, link, raw, False)
    return reply


def mirrors(person):
    card = ledger.read_by_uid(person.plastic.uid, uuid.uuid4()).card
    return card.spend, card.load


def test_a_report_confirms_what_was_given_again_and_nothing_else(lost):
    """The claim went to the card, the debit was there already: as an offline sale, not as the image of the answer."""
    till, person, order = lost

    reply = ask_again(till, person, order)
    report_outcomes([Report(order.key, CardWrite.WRITTEN)], till=till.till, now=NOON)

    spend, load = mirrors(person)
    assert [write.side for write in reply.writes] == [Side.LOAD]
    assert (spend.told[-1].withheld, spend.floor.seq) == (True, 0)
    assert (load.floor.total_fen, load.legs, load.told) == (50_00 + CLAIM_FEN, (), ())
    after = till.tap(person, 1_00)
    assert (after.refusal, person.card_fen, person.book_fen) == (None, 52_00, 52_00)


def test_what_may_be_written_again_is_still_confirmed_by_its_report():
    till, person = Counter(), make_person(50_00)
    order = till.order(read(till, person), FEN)
    debit(order, book=book())

    reply = ask_again(till, person, order)
    report_outcomes([Report(order.key, CardWrite.WRITTEN)], till=till.till, now=NOON)

    assert len(reply.writes) == 1
    assert mirrors(person)[0].floor.total_fen == FEN


def test_asking_a_third_time_notes_nothing_more(lost):
    till, person, order = lost
    ask_again(till, person, order)
    version = person.fresh().version

    ask_again(till, person, order)

    assert person.fresh().version == version


def test_an_account_that_moves_meanwhile_is_looked_at_again(lost, monkeypatch):
    till, person, order = lost
    real, tries = ledger.write, []

    def outrun(change):
        tries.append(change)
        if len(tries) == 1:
            credit_unclaimed(Credit(uuid.uuid4(), person.account.id, 1), now=NOON)
        return real(change)

    monkeypatch.setattr(replay.ledger, "write", outrun)
    ask_again(till, person, order)

    assert len(tries) == 3  # the note, the credit that is faster, the note again
    assert mirrors(person)[0].told[-1].withheld
    assert person.fresh().unclaimed_fen == 1


def test_an_account_that_moves_all_the_time_is_busy(lost, monkeypatch):
    till, person, order = lost
    monkeypatch.setattr(replay.ledger, "write", lambda change: ledger.Written(moved=False, confirmed=()))

    with pytest.raises(Busy):
        ask_again(till, person, order)


def test_nothing_of_a_card_that_became_suspect_is_given_or_confirmed(lost):
    """A dump put back: no image goes to it, and the report that follows an empty answer confirms none."""
    till, person, order = lost
    card = Card.objects.get(pk=person.card_row.pk)
    images = {"load": card.images["load"]}
    Card.objects.filter(pk=card.pk).update(spend_seq=9, spend_total_fen=9_00, images=images)

    reply = ask_again(till, person, order)
    report_outcomes([Report(order.key, CardWrite.WRITTEN)], till=till.till, now=NOON)

    spend, load = mirrors(person)
    assert reply.writes == ()
    assert (spend.floor.seq, load.floor.total_fen) == (9, 50_00)
    assert load.told[-1].withheld
