"""From tap to sound within half a second, whatever the network does (reliability.md 1.3, performance.md)."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from itertools import count
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from terminals.device import client, line
from terminals.device.client import Wire
from terminals.device.tapped import Ending
from tests.till.badline import BadLine, Trouble
from tests.till.bench import Bench

BUDGET_S = 0.5
TAPS = 12
OK = (Ending.PAID, Ending.PAID_OFFLINE)
_numbers = count(40001)


@pytest.fixture
def bad_line(served):
    bad_line = BadLine(int(served.url.rsplit(":", 1)[1]))
    yield bad_line
    bad_line.close()


@pytest.fixture
def bench(tmp_path, university, bad_line, memory):
    """A till that reaches its server through a line that can break."""
    bench = Bench(tmp_path, university, SimpleNamespace(url=f"http://127.0.0.1:{bad_line.port}"))
    assert bench.parts.client.up
    yield bench
    bench.close()


@pytest.fixture
def timed(capsys):
    """Sell to many cards, each as if the line had been good until then; the times from tap to sound in seconds."""

    def sell(
        bench, name: str, *, taps: int = TAPS, before=lambda: None, known_dead: bool = False
    ) -> list[float]:
        times = []
        for _ in range(taps):
            card = str(next(_numbers))
            bench.issue(card, 28_40)
            bench.till.amount(5_50)
            before()
            bench.parts.client.up = not known_dead
            start = time.perf_counter()
            tapped = bench.tap(card)
            times.append(time.perf_counter() - start)
            assert tapped.ending in OK, tapped
            assert bench.sounds == ["OK"]
        worst = sorted(times)[-1 - len(times) // 100]
        with capsys.disabled():
            print(
                f"\nTAP TO SOUND, {name}: {len(times)} taps, median {sorted(times)[len(times) // 2] * 1e3:.0f} ms,"
                f" p99 {worst * 1e3:.0f} ms"
            )
        return times

    return sell


def agree(bench) -> bool:
    """Once the line is good: everything goes up, and each book says what its card says."""
    bench.parts.client.close()
    bench.skip(61)
    for _ in range(3):
        bench.parts.background.greet()
    cards = [path.stem for path in bench.reader.folder.glob("*.json")]
    return all(bench.account(card).book_fen == bench.card_fen(card) for card in cards)


@pytest.mark.parametrize(
    "trouble", [trouble for trouble in Trouble if trouble is not Trouble.NO_TLS], ids=str
)
def test_no_trouble_on_the_line_costs_more_than_the_budget(bench, bad_line, timed, trouble, monkeypatch):
    def cut():
        bad_line.cut(trouble)
        if trouble is Trouble.NO_CONNECTION:
            monkeypatch.setattr(
                bench.parts.client._tap_line.wire._names, "_found", [address(bad_line.full_port)]
            )

    times = timed(bench, trouble.value, before=cut)

    assert sorted(times)[-2] < BUDGET_S
    monkeypatch.undo()
    bad_line.cut(Trouble.NONE)
    assert agree(bench)


def address(port: int):
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))


def ask_instead(monkeypatch, getaddrinfo) -> None:
    """Another name server, for the till only."""
    monkeypatch.setattr(line, "socket", SimpleNamespace(**{**vars(socket), "getaddrinfo": getaddrinfo}))


def test_a_server_that_takes_its_time_costs_no_more(bench, university, timed):
    university.deaf_s = 0.4

    times = timed(bench, "slow server")

    university.deaf_s = 0.0
    assert sorted(times)[-2] < BUDGET_S
    assert agree(bench)


def test_a_name_server_that_is_silent_costs_no_more(bench, timed, monkeypatch):
    asked, answer = threading.Event(), threading.Event()

    def nobody_says(*args, **kwargs):
        asked.set()
        answer.wait(20)
        raise OSError("nobody knows")

    ask_instead(monkeypatch, nobody_says)
    names = bench.parts.client._tap_line.wire._names
    monkeypatch.setattr(names, "_found", [])
    monkeypatch.setattr(names, "_found_at", -1e9)
    bench.parts.client.close()

    times = timed(bench, "silent name server", before=bench.parts.client.close)

    answer.set()
    assert asked.is_set()
    assert sorted(times)[-2] < BUDGET_S


def test_a_known_address_is_used_while_the_name_server_is_silent(bench, timed, monkeypatch):
    answer = threading.Event()
    names = bench.parts.client._tap_line.wire._names
    ask_instead(monkeypatch, lambda *args, **kwargs: answer.wait(20) and [])
    monkeypatch.setattr(names, "_found_at", -1e9)

    card = str(next(_numbers))
    bench.issue(card, 28_40)
    bench.parts.client.close()

    assert bench.sell(card, 5_50).ending is Ending.PAID
    answer.set()


def test_a_line_that_is_known_to_be_dead_costs_nothing(bench, bad_line, timed):
    bad_line.cut(Trouble.NO_ANSWER)

    times = timed(bench, "line known to be dead", known_dead=True)

    assert sorted(times)[-2] < client.TAP_S


def test_taps_do_not_wait_for_an_upload_under_way(bench, university, timed):
    """A slow upload has a connection of its own: sales go on, online, and the upload is not cut off."""
    bench.network(up=False)
    for _ in range(20):
        card = str(next(_numbers))
        bench.issue(card, 28_40)
        assert bench.sell(card, 5_50).ending is Ending.PAID_OFFLINE
    bench.parts.client.plugged = True
    slow, calls = university.upload, len(university.calls)

    def upload(asked):
        university.lock.release()  # as a server of several workers would
        time.sleep(2.0)
        university.lock.acquire()
        return slow(asked)

    university.upload = upload
    uploading = threading.Thread(target=bench.parts.background.greet)
    uploading.start()
    while "upload" not in university.calls[calls:]:
        time.sleep(0.01)

    times = timed(bench, "upload under way", taps=6)

    assert uploading.is_alive()
    assert sorted(times)[-2] < BUDGET_S
    uploading.join()
    assert bench.parts.line() == (True, 0)
    assert university.calls[calls:].count("upload") == 1
    assert university.calls[calls:].count("debit") == 6
    assert university.replays == 0
    assert agree(bench)


def test_a_background_call_that_hangs_keeps_no_tap_waiting(bench, bad_line, timed):
    """The line dies while a heartbeat is on its way: the tap finds that out by itself."""
    bad_line.cut(Trouble.NO_ANSWER)
    bench.skip(61)
    hanging = threading.Thread(target=bench.parts.background.round)
    hanging.start()
    time.sleep(0.1)

    times = timed(bench, "heartbeat hangs", taps=3)

    assert hanging.is_alive()
    assert sorted(times)[-2] < BUDGET_S
    bench.parts.client.close()
    hanging.join(2)
    assert not hanging.is_alive(), "closing ends a call under way"


# ----------------------------------------------------------------------------------------------------------- TLS


@pytest.fixture
def certificate(tmp_path):
    """A private CA's certificate for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


def test_over_tls_every_wait_ends_too(certificate, served, bad_line):
    served._server.socket = _tls(certificate).wrap_socket(served._server.socket, server_side=True)
    times = {}
    for trouble in (Trouble.NONE, Trouble.NO_TLS, Trouble.MID_ANSWER, Trouble.DRIP, Trouble.NONE):
        wire = Wire(f"https://localhost:{bad_line.port}", ca=str(certificate))
        if trouble is not Trouble.NO_TLS:
            bad_line.cut(Trouble.NONE)
            assert not wire.open(timeout=5)
        bad_line.cut(trouble)
        start = time.perf_counter()
        try:
            wire.open(timeout=0.3)
            wire.post("/api/terminal/v1/nothing", b"{}" * 50, {}, timeout=0.3)
        except (OSError, HTTPException) as error:
            times[trouble] = (type(error).__name__, time.perf_counter() - start)
        wire.close()

    assert [times[trouble][0] for trouble in (Trouble.NO_TLS, Trouble.MID_ANSWER, Trouble.DRIP)] == [
        "TimeoutError"
    ] * 3
    assert all(0.2 < took < 0.6 for name, took in times.values() if name == "TimeoutError")


def _tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
