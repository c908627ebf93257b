"""Offline journals: kept as they came, posted once, forks and forgeries kept apart (B3 to B11)."""

from __future__ import annotations

import itertools
import json
import random
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from terminals.messages.records import RecordKind, Result
from terminals.models import SecurityEvent, SecurityEventKind, UploadedRecord, UploadVerdict
from terminals.services import enrolment, uploads
from tests import faults
from tests.campus import make_person
from tests.terminals.conftest import ACTOR, KEYRING, Journal, make_box
from transactions.models import Entry, EntryKind

pytestmark = pytest.mark.django_db(transaction=True)


def results(answers):
    return [(answer["seq"], answer["result"]) for answer in answers]


def on(person):
    """What a record says of this person's card."""
    return {"uid": person.plastic.uid.hex(), "account": person.account.number}


def events(kind):
    return SecurityEvent.objects.filter(kind=kind).count()


class Ledger:
    """Stands for the book: counts what is posted, and can break down."""

    def __init__(self):
        self.posted = []
        self.broken = False

    def post(self, records):
        if self.broken:
            raise ConnectionError
        return [self._one(record) for record in records]

    def _one(self, record):
        if record.seq in self.posted:
            return Result.DUPLICATE, ""
        self.posted.append(record.seq)
        return Result.POSTED, ""


def take_in(journal, ledger, *records, now=None):
    server = journal.box.server
    machine = server.registry.find(journal.box.id, 1, monotonic_s=server.now.timestamp())
    answers = uploads.take_in(records, machine, keyring=KEYRING, post=ledger.post, now=now or server.now)
    return [(answer.seq, answer.result.value) for answer in answers]


def test_an_offline_sale_is_posted_to_the_book(journal):
    person = make_person(100_00)
    record = journal.sale(5_50, **on(person))

    answers = journal.upload(record)

    assert answers == [{"seq": 1, "result": "posted", "why": ""}]
    assert person.book_fen == 94_50
    entry = Entry.objects.get(kind=EntryKind.OFFLINE_SALE)
    assert (entry.terminal_id, entry.purse_seq, entry.occurred_at) == (
        journal.box.id,
        1,
        journal.box.server.now,
    )
    kept = UploadedRecord.objects.get()
    assert json.loads(kept.raw) == record
    assert UploadVerdict.objects.get().result == "posted"


def test_the_same_record_again_is_a_duplicate_and_moves_nothing(journal):
    person = make_person(100_00)
    record = journal.sale(5_50, **on(person))
    journal.upload(record)

    assert results(journal.upload(record)) == [(1, "duplicate")]
    assert results(journal.upload(record, record)) == [(1, "duplicate"), (1, "duplicate")]
    assert person.book_fen == 94_50
    assert UploadedRecord.objects.count() == 1


def test_records_are_posted_once_in_every_order_and_every_batch(journal):
    """B4: records post in any order. Every sixth order here; all 720 with real books in test_upload_faults."""
    orders = list(itertools.permutations(range(6)))[::6]
    wrong = 0
    with transaction.atomic():
        for number, order in enumerate(orders):
            each, ledger = Journal(journal.box, id=f"{number:032x}"), Ledger()
            records, cut = [each.sale(1_00) for _ in range(6)], number % 6
            take_in(each, ledger, *(records[place] for place in order[:cut]))
            take_in(each, ledger, *(records[place] for place in order[cut:]))
            again = take_in(each, ledger, *records)
            wrong += sorted(ledger.posted) != [1, 2, 3, 4, 5, 6] or {word for _, word in again} != {
                "duplicate"
            }
    faults.report("UPLOAD_ORDERS", len(orders), wrong)

    assert wrong == 0


def test_a_break_after_the_record_was_kept_is_made_good_by_the_next_upload(journal):
    record, ledger = journal.sale(1_00), Ledger()
    ledger.broken = True
    with pytest.raises(ConnectionError):
        take_in(journal, ledger, record)
    assert (UploadedRecord.objects.count(), UploadVerdict.objects.count()) == (1, 0)

    ledger.broken = False
    assert take_in(journal, ledger, record) == [(1, "posted")]
    assert take_in(journal, ledger, record) == [(1, "duplicate")]
    assert ledger.posted == [1]


