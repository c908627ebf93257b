"""What no terminal of ours would send: a clear answer that names the field, 4xx, no row, never a 500.

Numbers are those of reliability.md section 7.
"""

from __future__ import annotations

import gzip
import json

import pytest

from terminals.messages import signing, strictjson
from terminals.messages.signing import Request
from terminals.models import SecurityEvent, UploadedRecord
from tests.terminals.conftest import HOST, PREFIX
from transactions.models import Answer, Entry

pytestmark = pytest.mark.django_db(transaction=True)

CARD = {
    "uid": "a0000001",
    "ident": "00" * 16,
    "spend": ["00" * 16, "00" * 16],
    "load": ["00" * 16, "00" * 16],
    "ring": [],
}
DEBIT = {
    "journal": "ab" * 16,
    "seq": 1,
    "card": CARD,
    "fen": 550,
    "at_ms": 1_800_000_000_000,
    "pin": None,
    "outcomes": [],
}


def nothing_happened():
    return not (Entry.objects.exists() or Answer.objects.exists() or UploadedRecord.objects.exists())


def signed_bytes(box, call, body, *, method="POST", path=None, **extra):
    """Genuine signature, whatever the content."""
    stamp = box.stamp()
    request = Request(method, HOST, path or PREFIX + call, body)
    header = signing.sign_request(box.keys, request, stamp)
    return box.send(call, body, header, stamp.nonce, method=method, **extra)


@pytest.mark.parametrize("size", [256 * 1024 + 1, 3_000_000])
def test_80_a_body_of_more_than_256_kib_is_too_large(box, size):
    reply = signed_bytes(box, "heartbeat", b" " * size)

    assert (reply.status, reply.body["error"], reply.body["field"]) == (413, "too_large", "body")


def test_80_a_body_of_256_kib_is_read(box):
    body = b"{" + b" " * (256 * 1024 - 2) + b"}"

    assert signed_bytes(box, "heartbeat", body).body["error"] == "malformed"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(b"[" * 100_000, "body", id="81 depth 100,000"),
        pytest.param(b'{"seq":' + b"9" * 5_000 + b"}", "body", id="82 integer of 5,000 digits"),
        pytest.param(b"null", "body", id="null"),
        pytest.param(b"[]", "body", id="list"),
        pytest.param(b'{"a":1,"a":1}', "a", id="16 duplicate key"),
        pytest.param(b'{"a":NaN}', "body", id="17 NaN"),
        pytest.param(b'{"a":1e400}', "body", id="17 1e400"),
        pytest.param(b'{"a":1.0}', "body", id="15 float"),
        pytest.param(b"\xff\xfe{}", "body", id="91 broken UTF-8"),
        pytest.param(b'{"\xc0\xaf":1}', "body", id="91 overlong UTF-8"),
        pytest.param(b'{"\\ud800":1}', None, id="45 lone surrogate in a name"),
        pytest.param(b'{"\\u0000":1}', None, id="44 NUL in a name"),
        pytest.param(b"{}", "pin", id="nothing in it"),
        pytest.param(json.dumps({f"f{n}": n for n in range(1_001)}).encode(), None, id="90 1,001 fields"),
        pytest.param(b"\x1f\x8b" + b"\x00" * 20, "body", id="84 gzip bytes without saying so"),
    ],
)
def test_content_that_is_not_a_message_names_its_field(box, body, field):
    reply = signed_bytes(box, "debit", body)

    assert (reply.status, reply.body["error"], reply.signed) == (400, "malformed", True)
    assert field is None or reply.body["field"] == field
    assert reply.body["message"].isprintable()
    assert nothing_happened()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"fen": 0}, "fen"),
        ({"fen": -1}, "fen"),
        ({"fen": True}, "fen"),
        ({"fen": "100"}, "fen"),
        ({"fen": None}, "fen"),
        ({"fen": []}, "fen"),
        ({"fen": {}}, "fen"),
        ({"fen": 10_000_001}, "fen"),
        ({"journal": "AB" * 16}, "journal"),
        ({"journal": "ab" * 15}, "journal"),
        ({"journal": "ab" * 300}, "journal"),
        ({"journal": ""}, "journal"),
        ({"journal": None}, "journal"),
        ({"seq": 0}, "seq"),
        ({"seq": 2**53 + 1}, "seq"),
        ({"at_ms": -1}, "at_ms"),
        ({"pin": "12345"}, "pin"),
        ({"pin": "123456\n"}, "pin"),
        ({"pin": "１２３４５６"}, "pin"),
        ({"pin": 123456}, "pin"),
        ({"card": None}, "card"),
        ({"card": {**CARD, "uid": "a0"}}, "uid"),
        ({"card": {**CARD, "spend": ["00" * 16]}}, "spend"),
        ({"card": {**CARD, "ring": ["00" * 16] * 5}}, "ring"),
        ({"card": {**CARD, "extra": 1}}, "extra"),
        ({"outcomes": [{}]}, "outcome"),
        ({"outcomes": [{"journal": "ab" * 16, "seq": 1, "outcome": "perhaps"}]}, "outcome"),
        ({"outcomes": [{"journal": "ab" * 16, "seq": 1, "outcome": "written"}] * 51}, "outcomes"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_field_of_a_debit_that_is_out_of_shape_is_named(box, changed, field):
    reply = box.call("debit", {**DEBIT, **changed})

    assert (reply.status, reply.body["field"], reply.body["money_moved"]) == (400, field, False)
    assert reply.signed
    assert nothing_happened()


@pytest.mark.parametrize("missing", sorted(DEBIT))
def test_a_missing_field_of_a_debit_is_named(box, missing):
    message = {name: value for name, value in DEBIT.items() if name != missing}

    reply = box.call("debit", message)

    assert (reply.status, reply.body["field"]) == (400, missing)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "text/json", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"],
)
def test_83_content_must_be_json(box, content_type):
    reply = signed_bytes(box, "heartbeat", b"{}", CONTENT_TYPE=content_type)

    assert (reply.status, reply.body["error"]) == (415, "not_json")


