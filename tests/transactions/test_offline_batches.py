"""Batches of offline records: whatever the standing of card and account, each is posted once and nothing is lost."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, AuditEvent, Card
from tests.campus import NOON, POLICY, Counter, make_person
from tests.transactions.offline_runs import (
    ACTOR,
    broken,
    facts,
    items,
    level_now,
    post,
    records_on,
    replace_card,
    word,
)
from tests.transactions.test_debit import BEFORE_THE_WRITE
from tests.transactions.test_offline import sell_offline
from transactions.models import Answer, CardFinding, Entry, EntryKind, OfflineTrace, OutcomeNote
from transactions.services.corrections import RefundOrder, refund_late
from transactions.services.offline import post_sales
from transactions.services.outcomes import CardWrite, Report, report_outcomes

pytestmark = pytest.mark.django_db


# ------------------------------------------------------------------------------------------------- the batch


def test_a_batch_posts_many_records_of_many_accounts_with_gapless_entries():
    till, people = Counter(), [make_person(100_00) for _ in range(5)]
    batch = [record for person in people for record in records_on(person, 1_00, 2_00, 3_00)]

    assert post(till, *batch) == ["posted"] * 15

    for person in people:
        assert (person.book_fen, person.card_row.card_fen, items(person).offline_fen) == (94_00, 94_00, 0)
        entries = Entry.objects.filter(account_id=person.account.pk).order_by("seq")
        assert [entry.seq for entry in entries] == [1, 2, 3, 4]
        assert [entry.book_after_fen for entry in entries] == [100_00, 99_00, 97_00, 94_00]
        assert person.fresh().spent_fen == 6_00
    assert broken() == []


@pytest.mark.parametrize("records", [1, 10, 200])
def test_a_batch_takes_three_statements_however_many_records_it_has(records):
    """performance.md: set-based posting."""
    till, person = Counter(), make_person(900_00)
    batch = records_on(person, *[1] * records)

    with CaptureQueriesContext(
        connection,
    ) as captured:
        post(till, *batch)

    told = [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]
    assert len(told) == 3


def test_a_key_twice_in_one_batch_is_charged_once():
    till, person = Counter(), make_person(100_00)
    [record] = records_on(person, 5_00)

    assert post(till, record, record) == ["posted", "duplicate"]
    assert person.book_fen == 95_00


def test_the_same_key_with_another_content_is_suspect_and_moves_nothing():
    till, person = Counter(), make_person(100_00)
    [record] = records_on(person, 5_00)
    other = replace(record, fen=6_00, asked=b"another")

    assert post(till, record, other) == ["posted", "suspect key_reused"]
    assert post(till, other) == ["suspect key_reused"]
    assert person.book_fen == 95_00


def test_a_bad_record_does_not_spoil_its_neighbours():
    """reliability.md 7, 111."""
    till, person = Counter(), make_person(100_00)
    batch = records_on(person, *[10] * 50)
    batch[20] = replace(batch[20], uid=b"\x01\x02\x03\x04")

    told = post(till, *batch)

    assert (told.count("posted"), told[20]) == (49, "suspect card")
    assert person.book_fen == 100_00 - 49 * 10


def test_a_card_that_names_another_account_is_left_to_a_person():
    """99 account no. on card … of another UID."""
    till, person = Counter(), make_person(100_00)
    [record] = records_on(person, 5_00)

    assert post(till, replace(record, account_no=99_999)) == ["suspect account"]
    assert person.book_fen == 100_00


def test_plastic_issued_again_to_somebody_else_posts_to_the_account_that_it_named():
    till, first, second = Counter(), make_person(100_00), make_person(50_00)
    old = records_on(first, 5_00)
    Card.objects.filter(id=first.card_row.id).update(life="returned")
    Card.objects.filter(id=second.card_row.id).update(uid=first.card_row.uid)

    assert post(till, *old) == ["posted old_card"]
    assert (first.book_fen, second.book_fen) == (95_00, 50_00)


def test_a_refused_key_stays_refused():
    till, person = Counter(), make_person(10_00)
    sale = till.tap(person, 20_00)
    assert sale.refusal == "insufficient"
    [record] = records_on(person, 20_00)
    asked = bytes(Answer.objects.get(key=sale.key).asked)

    assert post(till, replace(record, key=sale.key, asked=asked)) == ["suspect key_refused"]
    assert person.book_fen == 10_00


def test_a_sale_that_was_taken_back_is_not_called_a_duplicate():
    till, person = Counter(), make_person(50_00)
    sale = till.tap(person, 10_00, leave_after=BEFORE_THE_WRITE)
    till.report(sale, CardWrite.ABANDONED)
    assert person.book_fen == 50_00
    [record] = records_on(person, 10_00)
    asked = bytes(Answer.objects.get(key=sale.key).asked)

    assert post(till, replace(record, key=sale.key, asked=asked)) == ["suspect taken_back"]


# ------------------------------------------------------------------------------- the standing of card and account


@pytest.mark.parametrize("life", ["issued", "active", "replaced", "returned", "expired", "damaged", "void"])
def test_a_record_is_posted_whatever_became_of_the_card(life):
    """ "Each record is applied exactly once by its key … also when the account has since been replaced or closed"."""
    till, person = Counter(), make_person(100_00, life="issued")
    batch = records_on(person, 5_00, 1_00)
    Card.objects.filter(id=person.card_row.id).update(life=life)

    told = post(till, *batch)

    assert told == (["posted"] * 2 if life in {"issued", "active"} else ["posted old_card"] * 2)
    assert person.book_fen == 94_00
    assert broken() == []


@pytest.mark.parametrize(
    "standing",
    [
        {"life": "closed", "closed_at": NOON},
        {"life": "closing"},
        {"frozen_reasons": ["by_hand"], "frozen_at": NOON},
    ],
    ids=["closed", "closing", "frozen"],
)
def test_a_record_is_posted_whatever_became_of_the_account(standing):
    till, person = Counter(), make_person(100_00)
    batch = records_on(person, 5_00)
    if standing["life"] == "closed" if "life" in standing else False:
        Account.objects.filter(id=person.account.pk).update(life="closing")
    Account.objects.filter(id=person.account.pk).update(**standing)

    assert post(till, *batch) == ["posted"]
    assert person.book_fen == 95_00
    assert person.fresh().frozen_reasons == standing.get("frozen_reasons", [])


def test_a_record_is_posted_to_a_lost_card():
    till, person = Counter(), make_person(100_00)
    batch = records_on(person, 5_00)
    Card.objects.filter(id=person.card_row.id).update(lost=True, lost_at=NOON)

    assert post(till, *batch) == ["posted"]


def test_a_freeze_that_is_there_is_not_told_again_and_others_stay():
    till, person = Counter(), make_person(1_00)
    batch = records_on(person, 2_00, 3_00)
    Account.objects.filter(id=person.account.pk).update(frozen_reasons=["by_hand"], frozen_at=NOON)

    post(till, *batch[:1])
    post(till, *batch[1:])

    assert person.book_fen == -4_00
    assert person.fresh().frozen_reasons == ["by_hand", "book_negative"]
    assert AuditEvent.objects.filter(action="account.freeze").count() == 1


# ------------------------------------------------------------------------------------------- a card was replaced


def test_a_record_of_the_old_card_lowers_the_book_and_the_new_card_lacks_it_like_a_torn_debit():
    """Replacement carried a book that did not know of the sale; card − book = torn, and not an excess."""
    till, person = Counter(), make_person(100_00)
    [record] = records_on(person, 5_00)
    new = replace_card(person)

    assert post(till, record) == ["posted old_card"]

    found = items(person)
    assert (person.book_fen, found.torn_fen, found.offline_fen, found.late_fen) == (95_00, 5_00, 0, 0)
    new.refresh_from_db()
    assert (new.card_fen, new.spend_seq) == (100_00, 0)
    entry = Entry.objects.get(kind=EntryKind.OFFLINE_SALE)
    assert (entry.card_id, entry.purse_seq) == (person.card_row.pk, 1)
    assert broken() == []


def test_the_next_tap_of_the_new_card_writes_what_the_old_one_had_spent():
    till, offline, person = Counter(7), Counter(8), make_person(100_00)
    record = sell_offline(offline, person, 5_00)
    record = replace(record, account_no=None)
    Card.objects.filter(id=person.card_row.id).update(life="replaced")
    swap_plastic(person)

    assert post(offline, record) == ["posted old_card"]
    sale = till.tap(person, 1_00)

    assert (sale.refusal, sale.reply.healed_fen) == (None, 5_00)
    till.report(sale, CardWrite.WRITTEN)
    assert (person.book_fen, person.card_fen) == (94_00, 94_00)
    assert items(person).torn_fen == 0
    assert broken() == []


def test_a_write_that_was_under_way_does_not_carry_what_the_old_card_had_spent():
    """The outcome of a purchase comes after the record of the old card: the debit stays open until a tap writes it."""
    till, offline, person = Counter(7), Counter(8), make_person(100_00)
    record = sell_offline(offline, person, 5_00)
    Card.objects.filter(id=person.card_row.id).update(life="replaced")
    swap_plastic(person)
    sale = till.tap(person, 1_00, report=False)

    assert post(offline, record) == ["posted old_card"]
    till.report(sale, CardWrite.WRITTEN)

    assert (person.book_fen, person.card_fen) == (94_00, 99_00)
    till.look(person)
    assert items(person).torn_fen == 5_00
    again = till.tap(person, 1_00)
    assert (again.refusal, again.reply.healed_fen) == (None, 5_00)
    till.report(again, CardWrite.WRITTEN)
    assert (person.book_fen, person.card_fen) == (93_00, 93_00)
    found = items(person)
    assert (found.torn_fen, found.offline_fen) == (0, 0)
    assert broken() == []


def swap_plastic(person):
    """Give the person a newly prepared card that holds what the book holds."""
    from purse.procedures import ClassicDriver, Personalisation
    from terminals.device.reader.field import Field
    from terminals.device.reader.model import ClassicCard
    from tests.campus import KEYS

    card = replace_card(person)
    plastic, hand = ClassicCard.blank(bytes.fromhex(card.uid)), Field()
    hand.place(plastic)
    who = Personalisation(
        person.account.number, 2, 1, 1, None, b"12345678", 50_00, NOON.date(), card.load_total_fen
    )
    ClassicDriver(hand.select(), KEYS).prepare(who)
    person.plastic, person.card_row = plastic, card


def test_a_late_record_of_a_replaced_card_is_late_there_and_lacking_here():
    """Deducted twice: refunded as unclaimed money, which book and new card then take together."""
    till, person = Counter(), make_person(100_00)
    [record] = records_on(person, 5_00)
    seen(person, record)
    level_now(person, till)
    new = replace_card(person)
    assert new.load_total_fen == 95_00

    assert post(till, record) == ["posted late old_card"]

    assert person.book_fen == 90_00
    person.card_row.refresh_from_db()
    assert person.card_row.late_fen == 5_00
    assert items(person).torn_fen == 5_00
    late = Entry.objects.get(kind=EntryKind.OFFLINE_SALE)
    order = RefundOrder(uuid.uuid4(), person.account.pk, late.id, "重复扣款")
    refund_late(order, actor=ACTOR, now=NOON, policy=POLICY)
    account = person.fresh()
    assert (account.book_fen, account.unclaimed_fen) == (90_00, 5_00)
    assert items(person).offline_fen == 0
    assert [
        found for found in broken() if found.id != "L9"
    ] == []  # nobody decided: the service was called alone


# ------------------------------------------------------------------------------------------------ late uploads


def seen(person, *records):
    """The card was seen somewhere as these records left it; the records are not here."""
    last = records[-1]
    for record in records:
        OfflineTrace.objects.create(
            card_id=person.card_row.pk, card_seq=record.card_seq_after, fen=record.fen, seen_at=NOON
        )
    floor = person.fresh() and Card.objects.get(id=person.card_row.id)
    Card.objects.filter(id=person.card_row.id).update(
        spend_seq=last.card_seq_after,
        spend_total_fen=last.spend_total_after_fen,
        offline_spent_fen=last.offline_spent_after_fen,
        images={
            "spend": {
                "floor": [floor.spend_seq, floor.spend_total_fen, floor.offline_spent_fen, False],
                "told": [],
            }
        },
    )


@pytest.mark.parametrize("switched_on", [True, False])
def test_a_record_that_hits_a_levelled_gap_is_deducted_again_and_freezes(switched_on):
    """指南 L109: 若该脱机流水又上传 … 数据库将再次扣除 … 对智能卡进行冻结处理."""
    till, person = Counter(), make_person(50_00)
    [record] = records_on(person, 10_00)
    seen(person, record)
    assert level_now(person, till) == 10_00

    assert post(till, record, policy=replace(POLICY, freeze_on_late_upload=switched_on)) == ["posted late"]

    assert (person.book_fen, person.card_row.late_fen, items(person).offline_fen) == (30_00, 10_00, 0)
    assert person.fresh().frozen_reasons == (["late_upload"] if switched_on else [])
    assert post(till, record) == ["duplicate"]
    assert person.book_fen == 30_00
    assert broken() == []


def test_only_what_the_levelling_stood_for_is_late():
    """Both sides of the bound: the number that the levelling used, and the next one."""
    till, person = Counter(), make_person(50_00)
    first, second, third = records_on(person, 10_00, 1_00, 2_00)
    seen(person, first, second)
    assert level_now(person, till) == 11_00

    assert post(till, third, second, first) == ["posted", "posted late", "posted late"]

    assert (person.book_fen, person.card_row.late_fen) == (50_00 - 11_00 - 13_00, 11_00)
    assert items(person).offline_fen == 0
    assert broken() == []


def test_a_key_that_was_known_is_never_late():
    till, person = Counter(), make_person(50_00)
    first, second = records_on(person, 10_00, 1_00)
    post(till, first)
    seen(person, second)
    level_now(person, till)

    assert post(till, first, second) == ["duplicate", "posted late"]
    assert person.card_row.late_fen == 0 or (person.fresh() and person.card_row.late_fen == 1_00)


# -------------------------------------------------------------------------------------------- contradictions


def test_one_number_with_two_contents_makes_a_finding_and_posts_the_first_alone():
    """A8: two records with same (card, seq) and different content => case, both kept."""
    till, other, person = Counter(7), Counter(8), make_person(100_00)
    [record], [cloned] = records_on(person, 5_00), records_on(person, 6_00)
    assert post(till, record) == ["posted"]

    assert post(other, cloned) == ["suspect fork"]
    assert post(other, cloned) == ["suspect fork"]

    found = CardFinding.objects.get()
    assert (found.kind, found.card_id, found.terminal_id) == ("fork", person.card_row.pk, other.till.id)
    assert person.book_fen == 95_00


def test_a_state_that_nothing_explains_is_left_to_a_person():
    till, person = Counter(), make_person(100_00)
    [record] = records_on(person, 5_00)
    strange = replace(record, spend_total_after_fen=50_00)

    assert post(till, strange) == ["suspect excess"]
    assert CardFinding.objects.get().kind == "excess"


def test_what_a_person_charges_is_written_to_the_card_by_its_next_tap():
    till, person = Counter(), make_person(100_00)
    [record], [cloned] = records_on(person, 5_00), records_on(person, 6_00)
    post(till, record, cloned)

    assert post(till, replace(cloned, charge=True)) == ["posted"]

    assert (person.book_fen, items(person).torn_fen, items(person).offline_fen) == (89_00, 6_00, 0)
    assert post(till, cloned) == ["duplicate"]
    assert broken() == []


# ------------------------------------------------------------------------------------------- doubtful writes


def test_a_doubtful_write_is_posted_when_a_later_record_stands_on_it():
    till, other, person = Counter(7), Counter(8), make_person(100_00)
    first, second = records_on(person, 5_00, 1_00)
    doubtful = replace(first, certain=False)

    assert post(till, doubtful) == ["suspect doubtful"]
    assert person.book_fen == 100_00
    assert post(other, second) == ["posted"]
    assert post(till, doubtful) == ["posted"]
    assert post(till, doubtful) == ["duplicate"]
    assert (person.book_fen, person.card_row.card_fen, items(person).offline_fen) == (94_00, 94_00, 0)


def test_a_doubtful_write_whose_number_another_sale_took_is_explained_and_not_charged():
    till, other, person = Counter(7), Counter(8), make_person(100_00)
    [doubtful] = records_on(person, 5_00, certain=False)
    [sold] = records_on(person, 5_00)

    assert post(till, doubtful, sold) == ["not_written not_written", "posted"]
    assert post(other, doubtful) == ["not_written not_written"]
    assert person.book_fen == 95_00


@pytest.mark.parametrize("took", [True, False], ids=["the write took", "it did not"])
def test_a_doubtful_write_is_decided_by_the_next_purchase_that_is_read_back(took):
    till, online, person = Counter(7), Counter(8), make_person(100_00)
    if took:
        record = sell_offline(till, person, 5_00)
    else:
        [record] = records_on(person, 5_00)
    doubtful = replace(record, certain=False)
    assert post(till, doubtful) == ["suspect doubtful"]

    sale = online.tap(person, 1_00)
    assert post(till, doubtful) == ["suspect doubtful"], "shown is not proven"
    online.report(sale, CardWrite.WRITTEN)

    assert post(till, doubtful) == (["posted"] if took else ["not_written not_written"])
    assert person.book_fen == person.card_fen == (94_00 if took else 99_00)
    assert items(person).offline_fen == 0
    assert broken() == []


def test_a_doubtful_write_within_a_levelled_gap_is_for_a_person():
    till, online, person = Counter(7), Counter(8), make_person(100_00)
    record = sell_offline(till, person, 5_00)
    sale = online.tap(person, 1_00)
    online.report(sale, CardWrite.WRITTEN)
    level_now(person, till)

    assert post(till, replace(record, certain=False)) == ["suspect doubtful"]


def test_a_missing_sale_of_the_same_amount_is_not_taken_for_the_doubtful_one():
    """Before it: another till's sale of 5.00 that has not come, and then the doubtful one that never took."""
    silent, till, online, person = Counter(6), Counter(7), Counter(8), make_person(100_00)
    missing = sell_offline(silent, person, 5_00)
    doubtful = replace(
        missing,
        key=uuid.uuid4(),
        card_seq_after=missing.card_seq_after + 1,
        spend_total_after_fen=missing.spend_total_after_fen + 5_00,
        offline_spent_after_fen=10_00,
        certain=False,
    )
    for _ in range(2):
        online.report(online.tap(person, 1_00), CardWrite.WRITTEN)

    assert post(till, doubtful) == ["suspect doubtful"]
    assert post(silent, missing) == ["posted"]
    assert post(till, doubtful) == ["not_written not_written"]
    assert person.book_fen == person.card_fen == 93_00


