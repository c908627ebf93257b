"""A log line is one JSON object, and no secret is in it."""

from __future__ import annotations

import io
import json
import logging

import pytest

from ecard.logs import JsonLines


@pytest.fixture
def log():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("tests.house.logs")
    logger.addHandler(handler)
    logger.propagate = False
    yield logger, lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)


def test_a_line_says_when_what_and_its_fields(log):
    logger, lines = log

    logger.warning("loss_reported", extra={"account_no": "10086", "channel": "web"})

    (line,) = lines()
    assert line["event"] == "loss_reported"
    assert line["account_no"] == "10086"
    assert line["at"].endswith("+08:00")
    assert line["level"] == "warning"


@pytest.mark.parametrize(
    "name",
    [
        "pin",
        "pin_new",
        "pin_block",
        "password",
        "new_password",
        "session_cookie",
        "access_token",
        "signature",
        "index_key",
    ],
)
def test_a_field_named_like_a_secret_is_left_out_however_deep(log, name):
    logger, lines = log

    logger.warning(
        "x", extra={name: "170114", "form": {name: "170114", "amount_fen": 550}, "list": [{name: "170114"}]}
    )

    (line,) = lines()
    assert "170114" not in json.dumps(line)
    assert line["form"] == {"amount_fen": 550}


@pytest.mark.parametrize("name", ["account_no", "keyword", "operation_keyed", "machine", "spinning_fen"])
def test_a_field_with_a_harmless_name_stays(log, name):
    logger, lines = log

    logger.warning("x", extra={name: "seen"})

    assert lines()[0][name] == "seen"


def test_a_line_break_cannot_forge_a_second_line(log):
    logger, lines = log

    logger.warning("typed: %s", 'x\r\n{"event": "forged"}')

    assert len(lines()) == 1


def test_a_fault_carries_its_traceback(log):
    logger, lines = log

    try:
        raise ValueError("planted")
    except ValueError:
        logger.exception("broke")

    assert "ValueError: planted" in lines()[0]["traceback"]
