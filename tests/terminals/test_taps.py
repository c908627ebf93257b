"""Taps over the real API: the message of a verified terminal reaches the book, and its answer reaches the card."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from purse.evidence import Side
from purse.keys import ONLINE_TILL, Role
from purse.policy import Policy
from purse.procedures import ClassicDriver, load_sector, slot_write
from purse.rules import Refusal
from terminals.api import wiring
from terminals.messages.signing import operation_text, unseal
from terminals.messages.wire import (
    DebitRequest,
    OutcomeReport,
    SightingRequest,
    TapAnswer,
    VoidRequest,
    content_hash,
)
from terminals.models import TerminalContact
from tests.campus import KEYS, make_person
from tests.terminals.conftest import make_box
from transactions import ledger
from transactions.models import Entry, EntryKind, OutcomeNote
from transactions.services import orders

pytestmark = pytest.mark.django_db(transaction=True)
JOURNAL = "ab" * 16


@pytest.fixture
def person():
    return make_person(100_00)


def read(person):
    person.field.place(person.plastic)
    link = person.field.select()
    return link, ClassicDriver(link, KEYS.only(ONLINE_TILL)).read_purse()


def ask(box, request_or_call, message=None):
    reply = box.call(request_or_call, message.to_json())
    assert reply.signed
    return reply


def debit(box, person, fen, *, seq=1, outcomes=(), pin=None):
    link, raw = read(person)
    message = DebitRequest(JOURNAL, seq, raw, fen, box.server.now_ms, pin, tuple(outcomes))
    reply = ask(box, "debit", message)
    return reply, link, raw


def write(link, raw, answer, keys):
    for told in answer.writes:
        driver = ClassicDriver(link, keys)
        assert driver.commit(slot_write(raw, told.side, told.slot, told.image), raw.uid).value == "written"


def test_a_purchase_goes_from_the_book_to_the_card(box, person):
    reply, link, raw = debit(box, person, 5_50)

    answer = TapAnswer.parse(reply.body)
    assert (reply.status, answer.refusal, answer.book_fen, answer.card_fen) == (200, None, 94_50, 94_50)
    assert [told.side for told in answer.writes] == [Side.SPEND]
    assert answer.writes[0].sealed_key is None
    write(link, raw, answer, KEYS.only(ONLINE_TILL))
    assert (person.book_fen, person.card_fen) == (94_50, 94_50)
    entry = Entry.objects.get(kind=EntryKind.PURCHASE)
    assert (entry.terminal_id, entry.contra_ref) == (box.id, box.server.registry.find(
        box.id, 1, monotonic_s=box.server.now.timestamp()).merchant_id)  # fmt: skip


def test_the_same_key_again_gets_the_same_answer_and_moves_nothing(box, person):
    first, *_ = debit(box, person, 5_50)

    again, *_ = debit(box, person, 5_50)

    assert (again.status, again.body["replay"], again.body["book_fen"]) == (200, True, 94_50)
    assert again.body["writes"] == first.body["writes"]
    assert person.book_fen == 94_50


def test_the_same_key_with_another_amount_is_a_conflict(box, person):
    debit(box, person, 5_50)

    again, *_ = debit(box, person, 6_50)

    assert (again.status, again.body["error"], again.body["money_moved"], again.body["retry"]) == (
        409, "key_reused", False, False)  # fmt: skip
    assert person.book_fen == 94_50


def test_a_refusal_is_an_answer_and_not_an_error(box, person):
    reply, *_ = debit(box, person, 100_01)

    assert (reply.status, reply.body["refusal"]) == (200, "insufficient")
    assert person.book_fen == 100_00


def test_outcomes_ride_on_the_next_tap_and_need_not_be_sent_again(box, person):
    reply, link, raw = debit(box, person, 5_50)
    write(link, raw, TapAnswer.parse(reply.body), KEYS.only(ONLINE_TILL))
    other = make_person(50_00)
    report = OutcomeReport(JOURNAL, 1, "written")

    reply, *_ = debit(box, other, 1_00, seq=2, outcomes=[report])

    assert reply.body["recorded"] == [[JOURNAL, 1]]
    person.fresh()
    assert person.card_row.spend_total_fen == 5_50
    assert person.card_row.legs in ({}, [])


def test_an_abandoned_sale_is_taken_back_before_the_next_one_is_decided(box, person):
    Account.objects.filter(id=person.account.id).update(daily_limit_fen=600_00)
    debit(box, person, 60_00, seq=1)
    assert person.book_fen == 40_00

    reply, *_ = debit(box, person, 60_00, seq=2, outcomes=[OutcomeReport(JOURNAL, 1, "abandoned")])

    assert (reply.body["refusal"], reply.body["book_fen"]) == (None, 40_00)
    assert reply.body["recorded"] == [[JOURNAL, 1]]


def test_outcomes_may_also_come_alone(box, person):
    debit(box, person, 5_50)
    report = OutcomeReport(JOURNAL, 1, "unknown")

    reply = box.call("outcomes", {"outcomes": [report.to_json()]})

    assert (reply.status, reply.body) == (200, {"recorded": [[JOURNAL, 1]]})
    assert OutcomeNote.objects.get().outcome == "unknown"
    assert box.call("outcomes", {"outcomes": []}).body == {"recorded": []}


def test_an_empty_tap_shows_what_card_and_book_hold(box, person):
    _, raw = read(person)

    reply = ask(box, "sighting", SightingRequest(raw, box.server.now_ms))

    assert (reply.status, reply.body["refusal"]) == (200, None)
    assert (reply.body["book_fen"], reply.body["card_fen"], reply.body["writes"]) == (100_00, 100_00, [])
    assert not Entry.objects.exclude(kind=EntryKind.OPENING).exists()


def test_a_sale_is_taken_back_with_its_card_and_the_till_borrows_the_load_key(box, person):
    reply, link, raw = debit(box, person, 5_50)
    write(link, raw, TapAnswer.parse(reply.body), KEYS.only(ONLINE_TILL))
    link, raw = read(person)

    reply = ask(box, "void", VoidRequest(JOURNAL, 2, JOURNAL, 1, raw, box.server.now_ms))

    answer = TapAnswer.parse(reply.body)
    assert (answer.refusal, answer.fen, answer.book_fen) == (None, 5_50, 100_00)
    load = next(told for told in answer.writes if told.side is Side.LOAD)
    lent = unseal(
        box.keys.seal,
        uid=raw.uid,
        sector=load_sector(),
        operation=operation_text(box.id, JOURNAL, 2),
        sealed=load.sealed_key,
    )
    assert lent == KEYS.sector_key(raw.uid, load_sector(), Role.LOAD)
    keys = KEYS.only(ONLINE_TILL).with_sector_key(raw.uid, load_sector(), Role.LOAD, lent)
    write(link, raw, answer, keys)
    assert (person.book_fen, person.card_fen) == (100_00, 100_00)


def test_the_lent_key_is_stored_nowhere_and_lent_anew_when_asked_again(box, person):
    reply, link, raw = debit(box, person, 5_50)
    write(link, raw, TapAnswer.parse(reply.body), KEYS.only(ONLINE_TILL))
    _, raw = read(person)
    message = VoidRequest(JOURNAL, 2, JOURNAL, 1, raw, box.server.now_ms)

    first, again = ask(box, "void", message), ask(box, "void", message)

    assert again.body["replay"] is True
    sealed = [
        told["sealed_key"] for reply in (first, again) for told in reply.body["writes"] if told["sealed_key"]
    ]
    assert len(sealed) == 2
    assert sealed[0] != sealed[1], "a nonce is never used twice"
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(reply::text, '') FROM transactions_answer")
        assert "sealed" not in cursor.fetchone()[0]


def test_a_till_without_the_switch_borrows_nothing(box, person, monkeypatch):
    monkeypatch.setattr(wiring, "policy", lambda: replace(Policy(), claim_at_till=False))
    reply, link, raw = debit(box, person, 5_50)
    write(link, raw, TapAnswer.parse(reply.body), KEYS.only(ONLINE_TILL))
    _, raw = read(person)

    reply = ask(box, "void", VoidRequest(JOURNAL, 2, JOURNAL, 1, raw, box.server.now_ms))

    assert [told["side"] for told in reply.body["writes"] if told["side"] == "load"] == []


def test_a_kiosk_that_only_looks_is_given_no_load_writes(server, person):
    kiosk = make_box(server, kind="query_kiosk")
    _, raw = read(person)

    reply = ask(kiosk, "sighting", SightingRequest(raw, server.now_ms))

    assert (reply.status, reply.body["writes"]) == (200, [])


def test_a_contended_book_is_said_and_the_same_key_is_safe(box, person, monkeypatch):
    from transactions.services import debit as debits

    def busy(*args, **kwargs):
        raise orders.Busy("55P03")

    with monkeypatch.context() as patch:
        patch.setattr(debits, "debit", busy)
        reply, *_ = debit(box, person, 5_50)
        assert (reply.status, reply.body["retry"], reply.signed) == (503, True, True)

    reply, *_ = debit(box, person, 5_50)
    assert (reply.status, reply.body["replay"]) == (200, False)
    assert person.book_fen == 94_50


def test_a_till_that_was_heard_before_moves_no_money(box, person):
    """A replayed request is refused even before its business key would answer it."""
    _, raw = read(person)
    message = DebitRequest(JOURNAL, 1, raw, 5_50, box.server.now_ms)
    assert box.call("debit", message.to_json(), seq=7).status == 200

    reply = box.call("debit", replace(message, seq=2).to_json(), seq=7)

    assert (reply.status, reply.body["error"]) == (401, "replay")
    assert person.book_fen == 94_50


@pytest.fixture
def round_trips(monkeypatch):
    """What the ledger asks of PostgreSQL; its statements go past Django's cursors."""
    texts = []
    fetch = ledger.statement.fetch
    monkeypatch.setattr(
        ledger.statement, "fetch", lambda text, params: (texts.append(text), fetch(text, params))[1]
    )
    return texts


