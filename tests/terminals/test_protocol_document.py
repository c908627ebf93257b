"""docs/terminal-protocol.md says what the programs do: its examples are messages, its vector is computed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from terminals.messages import jobs, records, signing, strictjson, upkeep, wire
from terminals.messages.signing import Request, TerminalKeys

TEXT = (Path(__file__).parents[2] / "docs" / "terminal-protocol.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json (\w+)\n(.*?)```", TEXT, re.DOTALL)
SHAPES = {name: shape for module in (wire, upkeep, records, jobs) for name, shape in vars(module).items()}
KEYS = TerminalKeys.derive(bytes(range(32)), 7, 1)


@pytest.mark.parametrize(("name", "text"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_every_example_is_a_message_of_its_shape(name, text):
    message = strictjson.loads(text.encode())

    assert SHAPES[name].parse(message).to_json() == message


def test_every_message_has_an_example():
    shapes = {name for name in SHAPES if name.endswith(("Request", "Answer"))}

    assert shapes - {"UploadRequest", "RecordAnswer"} == {name for name, _ in EXAMPLES} - {"Record"}


def test_the_vector_is_what_the_program_computes():
    header = re.search(r"Authorization: (ECARD.*)", TEXT)[1]
    stamp, mac = signing.parse_authorization(header)
    request = Request("POST", "card.example.edu", "/api/terminal/v1/heartbeat", b'{"unsent":0}')

    signing.verify_request(KEYS, request, stamp, mac)
    told = re.search(r"Ecard-Response: (at=.*)", TEXT)[1]
    assert signing.verify_response(KEYS, told, nonce=stamp.nonce, status=200, body=b"{}") == 1767225601500
    for name in ("req", "resp", "jrnl", "hot", "seal"):
        assert f"| `{name}` | `{getattr(KEYS, name).hex()}` |" in TEXT
    assert signing.terminal_secret(bytes(range(32)), 7, 1).hex() in TEXT


def test_the_signed_text_is_spelt_byte_by_byte(monkeypatch):
    block = re.search(r"The signed text.*?```\n(.*?)```", TEXT, re.DOTALL)[1]
    spelt = bytes.fromhex("".join("".join(line.split()[:2]) for line in block.splitlines()))
    seen = []
    monkeypatch.setattr(signing.hmac, "digest", lambda key, text, name: seen.append(text) or b"")
    stamp, _ = signing.parse_authorization(re.search(r"Authorization: (ECARD.*)", TEXT)[1])

    request = Request("POST", "card.example.edu", "/api/terminal/v1/heartbeat", b'{"unsent":0}')
    signing.sign_request(KEYS, request, stamp)

    assert seen == [spelt]
    assert len(spelt) == 168


def test_the_record_of_the_document_is_signed():
    record = json.loads(dict(EXAMPLES)["Record"])

    assert signing.document_genuine(KEYS.jrnl, record)
