"""The purchase over HTTP, as tills make it: what a till does beside the line is done before the round and after it.

A measuring till runs on the cores of the server that it measures, so only what has to be in the round is in it: send,
wait, receive, for all tills in one thread. Every sale is on another card than the one before, so what the tills will
say is known beforehand, the outcome of the sale before included, and is signed before. Every answer is kept, and after
the round each one is verified: signature, no refusal, the image that belongs on this card, and that the outcome was
taken. The bytes on the line are those of a till that signs as it goes; a sale that went wrong anywhere fails the run.
"""

from __future__ import annotations

import secrets
import select
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from multiprocessing.synchronize import Barrier

from accounts.wiring import now
from ecard.bench import campus
from ecard.bench.http import HttpFailed, Till, is_whole
from ecard.bench.runs import Part, Taken, together
from ecard.bench.taps import Deck
from purse.keys import KeyBundle
from terminals.messages import strictjson
from terminals.messages.wire import DebitRequest, OutcomeReport

FEN = 1
MOST_PER_SECOND = 6_000
"""So many sales are made ready for each second of a round, all tills together; running out of them fails the run."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One sale made ready: the HTTP message, and what only its genuine answer can say."""

    message: bytes
    nonce: bytes
    image: str
    recorded: list[list[object]]


@dataclass(slots=True)
class Line:
    """One till with the sales that it is going to make, and what it was answered so far."""

    till: Till
    ready: Sequence[Asked]
    answers: list[bytes] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    _told: bytes = b""
    _since: float = 0.0

    def ask(self) -> None:
        """Send the next sale."""
        if len(self.answers) == len(self.ready):
            raise HttpFailed("all sales that were made ready are sold")
        self._since = time.monotonic()
        self.till.socket.sendall(self.ready[len(self.answers)].message)

    def hear(self) -> bool:
        """Take in what came; True if that was the rest of an answer."""
        self._told += self.till.hear()
        if not is_whole(self._told):
            return False
        self.latencies_ms.append((time.monotonic() - self._since) * 1000)
        self.answers.append(self._told)
        self._told = b""
        return True

    def verify(self) -> None:
        """Look at every answer. Raises ``HttpFailed`` or ``SignatureError`` for one that is not what it must be."""
        for asked, told in zip(self.ready, self.answers, strict=False):
            found = self.till.verify(told, asked.nonce)
            images = [write["image"] for write in found["writes"]]
            if found["refusal"] is not None or images != [asked.image] or found["recorded"] != asked.recorded:
                raise HttpFailed(str(found))


@dataclass(frozen=True, slots=True)
class Lunch:
    """What the tills of a round do. With ``one_merchant`` every one of them sells for the same merchant."""

    keys: KeyBundle
    size: campus.Size
    port: int
    one_merchant: bool = False

    def run(self, *, clients: int, seconds: float) -> Taken:
        """One round. Raises ``RuntimeError`` if any sale failed."""
        return together([partial(self._share, clients, seconds)], gates=1, seconds=seconds)

    def _share(self, clients: int, seconds: float, gate: Barrier) -> Part:
        sales = int(MOST_PER_SECOND * (seconds + 1) / clients)
        lines = [self._line(client, clients, sales) for client in range(clients)]
        gate.wait(timeout=240)
        part = _talk(lines, seconds)
        for line in lines:
            line.verify()
        return part

    def _line(self, client: int, clients: int, sales: int) -> Line:
        deck = Deck.deal(self.keys, client=client, clients=clients, size=self.size, cards=sales)
        till = Till(campus.till_of(client, self.size, one_merchant=self.one_merchant), self.port)
        return Line(till, list(islice(_sales(deck, till), sales)))


def _sales(deck: Deck, till: Till) -> Iterator[Asked]:
    """One purchase of 0.01 after another, each with the outcome of the one before, on all cards of the deck in turn."""
    journal = secrets.token_hex(16)
    before: tuple[OutcomeReport, ...] = ()
    for number, account in enumerate(deck.in_turn(), 1):
        card, at_ms = deck.card(account), int(now().timestamp() * 1000)
        asked = DebitRequest(journal, number, card, FEN, at_ms, None, before)
        message, nonce = till.sign(strictjson.dumps(asked.to_json()))
        image = deck.sell(account, FEN)
        yield Asked(message, nonce, image.hex(), [[report.journal, report.seq] for report in before])
        before = (OutcomeReport(journal, number, "written"),)


def _talk(lines: Sequence[Line], seconds: float) -> Part:
    """All lines at once in one thread, each with one sale under way, until the time is over."""
    waiting = {line.till.socket.fileno(): line for line in lines}
    poll = select.epoll()
    begun, cpu_s = time.monotonic(), time.thread_time()
    for number, line in waiting.items():
        poll.register(number, select.EPOLLIN)
        line.ask()
    until = begun + seconds
    while waiting:
        for number, _ in poll.poll():
            line = waiting[number]
            if line.hear():
                if time.monotonic() < until:
                    line.ask()
                else:
                    del waiting[number]
    ended, cpu_s = time.monotonic(), time.thread_time() - cpu_s
    return Part([ms for line in lines for ms in line.latencies_ms], cpu_s, begun, ended)
