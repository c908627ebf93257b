"""Signatures of the terminal API, against fixed vectors, an independent reckoning and changed bytes."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminals.messages import signing
from terminals.messages.signing import Request, SignatureError, Stamp, TerminalKeys

MASTER = bytes(range(32))
REQUEST = Request("POST", "card.example.edu", "/api/terminal/v1/heartbeat", b'{"unsent":0}')
STAMP = Stamp(terminal=7, epoch=1, boot=1767225600000, seq=1, at_ms=1767225601000, nonce=bytes(range(16)))


@pytest.fixture
def keys() -> TerminalKeys:
    return TerminalKeys.derive(MASTER, 7, 1)


def hkdf(key: bytes, info: bytes) -> bytes:
    """RFC 5869 for one block, written out from the RFC."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def test_keys_are_hkdf_of_the_master_for_terminal_and_epoch() -> None:
    """K_term = HKDF-SHA256(MASTER[epoch], "ecard/terminal/v1"|terminal_id|epoch) (security.md section 5)."""
    secret = signing.terminal_secret(MASTER, 7, 1)

    found = TerminalKeys.from_secret(secret)

    assert secret == hkdf(MASTER, b"ecard/terminal/v1" + bytes.fromhex("0000000700000001"))
    assert found == TerminalKeys.derive(MASTER, 7, 1)
    assert found.req == hkdf(secret, b"ecard/terminal/v1/req")
    assert len({found.req, found.resp, found.jrnl, found.hot, found.seal}) == 5


def test_another_terminal_or_epoch_has_other_keys(keys: TerminalKeys) -> None:
    others = [TerminalKeys.derive(MASTER, 8, 1), TerminalKeys.derive(MASTER, 7, 2)]

    assert all(other.req != keys.req for other in others)


def test_the_request_is_signed_as_the_protocol_document_spells_it(keys: TerminalKeys) -> None:
    parts = [
        b"1", b"POST", b"card.example.edu", b"/api/terminal/v1/heartbeat", b"7", b"1", b"1767225600000", b"1",
        b"1767225601000", bytes(range(16)), hashlib.sha256(b'{"unsent":0}').digest(),
    ]  # fmt: skip
    text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)

    header = signing.sign_request(keys, REQUEST, STAMP)

    assert header == (
        "ECARD-HMAC-SHA256 terminal=7,epoch=1,boot=1767225600000,seq=1,at=1767225601000,"
        f"nonce=000102030405060708090a0b0c0d0e0f,mac={hmac.digest(keys.req, text, 'sha256').hex()}"
    )


def test_a_signed_request_verifies(keys: TerminalKeys) -> None:
    stamp, mac = signing.parse_authorization(signing.sign_request(keys, REQUEST, STAMP))

    signing.verify_request(keys, REQUEST, stamp, mac)

    assert stamp == STAMP


@pytest.mark.parametrize(
    "changed",
    [
        replace(REQUEST, method="GET"),
        replace(REQUEST, host="other.example.edu"),
        replace(REQUEST, target="/api/terminal/v1/debit"),
        replace(REQUEST, target="/api/terminal/v1/heartbeat?x"),
        replace(REQUEST, body=b'{"unsent":1}'),
        replace(REQUEST, host="card.example.edu/api", target="/terminal/v1/heartbeat"),
    ],
)
def test_a_changed_request_does_not_verify(keys: TerminalKeys, changed: Request) -> None:
    stamp, mac = signing.parse_authorization(signing.sign_request(keys, REQUEST, STAMP))

    with pytest.raises(SignatureError):
        signing.verify_request(keys, changed, stamp, mac)


