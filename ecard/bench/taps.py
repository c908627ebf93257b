"""Cards and orders for measuring: a tap without a reader, so that only the server's work is timed.

A measuring client keeps the blocks of its cards in memory and applies the images that the server tells it to write.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from itertools import cycle

from django.db import connection

from accounts.wiring import now
from ecard.bench import campus
from purse.evidence import Side, State
from purse.keys import KeyBundle
from purse.procedures import Day, Personalisation, RawCard, decode, ident_image, load_image, spend_image
from transactions.days import local_day

DAY = date(2026, 1, 1)
LIMIT_FEN = 600_00
CARDS_EACH = 1500
_EMPTY = bytes(16)


class Deck:
    """The cards of one client. No two clients share a card, as no two tills hold the same card in life."""

    def __init__(self, keys: KeyBundle, accounts: dict[int, int]) -> None:
        self._keys = keys
        self._cards = {account: _fresh(account, fen, keys) for account, fen in accounts.items()}
        self._accounts = list(accounts)

    @classmethod
    def deal(
        cls, keys: KeyBundle, *, client: int, clients: int, size: campus.Size, cards: int = CARDS_EACH
    ) -> Deck:
        """Take this client's share of the accounts, with new cards that hold what their books hold."""
        share = list(range(1 + client, min(size.accounts, campus.OPEN_ACCOUNTS), clients))
        random.Random(client).shuffle(share)  # noqa: S311 - which cards is no secret
        chosen = sorted(share[:cards])
        with connection.cursor() as cursor:
            cursor.execute(_NEW_CARDS, [chosen])
            return cls(keys, dict(cursor.fetchall()))

    def pick(self, chance: random.Random) -> int:
        """Any account of this client."""
        return chance.choice(self._accounts)

    def in_turn(self) -> Iterator[int]:
        """All accounts of this client, again and again."""
        return cycle(self._accounts)

    def card(self, account: int) -> RawCard:
        """What a reader would read now."""
        return self._cards[account]

    def write(self, account: int, side: Side, slot: int, image: bytes) -> None:
        """What a till does with an answer."""
        raw = self._cards[account]
        slots = raw.spend if side is Side.SPEND else raw.load
        changed = (image, slots[1]) if slot == 0 else (slots[0], image)
        spend, load = (changed, raw.load) if side is Side.SPEND else (raw.spend, changed)
        self._cards[account] = RawCard(raw.uid, raw.ident, spend, load)

    def sell(self, account: int, fen: int) -> bytes:
        """Write on the card what the server will say to a plain purchase today; returns that image."""
        raw, today = self._cards[account], local_day(now())
        purse = decode(raw, self._keys)
        spend = purse.spend
        after = State(spend.seq + 1, spend.total_fen + fen, 1 - spend.slot)
        spent = Day(today, purse.spent_on(today) + fen)
        image = spend_image(raw.uid, purse.ident.account_no, after, spent, self._keys)
        self.write(account, Side.SPEND, after.slot, image)
        return image


_NEW_CARDS = """
    WITH a AS (
        UPDATE accounts_account SET spent_fen = 0, version = version + 1 WHERE id = ANY(%s) RETURNING id, book_fen
    )
    UPDATE accounts_card SET spend_seq = 0, spend_total_fen = 0, offline_spent_fen = 0, load_seq = 0,
        load_total_fen = a.book_fen, legs = '{}', images = '{}'
    FROM a WHERE a.id = account_id
    RETURNING a.id, a.book_fen
"""


def _fresh(account: int, fen: int, keys: KeyBundle) -> RawCard:
    uid, number = campus.uid_of(account), campus.number_of(account)
    ident = ident_image(uid, Personalisation(number, 1, 1, 1, None, b"", LIMIT_FEN, DAY), keys)
    spend = spend_image(uid, number, State(0, 0, 0), Day(DAY, 0), keys)
    load = load_image(uid, number, State(0, fen, 0), DAY, LIMIT_FEN, keys)
    return RawCard(uid, ident, (spend, _EMPTY), (load, _EMPTY))