def test_84_compressed_content_is_refused_unread(box):
    body = gzip.compress(b"0" * 50_000_000)

    reply = signed_bytes(box, "heartbeat", body, HTTP_CONTENT_ENCODING="gzip")

    assert (reply.status, reply.body["error"]) == (415, "encoded")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("call", ["heartbeat", "enrol"])
def test_85_only_post_is_answered(box, method, call):
    reply = box.send(call, b"", "", method=method)

    assert (reply.status, reply.raw.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("host", ["evil.example", "testserver:99999x", "a b"])
def test_87_another_host_is_refused(box, host):
    body = strictjson.dumps({})
    stamp = box.stamp()
    header = signing.sign_request(box.keys, Request("POST", host, PREFIX + "heartbeat", body), stamp)

    reply = box.send("heartbeat", body, header, stamp.nonce, HTTP_HOST=host)

    assert (reply.status, reply.body["field"]) == (400, "Host")


def test_88_forwarded_headers_that_anybody_can_write_change_nothing(box):
    forged = {
        "HTTP_X_FORWARDED_FOR": "127.0.0.1",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_HOST": "evil.example",
        "HTTP_X_REAL_IP": "127.0.0.1",
    }

    reply = signed_bytes(
        box, "sighting", strictjson.dumps({"card": CARD, "at_ms": 1, "outcomes": []}), **forged
    )

    assert (reply.status, reply.body["refusal"], reply.signed) == (200, "foreign_card", True)


def test_an_address_that_does_not_exist_is_not_found(box):
    assert signed_bytes(box, "nonsense", b"{}").status == 404
    assert signed_bytes(box, "debit/", b"{}").status == 404


def test_91_broken_utf8_in_the_query_does_no_harm(box):
    assert box.send("heartbeat", b"{}", "", QUERY_STRING="a=%ff%fe").status == 401


@pytest.mark.parametrize("code", ["", "x" * 60, "0000-0000", "你好", "a\u202eb", "' OR 1=1 --"])
def test_a_code_that_is_none_is_refused(box, code):
    from django.test import Client

    found = Client().post(PREFIX + "enrol", {"code": code}, content_type="application/json")

    assert found.status_code in {400, 403}
    assert found.json()["field"] == "code"
    assert SecurityEvent.objects.filter(kind__startswith="code").count() == 0
