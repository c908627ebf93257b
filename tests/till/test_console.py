"""The till as a program: its console, its page, its command line (interfaces.md)."""

from __future__ import annotations

import http.client
import io
import json
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest

from purse.policy import Policy
from terminals.device import __main__ as program
from terminals.device import client
from terminals.device import config as configuration
from terminals.device.console import Console
from terminals.device.reader.field import RADIO
from terminals.device.reader.sim import SimReader, write_card
from terminals.device.station import Parts, Station
from terminals.device.store import Store
from terminals.device.till import Sounds
from terminals.device.ui import Page
from tests.till.university import University


@pytest.fixture
def wallet(tmp_path):
    (tmp_path / "wallet").mkdir()
    return tmp_path / "wallet"


@pytest.fixture
def config_path(tmp_path, university):
    configuration.save(tmp_path / "till.json", university.config())
    return tmp_path / "till.json"


@pytest.fixture
def station(tmp_path, wallet, config_path, served, monkeypatch):
    monkeypatch.setattr(
        client, "TAP_S", 3.0
    )  # a shared machine may be slow; time-outs have tests of their own
    config = configuration.load(config_path)
    parts = Parts.assemble(config, served.url, lambda: Store(tmp_path / "till.journal"))
    station = Station(config, parts, SimReader(wallet, seed=1))
    yield station
    station.stop()


def issue(university: University, wallet, number: int, fen: int, **changes) -> None:
    write_card(wallet / f"{number}.json", university.issue(number, fen, **changes))


def played(station, *commands) -> list[dict]:
    """What the console says to commands."""
    out = io.StringIO()
    console = Console(station, out)
    station.start()
    console.run([json.dumps(command) for command in commands])
    return [json.loads(line) for line in out.getvalue().splitlines()]


def results(events) -> list[tuple]:
    return [(event["outcome"], event["refusal"]) for event in events if event["event"] == "result"]


def test_a_sale_as_the_console_tells_it(station, university, wallet):
    issue(university, wallet, 10086, 28_40)

    events = played(station, {"do": "amount", "fen": 550}, {"do": "tap", "card": "10086"}, {"do": "quit"})

    assert next(event for event in events if event.get("lamp") == "white") == {
        "event": "display",
        "led": "  5.50",
        "line1": "应付 5.50 元",
        "line2": "请核对后刷卡",
        "lamp": "white",
    }
    assert events[-2:] == [
        {"event": "sound", "sound": "OK"},
        {
            "event": "result",
            "key": events[-1]["key"],
            "outcome": "paid",
            "refusal": None,
            "card_fen": 22_90,
            "book_fen": 22_90,
        },
    ]


def test_a_day_at_the_counter(station, university, wallet):
    issue(university, wallet, 10086, 28_40)
    issue(university, wallet, 10087, 80_00, today_fen=46_00)

    events = played(
        station,
        {"do": "amount", "fen": 100},
        {"do": "tap", "card": "10086", "leave_after": 9},
        {"do": "tap", "card": "10087"},
        {"do": "tap", "card": "10086"},
        {"do": "amount", "fen": 1000},
        {"do": "tap", "card": "10087"},
        {"do": "keys", "keys": "170114"},
        {"do": "confirm"},
        {"do": "network", "up": False},
        {"do": "amount", "fen": 300},
        {"do": "tap", "card": "10086"},
        {"do": "network", "up": True},
        {"do": "upload"},
        {"do": "balance"},
        {"do": "tap", "card": "10086"},
        {"do": "void"},
        {"do": "tap", "card": "10086"},
    )

    assert results(events) == [
        ("torn", None),
        ("refused", None),
        ("paid", None),
        ("refused", "password_needed"),
        ("paid", None),
        ("paid_offline", None),
        ("balance", None),
        ("voided", None),
    ]
    assert university.accounts[(10086).to_bytes(4, "big")].book_fen == 27_40


def test_two_cards_are_refused_once_and_the_one_that_stays_pays(station, university, wallet):
    issue(university, wallet, 10086, 28_40)
    issue(university, wallet, 10087, 28_40)
    station.reader.place("10086")
    station.reader.place("10087")

    events = played(station, {"do": "amount", "fen": 550}, {"do": "wait", "seconds": 0.4})
    station.reader.field.lift(station.reader.field.cards[0])
    deadline = time.monotonic() + 5
    while station.till.phase.value != "shown" and time.monotonic() < deadline:
        time.sleep(0.01)

    assert [event["sound"] for event in events if event["event"] == "sound"] == ["ALARM"]
    assert university.accounts[(10087).to_bytes(4, "big")].book_fen == 22_90
    assert university.accounts[(10086).to_bytes(4, "big")].book_fen == 28_40


@pytest.mark.parametrize(
    "command",
    [
        {"do": "amount", "fen": 0},
        {"do": "amount", "fen": 1.5},
        {"do": "amount", "fen": True},
        {"do": "amount", "fen": 10_000_001},
        {"do": "amount"},
        {"do": "tap", "card": "../10086"},
        {"do": "tap", "card": "10086", "leave_after": -1},
        {"do": "keys", "keys": "１２３"},
        {"do": "network", "up": 1},
        {"do": "wait", "seconds": -1},
        {"do": "dance"},
        [],
        "quit",
    ],
)
def test_commands_that_make_no_sense_are_answered_with_an_error(station, command):
    events = played(station, command)

    assert [event["event"] for event in events if event["event"] != "display"] == ["error"]


