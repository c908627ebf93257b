"""Records that their verdict left open: released, dismissed or decided by the card, once; journals of any size."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, Card
from purse.policy import Policy
from terminals import selectors
from terminals.messages.records import RecordKind
from terminals.models import UploadDecision, UploadedRecord, UploadVerdict
from terminals.services import enrolment, registry, uploads
from terminals.services.postings import Poster
from tests import faults
from tests.campus import Counter, make_person
from tests.terminals.conftest import ACTOR, KEYRING, Journal
from tests.terminals.test_uploads import on, results
from transactions.models import Entry, EntryKind
from transactions.services.orders import Busy
from transactions.services.outcomes import CardWrite

pytestmark = pytest.mark.django_db(transaction=True)
POLICY = Policy()


def take_in(journal, *records, box=None):
    """The whole way of an upload, without HTTP."""
    server = journal.box.server
    machine = registry.machine((box or journal.box).id)
    poster = Poster(machine, POLICY, server.now)
    answers = uploads.take_in(records, machine, keyring=KEYRING, post=poster, now=server.now)
    return [answer.result.value for answer in answers]


def release(journal, *, charge=False, reason="已核实"):
    ids = [verdict.record_id for verdict in selectors.open_uploads()]
    found = uploads.release(
        ids, charge=charge, actor=ACTOR, reason=reason, policy=POLICY, now=journal.box.server.now
    )
    return [(done.settled, done.why) for done in found]


# ------------------------------------------------------------------------------------------------- quarantine


def test_what_a_revoked_terminal_delivered_is_posted_when_it_is_released(journal, server):
    """B9, and permission matrix: release quarantined records."""
    person = make_person(100_00)
    records = [journal.sale(5_50, **on(person)), journal.sale(1_00, **on(person))]
    enrolment.revoke(journal.box.id, actor=ACTOR, now=server.now, reason="被盗")
    server.pass_time(seconds=1)
    assert results(journal.upload(*records)) == [(1, "quarantined"), (2, "quarantined")]

    assert release(journal) == [("posted", ""), ("posted", "")]

    assert person.book_fen == 93_50
    assert results(journal.upload(*records)) == [(1, "duplicate"), (2, "duplicate")]
    assert person.book_fen == 93_50
    told = AuditEvent.objects.filter(action="upload.release")
    assert [(event.actor, event.reason, event.after["settled"]) for event in told] == [
        (ACTOR.who, "已核实", "posted")
    ] * 2


def test_a_record_is_decided_once(journal, server):
    person = make_person(100_00)
    record = journal.sale(5_50, **on(person))
    enrolment.revoke(journal.box.id, actor=ACTOR, now=server.now, reason="被盗")
    server.pass_time(seconds=1)
    journal.upload(record)
    release(journal)

    kept = UploadedRecord.objects.get()
    for again in (
        lambda: uploads.release(
            [kept.id], charge=True, actor=ACTOR, reason="再", policy=POLICY, now=server.now
        ),
        lambda: uploads.dismiss([kept.id], actor=ACTOR, reason="再", now=server.now),
    ):
        with pytest.raises(uploads.NotOpen):
            again()
    assert person.book_fen == 94_50


def test_a_record_that_was_posted_at_once_cannot_be_decided(journal, server):
    person = make_person(100_00)
    journal.upload(journal.sale(5_50, **on(person)))
    kept = UploadedRecord.objects.get()

    with pytest.raises(uploads.NotOpen):
        uploads.dismiss([kept.id], actor=ACTOR, reason="", now=server.now)
    with pytest.raises(DatabaseError), transaction.atomic():
        UploadDecision.objects.create(
            verdict_id=kept.id, settled="dismissed", decided_by="somebody", decided_at=server.now
        )


def test_what_is_dismissed_stays_out_of_the_book_and_on_the_shelf(journal, server):
    record = journal.sale(5_50, uid="deadbeef")
    journal.upload(record)
    kept = UploadedRecord.objects.get()

    uploads.dismiss([kept.id], actor=ACTOR, reason="无此卡", now=server.now)

    assert results(journal.upload(record)) == [(1, "suspect")]
    assert UploadDecision.objects.get().settled == "dismissed"
    assert not selectors.open_uploads().exists()
    assert json.loads(UploadedRecord.objects.get().raw) == record
    assert AuditEvent.objects.filter(action="upload.dismiss", object_id=str(kept.id)).count() == 1


def test_an_unknown_card_stays_open_until_it_is_known(journal):
    person = make_person(100_00)
    Card.objects.filter(id=person.card_row.id).update(uid="0A0B0C0D")
    journal.upload(journal.sale(5_50, **on(person)))
    assert release(journal) == [(None, "card")]

    Card.objects.filter(id=person.card_row.id).update(uid=person.plastic.uid.hex().upper())

    assert release(journal) == [("posted", "")]
    assert person.book_fen == 94_50


def test_a_cloned_card_is_charged_by_a_person_and_by_nobody_else(journal):
    person, other = make_person(100_00), Journal(journal.box, id="ef" * 16)
    journal.upload(journal.sale(5_00, **on(person)))
    assert results(other.upload(other.sale(6_00, **on(person)))) == [(1, "suspect")]

    assert release(journal) == [(None, "fork")]
    assert person.book_fen == 95_00
    assert release(journal, charge=True) == [("posted", "")]
    assert person.book_fen == 89_00


@pytest.mark.parametrize(
    "verb", ["UPDATE terminals_uploaddecision SET why = why", "DELETE FROM terminals_uploaddecision"]
)
def test_decisions_only_grow(journal, server, verb):
    journal.upload(journal.sale(uid="deadbeef"))
    uploads.dismiss([UploadedRecord.objects.get().id], actor=ACTOR, reason="x", now=server.now)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(verb.format("terminals_uploaddecision"))


# ------------------------------------------------------------------------------------------- doubtful writes


@pytest.mark.parametrize("by", ["heartbeat", "night"])
def test_a_doubtful_write_is_posted_when_a_later_purchase_proved_it(journal, server, by):
    person, online = make_person(100_00), Counter(9_000)
    from tests.transactions.test_offline import sell_offline

    sold = sell_offline(Counter(journal.box.id), person, 5_00)
    record = journal.sale(
        5_00,
        **on(person),
        card_seq_after=sold.card_seq_after,
        spend_total_after=sold.spend_total_after_fen,
        offline_spent_after=sold.offline_spent_after_fen,
        outcome="unknown",
    )
    assert results(journal.upload(record)) == [(1, "suspect")]
    journal.box.heartbeat()
    assert person.book_fen == 100_00
    online.report(online.tap(person, 1_00), CardWrite.WRITTEN)

    if by == "heartbeat":
        assert journal.box.heartbeat().status == 200
    else:
        call_command("reconcile", "--json", stdout=StringIO())

    assert person.book_fen == person.card_fen == 94_00
    assert UploadDecision.objects.get().settled == "posted"
    assert results(journal.upload(record)) == [(1, "duplicate")]
    assert uploads.reconsider(policy=POLICY, now=server.now) == 0


def test_a_doubtful_write_that_never_took_is_explained_and_moves_nothing(journal, server):
    person, online = make_person(100_00), Counter(9_000)
    journal.upload(journal.sale(5_00, **on(person), outcome="unknown"))
    online.report(online.tap(person, 1_00), CardWrite.WRITTEN)

    assert uploads.reconsider(policy=POLICY, now=server.now) == 1

    assert person.book_fen == person.card_fen == 99_00
    assert UploadDecision.objects.get().settled == "not_written"


def test_what_a_doubt_may_ask_of_the_book_every_minute_is_one_look(journal):
    journal.box.heartbeat()
    with CaptureQueriesContext(connection) as captured:
        uploads.reconsider(policy=POLICY, now=journal.box.server.now, terminal=journal.box.id)

    assert len(captured) == 1


# ------------------------------------------------------------------------------------------------- journals


def test_a_wiped_terminal_begins_at_one_again_and_each_of_its_sales_is_charged(journal):
    """B7: another journal, the same numbers."""
    person = make_person(100_00)
    before = [journal.sale(1_00, **on(person)), journal.sale(2_00, **on(person))]
    journal.upload(*before)
    wiped = Journal(journal.box, id="12" * 16)
    after = wiped.sale(
        4_00, **on(person), card_seq_before=2, card_seq_after=3, spend_total_before=3_00, spend_total_after=7_00,
        offline_spent_after=7_00,
    )  # fmt: skip

    assert results(wiped.upload(after)) == [(1, "posted")]
    assert results(journal.upload(*before, after)) == [(1, "duplicate"), (2, "duplicate"), (1, "duplicate")]
    assert person.book_fen == 93_00


def test_a_record_of_the_card_before_the_present_one_is_posted_and_says_so(journal):
    """A10: old card after replacement: records still posted to the *account* with flag."""
    person = make_person(100_00)
    record = journal.sale(5_50, **on(person))
    Card.objects.filter(id=person.card_row.id).update(life="replaced")
    Card.objects.create(
        account=person.account, uid="0A0B0C0D", issue_no=2, life="active", load_total_fen=100_00
    )

    assert journal.upload(record) == [{"seq": 1, "result": "posted", "why": "old_card"}]
    assert person.book_fen == 94_50


@pytest.mark.parametrize("records", [1, 200])
def test_a_request_takes_ten_statements_however_many_records_it_brings(journal, records):
    person = make_person(900_00)
    sent = [journal.sale(1, **on(person)) for _ in range(records)]

    with CaptureQueriesContext(connection) as captured:
        assert take_in(journal, *sent) == ["posted"] * records

    assert len(captured) == 10, [query["sql"][:60] for query in captured]


def test_a_journal_of_any_size_is_taken_in_at_once(journal, tmp_path, monkeypatch, capsys):
    """Bulk files: what a request may not hold, a file may."""
    person = make_person(900_00)
    records = [journal.sale(1, **on(person)) for _ in range(1_250)]
    file = tmp_path / "journal.jsonl"
    file.write_text("\n".join(json.dumps(record) for record in records) + "\nno record\n")

    call_command("upload_journal", file, terminal=journal.box.id, json=True)
    call_command("upload_journal", file, terminal=journal.box.id, json=True)

    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told == [
        {"records": 1_251, "posted": 1_250, "refused": 1},
        {"records": 1_251, "duplicate": 1_250, "refused": 1},
    ]
    assert person.book_fen == 900_00 - 1_250
    assert UploadedRecord.objects.count() == 1_250


def test_the_disk_of_a_dead_till_is_read_as_it_is(journal, tmp_path, capsys):
    person, file = make_person(100_00), tmp_path / "journal.sqlite"
    with sqlite3.connect(file) as made:
        made.execute("CREATE TABLE record (seq INTEGER PRIMARY KEY, body TEXT)")
        for number in range(3):
            made.execute(
                "INSERT INTO record VALUES (?, ?)", (number, json.dumps(journal.sale(1_00, **on(person))))
            )
    made.close()

    call_command("upload_journal", file, terminal=journal.box.id)

    assert capsys.readouterr().out.split() == ["records", "3", "posted", "3"]
    assert person.book_fen == 97_00


def test_a_file_that_is_none_and_a_terminal_that_is_none_are_said_so(journal, tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("upload_journal", tmp_path / "nothing", terminal=journal.box.id)
    (tmp_path / "empty").touch()
    with pytest.raises(CommandError, match="no terminal"):
        call_command("upload_journal", tmp_path / "empty", terminal=999_999)


# ----------------------------------------------------------------------------------------------- cut and at once


@contextmanager
def cut(statement, *, after):
    """Break the connection at the n-th statement, before it is sent or when it was carried out."""
    count = iter(range(10_000))

    def wrapper(execute, sql, params, many, context):
        if next(count) != statement:
            return execute(sql, params, many, context)
        if after:
            execute(sql, params, many, context)
        connection.connection.close()
        raise OperationalError("the line is dead")

    with connection.execute_wrapper(wrapper):
        yield


def scene(journal):
    """A journal with everything in it: plain sales, a book that falls below zero, a doubt, an old card, a start."""
    people = [make_person(fen) for fen in (100_00, 1_00, 100_00, 100_00)]
    Card.objects.filter(id=people[3].card_row.id).update(life="replaced")
    doubt = journal.sale(7_00, **on(people[2]), outcome="unknown", **first(7_00))
    records = [
        journal.add(RecordKind.BOOT),
        journal.sale(2_00, **on(people[0]), **first(2_00)),
        journal.sale(3_00, **on(people[1]), **first(3_00)),
        doubt,
        journal.sale(4_00, **on(people[2]), **first(4_00)),
        journal.sale(5_00, **on(people[3]), **first(5_00)),
    ]
    return people, [record for record in records if record is not doubt] + [doubt]


def first(fen):
    """The first sale on a card."""
    return {
        "card_seq_before": 0,
        "card_seq_after": 1,
        "spend_total_before": 0,
        "spend_total_after": fen,
        "offline_spent_after": fen,
    }


def picture(people):
    return [
        (
            person.book_fen,
            person.fresh().entry_seq,
            tuple(person.account.frozen_reasons),
            person.card_row.spend_seq,
        )
        for person in people
    ]


WANTED = [(98_00, 2, (), 1), (-2_00, 2, ("book_negative",), 1), (96_00, 2, (), 1), (95_00, 2, (), 1)]


def test_an_upload_may_be_cut_at_each_statement_and_ends_the_same_when_it_is_sent_again(journal):
    """UPLOAD: cut after each statement, before and after it was carried out."""
    cases = wrong = 0
    for after in (False, True):
        for statement in range(40):
            each = Journal(journal.box, id=f"{int(after):02x}{statement:030x}")
            people, records = scene(each)
            with cut(statement, after=after):
                try:
                    told = take_in(each, *records)
                except (Busy, OperationalError):
                    told = None
            if told is not None:
                break
            cases += 1
            connection.close()
            take_in(each, *records)
            wrong += picture(people) != WANTED
            wrong += take_in(each, *records) != ["duplicate"] * 6
            wrong += UploadVerdict.objects.filter(record__journal=each.id).count() != 6
            wrong += (
                AuditEvent.objects.filter(
                    object_id=str(people[1].account.pk), action="account.freeze"
                ).count()
                != 1
            )
    faults.report("UPLOAD-cut-statement", cases, wrong)
    assert cases > 20
    assert wrong == 0


def test_what_was_kept_and_never_came_again_is_judged_in_the_night(journal, server):
    """A till that is stolen between the two commits of its last upload."""
    people, records = scene(journal)
    with cut(2, after=False), pytest.raises((Busy, OperationalError)):
        take_in(journal, *records)
    connection.close()
    assert (UploadedRecord.objects.count(), UploadVerdict.objects.count()) == (6, 0)

    assert uploads.resume(policy=POLICY, now=server.now) == 0, "it may come again any moment"
    server.pass_time(minutes=10)
    assert uploads.resume(policy=POLICY, now=server.now) == 6

    assert picture(people) == WANTED
    assert uploads.resume(policy=POLICY, now=server.now) == 0
    assert take_in(journal, *records) == ["duplicate"] * 6


def test_the_answer_to_a_commit_may_be_lost(journal, monkeypatch):
    """reliability.md finding 1: the one place where a retry without a key would charge twice."""
    people, records = scene(journal)
    commit = connection._commit

    def lost():
        commit()
        monkeypatch.undo()
        raise OperationalError("the line is dead")

    monkeypatch.setattr(connection, "_commit", lost)
    with pytest.raises(Busy):
        take_in(journal, *records)

    assert picture(people) == WANTED
    assert take_in(journal, *records) == ["duplicate"] * 6
    assert picture(people) == WANTED
    faults.report("UPLOAD-commit-answer-lost", 1, 0)


def test_the_same_journal_uploaded_twice_at_once_is_judged_once(journal):
    rounds, wrong = 12, 0
    for number in range(rounds):
        each, person = Journal(journal.box, id=f"{number:032x}"), make_person(100_00)
        records = [each.sale(1_00, **on(person)) for _ in range(20)]
        told = at_once(lambda each=each, sent=records: take_in(each, *sent),
                       lambda each=each, sent=records[::-1]: take_in(each, *sent)[::-1])  # fmt: skip
        wrong += any({one, two} != {"posted", "duplicate"} for one, two in zip(*told, strict=True))
        wrong += person.book_fen != 80_00
        wrong += Entry.objects.filter(account_id=person.account.pk, kind=EntryKind.OFFLINE_SALE).count() != 20
    faults.report("UPLOAD-journal-at-once", rounds, wrong)
    assert wrong == 0


def at_once(*jobs):
    """What each job returns when all start together, each on a connection of its own."""
    gate, told = threading.Barrier(len(jobs)), [None] * len(jobs)

    def run(place):
        try:
            gate.wait(timeout=10)
            told[place] = jobs[place]()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told
