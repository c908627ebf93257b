"""A till's disk is put back to an older state: its next keys were used before, by sales that stand (B7, B8)."""

from __future__ import annotations

import shutil

import pytest

from purse.policy import Policy
from reconciliation.services.verify import verify
from terminals.device.tapped import Ending, Order
from terminals.messages.wire import ABANDONED, OutcomeReport
from terminals.models import Terminal
from tests.house.small_campus import SmallCampus
from transactions.models import OutcomeNote, Reversal

PAID = (Ending.PAID, Ending.PAID_OFFLINE)
pytestmark = pytest.mark.django_db(transaction=True)


class Till(SmallCampus):
    """The till of a small campus, and a copy of its disk."""

    def take(self, card, fen):
        self.reader.place(card)
        tapped = self.parts.sales.buy(self.reader.wait_for_card(0), Order(fen, again=True))
        self.reader.lift()
        self.parts.background.greet()
        return tapped

    def keep_disk(self):
        self.parts.close()
        shutil.copy(self.journal, self.journal.with_suffix(".kept"))
        self.start()

    def put_disk_back(self):
        self.parts.close()
        shutil.copy(self.journal.with_suffix(".kept"), self.journal)
        self.start()


@pytest.fixture
def till(tmp_path):
    made = Till(tmp_path)
    yield made
    made.close()
    assert Terminal.objects.count() == 1


def test_sales_that_were_paid_are_not_taken_back_by_a_till_whose_disk_was_put_back(till):
    till.take("20001", 5_50)
    till.keep_disk()
    paid = [till.take("20001", 3_00), till.take("20002", 4_00)]
    till.put_disk_back()

    again = [till.take("20003", 6_00), till.take("20004", 7_00)]

    assert [tapped.ending for tapped in paid] == [Ending.PAID, Ending.PAID]
    assert not any(tapped.key in {one.key for one in paid} and tapped.ending in PAID for tapped in again)
    assert Reversal.objects.count() == 0
    assert verify(policy=Policy()).broken == []


def test_a_journal_that_was_put_back_gives_up_nothing(till):
    """Whatever a till of an older version tells: the server has seen the journal go back."""
    till.keep_disk()
    paid = till.take("20001", 3_00)
    till.put_disk_back()

    told = till.parts.client.outcomes([OutcomeReport(paid.key.journal, paid.key.seq, ABANDONED)])

    assert told == ((paid.key.journal, paid.key.seq),)  # heard, and not to be told again
    assert Reversal.objects.count() == 0
    assert OutcomeNote.objects.get(key=paid.key.as_uuid()).outcome == "unknown"


def test_a_sound_journal_gives_up_what_it_may(till):
    given_up = till.take("20001", 3_00)

    till.parts.client.outcomes([OutcomeReport(given_up.key.journal, given_up.key.seq, ABANDONED)])

    assert Reversal.objects.count() == 1
