"""The benches: a simulated reader, and PC/SC through a real pcscd with a virtual reader."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from terminals.device.reader.field import Field
from terminals.device.reader.pcsc import PcscReader
from terminals.device.reader.sim import SimReader
from terminals.device.reader.vpcd import VirtualCard
from tests.readers.bench import SOON_S, Bench
from tests.readers.pcscd import Pcscd, missing, until

READER = "Virtual PCD"


@pytest.fixture(scope="session")
def daemon():
    """A running pcscd of this process alone: one start for all tests, restarted by those that are about restarts."""
    if reason := missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="pcscd-") as folder:
        daemon = Pcscd(Path(folder) / "d")
        # libpcsclite remembers the first value it saw, so the socket stays the same for the life of this
        # process.
        os.environ["PCSCLITE_CSOCK_NAME"] = str(daemon.socket)
        daemon.add_reader(READER)
        daemon.start()
        yield daemon
        daemon.stop()


@pytest.fixture
def vpcd_stack(daemon):
    """The daemon, with its reader plugged in and running whatever the test before did to it."""
    daemon.add_reader(READER)
    daemon.ensure_running()
    return daemon


@pytest.fixture
def pcsc_bench(vpcd_stack):
    with_card = VirtualCard(Field(), vpcd_stack.readers[READER])
    reader = PcscReader(f"{READER} 00 00")
    yield Bench(with_card.field, reader, with_card)
    reader.close()
    with_card.close()
    until(lambda: not reader.card_present(), SOON_S)
    reader.close()


@pytest.fixture
def sim_bench(tmp_path):
    reader = SimReader(tmp_path)
    return Bench(reader.field, reader)


@pytest.fixture(params=["sim", pytest.param("pcsc", marks=pytest.mark.xdist_group("pcscd"))])
def bench(request):
    """The same contract on both transports."""
    return request.getfixturevalue(f"{request.param}_bench")
