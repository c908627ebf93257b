"""A fresh university and a till in it; or the real server and a till that was enrolled there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from accounts.actors import Actor
from accounts.wiring import now as present
from terminals.api import wiring
from terminals.device import __main__ as program
from terminals.device import client
from terminals.services import enrolment
from terminals.services.keyring import Keyring
from terminals.services.registry import Registry
from tests.campus import KEYS, make_campus
from tests.till.bench import Bench
from tests.till.disk import use_memory
from tests.till.university import Served, University


@pytest.fixture
def university():
    return University()


@pytest.fixture
def served(university):
    served = Served(university)
    yield served
    served.close()


@pytest.fixture
def memory(monkeypatch):
    """Every journal of this test lies on a disk in memory."""
    use_memory(monkeypatch)


@pytest.fixture
def patient(monkeypatch):
    """A till that waits long: a shared machine may be slow, and time-outs have tests of their own."""
    monkeypatch.setattr(client, "TAP_S", 3.0)


@pytest.fixture
def bench(tmp_path, university, served, patient):
    bench = Bench(tmp_path, university, served)
    yield bench
    bench.close()


@pytest.fixture
def enrolled(live_server, monkeypatch, patient):
    """Enrol tills at the real server, each with a one-time code and a folder of its own."""
    registry = Registry()
    keyring = Keyring(masters={1: b"t" * 32}, card=KEYS)
    monkeypatch.setattr(wiring, "keyring", lambda: keyring)
    monkeypatch.setattr(wiring, "registry", lambda: registry)
    benches = []

    def enrol(name: str, folder) -> Bench:
        campus, merchant = make_campus()
        wanted = enrolment.NewTerminal(
            name_zh=name, kind="till", campus_id=campus.pk, merchant_id=merchant.pk, may_sell_offline=True
        )
        issued = enrolment.register(wanted, actor=Actor.system("test"), now=present())
        folder.mkdir(exist_ok=True)
        path = folder / "till.json"
        call = ["till", "--server", live_server.url, "--config", str(path), "--enrol", issued.code]
        assert program.main(call) == 0
        bench = Bench(folder, SimpleNamespace(config=None), SimpleNamespace(url=live_server.url), KEYS)
        benches.append(bench)
        assert bench.parts.client.up
        return bench

    yield enrol
    for bench in benches:
        bench.close()


@pytest.fixture
def till(enrolled, tmp_path):
    """A till that was enrolled at the real server with a one-time code."""
    return enrolled("7号", tmp_path)