def test_a_record_that_the_tables_refuse_keeps_no_other_from_being_posted(journal):
    """Nothing that a till holds may stop its queue for ever."""
    records, ledger = [journal.sale(fen) for fen in (1_00, 13, 2_00)], Ledger()

    def post(batch):
        if any(record.sale.fen == 13 for record in batch):
            raise IntegrityError
        return ledger.post(batch)

    server = journal.box.server
    machine = server.registry.find(journal.box.id, 1, monotonic_s=server.now.timestamp())
    answers = uploads.take_in(records, machine, keyring=KEYRING, post=post, now=server.now)

    assert [(answer.result.value, answer.why) for answer in answers] == [
        ("posted", ""),
        ("suspect", "impossible"),
        ("posted", ""),
    ]
    assert ledger.posted == [1, 3]


def test_one_bad_record_among_fifty_does_not_spoil_the_others(journal):
    """111 one bad among 50: 49 accepted, 1 explained."""
    records = [journal.sale(1_00) for _ in range(50)]
    records[20] = {**records[20], "fen": 2_00}
    ledger = Ledger()

    answers = take_in(journal, ledger, *records)

    assert [word for _, word in answers].count("posted") == 49
    assert answers[20] == (21, "refused")
    assert events(SecurityEventKind.BROKEN_RECORD) == 1


def test_a_batch_holds_two_hundred_records_and_no_more(journal):
    """110 batch 201."""
    small = {"records": [{}] * 201}

    reply = journal.box.call("upload", small)

    assert (reply.status, reply.body["field"]) == (400, "records")
    assert journal.box.call("upload", {"records": [{}] * 200}).status == 200


def test_every_changed_byte_of_a_journal_is_noticed(journal):
    """B11: every byte of a journal flipped; what is not genuine posts nothing and takes no genuine record's place."""
    records = [journal.sale(1_00) for _ in range(4)]
    machine = journal.box.server.registry.find(
        journal.box.id, 1, monotonic_s=journal.box.server.now.timestamp()
    )
    cases = wrong = 0
    for record in records:
        text = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
        for place in range(len(text)):
            changed = text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :]
            try:
                parsed = json.loads(changed)
            except ValueError:
                continue
            cases += 1
            wrong += not isinstance(uploads._examine(parsed, machine, KEYRING), uploads.RecordAnswer)
    faults.report("JOURNAL_BYTE_FLIPPED", cases, wrong)

    assert cases > 1_000
    assert wrong == 0


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"fen": 0}, "fen"),
        ({"fen": -1}, "fen"),
        ({"fen": True}, "fen"),
        ({"uid": "a0"}, "uid"),
        ({"outcome": "perhaps"}, "outcome"),
        ({"kind": "refund"}, "kind"),
        ({"v": 2}, "v"),
        ({"seq": 0}, "seq"),
        ({"card_seq_after": 65_536}, "card_seq_after"),
        ({"journal": "zz"}, "journal"),
        ({"mac": "00"}, "mac"),
        ({"prev_mac": ""}, "prev_mac"),
        ({"extra": 1}, "extra"),
        ({"at_ms": -1}, "at_ms"),
    ],
)
def test_a_signed_record_out_of_shape_is_refused_by_name_and_kept_as_evidence(journal, changed, field):
    """105 fen 0/negative; nothing uploaded is ever dropped."""
    record = journal.resigned(journal.sale(), **changed)
    if field == "mac":
        record["mac"] = "00"

    answer = journal.upload(record)[0]

    assert (answer["result"], answer["why"].split(":")[0]) == ("refused", field)
    assert events(SecurityEventKind.BROKEN_RECORD) == 1
    assert not UploadedRecord.objects.exists()


@pytest.mark.parametrize("raw", [None, 1, "x", [], {}, {"seq": "\ud800"}, {"\u0000": 1}, [[[[]]]]])
def test_what_is_no_record_at_all_is_refused(journal, raw):
    assert journal.upload(raw)[0]["result"] == "refused"


def test_a_record_of_another_terminal_is_refused(journal, server):
    """112 record of another terminal."""
    other = Journal(make_box(server, may_sell_offline=True))

    assert results(journal.upload(other.sale())) == [(1, "refused")]
    assert not UploadedRecord.objects.exists()


def test_a_forgery_does_not_take_the_place_of_the_genuine_record(journal):
    ledger, record = Ledger(), journal.sale(1_00)
    forged = {**record, "fen": 9_00, "mac": "00" * 32}

    assert take_in(journal, ledger, forged) == [(1, "refused")]
    assert take_in(journal, ledger, record) == [(1, "posted")]


def test_one_number_with_two_contents_is_a_fork_and_posts_nothing(journal):
    """B3, B8: body differs -> fork alarm, nothing posted; both are kept."""
    ledger, record = Ledger(), journal.sale(1_00)
    take_in(journal, ledger, record)

    other = journal.resigned(record, fen=9_00, spend_total_after=9_00)
    assert take_in(journal, ledger, other) == [(1, "quarantined")]

    assert ledger.posted == [1]
    event = SecurityEvent.objects.get(kind=SecurityEventKind.FORK)
    assert json.loads(event.detail["raw"]) == other