def test_a_plain_purchase_takes_one_round_trip_with_the_contact_in_it(box, person, round_trips):
    """performance.md: round trips to PostgreSQL per online debit ≤ 2, the outcome of the sale before with it."""
    debit(box, person, 1_00)
    _, raw = read(make_person(10_00))
    written = (OutcomeReport(JOURNAL, 1, "written"),)
    message = DebitRequest(JOURNAL, 2, raw, 1_00, box.server.now_ms, None, written)

    round_trips.clear()
    with CaptureQueriesContext(connection) as seen:
        reply = box.call("debit", message.to_json())

    assert len(seen) == 0
    assert ["terminals_advance(" in text for text in round_trips] == [True]
    assert TerminalContact.objects.get(terminal_id=box.id).last_seq == box.seq
    assert reply.body["recorded"] == [[JOURNAL, 1]]


def test_the_short_hash_of_a_purchase_is_the_hash_of_its_message(box, person):
    """It is written out for speed; an upload of the same key is compared with it."""
    _, raw = read(person)
    message = DebitRequest(
        JOURNAL, 7, raw, 5_50, box.server.now_ms, "940516", (OutcomeReport(JOURNAL, 6, "written"),)
    )

    assert message.content_hash() == content_hash(message.to_json())


def test_any_other_purchase_takes_two(box, person, round_trips):
    """A card that was torn away before: the first call says what the book knows, the second one writes."""
    _, raw = read(person)
    debit(box, person, 1_00)
    message = DebitRequest(JOURNAL, 2, raw, 1_00, box.server.now_ms)

    round_trips.clear()
    with CaptureQueriesContext(connection) as seen:
        reply = box.call("debit", message.to_json())

    assert (reply.body["refusal"], reply.body["healed_fen"]) == (None, 1_00)
    assert (len(seen), len(round_trips)) == (0, 2)


@pytest.mark.parametrize("at_ms", [0, 2**53])
def test_a_tills_own_clock_may_say_anything(box, person, at_ms):
    _, raw = read(person)

    reply = box.call("debit", DebitRequest(JOURNAL, 1, raw, 5_50, at_ms).to_json())

    assert (reply.status, reply.body["refusal"]) == (200, None)


def test_a_foreign_card_is_refused_by_word(box, person):
    _, raw = read(person)
    stranger = replace(raw, uid=b"\xde\xad\xbe\xef")

    reply = box.call("debit", DebitRequest(JOURNAL, 1, stranger, 5_50, box.server.now_ms).to_json())

    assert (reply.status, reply.body["refusal"]) == (200, Refusal.FOREIGN_CARD)
