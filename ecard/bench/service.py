"""The purchase at the service level: rules, ledger and card images in this process, without HTTP."""

from __future__ import annotations

import random
import uuid
from hashlib import sha256
from itertools import count

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

JOURNAL = "00" * 16
POLICY = Policy()


class Refused(Exception):
    """A measured tap was refused: the figures would be of something else."""


def debits(keys: KeyBundle, size: campus.Size) -> Prepare:
    """One operation = one purchase of 0.01, with the outcome of the one before piggybacked."""

    def prepare(client: int, clients: int) -> Work:
        deck = Deck.deal(keys, client=client, clients=clients, size=size)
        chance, numbers = random.Random(client), count(1)  # noqa: S311
        till = Till(1 + client, 1 + client, "bench")
        journal = uuid.uuid4().hex
        before: list[tuple[uuid.UUID, ...]] = [()]

        def work() -> None:
            account = deck.pick(chance)
            raw, number, moment = deck.card(account), next(numbers), now()
            key = OperationKey(till.id, journal, number).as_uuid()
            asked = sha256(raw.uid).digest()
            order = TapOrder(key, number, asked, raw, 1, moment, till, None, before[0])
            reply = debit(order, book=BookContext(POLICY, keys, moment, _no_password))
            if reply.refusal is not None:
                raise Refused(reply.refusal)
            for write in reply.writes:
                deck.write(account, write.side, write.slot, write.image)
            before[0] = (key,)

        return work

    return prepare


def _no_password(account_id: int, pin: str) -> PinVerdict:
    return PinVerdict(PinOutcome.OK)