@pytest.mark.parametrize("first", ["before", "after"])
def test_a_record_that_does_not_follow_its_neighbour_is_quarantined(journal, first):
    """109 prev_mac wrong: whichever of the two comes first is believed, the other is looked at by a person."""
    ledger = Ledger()
    before, after = journal.sale(1_00), journal.sale(2_00)
    after = journal.resigned(after, prev_mac="11" * 32)
    pair = [before, after] if first == "before" else [after, before]

    assert take_in(journal, ledger, pair[0])[0][1] == "posted"
    assert take_in(journal, ledger, pair[1])[0][1] == "quarantined"
    assert events(SecurityEventKind.FORK) == 1


def test_the_first_record_of_a_journal_follows_nothing(journal):
    record = journal.resigned(journal.sale(), prev_mac="11" * 32)

    assert results(journal.upload(record)) == [(1, "quarantined")]


def test_a_gap_holds_nothing_up(journal):
    """108 seq gap: each record is valid alone; those that are missing may still come."""
    ledger = Ledger()
    records = [journal.sale(1_00) for _ in range(5)]

    assert take_in(journal, ledger, records[0], records[4]) == [(1, "posted"), (5, "posted")]
    assert take_in(journal, ledger, *records[1:4]) == [(2, "posted"), (3, "posted"), (4, "posted")]


def test_a_revoked_terminal_fills_the_quarantine_and_not_the_book(journal, server):
    """B9: revoke: API 403 in <= 1 s; later uploads go to quarantine, not ledger."""
    person = make_person(100_00)
    record = journal.sale(5_50, **on(person))
    enrolment.revoke(journal.box.id, actor=ACTOR, now=server.now, reason="被盗")
    server.pass_time(seconds=1)

    assert journal.upload(record) == [{"seq": 1, "result": "quarantined", "why": "terminal_revoked"}]
    assert results(journal.upload(record)) == [(1, "quarantined")]
    assert person.book_fen == 100_00
    assert UploadedRecord.objects.count() == 1


@pytest.mark.parametrize(
    ("age", "why"),
    [
        (timedelta(days=5), ""),
        (timedelta(days=30), ""),
        (timedelta(days=400), ""),
        (timedelta(days=401), "clock"),
        (timedelta(days=365 * 56), "clock"),
        (-timedelta(days=365 * 73), "clock"),
        (-timedelta(seconds=121), "clock"),
    ],
)
def test_a_late_record_and_one_with_a_wrong_clock_are_posted_and_marked(journal, server, age, why):
    """B5: ages up to 400 days post to today's ledger day; 107 time year 1970/2099."""
    person = make_person(100_00)
    real, server.now = server.now, server.now - age
    record = journal.sale(5_50, **on(person))
    server.now = real

    assert journal.upload(record) == [{"seq": 1, "result": "posted", "why": why}]
    assert person.book_fen == 94_50


def test_a_sale_above_the_cap_is_posted_and_marked(journal):
    """105 > offline cap (posted, flagged): the holder has eaten; the book must know."""
    person = make_person(100_00)

    answers = journal.upload(journal.sale(20_01, **on(person)))

    assert answers == [{"seq": 1, "result": "posted", "why": "over_cap"}]
    assert person.book_fen == 79_99


def test_a_sale_on_an_unknown_card_is_kept_as_suspect(journal):
    """106 unknown card."""
    assert results(journal.upload(journal.sale(uid="deadbeef"))) == [(1, "suspect")]
    assert UploadedRecord.objects.count() == 1


def test_a_sale_whose_write_is_in_doubt_is_kept_as_suspect_and_one_not_written_moves_nothing(journal):
    person = make_person(100_00)
    doubtful = journal.sale(5_00, **on(person), outcome="unknown")
    unwritten = journal.sale(5_00, **on(person), outcome="not_written")

    assert results(journal.upload(doubtful, unwritten)) == [(1, "suspect"), (2, "posted")]
    assert person.book_fen == 100_00


def test_starts_and_ends_of_a_journal_are_kept_and_post_nothing(journal):
    assert results(journal.upload(journal.add(RecordKind.BOOT), journal.add(RecordKind.CLOSE))) == [
        (1, "posted"),
        (2, "posted"),
    ]
    assert not Entry.objects.exists()