@given(field=st.sampled_from(["terminal", "epoch", "boot", "seq", "at_ms"]), step=st.integers(1, 10**6))
def test_a_changed_stamp_does_not_verify(field: str, step: int) -> None:
    keys = TerminalKeys.derive(MASTER, 7, 1)
    stamp, mac = signing.parse_authorization(signing.sign_request(keys, REQUEST, STAMP))

    changed = replace(stamp, **{field: getattr(stamp, field) + step})

    with pytest.raises(SignatureError):
        signing.verify_request(keys, REQUEST, changed, mac)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic dXNlcjpwYXNz",
        "ECARD-HMAC-SHA256 ",
        signing.sign_request(TerminalKeys.derive(MASTER, 7, 1), REQUEST, STAMP) + "\n",
        signing.sign_request(TerminalKeys.derive(MASTER, 7, 1), REQUEST, STAMP).replace(
            "terminal=7", "terminal=07"
        ),
        signing.sign_request(TerminalKeys.derive(MASTER, 7, 1), REQUEST, STAMP).replace(
            "terminal=7", "terminal=٧"
        ),
        signing.sign_request(TerminalKeys.derive(MASTER, 7, 1), REQUEST, STAMP).replace(
            "seq=1", f"seq={2**53}"
        ),
        signing.sign_request(TerminalKeys.derive(MASTER, 7, 1), REQUEST, STAMP).replace(
            "terminal=7", f"terminal={2**32}"
        ),
        signing.sign_request(TerminalKeys.derive(MASTER, 7, 1), REQUEST, STAMP).upper(),
    ],
)
def test_any_other_header_is_no_signature(header: str) -> None:
    with pytest.raises(SignatureError):
        signing.parse_authorization(header)


def test_the_answer_is_bound_to_its_request_status_and_body(keys: TerminalKeys) -> None:
    header = signing.sign_response(keys, nonce=STAMP.nonce, status=200, body=b"{}", at_ms=1767225601500)

    assert signing.verify_response(keys, header, nonce=STAMP.nonce, status=200, body=b"{}") == 1767225601500
    for nonce, status, body in [
        (bytes(16), 200, b"{}"),
        (STAMP.nonce, 201, b"{}"),
        (STAMP.nonce, 200, b"{ }"),
    ]:
        with pytest.raises(SignatureError):
            signing.verify_response(keys, header, nonce=nonce, status=status, body=body)
    with pytest.raises(SignatureError):
        signing.verify_response(
            keys, header.replace("500,", "501,"), nonce=STAMP.nonce, status=200, body=b"{}"
        )
    with pytest.raises(SignatureError):
        signing.verify_response(keys, "", nonce=STAMP.nonce, status=200, body=b"{}")


def test_the_two_directions_have_keys_of_their_own(keys: TerminalKeys) -> None:
    assert keys.req != keys.resp


def test_a_document_mac_covers_everything_but_itself(keys: TerminalKeys) -> None:
    record = {"seq": 3, "fen": 550, "prev_mac": signing.NO_RECORD_MAC, "place": "二餐"}
    signed = record | {"mac": signing.document_mac(keys.jrnl, record)}

    expected = hmac.digest(
        keys.jrnl,
        json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(),
        "sha256",
    )

    assert signed["mac"] == expected.hex()
    assert signing.document_genuine(keys.jrnl, signed)
    assert not signing.document_genuine(keys.jrnl, signed | {"fen": 551})
    assert not signing.document_genuine(keys.jrnl, record)
    assert not signing.document_genuine(keys.jrnl, signed | {"mac": "é\udc80"})


def test_a_lent_card_key_opens_only_for_its_card_sector_operation_and_terminal(keys: TerminalKeys) -> None:
    use = {
        "uid": bytes.fromhex("04a1b2c3"),
        "sector": 3,
        "operation": signing.operation_text(7, "ab" * 16, 5),
    }
    sealed = signing.seal(keys.seal, **use, sector_key=b"secret", nonce=bytes(12))

    assert signing.unseal(keys.seal, **use, sealed=sealed) == b"secret"
    assert b"secret".hex() not in sealed
    wrong = [
        use | {"uid": bytes.fromhex("04a1b2c4")},
        use | {"sector": 2},
        use | {"operation": signing.operation_text(7, "ab" * 16, 6)},
    ]
    for other in wrong:
        with pytest.raises(SignatureError):
            signing.unseal(keys.seal, **other, sealed=sealed)
    with pytest.raises(SignatureError):
        signing.unseal(TerminalKeys.derive(MASTER, 8, 1).seal, **use, sealed=sealed)
    for broken in ("", "zz", sealed[:-2], sealed[:20]):
        with pytest.raises(SignatureError):
            signing.unseal(keys.seal, **use, sealed=broken)


def test_the_boot_number_goes_up_even_when_the_clock_goes_back() -> None:
    assert signing.next_boot(0, 1000) == 1000
    assert signing.next_boot(1000, 1000) == 1001
    assert signing.next_boot(1000, 5) == 1001


def test_no_key_shows_in_a_repr(keys: TerminalKeys) -> None:
    assert repr(keys) == "TerminalKeys()"
    assert "unsent" not in repr(REQUEST)
