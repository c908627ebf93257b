"""What the fault runs found once, so that it stays found."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.db import transaction

from accounts.models import Card
from reconciliation.digest import Row, seal
from tests.campus import NOON, POLICY, Counter, book, make_person
from tests.faultruns import promises
from tests.faultruns.desk_scenes import ACTOR, LATER, REASON, a_reversed_sale, a_reversed_torn_sale, levelled
from tests.faultruns.scenes import read, torn, upload
from transactions import ledger
from transactions.models import entry_id
from transactions.services.corrections import CorrectionRefused, RefundOrder, Why, refund_late
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


# ------------------------------------------------------------------------- planted bugs that no test noticed at first


def test_a_sale_of_yesterday_does_not_count_today():
    away, online, person = Counter(3), Counter(8), make_person(100_00)
    yesterday = replace(away.sell_offline(person, 20_00), occurred_at=NOON - timedelta(days=1))
    online.tap(person, 5_00)

    upload(away, yesterday)

    assert person.fresh().spent_fen == 5_00


def test_a_record_beside_a_late_one_is_not_refunded():
    """The late item alone; the account having one does not make another record one."""
    away, person, late = levelled()
    after = away.sell_offline(person, 10_00)
    upload(away, late, after, now=LATER)
    account = person.fresh()
    order = RefundOrder(uuid.uuid4(), account.id, entry_id(account.id, account.entry_seq), REASON)

    with pytest.raises(CorrectionRefused) as refused:
        refund_late(order, actor=ACTOR, now=LATER, policy=POLICY)

    assert refused.value.why is Why.NOT_LATE
    assert (person.book_fen, person.card_row.late_fen) == (10_00, 30_00)


def test_the_seal_of_a_day_rests_on_the_day_before():
    rows = [Row(1, 1, 1, b"an entry")]

    first, second = (
        seal(rows, day=date(2026, 1, 1), previous=bytes([n]) * 32, key=b"k" * 32) for n in (1, 2)
    )

    assert first.digest != second.digest
