"""Offline sales without plastic: records that follow from what a card row shows, and the books they must lead to."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256

from django.db import connection

from accounts.actors import Actor
from accounts.models import Card, CardLife
from purse.evidence import open_items
from reconciliation.services.verify import check_all
from tests.campus import NOON, POLICY, Counter, Person
from transactions import ledger
from transactions.models import Answer, Entry
from transactions.services.correcting import hold
from transactions.services.levelling import Holder, LevelOrder, level
from transactions.services.offline import OfflineSale, Posted, post_sales

ACTOR = Actor.system("test")


def records_on(
    person: Person, *fens: int, certain: bool = True, first_journal_seq: int = 1
) -> list[OfflineSale]:
    """Offline sales in a row on the card as its row shows it now, as a till would record them."""
    card = Card.objects.get(id=person.card_row.id)
    seq, total_fen, offline_fen = card.spend_seq, card.spend_total_fen, card.offline_spent_fen
    made = []
    for place, fen in enumerate(fens):
        seq, total_fen, offline_fen = seq + 1, total_fen + fen, offline_fen + fen
        key = uuid.uuid4()
        made.append(
            OfflineSale(
                key=key,
                journal_seq=first_journal_seq + place,
                asked=sha256(key.bytes).digest(),
                uid=person.plastic.uid,
                fen=fen,
                occurred_at=NOON,
                card_seq_after=seq,
                spend_total_after_fen=total_fen,
                offline_spent_after_fen=offline_fen,
                certain=certain,
                account_no=person.account.number,
            )
        )
    return made


def post(till: Counter, *sales: OfflineSale, policy=POLICY, now=NOON) -> list[str]:
    """Post a batch; the words of what became of each."""
    return [word(posted) for posted in post_sales(sales, till=till.till, policy=policy, now=now)]


def word(posted: Posted) -> str:
    return f"{posted.posting.value} {posted.why}".strip()


def facts(person: Person):
    """Account and live card of a person as the ledger reads them."""
    live = Card.objects.filter(account=person.account, life__in=("issued", "active")).first()
    return ledger.read_by_card((live or person.card_row).pk, uuid.uuid4())


def items(person: Person):
    """Why live card and book differ."""
    found = facts(person)
    return open_items(
        spend=found.card.spend,
        load=found.card.load,
        book_fen=found.account.book_fen,
        late_fen=found.card.late_fen,
    )


def books(person: Person) -> tuple[object, ...]:
    """Everything that posting may change, without what differs between two runs of the same."""
    account = person.fresh()
    card = person.card_row
    entries = Entry.objects.filter(account_id=account.pk)
    return (
        account.book_fen,
        account.entry_seq,
        account.spent_fen,
        tuple(sorted(account.frozen_reasons)),
        (card.spend_seq, card.spend_total_fen, card.offline_spent_fen, card.late_fen, card.legs, card.images),
        sorted(entries.values_list("kind", "book_change_fen", "purse_seq")),
        Answer.objects.filter(account_id=account.pk).count(),
    )


def at_once() -> None:
    """Have the rules of COMMIT hold now, where a test never commits."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def broken() -> list[object]:
    """What ``verify`` would find now, inside the test's own transaction; openings of ``make_person`` have no answer."""
    at_once()
    with connection.cursor() as cursor:
        return [found for found in check_all(cursor, POLICY).broken if (found.id, found.entry) != ("L6", 1)]


def level_now(person: Person, till: Counter, *, days: int = 6) -> int:
    """Level what only offline use explains, after so many silent days; returns the fen."""
    found, now = facts(person), NOON + timedelta(days=days)
    order = LevelOrder(
        key=uuid.uuid4(),
        account_id=found.account.id,
        card_id=found.card.id,
        spend_seq=hold(found.account.id).covered_seq(),
        fen=items(person).offline_fen,
        gap_since=NOON,
        holders=(Holder(till.till.id, NOON),),
    )
    return -level(order, actor=ACTOR, now=now, policy=POLICY).fen


def replace_card(person: Person, *, uid: int = 0xB0000000) -> Card:
    """End the card and issue another that holds what the book holds, as a replacement does."""
    account = person.fresh()
    Card.objects.filter(id=person.card_row.id).update(life=CardLife.REPLACED)
    return Card.objects.create(
        account=account,
        uid=(uid + person.card_row.pk).to_bytes(4, "big").hex().upper(),
        issue_no=2,
        life=CardLife.ACTIVE,
        load_total_fen=account.book_fen,
    )


def follow(sales: Sequence[OfflineSale]) -> int:
    """The sum of a run, in fen."""
    return sum(sale.fen for sale in sales)
