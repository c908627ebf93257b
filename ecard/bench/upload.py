"""Ten thousand offline sales of one journal, posted to the book: our batches against the same work through the ORM.

The ORM's way is written as well as it can be with its bulk calls: few statements, everything looked up at once.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from statistics import median
from typing import Any

from django.db import connection, transaction

from accounts.models import Account, Card
from accounts.wiring import now
from ecard.bench import campus
from purse.policy import Policy
from transactions.days import local_day
from transactions.models import Answer, Contra, Entry, EntryKind, Mode, entry_id
from transactions.services.offline import OfflineSale, Posting, post_sales
from transactions.services.orders import TapReply, Till

RECORDS = 10_000
LOOPED = 250
"""So many the ORM posts one by one; ten thousand would take a minute."""
FEN = 1
STATEMENTS = 3
"""A batch of at most ``transactions.services.offline.BATCH`` records: lock, keys, post (tests/transactions)."""
POLICY = Policy()


class NotPosted(Exception):
    """A measured record did not end in the book: the figures would be of something else."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One way once: seconds of the wall and of this process's CPU, for so many records."""

    records: int
    seconds: float
    cpu_s: float

    @property
    def per_second(self) -> float:
        """Records a second."""
        return self.records / self.seconds


def row(size: campus.Size, *, rounds: int, records: int = RECORDS) -> dict[str, Any]:
    """The line ``upload_10k`` of the bench: ``ratio`` to ORM bulk calls, ``ratio_loop`` to a loop of ORM posts."""
    taken = [measure(size, records=records) for _ in range(rounds)]
    took_ms = sorted(ours.seconds * 1000 for ours, _, _ in taken)
    return {
        "path": "upload_10k",
        "clients": 1,
        "rows": size.accounts * size.entries_each,
        "ops_per_s": round(median(ours.per_second for ours, _, _ in taken), 1),
        "p50_ms": round(median(took_ms), 1),
        "p99_ms": round(took_ms[-1], 1),
        "client_cpu_us": round(median(ours.cpu_s / records * 1e6 for ours, _, _ in taken)),
        "ratio": round(median(ours.per_second / bulk.per_second for ours, bulk, _ in taken), 2),
        "ratio_loop": round(median(ours.per_second / loop.per_second for ours, _, loop in taken), 1),
        "statements": STATEMENTS,
    }


def measure(size: campus.Size, *, records: int = RECORDS) -> tuple[Taken, Taken, Taken]:
    """One round on new records each: ours, ORM bulk calls, a loop of ORM posts."""
    till = Till(1, 1, "bench")
    return (
        _timed(post_ours, size, till, records),
        _timed(post_in_bulk, size, till, records),
        _timed(post_one_by_one, size, till, min(records, LOOPED)),
    )


def _timed(
    post: Callable[[Sequence[OfflineSale], Till], None], size: campus.Size, till: Till, records: int
) -> Taken:
    sales = make_sales(size, records)
    started, cpu_s = time.monotonic(), time.process_time()
    post(sales, till)
    return Taken(records, time.monotonic() - started, time.process_time() - cpu_s)


def make_sales(size: campus.Size, records: int) -> list[OfflineSale]:
    """New sales of a journal, on cards with nothing open; some cards come more than once."""
    chance, journal = random.Random(records), uuid.uuid4()  # noqa: S311 - which cards is no secret
    chosen = sorted(chance.choices(range(1, min(size.accounts, campus.OPEN_ACCOUNTS)), k=records))
    shown = new_cards(sorted(set(chosen)))
    sales: list[OfflineSale] = []
    for account, group in groupby(chosen):
        seq, total_fen = shown[account]
        for place, _ in enumerate(group, 1):
            sales.append(
                OfflineSale(
                    key=uuid.uuid5(journal, f"{account} {place}"),
                    journal_seq=len(sales) + 1,
                    asked=sha256(b"%d" % account).digest(),
                    uid=campus.uid_of(account),
                    fen=FEN,
                    occurred_at=now(),
                    card_seq_after=seq + place,
                    spend_total_after_fen=total_fen + place * FEN,
                    offline_spent_after_fen=place * FEN,
                    certain=True,
                    account_no=campus.number_of(account),
                )
            )
    chance.shuffle(sales)
    return sales


def post_ours(sales: Sequence[OfflineSale], till: Till) -> None:
    """The service that the API and bulk files use."""
    found = post_sales(sales, till=till, policy=POLICY, now=now())
    if any(posted.posting is not Posting.POSTED for posted in found):
        raise NotPosted