@pytest.mark.parametrize("table", ["uploadedrecord", "uploadverdict", "securityevent"])
@pytest.mark.parametrize(
    "deed", ["UPDATE terminals_{} SET {}={}", "DELETE FROM terminals_{}", "TRUNCATE terminals_{}"]
)
def test_what_was_kept_is_never_changed(journal, table, deed):
    ledger, record = Ledger(), journal.sale(1_00)
    take_in(journal, ledger, record)
    column = {"uploadedrecord": "raw", "uploadverdict": "why", "securityevent": "kind"}[table]

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(deed.format(table, column, column))


def branches(journal, *, shared, each):
    """A journal and its copy: the same first records, then each its own, as two machines write them."""
    copy = Journal(journal.box, journal.id)
    for _ in range(shared):
        journal.sale(1_00)
    copy.records = list(journal.records)
    own = [journal.sale(1_00) for _ in range(each)]
    other = [copy.sale(2_00) for _ in range(each)]
    return [record.to_json() for record in journal.records[:shared]], own, other


def test_after_a_fork_nothing_of_either_branch_is_posted(journal):
    """B8: the first of the two is in the book already; whatever follows it, on either side, is for a person."""
    ledger = Ledger()
    begin, own, other = branches(journal, shared=2, each=4)
    take_in(journal, ledger, *begin, own[0])

    assert take_in(journal, ledger, other[0]) == [(3, "quarantined")]
    assert take_in(journal, ledger, other[2], own[1]) == [(5, "quarantined"), (4, "quarantined")]
    assert take_in(journal, ledger, *own[2:]) == [(5, "quarantined"), (6, "quarantined")]

    assert ledger.posted == [1, 2, 3]
    assert {verdict.why for verdict in UploadVerdict.objects.filter(result="quarantined")} == {"fork"}


@pytest.mark.parametrize("together", [True, False])
def test_a_fork_holds_from_its_number_on_and_not_below(journal, together):
    ledger = Ledger()
    begin, own, other = branches(journal, shared=2, each=2)
    take_in(journal, ledger, own[0])
    batches = [[begin[1], other[0], own[1]]] if together else [[other[0]], [begin[1]], [own[1]]]

    told = [answer for batch in batches for answer in take_in(journal, ledger, *batch)]

    assert sorted(told) == [(2, "posted"), (3, "quarantined"), (4, "quarantined")]


def test_a_fork_that_a_heartbeat_shows_counts_too(journal):
    begin, own, other = branches(journal, shared=1, each=2)
    take_in(journal, Ledger(), *begin, own[0])
    told = {"journal": journal.id, "journal_seq": 2, "journal_mac": other[0]["mac"], "unsent": 1}
    journal.box.call("heartbeat", {**told, "hotlist_version": 0, "offset_ms": 0, "free_mb": 1})

    assert take_in(journal, Ledger(), own[1]) == [(3, "quarantined")]


def test_another_journal_of_the_terminal_is_not_held_up_by_a_fork(journal):
    ledger = Ledger()
    _, own, other = branches(journal, shared=0, each=2)
    assert take_in(journal, ledger, own[0], other[0]) == [(1, "quarantined"), (1, "quarantined")]
    anew = Journal(journal.box, "ef" * 16)

    assert take_in(journal, ledger, own[1], anew.sale(1_00)) == [(2, "quarantined"), (1, "posted")]


def test_of_fifty_forks_nothing_from_the_fork_on_is_posted_once_it_was_seen(server):
    """B8: two journals forking from one prev MAC => both quarantined."""
    broken = 0
    for number in range(50):
        dice = random.Random(number)
        journal, ledger = Journal(make_box(server, may_sell_offline=True)), Ledger()
        shared = dice.randrange(4)
        begin, own, other = branches(journal, shared=shared, each=dice.randint(2, 5))
        for record in begin:
            take_in(journal, ledger, record)
        halves = [list(own), list(other)]
        order = [0] * len(own) + [1] * len(other)
        dice.shuffle(order)
        seen = False
        for half in order:
            record = halves[half].pop(dice.randrange(len(halves[half])) if dice.random() < 0.3 else 0)
            before = list(ledger.posted)
            ((_, result),) = take_in(journal, ledger, record)
            forks = SecurityEvent.objects.filter(kind=SecurityEventKind.FORK, terminal=journal.box.id)
            floor = min((event.detail["seq"] for event in forks), default=None)
            if seen and record["seq"] >= seen and (ledger.posted != before or result == "posted"):
                broken += 1
            seen = floor
        if (
            not seen
            or len(ledger.posted) != len(set(ledger.posted))
            or ledger.posted[:shared] != [record["seq"] for record in begin]
        ):
            broken += 1
    faults.report("FORKS", 50, broken)

    assert broken == 0
