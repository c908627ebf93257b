"""Offline sales reach the book once, in whatever order and however often they are uploaded."""

from __future__ import annotations

import uuid

import pytest

from accounts.models import AuditEvent
from purse.evidence import RingEntry, Side
from purse.keys import OFFLINE_TILL
from purse.procedures import ClassicDriver, Day, decode, offline_state, ring_image, slot_write, spend_image
from terminals.device.reader.tearing import Tear
from tests.campus import KEYS, NOON, POLICY, Counter, make_person
from tests.transactions.test_debit import BEFORE_THE_WRITE
from transactions.services.offline import OfflineSale, Posting, post_offline
from transactions.services.outcomes import CardWrite

pytestmark = pytest.mark.django_db


def sell_offline(till, person, fen, *, key=None, journal_seq=None, asked=b"offline"):
    """What a till without the network does to the card; returns the record it would upload."""
    person.field.place(person.plastic)
    link = person.field.select()
    keys = KEYS.only(OFFLINE_TILL)
    driver = ClassicDriver(link, keys)
    raw = driver.read_purse(with_ring=True)
    purse = decode(raw, keys)
    state = offline_state(purse, fen)
    till.journal_seq += 1
    seq = journal_seq or till.journal_seq
    entry = RingEntry(state.seq, till.till.id, seq, fen)
    driver.remember_offline(raw.uid, ring_image(raw.uid, purse.ident.account_no, entry, keys), state.seq)
    day = Day(NOON.date(), purse.spent_on(NOON.date()) + fen)
    image = spend_image(raw.uid, purse.ident.account_no, state, day, keys)
    assert driver.commit(slot_write(raw, Side.SPEND, state.slot, image)).value == "written"
    person.field.lift()
    return OfflineSale(
        key or uuid.uuid4(),
        seq,
        asked,
        raw.uid,
        fen,
        NOON,
        state.seq,
        state.total_fen,
        state.offline_fen,
        True,
    )


def upload(till, sale):
    return post_offline(sale, till=till.till, policy=POLICY, now=NOON)


def difference(person):
    """card − book as the books explain it: nothing may be left over once every record is here."""
    person.fresh()
    return person.card_row.card_fen - person.account.book_fen


def test_an_offline_sale_is_posted_once_however_often_it_comes():
    till, person = Counter(), make_person(50_00)
    record = sell_offline(till, person, 10_00)

    results = [upload(till, record) for _ in range(3)]

    assert results == [Posting.POSTED, Posting.DUPLICATE, Posting.DUPLICATE]
    assert (person.book_fen, person.card_fen) == (40_00, 40_00)


def test_between_sale_and_upload_the_card_is_below_the_book_and_nothing_is_wrong():
    till, online, person = Counter(7), Counter(8), make_person(50_00)
    record = sell_offline(till, person, 10_00)

    sale = online.tap(person, 5_00)

    assert sale.refusal is None
    assert (person.book_fen, person.card_fen) == (45_00, 35_00)
    assert upload(till, record) is Posting.POSTED
    online.look(person)
    assert (person.book_fen, difference(person)) == (35_00, 0)


def lost_answer(till, person, fen):
    """The server posts, the answer is lost, the till sells offline under the same key."""
    person.field.place(person.plastic)
    _, raw = till.read(person)
    order = till.order(raw, fen)
    from tests.campus import book
    from transactions.services.debit import debit

    debit(order, book=book())
    person.field.lift()
    return order, sell_offline(
        till, person, fen, key=order.key, journal_seq=order.journal_seq, asked=order.asked
    )


def test_a_lost_answer_an_offline_fallback_and_its_upload_charge_once():
    """tap-protocol.md: a debit that the server had in fact posted is charged once."""
    till, person = Counter(), make_person(50_00)
    _, record = lost_answer(till, person, 10_00)

    assert upload(till, record) is Posting.DUPLICATE

    assert (person.book_fen, person.card_fen, difference(person)) == (40_00, 40_00, 0)
    assert person.card_row.legs == {}


def test_a_tap_elsewhere_before_that_upload_does_not_heal_what_was_written_offline():
    till, other, person = Counter(7), Counter(8), make_person(50_00)
    _, record = lost_answer(till, person, 10_00)

    sale = other.tap(person, 1_00)

    assert (sale.refusal, sale.reply.healed_fen) == (None, 0)
    assert (person.book_fen, person.card_fen) == (39_00, 39_00)
    assert upload(till, record) is Posting.DUPLICATE
    assert (person.book_fen, person.card_fen) == (39_00, 39_00)