def test_tap_to_sound_takes_less_than_half_a_second(station, university, wallet):
    """screens.md 6.8, assertion 6, with the times of a real radio field."""
    issue(university, wallet, 10086, 100_00, limit_fen=600_00)
    station.reader.field.latency = RADIO
    university.policy = Policy(double_tap=Policy().double_tap * 0)
    heard = []
    station.listen(lambda event: heard.append(time.monotonic()) if isinstance(event, Sounds) else None)
    station.start()
    took = []

    for fen in range(1, 21):
        station.do(lambda till, fen=fen: till.amount(fen))
        start = time.monotonic()
        station.reader.place("10086")
        while len(heard) < fen and time.monotonic() < start + 5:
            time.sleep(0.001)
        took.append(heard[-1] - start)
        station.reader.lift()
        while station.till.card_must_leave:
            time.sleep(0.001)

    took.sort()
    print(f"tap to sound: median {took[10] * 1000:.0f} ms, slowest {took[-1] * 1000:.0f} ms")
    assert took[10] < 0.5


def test_two_programs_cannot_share_a_journal(tmp_path, config_path, served):
    config = configuration.load(config_path)
    first = Parts.assemble(config, served.url, lambda: Store(tmp_path / "till.journal"))

    second = Parts.assemble(config, served.url, lambda: Store(tmp_path / "till.journal"))

    assert (first.problem, "locked" in second.problem) == ("", True)
    second.close()
    first.close()


def test_the_kiosk_says_that_it_comes_later(capsys):
    code = program.main(["kiosk", "--server", "http://127.0.0.1:1", "--config", "none.json"])

    assert code == 2
    assert "later release" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--server", "http://10.0.0.1"], "https only"),
        (["--server", "ftp://127.0.0.1"], "not the address"),
        (["--reader", "usb:1"], "sim:DIR or pcsc:NAME"),
        (["--config", "/nowhere/till.json"], "--enrol"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(config_path, capsys, arguments, says):
    usual = ["--server", "http://127.0.0.1:1", "--config", str(config_path), "--reader", "sim:x"]

    code = program.main(["till", *usual, *arguments])

    assert code == 1
    assert says in capsys.readouterr().err


def test_the_program_runs_and_ends_by_itself(served, university, wallet, config_path):
    issue(university, wallet, 10086, 28_40)
    commands = [{"do": "amount", "fen": 550}, {"do": "tap", "card": "10086"}, {"do": "quit"}]
    call = [
        sys.executable,
        "-m",
        "terminals.device",
        "till",
        "--server",
        served.url,
        "--config",
        str(config_path),
    ]

    done = subprocess.run(
        [*call, "--reader", f"sim:{wallet}", "--console", "json"],
        input="\n".join(json.dumps(command) for command in commands),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert results(json.loads(line) for line in done.stdout.splitlines()) == [("paid", None)]
    assert done.stderr == ""


# -------------------------------------------------------------------------------------------------------- page


@pytest.fixture
def page(station):
    page = Page(station, "127.0.0.1:0")
    station.start()
    page.start()
    yield page
    page.stop()


def asked(page, method, path, *, body=None, **headers):
    connection = http.client.HTTPConnection(urlsplit(page.url).netloc, timeout=5)
    connection.request(method, path, body and json.dumps(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def test_the_page_has_no_inline_code_and_a_strict_policy(page):
    answer, content = asked(page, "GET", "/")

    assert answer.status == 200
    assert (
        "default-src 'none'; script-src 'self'; style-src 'self'" in answer.headers["Content-Security-Policy"]
    )
    assert b"style=" not in content
    assert b"<script>" not in content
    assert b"http://" not in content
    assert page.token.encode() in content


def test_the_page_takes_commands(page, university, wallet):
    issue(university, wallet, 10086, 28_40)
    token = {"Till-Token": page.token, "Content-Type": "application/json"}

    amount, _ = asked(page, "POST", "/do", body={"do": "amount", "fen": 550}, **token)
    tap, _ = asked(page, "POST", "/do", body={"do": "tap", "card": "10086"}, **token)
    wrong, content = asked(page, "POST", "/do", body={"do": "dance"}, **token)

    assert (amount.status, tap.status, wrong.status) == (200, 200, 400)
    assert "dance" in json.loads(content)["error"]
    assert university.accounts[(10086).to_bytes(4, "big")].book_fen == 22_90


@pytest.mark.parametrize(
    "headers",
    [{}, {"Till-Token": "x"}, {"Origin": "http://evil.example"}, {"Host": "evil.example"}],
    ids=["no token", "wrong token", "other origin", "other host"],
)
def test_the_page_takes_no_commands_from_strangers(page, headers):
    headers = {"Till-Token": page.token, **headers} if "Origin" in headers or "Host" in headers else headers

    answer, _ = asked(page, "POST", "/do", body={"do": "amount", "fen": 550}, **headers)

    assert answer.status == 403
    assert page.station.till.phase.value == "idle"


def test_the_page_tells_what_happens(page):
    connection = http.client.HTTPConnection(urlsplit(page.url).netloc, timeout=5)
    connection.request("GET", "/events")
    stream = connection.getresponse()

    def event():
        line = stream.readline()
        stream.readline()
        return json.loads(line.removeprefix(b"data: "))

    first, _ = event(), event()
    page.station.do(lambda till: till.amount(550))
    shown = event()

    assert (first["event"], first["name"]["zh"], first["sim"], first["online"]) == (
        "state",
        "7号",
        True,
        True,
    )
    assert (shown["led"], shown["line1"]["en"]) == ("  5.50", "To pay 5.50")
    connection.close()


@pytest.mark.parametrize("place", ["0.0.0.0:8000", "example.org:80", "127.0.0.1:x"])
def test_the_page_stays_on_this_machine(station, place):
    with pytest.raises(ValueError, match="this machine"):
        Page(station, place)
