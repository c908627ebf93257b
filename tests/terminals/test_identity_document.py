"""docs/identity-api.md says what the program does: its client runs, its examples are messages, its vector holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from accounts.rights import Denial
from terminals.messages import identity, signing, strictjson
from terminals.messages.signing import Request, TerminalKeys
from terminals.models import ASKABLE
from tests.terminals.conftest import HOST, KEYRING, server  # noqa: F401 - a fixture

TEXT = (Path(__file__).parents[2] / "docs" / "identity-api.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```json (\w+)\n(.*?)```", TEXT, re.DOTALL))
SECRET = signing.partner_secret(bytes(range(32)), 7, 1)
TOKEN = f"7.1.{SECRET.hex()}"
BODY = strictjson.dumps(json.loads(EXAMPLES["IdentityRequest"]))


def client() -> dict:
    """The functions of the document."""
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)[1], names)
    return names


def test_the_vector_is_what_both_programs_compute():
    keys = TerminalKeys.from_secret(SECRET)
    told = re.search(r"Authorization: (ECARD.*)", TEXT)[1]
    stamp, mac = signing.parse_partner_authorization(told)

    signing.verify_partner_request(
        keys, Request("POST", "card.example.edu", "/api/v1/identity", BODY), stamp, mac
    )
    for name, value in (("secret", SECRET), ("`req`", keys.req), ("`resp`", keys.resp)):
        assert f"| {name} | `{value.hex()}` |" in TEXT
    made = client()["header"](
        TOKEN, "POST", "card.example.edu", "/api/v1/identity", BODY, stamp.at_ms, stamp.nonce
    )
    assert made == told


def test_the_examples_are_messages():
    question = json.loads(EXAMPLES["IdentityRequest"])
    assert identity.IdentityRequest.parse(question).to_json() == question
    answer = json.loads(EXAMPLES["IdentityAnswer"])
    assert identity.IdentityAnswer(**answer).to_json() == answer
    listed = json.loads(EXAMPLES["DeniedAnswer"])
    entries = tuple(tuple(entry) for entry in listed.pop("entries"))
    assert identity.DeniedAnswer(**listed, entries=entries).to_json() == json.loads(EXAMPLES["DeniedAnswer"])


def test_every_reason_and_service_is_in_the_document():
    assert re.findall(
        r"^\| `(\w+)` \| (?!.*null)", TEXT.split("| reason |")[1].split("##")[0], re.MULTILINE
    ) == [denial.value for denial in Denial]
    assert all(f"`{service.value}`" in TEXT for service in ASKABLE)


@pytest.mark.django_db
def test_the_documents_client_is_understood_and_understands(server, monkeypatch):  # noqa: F811
    from django.test import Client

    from tests.campus import make_person
    from tests.terminals.asker import make_partner

    monkeypatch.setattr("terminals.api.identity.present", lambda: server.now)
    partner, person, names = make_partner(), make_person(0), client()
    token = f"{partner.pk}.1.{KEYRING.partner_secret(partner.pk, 1).hex()}"
    question = {
        "service": "bus",
        "campus": None,
        "by": "uid",
        "value": person.plastic.uid.hex(),
        "ident": None,
    }
    body, nonce = json.dumps(question).encode(), b"n" * 16
    signed = names["header"](token, "POST", HOST, "/api/v1/identity", body, server.now_ms, nonce)

    answer = Client().post("/api/v1/identity", body, "application/json", headers={"Authorization": signed})

    assert (answer.status_code, answer.json()["allowed"]) == (200, True)
    told = answer.headers["Ecard-Response"]
    assert names["genuine"](token, told, nonce, 200, answer.content)
    for forged in ((b"m" * 16, 200, answer.content), (nonce, 201, answer.content), (nonce, 200, b"{}")):
        assert not names["genuine"](token, told, *forged)