def post_in_bulk(sales: Sequence[OfflineSale], till: Till) -> None:
    """The same by ``in_bulk``, ``bulk_create`` and ``bulk_update``."""
    with transaction.atomic():
        uids = [sale.uid.hex().upper() for sale in sales]
        cards = {card.uid: card for card in Card.objects.filter(uid__in=uids)}
        ids = sorted({card.account_id for card in cards.values()})
        accounts = Account.objects.order_by("id").select_for_update().in_bulk(ids)
        known = Answer.objects.in_bulk([sale.key for sale in sales])
        entries, answers, moment = [], [], now()
        for sale in sales:
            if sale.key in known:
                continue
            card = cards[sale.uid.hex().upper()]
            entry, answer = _apply(sale, accounts[card.account_id], card, till, moment)
            entries.append(entry)
            answers.append(answer)
        Entry.objects.bulk_create(entries, batch_size=1_000)
        Answer.objects.bulk_create(answers, batch_size=1_000)
        Account.objects.bulk_update(
            accounts.values(), ["book_fen", "entry_seq", "version", "spent_on", "spent_fen"], batch_size=500
        )
        Card.objects.bulk_update(
            cards.values(), ["spend_seq", "spend_total_fen", "offline_spent_fen"], batch_size=500
        )


def post_one_by_one(sales: Sequence[OfflineSale], till: Till) -> None:
    """The same by ``get``, ``create`` and ``save``, a transaction each."""
    for sale in sales:
        with transaction.atomic():
            card = Card.objects.get(uid=sale.uid.hex().upper())
            account = Account.objects.select_for_update().get(id=card.account_id)
            if Answer.objects.filter(key=sale.key).exists():
                continue
            entry, answer = _apply(sale, account, card, till, now())
            entry.save(force_insert=True)
            answer.save(force_insert=True)
            account.save(update_fields=["book_fen", "entry_seq", "version", "spent_on", "spent_fen"])
            card.save(update_fields=["spend_seq", "spend_total_fen", "offline_spent_fen"])


def _apply(
    sale: OfflineSale, account: Account, card: Card, till: Till, moment: datetime
) -> tuple[Entry, Answer]:
    """What a record does to a plain account, on model instances."""
    today = local_day(moment)
    account.book_fen -= sale.fen
    account.entry_seq += 1
    account.version += 1
    account.spent_fen = sale.fen + (account.spent_fen if account.spent_on == today else 0)
    account.spent_on = today
    if sale.card_seq_after > card.spend_seq:
        card.spend_seq, card.spend_total_fen = sale.card_seq_after, sale.spend_total_after_fen
        card.offline_spent_fen = sale.offline_spent_after_fen
    entry = Entry(
        id=entry_id(account.id, account.entry_seq),
        account_id=account.id,
        seq=account.entry_seq,
        kind=EntryKind.OFFLINE_SALE,
        book_change_fen=-sale.fen,
        book_after_fen=account.book_fen,
        unclaimed_after_fen=account.unclaimed_fen,
        contra=Contra.MERCHANT,
        contra_ref=till.merchant_id,
        source_key=sale.key,
        card_id=card.id,
        purse_side="spend",
        purse_seq=sale.card_seq_after,
        occurred_at=sale.occurred_at,
        posted_at=moment,
        day=today,
        terminal_id=till.id,
        mode=Mode.OFFLINE,
    )
    answer = Answer(
        key=sale.key,
        op="offline_sale",
        asked=sale.asked,
        account_id=account.id,
        card_id=card.id,
        entry_seq=account.entry_seq,
        terminal_id=till.id,
        journal_seq=sale.journal_seq,
        reply=TapReply(refusal=None, fen=sale.fen, book_fen=account.book_fen).to_json(),
        answered_at=moment,
    )
    return entry, answer


def new_cards(accounts: list[int]) -> dict[int, tuple[int, int]]:
    """Let these cards begin anew with nothing open; their spend number and total by account."""
    with connection.cursor() as cursor:
        cursor.execute(_NEW_CARDS, [accounts])
        return {account: (seq, total_fen) for account, seq, total_fen in cursor.fetchall()}


_NEW_CARDS = """
    UPDATE accounts_card c SET spend_seq = 0, spend_total_fen = 0, offline_spent_fen = 0, load_seq = 0,
        load_total_fen = a.book_fen, legs = '{}', images = '{}'
    FROM accounts_account a WHERE a.id = c.account_id AND a.id = ANY(%s)
    RETURNING c.account_id, c.spend_seq, c.spend_total_fen
"""
