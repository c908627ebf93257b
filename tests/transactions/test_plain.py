"""The plain sale never accepts what the general path would not, and leaves the same money behind.

``transactions.ledger.plain`` says the rules a second time, in SQL; this holds the two against each other.
"""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, transaction

from accounts.models import Account, AccountLife, Card
from tests import faults
from tests.campus import NOON, Counter, book, make_person
from transactions.days import local_day
from transactions.models import Answer, Entry
from transactions.services import debit as debits
from transactions.services.orders import TapReply
from transactions.services.plain import sell_plainly

pytestmark = pytest.mark.django_db
CASES = 600


class Undone(Exception):
    """Leaves the block, so that nothing of it stays."""


def random_facts(chance, person):
    """Put account and card into any state that the tables allow, plain more often than not."""
    today = local_day(NOON)
    odd = chance.random
    account = {
        "daily_limit_fen": chance.choice([0, 5_00, 50_00, 600_00]),
        "spent_on": chance.choice([None, today, today - timedelta(days=1)]),
        "spent_fen": chance.choice([0, 1, 4_99, 49_00]),
    }
    if odd() < 0.1:
        account |= {"frozen_reasons": ["by_hand"], "frozen_at": NOON}
    if odd() < 0.1:
        account["life"] = AccountLife.CLOSING
    if odd() < 0.2:  # never committed, so no entry has to back it
        account["book_fen"] = max(0, person.account.book_fen + chance.choice([-1, 1]))
    card = {}
    if odd() < 0.1:
        card |= {"lost": True, "lost_at": NOON}
    if odd() < 0.2:
        card["expires_on"] = today + timedelta(days=chance.choice([-1, 0, 1]))
    if odd() < 0.1:
        card["life"] = chance.choice(["replaced", "void", "expired", "damaged"])
    if odd() < 0.1:
        card["late_fen"] = 1
    if odd() < 0.1:
        card["spend_seq"] = 1
    if odd() < 0.1:
        card["load_total_fen"] = max(0, person.card_row.load_total_fen + chance.choice([-1, 1]))
    Account.objects.filter(pk=person.account.pk).update(**account)
    if card:
        Card.objects.filter(pk=person.card_row.pk).update(**card)


def tried(attempt, person):
    """What an attempt answers and leaves behind; afterwards the books are as before."""
    found = []
    with suppress(Undone), transaction.atomic():
        reply = attempt()
        entries = list(
            Entry.objects.filter(account=person.account)
            .order_by("seq")
            .values_list(
                "seq",
                "kind",
                "book_change_fen",
                "book_after_fen",
                "contra",
                "purse_side",
                "purse_seq",
                "mode",
                "day",
            )
        )
        account = Account.objects.values_list(
            "book_fen", "unclaimed_fen", "entry_seq", "spent_on", "spent_fen"
        ).get(pk=person.account.pk)
        card = Card.objects.values_list(
            "spend_seq",
            "spend_total_fen",
            "load_seq",
            "load_total_fen",
            "legs",
            "images",
            "seen_at",
            "seen_place",
        ).get(pk=person.card_row.pk)
        answers = list(Answer.objects.values_list("key", "op", "asked", "entry_seq", "told", "reply"))
        found = [reply, entries, account, card, answers]
        raise Undone
    return found


def test_whatever_is_sold_plainly_would_have_been_sold_the_same_by_the_rules(monkeypatch):
    chance, plain, violations = random.Random(20), 0, []
    monkeypatch.setattr(debits, "sell_plainly", lambda order, book: order)
    till = Counter()
    for number in range(CASES):
        if number % 20 == 0:
            person = make_person(chance.choice([0, 3_00, 100_00]))
            person.field.place(person.plastic)
            _, raw = till.read(person)
        order = till.order(raw, chance.choice([1, 1_00, 3_00, 3_01, 50_00, 50_01, 100_00]))
        with suppress(Undone), transaction.atomic():
            random_facts(chance, person)
            one = tried(lambda order=order: sell_plainly(order, book()), person)
            if isinstance(one[0], TapReply):
                plain += 1
                other = tried(lambda order=order: debits.debit(order, book=book()), person)
                if one != other:
                    violations.append((number, one, other))
            raise Undone
    faults.report("PLAIN", CASES, len(violations))
    assert not violations, violations[0]
    assert CASES // 20 < plain < CASES, plain


def test_an_everyday_purchase_is_plain():
    till, person = Counter(), make_person(28_40)
    person.field.place(person.plastic)
    _, raw = till.read(person)

    assert isinstance(sell_plainly(till.order(raw, 5_50), book()), TapReply)


def test_the_same_card_once_more_is_not_plain_while_its_leg_is_open():
    till, person = Counter(), make_person(28_40)
    person.field.place(person.plastic)
    _, raw = till.read(person)
    order = till.order(raw, 5_50)
    assert isinstance(sell_plainly(order, book()), TapReply)

    again = sell_plainly(replace(order, key=till.order(raw, 5_50).key), book())

    assert not isinstance(again, TapReply)


@pytest.mark.django_db(transaction=True)
def test_one_card_at_many_tills_at_once_is_sold_to_plainly_once():
    """A row that changed is read again under its lock, the card beside it is not: only the version tells."""
    person = make_person(100_00, limit_fen=600_00)
    person.field.place(person.plastic)
    tills = [Counter(number) for number in range(1, 9)]
    _, raw = tills[0].read(person)
    orders = [till.order(raw, 1_00) for till in tills]
    together = threading.Barrier(len(orders))

    def sell(order):
        together.wait()
        try:
            return sell_plainly(order, book())
        finally:
            connection.close()

    with ThreadPoolExecutor(len(orders)) as pool:
        replies = list(pool.map(sell, orders))

    assert sum(isinstance(reply, TapReply) for reply in replies) == 1
    assert person.book_fen == 99_00