def test_the_ring_of_the_card_names_the_doubtful_sale_while_another_is_missing_too():
    silent, till, online, person = Counter(6), Counter(7), Counter(8), make_person(100_00)
    missing = sell_offline(silent, person, 5_00)
    doubtful = replace(sell_offline(till, person, 5_00), certain=False)
    for _ in range(2):
        online.report(online.tap(person, 1_00), CardWrite.WRITTEN)

    assert post(till, doubtful) == ["posted"]
    assert post(silent, missing) == ["posted"]
    assert person.book_fen == person.card_fen == 88_00


# ------------------------------------------------------------------------------------ outcomes of other terminals


def test_a_terminal_settles_only_cards_that_it_wrote_itself():
    """A WRITTEN for another terminal's key would call a torn debit written, and the card would keep the money."""
    till, stranger, person = Counter(7), Counter(8), make_person(50_00)
    sale = till.tap(person, 10_00, leave_after=BEFORE_THE_WRITE)

    report_outcomes([Report(sale.key, CardWrite.WRITTEN)], till=stranger.till, now=NOON)
    assert facts(person).card.spend.missing_fen == 10_00

    report_outcomes([Report(sale.key, CardWrite.WRITTEN)], till=till.till, now=NOON)
    assert facts(person).card.spend.missing_fen == 0
    assert not OutcomeNote.objects.exists()


def test_answers_come_in_the_order_of_the_records():
    till, person = Counter(), make_person(100_00)
    first, second, third = records_on(person, 1_00, 2_00, 3_00)
    doubtful = replace(second, certain=False)

    told = post_sales([third, doubtful, first], till=till.till, policy=POLICY, now=NOON)

    assert [word(posted) for posted in told] == ["posted", "posted", "posted"]
    assert person.book_fen == 94_00
