"""A desk program on the bench: its real parts against the real server, moved round by round, with hands and a clock."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from terminals.device import config as configuration
from terminals.device import desk
from terminals.device.clock import Clock
from terminals.device.desk import DeskParts, DeskStation
from terminals.device.desk_face import DeskFace
from terminals.device.reader.field import Fault, Field
from terminals.device.reader.model import ClassicCard
from terminals.device.reader.sim import SimReader
from terminals.device.reader.tearing import Tear
from terminals.device.store import Store
from terminals.messages.signing import RESPONSE_HEADER
from terminals.models import JobKind
from terminals.services import jobs
from tests.campus import Person
from tests.terminals.conftest import HOST, Server, make_box
from tests.terminals.desk import CLERK


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Nobody waits: neither the server for a job nor the desk for a card."""
    monkeypatch.setattr(desk, "POLL_MS", 0)
    monkeypatch.setattr(desk, "LOOK_S", 0.0)


class InProcess:
    """A wire into the server of the same process. Each switch breaks the line in one way."""

    host, prefix = HOST, ""

    def __init__(self) -> None:
        self.client = Client(raise_request_exception=True)
        self.dead = False
        self.lose_requests = 0
        """Requests that never arrive."""
        self.lose_answers = 0
        """Answers that are lost after the server has acted."""
        self.only = ""
        """The call that the two above are about; empty: every one."""
        self.calls: list[str] = []

    def twin(self) -> InProcess:
        return self

    def open(self, *, timeout: float) -> bool:
        if self.dead:
            raise OSError("no line")
        return False

    def post(
        self, target: str, body: bytes, headers: dict[str, str], *, timeout: float
    ) -> tuple[int, bytes, str]:
        call = target.rpartition("/")[2]
        ours = self.only in ("", call)
        if self.dead or (ours and self.lose_requests):
            self.lose_requests -= bool(not self.dead)
            raise OSError("no line")
        self.calls.append(call)
        raw = self.client.generic(
            "POST", target, body, content_type="application/json", HTTP_AUTHORIZATION=headers["Authorization"]
        )
        if ours and self.lose_answers:
            self.lose_answers -= 1
            raise OSError("the answer is lost")
        return raw.status_code, raw.content, raw.headers.get(RESPONSE_HEADER, "")

    def close(self) -> None: ...


class DeskBench:
    """One desk."""

    def __init__(self, folder: Path, server: Server, reader: Any = None, field: Field | None = None) -> None:
        self.folder = folder
        self.server = server
        self.wire = InProcess()
        self.reader = reader or SimReader(folder, seed=1)
        self.field: Field = field or self.reader.field
        self.skipped_s = 0.0
        self.faces: list[DeskFace] = []
        enrolled = make_box(server, kind="desk").enrolled
        self.config_path = folder / f"desk{enrolled.terminal}.json"
        configuration.save(self.config_path, enrolled)
        self.start()

    @property
    def id(self) -> int:
        return self.config.terminal

    def start(self) -> None:
        self.config = configuration.load(self.config_path)
        clock = Clock(wall_ms=lambda: self.server.now_ms, mono=lambda: time.monotonic() + self.skipped_s)
        path = configuration.journal_path(self.config_path, self.config)
        self.parts = DeskParts.assemble(self.config, "", lambda: Store(path), clock, self.wire)
        self.station = DeskStation(self.config, self.parts, self.reader)
        self.station.listen(self.faces.append)

    def cut_power(self) -> None:
        self.parts.client.close()
        if self.parts.store:
            self.parts.store.close()

    def restart(self) -> None:
        self.cut_power()
        self.start()

    # -- the page -------------------------------------------------------------------------------------------

    def order(
        self, kind: str, person: Person | None = None, *, card_id: int | None = None, **params: Any
    ) -> uuid.UUID:
        order = jobs.JobOrder(
            uuid.uuid4(), JobKind(kind), self.id, person.account.id if person else None, card_id, params
        )
        return jobs.order_job(order, actor=CLERK, now=self.server.now).id

    def state(self, job: uuid.UUID) -> jobs.JobView:
        return jobs.job_state(job, now=self.server.now)

    # -- the hands ------------------------------------------------------------------------------------------

    def place(
        self, plastic: ClassicCard, *, leave_after: int | None = None, tear: Tear = Tear.BEFORE
    ) -> None:
        fault = None if leave_after is None else Fault(leave_after, tear)
        self.field.place(plastic, fault=fault)

    def lift(self) -> None:
        self.field.lift()

    def rounds(self, most: int = 12) -> None:
        """Let the desk work until nothing more happens: its job has ended, or it waits for a card."""
        for _ in range(most):
            self.skipped_s += 2.0
            before = self.station.work.ticket
            self.station.round()
            self.field.settle()
            if self.station.work.ticket is None and before is None:
                return
            if self.station.work.ticket is not None and not self.field.cards:
                self.station.round()
                return

    def turn(self, rounds: int) -> None:
        """Let time pass for the desk, whatever it does."""
        for _ in range(rounds):
            self.skipped_s += 2.0
            self.station.round()

    def do(self, job: uuid.UUID, plastic: ClassicCard, **how: Any) -> jobs.JobView:
        """Lay the card down, let the desk work, take the card away."""
        self.rounds(2)
        self.place(plastic, **how)
        self.rounds()
        self.lift()
        self.rounds(2)
        return self.state(job)

    @property
    def face(self) -> DeskFace:
        return self.station.face
