"""What the fault runs found once, so that it stays found."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.db import transaction

from accounts.models import Card
from tests.campus import NOON, Counter, book, make_person
from tests.faultruns import promises
from tests.faultruns.desk_scenes import a_reversed_sale, a_reversed_torn_sale
from tests.faultruns.scenes import read, torn
from transactions import ledger
from transactions.services.debit import debit
from transactions.services.outcomes import CardWrite, Report, report_outcomes
from transactions.services.void import void

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("make", "healed_fen"), [(a_reversed_sale, 0), (a_reversed_torn_sale, 3_00)])
def test_a_sale_reversed_while_its_card_write_is_unreported_leaves_an_honest_card_honest(make, healed_fen):
    """The desk took the image back that the card had been given, and called the card forged at the next tap."""
    scene = make()
    scene.act()
    (person,) = scene.people

    sale = Counter(9).tap(person, 1_00)

    assert (sale.refusal, sale.reply.healed_fen, sale.reply.claimed_fen) == (None, healed_fen, 3_00)
    assert (person.book_fen, person.card_fen) == (19_00, 19_00)


def test_a_rollback_between_two_sales_does_not_unlearn_the_sale():
    """psycopg has the server forget every prepared statement after a rollback, those of the ledger included."""
    till, person = Counter(), make_person(20_00)
    till.tap(person, 1_00)
    for _ in range(2):
        with suppress(ZeroDivisionError), transaction.atomic():
            list(Card.objects.filter(id=person.card_row.id))
            ledger.lock(person.account.id)
            raise ZeroDivisionError

        sale = till.tap(person, 1_00)

        assert sale.refusal is None
    assert (person.book_fen, person.card_fen) == (17_00, 17_00)


def test_a_given_up_key_that_is_asked_again_has_nothing_to_write():
    """The number of its image was another key's by then, and the card was called forged."""
    till, person = Counter(), make_person(20_00)
    order = till.order(read(till, person), 3_00)
    debit(order, book=book())
    report_outcomes([Report(order.key, CardWrite.ABANDONED)], till=till.till, now=NOON)
    torn(till, person, 1_00)

    again = debit(order, book=book())

    assert (again.replay, again.writes) == (True, ())
    assert promises.broken() == []


def test_a_voided_key_that_is_asked_again_has_nothing_to_write():
    till, person = Counter(), make_person(20_00)
    order = till.order(read(till, person), 3_00)
    debit(order, book=book())
    void(till.order(read(till, person), 0), of=order.key, book=book())

    assert debit(order, book=book()).writes == ()