def test_a_torn_debit_and_an_offline_sale_that_took_its_number_are_told_apart():
    till, offline, person = Counter(7), Counter(8), make_person(50_00)
    till.tap(person, 10_00, leave_after=BEFORE_THE_WRITE, tear=Tear.BEFORE)
    record = sell_offline(offline, person, 3_00)

    upload(offline, record)
    sale = till.tap(person, 1_00)

    assert sale.reply.healed_fen == 10_00
    assert (person.book_fen, person.card_fen) == (36_00, 36_00)


@pytest.mark.parametrize(("fen", "reasons"), [(1_00, []), (1_01, ["book_negative"])])
def test_an_upload_that_takes_the_book_below_zero_freezes_at_once(fen, reasons):
    """指南 L95: 当数据库余额为负数时(例如;-0.01元) … 采取冻结措施."""
    till, offline, person = Counter(7), Counter(8), make_person(10_00)
    till.tap(person, 9_00, leave_after=BEFORE_THE_WRITE, tear=Tear.BEFORE)
    record = sell_offline(offline, person, fen)

    assert upload(offline, record) is Posting.POSTED

    assert person.book_fen == 1_00 - fen
    assert person.fresh().frozen_reasons == reasons
    told = AuditEvent.objects.filter(action="account.freeze", object_id=str(person.account.pk))
    assert [event.after for event in told] == ([{"frozen_reasons": reasons}] if reasons else [])
    assert till.tap(person, 1).refusal == ("card_frozen" if reasons else "insufficient")


def test_a_doubtful_record_of_an_unknown_card_waits_for_a_person():
    till = Counter()
    record = OfflineSale(uuid.uuid4(), 1, b"x", b"\x01\x02\x03\x04", 100, NOON, 1, 100, 100, True)

    assert upload(till, record) is Posting.SUSPECT


def test_an_upload_settles_the_leg_of_its_own_till_and_leaves_an_equal_number_of_another_alone():
    """Journals count for themselves: two tills may both have a record 12 on one card."""
    till, other, person = Counter(7), Counter(8), make_person(50_00)
    other.tap(person, 4_00, leave_after=BEFORE_THE_WRITE, tear=Tear.BEFORE)
    _, record = lost_answer(till, person, 10_00)
    assert other.journal_seq == 1 == record.journal_seq

    upload(till, record)

    person.fresh()
    assert [(leg[2], leg[3]) for leg in person.card_row.legs["spend"]] == [(4_00, 8)]
    assert other.tap(person, 1_00).reply.healed_fen == 4_00
    assert (person.book_fen, person.card_fen) == (35_00, 35_00)


def test_a_later_record_that_comes_first_does_not_have_the_earlier_sale_written_twice():
    """A lost answer sold offline, then another sale; the second record comes first, and a tap elsewhere between."""
    till, other, person = Counter(7), Counter(8), make_person(50_00)
    _, first = lost_answer(till, person, 10_00)
    second = sell_offline(till, person, 2_00)

    upload(till, second)
    tapped = other.tap(person, 1_00)
    upload(till, first)

    assert tapped.reply.healed_fen == 0
    assert (person.book_fen, person.card_fen) == (37_00, 37_00)


def test_an_offline_sale_counts_once_in_the_day_before_and_after_its_record_comes():
    """指南 L157: 当一天累计消费超过消费限额时使用 (50元). Card: 20 offline and 20 online; 10 more are 50, not above."""
    till, online, person = Counter(7), Counter(8), make_person(100_00)
    record = sell_offline(till, person, 20_00)
    assert online.tap(person, 30_01).refusal == "password_needed"
    assert online.tap(person, 20_00).refusal is None

    upload(till, record)

    assert online.tap(person, 10_01).refusal == "password_needed"
    assert online.tap(person, 10_00).refusal is None


def test_a_torn_purchase_and_an_offline_sale_both_count_in_the_day():
    till, online, person = Counter(7), Counter(8), make_person(100_00)
    online.tap(person, 20_00, leave_after=BEFORE_THE_WRITE, tear=Tear.BEFORE)
    sell_offline(till, person, 20_00)

    assert online.tap(person, 10_01).refusal == "password_needed"
    assert online.tap(person, 10_00).refusal is None
    assert online.tap(person, 1).refusal == "password_needed"


def test_the_book_counts_its_own_entries_of_the_day_and_leaves_the_rest_to_the_record():
    """Also when the taps after the offline sale are the plainest of all: nothing open, every write reported."""
    till, online, person = Counter(7), Counter(8), make_person(100_00)
    record = sell_offline(till, person, 20_00)
    for _ in range(3):
        online.report(online.tap(person, 5_00), CardWrite.WRITTEN)
    assert person.fresh().spent_fen == 15_00

    upload(till, record)

    assert person.fresh().spent_fen == 35_00
