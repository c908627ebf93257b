"""Who may speak to the server, and what happens to everything else (security.md section 5, B9, B14)."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from django.db import OperationalError, connection
from django.test import Client

from terminals.messages import signing, strictjson
from terminals.messages.signing import NO_RECORD_MAC, Request
from terminals.models import SecurityEvent, SecurityEventKind, TerminalContact
from terminals.services import contact, enrolment, heartbeat
from tests import faults
from tests.terminals.conftest import ACTOR, HOST, KEYRING, PREFIX, make_box

pytestmark = pytest.mark.django_db(transaction=True)

HEARTBEAT = {
    "journal": "ab" * 16,
    "journal_seq": 0,
    "journal_mac": NO_RECORD_MAC,
    "unsent": 3,
    "hotlist_version": 0,
    "offset_ms": -20,
    "free_mb": 900,
}


def events(kind):
    return SecurityEvent.objects.filter(kind=kind).count()


def test_a_signed_request_is_answered_with_a_signed_answer(box, server):
    reply = box.call("heartbeat", HEARTBEAT)

    assert (reply.status, reply.signed, reply.at_ms) == (200, True, server.now_ms)
    assert reply.body["policy"]["default_limit_fen"] == 50_00
    known = TerminalContact.objects.get(terminal_id=box.id)
    assert (known.boot, known.last_seq, known.unsent, known.offset_ms) == (1, 1, 3, -20)
    assert known.last_contact_at == known.heartbeat_at == server.now


def test_three_hundred_requests_with_one_signed_thing_changed_have_no_effect(box):
    """B14: 300 mutated requests: each signed field changed once -> 401, 0 effects."""
    body = strictjson.dumps(HEARTBEAT)
    stamp = box.stamp()
    header = signing.sign_request(box.keys, Request("POST", HOST, PREFIX + "heartbeat", body), stamp)
    before = TerminalContact.objects.values().get(terminal_id=box.id)
    cases = list(mutations(header, body, stamp))

    wrong = []
    for call, sent_body, sent_header, extra in cases:
        reply = box.send(call, sent_body, sent_header, stamp.nonce, **extra)
        if reply.status != 401 or reply.body["money_moved"] is not False:
            wrong.append((call, sent_header, reply))
    after = TerminalContact.objects.values().get(terminal_id=box.id)
    faults.report("SIGNED_REQUEST_MUTATED", len(cases), len(wrong) + (before != after))

    assert len(cases) >= 300
    assert wrong == []
    assert before == after
    assert box.send("heartbeat", body, header, stamp.nonce).status == 200


def mutations(header, body, stamp):
    """Every hex digit of MAC and nonce, every byte of the body, every number, path, host and scheme."""
    for place in range(len(body)):
        yield "heartbeat", body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :], header, {}
    for name in ("nonce", "mac"):
        start = header.index(f"{name}=") + len(name) + 1
        for place in range(start, start + (32 if name == "nonce" else 64)):
            other = f"{int(header[place], 16) ^ 1:x}"
            yield "heartbeat", body, header[:place] + other + header[place + 1 :], {}
    numbers = (stamp.terminal, stamp.epoch, stamp.boot, stamp.seq, stamp.at_ms)
    for name, number in zip(("terminal", "epoch", "boot", "seq", "at"), numbers, strict=True):
        for step in (1, 2, 7, 100, 1000):
            yield "heartbeat", body, header.replace(f"{name}={number},", f"{name}={number + step},"), {}
    for call in ("debit", "void", "sighting", "outcomes", "upload", "hotlist"):
        yield call, body, header, {}
    yield "heartbeat", body, header, {"HTTP_HOST": "localhost"}
    yield "heartbeat", body, header, {"QUERY_STRING": "a=1"}
    yield "heartbeat", b"{}", header, {}
    yield "heartbeat", body + b" ", header, {}
    yield "heartbeat", body, header.lower(), {}
    yield "heartbeat", body, "", {}
    yield "heartbeat", body, "Bearer " + header, {}


def test_the_same_request_is_heard_once(box):
    body = strictjson.dumps(HEARTBEAT)
    stamp = box.stamp()
    header = signing.sign_request(box.keys, Request("POST", HOST, PREFIX + "heartbeat", body), stamp)
    assert box.send("heartbeat", body, header, stamp.nonce).status == 200

    again = box.send("heartbeat", body, header, stamp.nonce)

    assert (again.status, again.body["error"], again.body["retry"]) == (401, "replay", True)
    assert (again.signed, again.body["last_boot"]) == (True, 1)
    assert events(SecurityEventKind.REPLAY) == 1


@pytest.mark.parametrize(
    ("boot", "seq", "status"),
    [(5, 9, 401), (5, 10, 401), (5, 11, 200), (4, 99, 401), (6, 1, 200)],
    ids=["earlier", "same", "next", "earlier boot", "next boot"],
)
def test_boot_and_sequence_only_ever_go_up(box, boot, seq, status):
    assert box.call("heartbeat", HEARTBEAT, boot=5, seq=10).status == 200

    assert box.call("heartbeat", HEARTBEAT, boot=boot, seq=seq).status == status


def test_of_two_workers_that_get_the_same_request_one_hears_it(box, server):
    found, start = [], threading.Barrier(4)

    def hear():
        start.wait()
        try:
            found.append(contact.advance(contact.Contact(box.id, 1, 50, server.now)))
        finally:
            connection.close()

    threads = [threading.Thread(target=hear) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == [False, False, False, True]


@pytest.mark.parametrize(
    ("skew_ms", "status"),
    [
        (-121_000, 401),
        (-120_001, 401),
        (-120_000, 200),
        (0, 200),
        (120_000, 200),
        (120_001, 401),
        (121_000, 401),
    ],
)
def test_a_clock_may_be_two_minutes_off_and_no_more(box, server, skew_ms, status):
    reply = box.call("heartbeat", HEARTBEAT, at_ms=server.now_ms + skew_ms)

    assert reply.status == status
    assert (reply.signed, reply.at_ms) == (True, server.now_ms), "the signed answer heals the clock"
    assert events(SecurityEventKind.CLOCK_WRONG) == (status == 401)


def test_a_revocation_holds_within_a_second(box, server):
    assert box.call("heartbeat", HEARTBEAT).status == 200
    enrolment.revoke(box.id, actor=ACTOR, now=server.now, reason="被盗")

    server.pass_time(seconds=1)
    reply = box.call("heartbeat", HEARTBEAT)

    assert (reply.status, reply.body["error"], reply.signed) == (403, "revoked", True)
    assert events(SecurityEventKind.REVOKED_CALL) == 1
    assert enrolment.revoke(box.id, actor=ACTOR, now=server.now, reason="被盗") is False


def test_a_worker_reads_the_terminals_once_a_second_and_not_for_each_request(
    box, server, django_assert_num_queries
):
    box.call("sighting", {})
    stamp = box.stamp()

    with django_assert_num_queries(0):
        for _ in range(5):
            server.registry.find(stamp.terminal, 1, monotonic_s=server.now.timestamp())


@pytest.mark.parametrize(("age_s", "waits"), [(0.99, False), (1.0, True)])
def test_while_another_request_reads_the_terminals_a_list_older_than_a_second_is_not_used(
    box, server, age_s, waits
):
    """B9: revoke: API 403 in <= 1 s, however long the reading takes."""
    read_at_s = server.now.timestamp()
    server.registry.find(box.id, 1, monotonic_s=read_at_s)
    found = []

    def find():
        try:
            found.append(server.registry.find(box.id, 1, monotonic_s=read_at_s + age_s))
        finally:
            connection.close()

    with server.registry._reading:
        thread = threading.Thread(target=find)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive() == waits
    thread.join()
    assert found[0].id == box.id


def test_an_unknown_terminal_is_told_nothing_and_signed_nothing(box):
    body = strictjson.dumps(HEARTBEAT)
    keys = signing.TerminalKeys.derive(b"x" * 32, 999, 1)
    stamp = box.stamp(terminal=999)
    header = signing.sign_request(keys, Request("POST", HOST, PREFIX + "heartbeat", body), stamp)

    reply = box.send("heartbeat", body, header, stamp.nonce)

    assert (reply.status, reply.body["error"], reply.signed) == (401, "unauthorized", False)
    assert signing.RESPONSE_HEADER not in reply.raw.headers


@pytest.mark.parametrize("epoch", [0, 2, 3])
def test_keys_of_another_epoch_open_nothing(box, epoch):
    keys = KEYRING.current(box.id, epoch)
    body = strictjson.dumps(HEARTBEAT)
    stamp = box.stamp(epoch=epoch)
    header = signing.sign_request(keys, Request("POST", HOST, PREFIX + "heartbeat", body), stamp)

    assert box.send("heartbeat", body, header, stamp.nonce).status == 401


def test_after_an_enrolment_anew_the_old_keys_hand_in_the_journal_for_thirty_days(box, server):
    """Rotation: old epoch accepts *only journal upload* for 30 days (security.md section 5)."""
    from tests.terminals.conftest import Box, enrol

    issued = enrolment.issue_code(box.id, actor=ACTOR, now=server.now)
    renewed = Box(server, enrol(server, issued.code), boot=2)

    assert renewed.enrolled.epoch == 2
    assert renewed.call("heartbeat", HEARTBEAT).status == 200
    assert box.call("heartbeat", HEARTBEAT).status == 401
    assert box.call("upload", {"records": []}).status == 200
    server.pass_time(days=30)
    assert box.call("upload", {"records": []}).status == 200
    server.pass_time(seconds=1)
    assert box.call("upload", {"records": []}).status == 401


def test_a_terminal_made_from_an_older_master_still_works(server):
    """Masters rotate: the ring keeps the old one for as long as terminals use it."""
    box = make_box(server)
    old = signing.terminal_secret(KEYRING.masters[1], box.id, 1)
    box.enrolled = replace(box.enrolled, secret=old.hex())

    reply = box.call("heartbeat", HEARTBEAT)

    assert (reply.status, reply.signed) == (200, True)


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [
        ("till", {"debit", "void", "sighting", "outcomes", "upload", "heartbeat", "hotlist", "keys"}),
        ("desk", {"sighting", "outcomes", "heartbeat", "hotlist"}),
        ("kiosk", {"sighting", "outcomes", "heartbeat"}),
        ("query_kiosk", {"sighting", "heartbeat"}),
        ("door", {"sighting", "heartbeat", "hotlist"}),
    ],
)
def test_each_kind_of_terminal_may_make_its_own_calls_only(server, kind, allowed):
    box = make_box(server, kind=kind)

    calls = ["debit", "void", "sighting", "outcomes", "upload", "heartbeat", "hotlist", "keys"]
    replies = {call: box.call(call, {"odd": 1}) for call in calls}

    assert {call for call, reply in replies.items() if reply.status != 403} == allowed
    assert all(reply.body["error"] == "malformed" for call, reply in replies.items() if call in allowed)
    assert all(reply.signed for reply in replies.values())


@pytest.mark.parametrize(("within_s", "alarms"), [(59, 1), (61, 0)])
def test_five_bad_signatures_within_a_minute_raise_one_alarm(box, server, within_s, alarms):
    for number in range(5):
        if number == 4:
            server.pass_time(seconds=within_s)
        box.call("heartbeat", HEARTBEAT, epoch=9)
    assert events(SecurityEventKind.BAD_SIGNATURES) == alarms

    box.call("heartbeat", HEARTBEAT, epoch=9)
    assert events(SecurityEventKind.BAD_SIGNATURES) == alarms


def test_a_database_in_trouble_is_said_and_may_be_asked_again(box, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(contact, "advance", fail)
    reply = box.call("heartbeat", HEARTBEAT)

    assert (reply.status, reply.signed, reply.body["retry"]) == (503, True, True)
    assert reply.body["money_moved"] is None, "only asking again with the same key can tell"


def test_a_fault_of_ours_never_shows_as_500(box, monkeypatch, caplog):
    monkeypatch.setattr(heartbeat, "take_in", lambda *args, **kwargs: 1 / 0)

    reply = box.call("heartbeat", HEARTBEAT)

    assert (reply.status, reply.body["retry"]) == (503, True)
    assert "terminal.fault" in caplog.text


def test_a_request_needs_no_session_and_sets_no_cookie(box):
    reply = box.call("heartbeat", HEARTBEAT)

    assert not reply.raw.cookies
    assert reply.raw.headers["Cache-Control"] == "no-store"
    assert "Vary" not in reply.raw.headers


def test_csrf_tokens_are_not_asked_of_machines(box):
    client = Client(enforce_csrf_checks=True)

    found = client.post(PREFIX + "enrol", {"code": "x"}, content_type="application/json")

    assert found.status_code == 403
    assert found.json()["error"] == "code_refused"
