"""The purchase at the service level: rules, ledger and card images in this process, without HTTP.

What a till does before it asks, choosing a card and making the operation key, is done before the round begins.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from hashlib import sha256
from itertools import chain, count, islice

from accounts.services.passwords import PinOutcome, PinVerdict
from accounts.wiring import now
from ecard.bench import campus
from ecard.bench.runs import Prepare, Work
from ecard.bench.taps import Deck
from purse.keys import KeyBundle
from purse.policy import Policy
from terminals.messages.wire import OperationKey
from transactions.services.debit import debit
from transactions.services.orders import BookContext, TapOrder, Till

AHEAD = 24_000
"""Purchases made ready before a round, all clients together; more than a round takes."""
POLICY = Policy()


class Refused(Exception):
    """A measured tap was refused: the figures would be of something else."""


def debits(keys: KeyBundle, size: campus.Size) -> Prepare:
    """One operation = one purchase of 0.01, with the outcome of the one before piggybacked."""

    def prepare(client: int, clients: int) -> Work:
        deck = Deck.deal(keys, client=client, clients=clients, size=size)
        till = Till(1 + client, 1 + client, "bench")
        asked = chain(
            list(islice(_asked(deck, client, till.id), AHEAD // clients)), _asked(deck, -client, till.id)
        )
        before: list[tuple[uuid.UUID, ...]] = [()]

        def work() -> None:
            account, number, key, content = next(asked)
            moment = now()
            order = TapOrder(key, number, content, deck.card(account), 1, moment, till, None, before[0])
            reply = debit(order, book=BookContext(POLICY, keys, moment, _no_password))
            if reply.refusal is not None:
                raise Refused(reply.refusal)
            for write in reply.writes:
                deck.write(account, write.side, write.slot, write.image)
            before[0] = (key,)

        return work

    return prepare


def _asked(deck: Deck, seed: int, till: int) -> Iterator[tuple[int, int, uuid.UUID, bytes]]:
    """Account, journal number, operation key and content hash of one purchase after the other, from a new journal."""
    chance, journal = random.Random(seed), uuid.uuid4().hex  # noqa: S311
    for number in count(1):
        account = deck.pick(chance)
        key = OperationKey(till, journal, number).as_uuid()
        yield account, number, key, sha256(deck.card(account).uid).digest()


def _no_password(account_id: int, pin: str) -> PinVerdict:
    return PinVerdict(PinOutcome.OK)
