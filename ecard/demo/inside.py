"""Tills and the desk's program in one process with the server, at any moment of the past: so the demo campus lives."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from pathlib import Path

from django.test.client import Client as Browser

from accounts import wiring
from accounts.actors import Actor
from purse.policy import Policy
from terminals.api import wiring as door
from terminals.device import config as configuration
from terminals.device.clock import Clock
from terminals.device.config import Config
from terminals.device.desk import DeskParts, DeskStation
from terminals.device.line import Wire
from terminals.device.reader.sim import SimReader
from terminals.device.station import Parts
from terminals.device.store import Store
from terminals.device.tapped import Order, Tapped
from terminals.messages.signing import RESPONSE_HEADER
from terminals.models import JobState, Terminal
from terminals.services import enrolment, jobs

HOST = "127.0.0.1"
ACTOR = Actor.system("seed_demo")
TURNS = 10
"""A card job that goes well takes one or two turns of the desk's program."""


class Past:
    """The moment at which everybody in the demo's past is."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def go_to(self, moment: datetime) -> None:
        """Everything from now on happens then, at the tills and at the server."""
        self.moment = moment
        wiring.pretend(moment)

    def clock(self) -> Clock:
        """A till's clock that stands at this moment."""
        return Clock(wall_ms=lambda: int(self._seconds() * 1000), mono=self._seconds)

    def _seconds(self) -> float:
        return self.moment.timestamp()


class Inside(Wire):
    """A line that leads to the API of this very process."""

    def __init__(self) -> None:
        super().__init__(f"http://{HOST}")
        self._browser = Browser(HTTP_HOST=HOST)

    def open(self, *, timeout: float) -> bool:
        """There is nothing to connect to."""
        return True

    def post(
        self, target: str, body: bytes, headers: dict[str, str], *, timeout: float
    ) -> tuple[int, bytes, str]:
        """Ask the API, as it would be asked over the network."""
        answer = self._browser.post(target, body, content_type="application/json", headers=headers)
        return answer.status_code, answer.content, answer.headers.get(RESPONSE_HEADER, "")


class PastTill:
    """A till of the demo campus at work in the past; ``folder`` keeps its configuration and its journal."""

    def __init__(self, terminal: Terminal, folder: Path, cards: Path, past: Past) -> None:
        path = folder / f"till-{terminal.pk}.json"
        config = _enrolled(terminal, path, past)
        journal = configuration.journal_path(path, config)
        self.path = path
        self._parts = Parts.assemble(config, f"http://{HOST}", lambda: Store(journal), past.clock(), Inside())
        self._reader = SimReader(cards)
        self.network(up=True)

    def network(self, *, up: bool) -> None:
        """Pull the cable, or put it back: it says that it is there, fetches the hotlist and uploads what it has."""
        self._parts.client.plugged = up
        if up and self._parts.background is not None:
            self._parts.background.greet()
        elif not up:
            self._parts.client.up = False

    def sell(self, card: str, fen: int) -> Tapped:
        """Sell for so much to this card; the outcome is reported with the next request."""
        return self._tap(card, Order(fen, again=True))

    def look(self, card: str) -> Tapped:
        """An empty tap."""
        return self._tap(card, None)

    def close(self) -> None:
        """Switch it off; what it holds stays on its disk."""
        self._parts.close()

    def _tap(self, card: str, order: Order | None) -> Tapped:
        self._reader.place(card)
        link = self._reader.wait_for_card(0)
        sales = self._parts.sales
        if link is None or sales is None:
            raise RuntimeError(f"card {card} could not be used: {self._parts.problem}")
        tapped = sales.balance(link) if order is None else sales.buy(link, order)
        self._reader.lift()
        return tapped


class PastDesk:
    """The desk's program beside its reader in the past, moved turn by turn; ``path`` keeps its configuration.

    The program that is started later goes on with the same configuration and journal.
    """

    def __init__(self, terminal: Terminal, path: Path, cards: Path, past: Past) -> None:
        config = configuration.load(path) if path.exists() else _enrolled(terminal, path, past)
        journal = configuration.journal_path(path, config)
        parts = DeskParts.assemble(config, f"http://{HOST}", lambda: Store(journal), past.clock(), Inside())
        self.id = terminal.pk
        self._past = past
        self._reader = SimReader(cards)
        self._station = DeskStation(config, parts, self._reader)

    def do(self, job_id: uuid.UUID, card: str) -> None:
        """Put a card on the reader and do the job that was ordered. Raises ``RuntimeError`` if it is not done."""
        self._reader.place(card)
        for _ in range(TURNS):
            if jobs.job_state(job_id, now=self._past.moment).over:
                break
            self._turn()
        self._reader.lift()
        ended = jobs.job_state(job_id, now=self._past.moment)
        if ended.state is not JobState.DONE:
            raise RuntimeError(f"card {card}: {ended.state} {ended.trouble}{ended.refusal}")

    def close(self) -> None:
        """Switch it off."""
        self._station.stop()

    def _turn(self) -> None:
        self._past.go_to(self._past.moment + timedelta(seconds=2))
        self._station.round()


def _enrolled(terminal: Terminal, path: Path, past: Past) -> Config:
    """Give a machine its keys by a one-time code, as an administrator would."""
    code = enrolment.issue_code(terminal.pk, actor=ACTOR, now=past.moment).code
    enrolled = enrolment.enrol(
        code, source="seed_demo", keyring=door.keyring(), policy=Policy(), now=past.moment
    )
    door.registry().forget()
    configuration.save(path, enrolled)
    return configuration.load(path)
