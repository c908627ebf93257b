"""CONC: real threads on few accounts. The outcome must be that of some serial order; no key is charged twice."""

from __future__ import annotations

import random
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256

import psycopg
import pytest
from django.db import connection

from purse.procedures import ClassicDriver
from purse.rules import Refusal
from terminals.device.reader.field import Field
from tests import faults
from tests.campus import KEYS, NOON, Counter, Person, book, make_person
from transactions.models import Answer, Entry
from transactions.services.credit import Credit, credit_unclaimed
from transactions.services.debit import debit
from transactions.services.orders import Busy, TapOrder
from transactions.services.outcomes import CardWrite, Report, report_outcomes

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 16
OPERATIONS = 40


def together(act, count=THREADS):
    """Run ``act(n)`` in real threads that start at the same moment, each with its own connection."""
    gate = threading.Barrier(count)

    def one(number):
        try:
            gate.wait()
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def raw_of(person: Person):
    hand = Field()
    hand.place(person.plastic)
    return ClassicDriver(hand.select(), KEYS).read_purse()


def order(till, raw, fen, number=1, key=None):
    asked = sha256(f"{raw.uid.hex()}|{fen}".encode()).digest()
    return TapOrder(key or uuid.uuid4(), number, asked, raw, fen, NOON, till.till)


def not_serial(person, opening_fen):
    """What no serial order could have left behind."""
    account = person.fresh()
    entries = list(Entry.objects.filter(account=account).order_by("seq"))
    wrong = []
    if [entry.seq for entry in entries] != list(range(1, account.entry_seq + 1)):
        wrong.append("a gap in the sequence")
    book_fen = unclaimed_fen = 0
    for entry in entries:
        book_fen += entry.book_change_fen
        unclaimed_fen += entry.unclaimed_change_fen
        if (entry.book_after_fen, entry.unclaimed_after_fen) != (book_fen, unclaimed_fen) or book_fen < 0:
            wrong.append(f"entry {entry.seq} does not follow from the one before")
    if (account.book_fen, account.unclaimed_fen) != (book_fen, unclaimed_fen):
        wrong.append("the book is not the sum of its entries")
    claimed = [(entry.purse_side, entry.purse_seq) for entry in entries if entry.purse_seq is not None]
    if len(claimed) != len(set(claimed)):
        wrong.append("one number of the card for two entries")
    if entries[0].book_change_fen != opening_fen:
        wrong.append("the opening changed")
    return wrong


@contextmanager
def watched(people):
    """Read the books again and again meanwhile; in every snapshot each must be what its entries say."""
    asked = (
        "SELECT count(*) FROM accounts_account a WHERE a.id = ANY(%s) AND (a.book_fen, a.unclaimed_fen, a.entry_seq)"
        " <> (SELECT sum(book_change_fen), sum(unclaimed_change_fen), count(*) FROM transactions_entry e"
        " WHERE e.account_id = a.id)"
    )
    seen, stop = Counted(), threading.Event()

    def read():
        with psycopg.connect(**connection.get_connection_params(), autocommit=True) as side:
            while not stop.is_set():
                seen.wrong += side.execute(asked, [[person.account.id for person in people]]).fetchone()[0]
                seen.reads += 1

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield seen
    finally:
        stop.set()
        reader.join()


@dataclass
class Counted:
    reads: int = 0
    wrong: int = 0


NIGHTLY = [pytest.param(seed, 200, marks=pytest.mark.long) for seed in range(10, 30)]


@pytest.mark.parametrize(("seed", "operations"), [*((seed, OPERATIONS) for seed in range(10)), *NIGHTLY])
def test_sixteen_tills_on_three_hot_accounts_end_as_some_serial_order(seed, operations):
    """reliability.md CONC, C10: one merchant, three accounts, outcomes that cross each other."""
    opening_fen = operations * 1_50
    people = [make_person(opening_fen, limit_fen=600_00) for _ in range(3)]
    hands = [threading.Lock() for _ in people]
    tills = [Counter(100 + number) for number in range(THREADS)]
    written: list[uuid.UUID] = []

    def work(number):
        rng, till, busy = random.Random(f"{seed}/{number}"), tills[number], 0
        for _ in range(operations):
            place = rng.randrange(3)
            person = people[place]
            try:
                match rng.randrange(5):
                    case 0:
                        credit_unclaimed(
                            Credit(uuid.uuid4(), person.account.id, rng.randrange(1, 200)), now=NOON
                        )
                    case 1:
                        reports = [Report(key, CardWrite.WRITTEN) for key in written[-3:]]
                        report_outcomes(reports, till=till.till, now=NOON)
                    case 2:
                        with hands[place]:
                            raw = raw_of(
                                person
                            )  # a clone of the card at this moment, used when it suits the thief
                        debit(order(till, raw, rng.randrange(1, 900)), book=book())
                    case _:
                        with hands[place]:
                            sale = till.tap(
                                Person(person.account, person.card_row, person.plastic), rng.randrange(1, 900)
                            )
                        if sale.reply is not None and sale.reply.writes:
                            written.append(sale.key)
            except Busy:
                busy += 1
        return busy

    with watched(people) as seen:
        busy = sum(together(work))

    wrong = [what for person in people for what in not_serial(person, opening_fen)]
    faults.report("CONC", THREADS * operations, len(wrong))
    faults.report("CONC-reads", seen.reads, seen.wrong)
    assert wrong == []
    assert seen.wrong == 0
    assert busy < operations
    for person in people:
        Counter(7).tap(person, 1)
        healed = Counter(7).tap(person, 1)
        assert healed.refusal == "insufficient" or person.card_fen == person.book_fen


