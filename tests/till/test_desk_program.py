"""The desk's program as a process of its own, over HTTP, told through its console; and killed without a word."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress

import pytest
from django.utils import timezone

from accounts.actors import Actor
from ecard.lifetime import bound
from terminals.api import wiring
from terminals.device import __main__ as program
from terminals.device.reader.sim import write_card
from terminals.models import JobKind, JobState
from terminals.services import enrolment, jobs
from terminals.services.keyring import Keyring
from terminals.services.registry import Registry
from tests.campus import KEYS, make_campus, make_person
from tests.terminals.desk import CLERK
from transactions.models import Entry

pytestmark = pytest.mark.django_db(transaction=True)
SOON_S = 30.0


class Agent:
    """The program beside its folder of cards."""

    def __init__(self, url: str, folder) -> None:
        self.url, self.folder = url, folder
        campus, _ = make_campus()
        wanted = enrolment.NewTerminal(name_zh="柜台", kind="desk", campus_id=campus.pk)
        issued = enrolment.register.__wrapped__(wanted, actor=Actor.system("test"), now=timezone.now())
        self.id = issued.terminal
        self.config = folder / "desk.json"
        enrol = ["desk", "--server", url, "--config", str(self.config), "--enrol", issued.code]
        assert program.main(enrol) == 0
        self.start()

    def start(self) -> None:
        command = [
            *(
                sys.executable,
                "-m",
                "terminals.device",
                "desk",
                "--server",
                self.url,
                "--config",
                str(self.config),
            ),
            *("--reader", f"sim:{self.folder}", "--console", "json", "--ui", "127.0.0.1:0"),
        ]
        self.process = subprocess.Popen(
            bound(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.faces: queue.Queue[dict] = queue.Queue()
        self._hearing = threading.Thread(target=self._hear, args=(self.process,), daemon=True)
        self._hearing.start()

    def say(self, **command) -> None:
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def until(self, state: str) -> dict:
        deadline = time.monotonic() + SOON_S
        while True:
            face = self.faces.get(timeout=max(0.1, deadline - time.monotonic()))
            if face.get("state") == state:
                return face

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._hearing.join()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(BrokenPipeError):
                pipe.close()

    def _hear(self, process) -> None:
        for line in process.stdout:
            self.faces.put(json.loads(line))


@pytest.fixture
def agent(live_server, tmp_path, monkeypatch):
    keyring, registry = Keyring(masters={1: b"t" * 32}, card=KEYS), Registry()
    monkeypatch.setattr(wiring, "keyring", lambda: keyring)
    monkeypatch.setattr(wiring, "registry", lambda: registry)
    made = Agent(live_server.url, tmp_path)
    yield made
    made.kill()


def order(agent: Agent, person, fen: int) -> uuid.UUID:
    wanted = jobs.JobOrder(uuid.uuid4(), JobKind.LOAD, agent.id, person.account.id, params={"fen": fen})
    return jobs.order_job(wanted, actor=CLERK, now=timezone.now()).id


def ended(job: uuid.UUID) -> jobs.JobView:
    deadline = time.monotonic() + SOON_S
    while not (view := jobs.job_state(job, now=timezone.now())).over and time.monotonic() < deadline:
        time.sleep(0.05)
    return view


def test_it_loads_a_card_is_killed_in_the_write_and_finishes_the_job_after_its_next_start(agent):
    person = make_person(28_40)
    write_card(agent.folder / "10086.json", person.plastic)
    job = order(agent, person, 50_00)
    agent.until("awaiting")

    agent.say(do="place", card="10086", leave_after=21, tear="mix")
    assert agent.until("writing")["job"] == "load"
    agent.kill()
    agent.start()
    assert agent.until("awaiting")["line1"]["zh"] == "写卡时卡被拿开"
    agent.say(do="place", card="10086")
    agent.until("done")

    view = ended(job)
    assert (view.state, view.card_outcome, person.book_fen) == (JobState.DONE, "written", 78_40)
    assert Entry.objects.filter(account_id=person.account.id, kind="top_up").count() == 1
    assert jobs.job_state(job, now=timezone.now()).agent_there


def test_a_desk_is_not_run_with_the_file_of_another_machine(agent, capsys):
    other = ["till", "--server", agent.url, "--config", str(agent.config), "--reader", f"sim:{agent.folder}"]

    assert program.main(other) == 1
    assert "is the file of a desk" in capsys.readouterr().err
