"""A till sells as long as its merchant has a contract, to the last second of its last day (guide L79, R034)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from purse.keys import ONLINE_TILL
from purse.procedures import ClassicDriver
from terminals.messages.wire import DebitRequest, VoidRequest
from tests.campus import KEYS, NOON, make_person
from tests.terminals.conftest import make_box
from transactions.days import SHANGHAI
from transactions.models import Entry, EntryKind, Merchant

pytestmark = pytest.mark.django_db(transaction=True)
JOURNAL = "ab" * 16
TODAY = NOON.astimezone(SHANGHAI).date()
DAY = timedelta(days=1)


def sale(box, fen=1_00, *, seq=1):
    person = make_person(10_00)
    person.field.place(person.plastic)
    raw = ClassicDriver(person.field.select(), KEYS.only(ONLINE_TILL)).read_purse()
    return box.call("debit", DebitRequest(JOURNAL, seq, raw, fen, box.server.now_ms).to_json()), raw


def contract(box, first, last) -> None:
    Merchant.objects.update(contract_from=first, contract_until=last)
    box.server.pass_time(seconds=2)


def midnight(day) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("moment", "sells"),
    [
        (midnight(TODAY) - timedelta(milliseconds=1), False),
        (midnight(TODAY), True),
        (midnight(TODAY + 2 * DAY) - timedelta(milliseconds=1), True),
        (midnight(TODAY + 2 * DAY), False),
    ],
    ids=["before the first day", "the first moment", "the last moment", "after the last day"],
)
def test_a_till_sells_from_the_first_to_the_last_moment_of_the_contract(box, moment, sells):
    """R034: POS without contract refuses; both sides of both days, in Shanghai."""
    contract(box, TODAY, TODAY + DAY)
    box.server.now = moment

    reply, _ = sale(box)

    assert (reply.status, reply.signed) == (200 if sells else 403, True)
    assert Entry.objects.filter(kind=EntryKind.PURCHASE).count() == int(sells)
    if not sells:
        assert (reply.body["error"], reply.body["money_moved"]) == ("no_contract", False)
        assert "合同" in reply.body["message"]


def test_after_the_contract_a_purchase_may_still_be_taken_back_and_a_journal_handed_in(box):
    contract(box, TODAY, None)
    bought, raw = sale(box)
    contract(box, TODAY - 9 * DAY, TODAY - DAY)

    void = VoidRequest(JOURNAL, 2, JOURNAL, 1, raw, box.server.now_ms)
    taken_back = box.call("void", void.to_json())

    assert bought.status == taken_back.status == 200
    assert box.heartbeat().status == 200


@pytest.mark.parametrize(("last", "sells"), [(TODAY, True), (TODAY - DAY, False)])
def test_without_a_contract_nothing_is_sold_offline_either(server, transactional_db, last, sells):
    box = make_box(server, may_sell_offline=True)
    contract(box, TODAY - 9 * DAY, last)

    assert box.heartbeat().body["may_sell_offline"] is sells


def test_an_extended_contract_lets_the_till_sell_a_second_later(box):
    contract(box, TODAY - 9 * DAY, TODAY - DAY)
    assert sale(box)[0].status == 403
    contract(box, TODAY - 9 * DAY, None)

    assert sale(box, seq=2)[0].status == 200
