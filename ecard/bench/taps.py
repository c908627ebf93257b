"""Cards and orders for measuring: a tap without a reader, so that only the server's work is timed.

A measuring client keeps the blocks of its cards in memory and applies the images that the server tells it to write.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import replace
from datetime import date, datetime
from hashlib import sha256
from itertools import count

from accounts.services.passwords import PinOutcome, PinVerdict
from ecard.bench import campus
from purse.evidence import Side, State
from purse.keys import KeyBundle
from purse.policy import Policy
from purse.procedures import Day, Personalisation, RawCard, ident_image, load_image, spend_image
from transactions.services.orders import BookContext, TapOrder, TapReply, Till

POLICY = Policy(max_limit_fen=1_000_000_00)
DAY = date(2026, 1, 1)


class Deck:
    """The cards of one client. No two clients share a card, as no two tills hold the same card in life."""

    def __init__(self, keys: KeyBundle, accounts: list[int], load_total_fen: int) -> None:
        self.keys = keys
        self._load_total_fen = load_total_fen
        self._cards = {account: self._fresh(account) for account in accounts}
        self._accounts = accounts

    def pick(self, chance: random.Random) -> int:
        """Any account of this client."""
        return chance.choice(self._accounts)

    def card(self, account: int) -> RawCard:
        """What a reader would read now."""
        return self._cards[account]

    def write(self, account: int, side: Side, slot: int, image: bytes) -> None:
        """What a till does with an answer."""
        raw = self._cards[account]
        slots = raw.spend if side is Side.SPEND else raw.load
        changed = (image, slots[1]) if slot == 0 else (slots[0], image)
        self._cards[account] = (
            replace(raw, spend=changed) if side is Side.SPEND else replace(raw, load=changed)
        )

    def _fresh(self, account: int) -> RawCard:
        uid, number = campus.uid_of(account), 10000 + account % 90000
        empty = bytes(16)
        ident = ident_image(uid, _who(number), self.keys)
        spend = spend_image(uid, number, State(0, 0, 0), Day(DAY, 0), self.keys)
        load = load_image(uid, number, State(0, self._load_total_fen, 0), DAY, 60000, self.keys)
        return RawCard(uid, ident, (spend, empty), (load, empty))


class Cashier:
    """One client at the service level: makes orders, remembers the sale before, writes its cards."""

    def __init__(self, deck: Deck, till: Till, seed: int) -> None:
        self.deck = deck
        self.till = till
        self.chance = random.Random(seed)  # noqa: S311 - which card comes next is no secret
        self._numbers = count(1)
        self._before: tuple[uuid.UUID, ...] = ()

    def order(self, now: datetime) -> tuple[int, TapOrder]:
        """The next tap: an account and what its till asks."""
        account = self.deck.pick(self.chance)
        raw = self.deck.card(account)
        asked = sha256(raw.uid).digest()
        key = uuid.uuid4()
        order = TapOrder(key, next(self._numbers), asked, raw, 1, now, self.till, None, self._before)
        self._before = (key,)
        return account, order

    def take(self, account: int, reply: TapReply) -> None:
        """Write the card as told. A refusal would measure nothing."""
        if reply.refusal is not None:
            raise RuntimeError(f"a measured tap was refused: {reply.refusal}")
        for write in reply.writes:
            self.deck.write(account, write.side, write.slot, write.image)


def book(keys: KeyBundle, now: datetime) -> BookContext:
    """What the interface layer would lend."""
    return BookContext(POLICY, keys, now, lambda account, pin: PinVerdict(PinOutcome.OK))


def _who(number: int) -> Personalisation:
    return Personalisation(number, 1, 1, 1, None, b"", 60000, DAY)