def test_one_key_in_sixteen_threads_is_posted_once():
    till, person = Counter(), make_person(20_00)
    asked = order(till, raw_of(person), 3_00)

    replies = together(lambda number: debit(asked, book=book()))

    assert sum(not reply.replay for reply in replies) == 1
    assert {reply.writes for reply in replies} == {replies[0].writes}
    assert (person.book_fen, Answer.objects.count()) == (17_00, 1)


def test_a_card_and_its_clone_at_two_tills_at_once_never_spend_more_than_there_is():
    """reliability.md A8: both tills read the same state; one of them wins, and nothing is spent twice."""
    overspent = 0
    for _ in range(10):
        person = make_person(20_00)
        raw = raw_of(person)
        tills = [Counter(30 + number) for number in range(4)]

        replies = together(lambda number: debit(order(tills[number], raw, 15_00), book=book()), 4)  # noqa: B023

        paid = [reply for reply in replies if reply.refusal is None]
        overspent += len(paid) != 1 or person.book_fen != 5_00
        assert {reply.refusal for reply in replies} == {None, Refusal.INSUFFICIENT}
    faults.report("CONC-clones", 10, overspent)
    assert overspent == 0


def test_tills_that_settle_each_others_cards_never_wait_for_each_other():
    """Piggybacked outcomes in a ring: till n reports the card that till n+1 charges. Their own card is locked first."""
    people = [make_person(90_00, limit_fen=600_00) for _ in range(8)]
    tills = [Counter(50 + number) for number in range(8)]
    keys = [tills[n].tap(people[n], 1, report=False).key for n in range(8)]
    raws = [raw_of(person) for person in people]

    def work(number):
        for _ in range(15):
            tap = order(tills[number], raws[number], 1)
            debit(replace(tap, confirmed=tuple(keys[number - n] for n in (1, 2, 3))), book=book())

    with connection.cursor() as cursor:
        before = deadlocks(cursor)
        together(work, 8)
        assert deadlocks(cursor) == before
    assert [person.book_fen for person in people] == [90_00 - 16] * 8


def deadlocks(cursor):
    cursor.execute("SELECT pg_stat_clear_snapshot()")
    cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return cursor.fetchone()[0]


def test_a_card_that_somebody_holds_is_skipped_and_reported_again():
    import psycopg

    till, first, second = Counter(), make_person(20_00), make_person(20_00)
    sale = till.tap(first, 1_00)
    tap = replace(order(till, raw_of(second), 1_00), confirmed=(sale.key,))
    side = psycopg.connect(**connection.get_connection_params())
    side.execute("SELECT 1 FROM accounts_card WHERE id = %s FOR UPDATE", [first.card_row.id])

    held = debit(tap, book=book())
    reported = report_outcomes([Report(sale.key, CardWrite.WRITTEN)], till=till.till, now=NOON)
    side.rollback()
    side.close()
    free = report_outcomes([Report(sale.key, CardWrite.WRITTEN)], till=till.till, now=NOON)

    assert (held.refusal, held.recorded, reported, free) == (None, (), (), (sale.key,))
    assert first.fresh()
    assert (first.card_row.legs, first.card_row.images) == ({}, {})


def test_a_sale_given_up_while_its_order_is_on_the_way_is_either_refused_or_taken_back():
    """A void that overtakes its debit leaves a tombstone; both at once must not leave a charge."""
    wrong = 0
    for _ in range(12):
        till, person = Counter(), make_person(20_00)
        asked = order(till, raw_of(person), 3_00)

        def work(number, asked=asked, till=till):
            if number:
                return debit(asked, book=book()).refusal
            return report_outcomes([Report(asked.key, CardWrite.ABANDONED)], till=till.till, now=NOON)

        together(work, 2)
        report_outcomes([Report(asked.key, CardWrite.ABANDONED)], till=till.till, now=NOON)
        account = person.fresh()
        wrong += account.book_fen + account.unclaimed_fen != 20_00
    faults.report("CONC-given-up", 12, wrong)
    assert wrong == 0
