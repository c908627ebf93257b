"""Whose question it is: signatures, replays, times, keys turned or shut out, addresses, bounds, bad bodies."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import Campus
from terminals.messages import signing, strictjson
from terminals.messages.signing import Request
from terminals.models import Partner, PartnerContact, PartnerDay, SecurityEvent
from terminals.services import asking
from terminals.services.asking import find_key
from tests import faults
from tests.campus import NOON, make_campus, make_person
from tests.terminals.asker import PATH, Asker, later, make_partner
from tests.terminals.conftest import HOST, KEYRING, server  # noqa: F401 - a fixture

QUESTION = {"service": "library_gate", "campus": None, "by": "uid", "value": "a0000001", "ident": None}


@pytest.fixture
def clock(server, monkeypatch):  # noqa: F811 - the fixture of the room
    monkeypatch.setattr("terminals.api.identity.present", lambda: server.now)
    return server


@pytest.fixture
def asker(clock, db) -> Asker:
    return Asker(clock, make_partner().pk)


def rejected(asker: Asker) -> int:
    return sum(PartnerDay.objects.filter(partner_id=asker.partner).values_list("rejected", flat=True))


def asked(asker: Asker) -> int:
    return sum(PartnerDay.objects.filter(partner_id=asker.partner).values_list("asked", flat=True))


def change(asker: Asker, **changed):
    """As a database owner would, past the rules for the application."""
    Partner.objects.filter(pk=asker.partner).update(**changed)


# ------------------------------------------------------------------------------------------- signatures


def test_a_question_with_one_signed_thing_changed_is_nobodys(asker):
    """B14, section 7 item 93: body changed by one byte, path changed, MAC wrong, nonce, number."""
    body = strictjson.dumps(QUESTION)
    stamp = asker.stamp()
    header = signing.sign_partner_request(asker.keys, Request("POST", HOST, PATH, body), stamp)
    cases = list(mutations(header, body, stamp))

    wrong = []
    for sent_body, sent_header, extra in cases:
        reply = asker.send(sent_body, sent_header, stamp.nonce, **extra)
        if reply.status != 401 or reply.body["error"] != "unauthorized":
            wrong.append((sent_header, reply))
    faults.report("IDENTITY_MUTATED", len(cases), len(wrong) + asked(asker))

    assert len(cases) >= 200
    assert wrong == []
    assert asked(asker) == 0
    assert asker.send(body, header, stamp.nonce).status == 200
    assert SecurityEvent.objects.filter(kind="bad_signatures", detail__partner=asker.partner).count() == 1


def mutations(header, body, stamp):
    """Every byte of the body, every hex digit of nonce and MAC, every number, address, host and scheme."""
    for place in range(len(body)):
        yield body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :], header, {}
    for name in ("nonce", "mac"):
        start = header.index(f"{name}=") + len(name) + 1
        for place in range(start, start + (32 if name == "nonce" else 64)):
            other = f"{int(header[place], 16) ^ 1:x}"
            yield body, header[:place] + other + header[place + 1 :], {}
    for name, number in (("key", stamp.partner), ("epoch", stamp.epoch), ("at", stamp.at_ms)):
        for step in (1, 2, 7, 100):
            yield body, header.replace(f"{name}={number},", f"{name}={number + step},"), {}
    yield body, header, {"HTTP_HOST": "localhost"}
    yield body, header, {"QUERY_STRING": "a=1"}
    yield body + b" ", header, {}
    yield body, header.lower(), {}
    yield body, "", {}
    yield body, "Bearer " + header, {}
    yield body, header.replace("key=", "terminal="), {}
    yield body, header.replace("epoch=1", "epoch=01"), {}
    yield body, header.replace("epoch=1", "epoch=99999999999"), {}


def test_a_terminals_signature_opens_nothing_here(asker):
    """The two kinds of keys are derived under different names; the same number is not the same secret."""
    terminal = signing.TerminalKeys.from_secret(KEYRING.secret(asker.partner, 1))
    body, stamp = strictjson.dumps(QUESTION), asker.stamp()
    header = signing.sign_partner_request(terminal, Request("POST", HOST, PATH, body), stamp)

    assert asker.send(body, header, stamp.nonce).status == 401


def test_a_key_of_an_older_master_still_asks(asker):
    """The first master of the ring makes new keys; those of the one before it go on."""
    old = signing.partner_secret(KEYRING.masters[1], asker.partner, 1)

    reply = replace(asker, secret=old).call(QUESTION)

    assert (reply.status, reply.signed) == (200, True)


def test_the_same_question_is_heard_once(asker):
    stamp, body = asker.stamp(), strictjson.dumps(QUESTION)
    header = signing.sign_partner_request(asker.keys, Request("POST", HOST, PATH, body), stamp)
    assert asker.send(body, header, stamp.nonce).status == 200

    again = asker.send(body, header, stamp.nonce)

    assert (again.status, again.body["error"], again.body["retry"], again.signed) == (
        401,
        "replay",
        True,
        True,
    )
    assert (asked(asker), rejected(asker)) == (1, 1)
    assert SecurityEvent.objects.filter(kind="replay", detail__partner=asker.partner).count() == 1


def test_a_number_of_another_key_is_no_replay(asker, clock):
    other = Asker(clock, make_partner().pk)

    assert asker.call(QUESTION, nonce=b"n" * 16).status == 200
    assert other.call(QUESTION, nonce=b"n" * 16).status == 200
    assert asker.call(QUESTION, nonce=b"n" * 16).status == 401


@pytest.mark.django_db(transaction=True)
def test_of_four_workers_that_get_the_same_question_one_hears_it(clock):
    asker = Asker(clock, make_partner().pk)
    key, stamp = find_key(asker.partner), asker.stamp()

    found = at_once(4, lambda: asking.admit(key, stamp, now=NOON))

    assert sorted(found, key=str) == [1, None, None, None]


@pytest.mark.parametrize(("off_s", "status"), [(-121, 401), (-120, 200), (0, 200), (120, 200), (121, 401)])
def test_a_question_is_at_most_two_minutes_old_or_early(asker, clock, off_s, status):
    """Section 7, item 93: time ±121 s."""
    reply = asker.call(QUESTION, at_ms=clock.now_ms + off_s * 1000)

    assert (reply.status, reply.signed, reply.at_ms) == (status, True, clock.now_ms)
    assert rejected(asker) == (status == 401)


# ------------------------------------------------------------------------------------ the key's standing


def test_a_key_that_was_shut_out_asks_nothing_from_the_next_question_on(asker):
    assert asker.call(QUESTION).status == 200
    change(asker, revoked_at=NOON)

    for reply in (asker.call(QUESTION), asker.denied()):
        assert (reply.status, reply.body["error"], reply.signed) == (403, "revoked", True)
    assert SecurityEvent.objects.filter(kind="revoked_call", detail__partner=asker.partner).count() == 1
    assert (asked(asker), rejected(asker)) == (1, 2)


@pytest.mark.parametrize(("days", "status"), [(-1, 403), (0, 200), (1, 200)])
def test_a_key_is_good_through_its_last_day(clock, db, days, status):
    asker = Asker(clock, make_partner(expires_on=later(days)).pk)

    reply = asker.call(QUESTION)

    assert reply.status == status
    assert reply.body.get("error") == (None if status == 200 else "expired")


@pytest.mark.parametrize(("seconds", "status"), [(-1, 200), (0, 401), (1, 401)])
def test_the_key_of_before_is_good_until_its_end(asker, clock, seconds, status):
    change(asker, epoch=2, kept_epoch=1, kept_until=NOON + timedelta(days=7))
    clock.pass_time(days=7, seconds=seconds)

    assert replace(asker, epoch=2).call(QUESTION).status == 200
    assert replace(asker, epoch=1).call(QUESTION).status == status
    assert replace(asker, epoch=3).call(QUESTION).status == 401
    assert PartnerContact.objects.get(partner_id=asker.partner).used_epoch == 2


@pytest.mark.parametrize(
    ("address", "status"),
    [("10.8.0.0", 200), ("10.8.0.255", 200), ("10.8.1.0", 403), ("10.7.255.255", 403), ("192.0.2.9", 200),
     ("192.0.2.10", 403), ("2001:db8::1", 200), ("2001:db9::1", 403), ("", 403)],
)  # fmt: skip
def test_a_key_is_used_from_its_networks_only(clock, db, address, status):
    partner = make_partner(addresses=["10.8.0.0/24", "192.0.2.9/32", "2001:db8::/32"])
    asker = Asker(clock, partner.pk, address=address)

    reply = asker.call(QUESTION, nonce=b"a" * 16)

    assert reply.status == status
    assert reply.body.get("error") == (None if status == 200 else "wrong_address")
    assert (asked(asker), rejected(asker)) == ((1, 0) if status == 200 else (0, 1))


def test_a_forged_address_in_a_header_is_not_believed(clock, db):
    """Section 7, item 88."""
    asker = Asker(clock, make_partner(addresses=["10.8.0.0/24"]).pk, address="203.0.113.1")
    stamp, body = asker.stamp(), strictjson.dumps(QUESTION)
    header = signing.sign_partner_request(asker.keys, Request("POST", HOST, PATH, body), stamp)

    reply = asker.send(body, header, stamp.nonce, HTTP_X_FORWARDED_FOR="10.8.0.7", HTTP_X_REAL_IP="10.8.0.7")

    assert reply.body["error"] == "wrong_address"


def test_so_many_a_minute_and_no_more(clock, db):
    asker = Asker(clock, make_partner(per_minute=3).pk)

    assert [asker.call(QUESTION).status for _ in range(5)] == [200, 200, 200, 429, 429]
    refused = asker.call(QUESTION)
    assert (refused.body["error"], refused.body["retry"], refused.body["retry_after_s"]) == (
        "too_many",
        True,
        60,
    )
    clock.pass_time(seconds=59)
    assert asker.call(QUESTION).status == 429
    clock.pass_time(seconds=1)
    assert asker.call(QUESTION).status == 200


@pytest.mark.django_db(transaction=True)
def test_the_bound_of_a_minute_holds_for_many_at_once(clock):
    asker = Asker(clock, make_partner().pk)
    key, stamps = find_key(asker.partner), [asker.stamp() for _ in range(12)]
    queue = iter(stamps)

    found = at_once(12, lambda: asking.admit(key, next(queue), now=NOON))

    assert sorted(found) == list(range(1, 13))
    assert asked(asker) == 12


# ------------------------------------------------------------------------------------------- its rights


def test_a_service_that_the_key_has_not_is_not_answered(clock, db):
    asker = Asker(clock, make_partner(services=["lending"]).pk)

    assert asker.ask("lending", "a0000001").status == 200
    for service in ("dorm_door", "bus", "canteen", "bank_transfer"):
        reply = asker.ask(service, "a0000001")
        assert (reply.status, reply.body["error"], reply.body["field"]) == (403, "not_allowed", "service")
    assert rejected(asker) == 4


def test_a_campus_that_the_key_has_not_is_not_answered(asker):
    for campus in ("yushan", "nowhere"):
        reply = asker.ask("bus", "a0000001", campus=campus)
        assert (reply.status, reply.body["field"]) == (403, "campus")
    assert asker.ask("bus", "a0000001", campus="laoshan").status == 200


def test_a_key_of_several_campuses_says_where_the_door_stands(clock, db):
    away = Campus.objects.create(code="yushan", name_zh="鱼山校区", name_en="Yushan")
    asker = Asker(clock, make_partner(make_campus()[0], away).pk)

    reply = asker.ask("bus", "a0000001")

    assert (reply.status, reply.body["error"], reply.body["field"]) == (400, "malformed", "campus")


# ------------------------------------------------------------------------------------------- bad bodies


def without(name: str) -> dict:
    return {key: value for key, value in QUESTION.items() if key != name}


BAD_BODIES = [
    (b" ", "body"), (b"[]", "body"), (b"null", "body"), (b"{", "body"), (b'"x"', "body"), (b"\xff\xfe", "body"),
    (b"{}", "service"), (b'{"a":NaN}', "body"), (b'{"a":1e400}', "body"), (b'{"a":1.0}', "body"),
    (b'{"by":"uid","by":"account"}', "by"), (b"[" * 100_000, "body"), (b'{"a":' + b"1" * 5000 + b"}", "body"),
    *((without(name), name) for name in QUESTION),
    (QUESTION | {"money": 1}, "money"),
    *((QUESTION | {"service": bad}, "service") for bad in (None, 1, "", "door", "x" * 21, "bus\u202e", [])),
    *((QUESTION | {"campus": bad}, "campus") for bad in ("", 1, [], "x" * 41, "a\n")),
    *((QUESTION | {"by": bad}, "by") for bad in (None, 1, "", "name", "UID")),
    *((QUESTION | {"value": bad}, "value") for bad in (
        None, 1, True, "", "a000000", "a00000011", "A0000001", "a000000g", "a0000001 ", "a0000001\n", "\uff41" * 8,
        "a0000001a0000001", "a" * 21, "a000\x000001", {})),
    *((QUESTION | {"ident": bad}, "ident") for bad in (1, "", "00", "0" * 31, "0" * 33, "G" * 32, "A" * 32, [])),
    *((QUESTION | {"by": "account", "value": bad}, "value") for bad in (
        "1234", "123456", "00000", "01234", "\uff11\uff12\uff13\uff14\uff15", "12345 ", "1234a", "12345\n")),
    *((QUESTION | {"by": "school_no", "value": bad}, "value") for bad in (
        "abc", "12345", "x" * 21, "2023 001", "2023-001", "\uff12023001", "2023\u200b01", "'; drop table")),
    (QUESTION | {"by": "account", "value": "12345", "ident": "0" * 32}, "ident"),
]  # fmt: skip


def test_a_bad_body_is_refused_by_name_and_nobody_is_looked_up(clock, db):
    """Section 7: identifiers 64-66, API 81-82, JSON 15-17: 400 in JSON, the field named, never a 500."""
    asker, wrong = Asker(clock, make_partner(by_number=True).pk), []
    for body, name in BAD_BODIES:
        reply = asker.call(body if isinstance(body, bytes) else json.dumps(body).encode())
        told = (
            reply.status,
            reply.body["error"],
            reply.body["field"],
            reply.signed,
            reply.body["money_moved"],
        )
        if told != (400, "malformed", name, True, False):
            wrong.append((body, told))

    faults.report("IDENTITY_BAD_BODIES", len(BAD_BODIES), len(wrong))
    assert wrong == []


def test_a_lone_surrogate_is_a_bad_value(asker):
    """Section 7, item 45."""
    body = b'{"service":"bus","campus":"\\ud800","by":"uid","value":"a0000001","ident":null}'

    assert asker.call(body).status == 400


@pytest.mark.parametrize(
    ("body", "extra", "status", "error"),
    [
        (b"x" * (256 * 1024 + 1), {}, 413, "too_large"),
        (b"x" * (3 * 1024 * 1024), {}, 413, "too_large"),
        (b"{}", {"CONTENT_TYPE": "text/plain"}, 415, "not_json"),
        (b"{}", {"HTTP_CONTENT_ENCODING": "gzip"}, 415, "encoded"),
        (b"{}", {"HTTP_HOST": "evil.example"}, 400, "bad_host"),
    ],
)
def test_what_is_no_question_is_refused_before_anybody_is_asked(asker, body, extra, status, error):
    """Section 7, items 80, 83, 84, 87."""
    reply = asker.send(body, "", **extra)

    assert (reply.status, reply.body["error"], reply.signed) == (status, error, False)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "HEAD"])
def test_each_address_takes_its_one_method(asker, method):
    for path, takes in ((PATH, "POST"), (f"{PATH}/denied?since=0", "GET")):
        answer = asker.client.generic(method, path)
        if method == takes:
            assert answer.status_code == 401
        else:
            assert (answer.status_code, answer.headers["Allow"]) == (405, takes)


def test_a_list_is_asked_for_without_a_body(asker):
    stamp, target = asker.stamp(), f"{PATH}/denied?since=0"
    header = signing.sign_partner_request(asker.keys, Request("GET", HOST, target, b"{}"), stamp)

    reply = asker.send(b"{}", header, stamp.nonce, method="GET", path=target)

    assert (reply.status, reply.body["field"]) == (400, "body")


def test_a_book_that_cannot_answer_says_so(asker, monkeypatch):
    """Never a 500: a machine gets a signed 503 and may ask again."""

    def broken(*args, **more):
        raise DatabaseError("gone")

    monkeypatch.setattr("terminals.services.asking.bearer_of_card", broken)

    reply = asker.call(QUESTION)

    assert (reply.status, reply.body["error"], reply.body["retry"], reply.signed) == (
        503,
        "unavailable",
        True,
        True,
    )


def test_an_answer_is_kept_by_no_cache_and_crosses_no_session(asker):
    reply = asker.ask("bus", make_person(0).plastic.uid.hex())

    assert reply.raw.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in reply.raw.headers


# ------------------------------------------------------------------------- what the database keeps by itself


@pytest.mark.parametrize(
    "changed",
    [
        {"services": ["bus"]}, {"by_number": True}, {"tells_name": True}, {"addresses": []}, {"per_minute": 6000},
        {"expires_on": later(900)}, {"name_zh": "别的"}, {"epoch": 3}, {"epoch": 0}, {"kept_epoch": 1},
        {"epoch": 2, "kept_epoch": 2, "kept_until": NOON}, {"epoch": 2, "kept_epoch": 1},
    ],
    ids=str,
)  # fmt: skip
def test_what_a_key_may_ask_is_never_changed(asker, changed):
    with pytest.raises(DatabaseError), transaction.atomic():
        change(asker, **changed)


def test_a_key_stays_shut_out_and_is_never_erased(asker):
    change(asker, revoked_at=NOON)

    for act in (lambda: change(asker, revoked_at=None), lambda: change(asker, epoch=2)):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM terminals_partner WHERE id = %s", [asker.partner])


@pytest.mark.parametrize(
    "wrong", [{"services": []}, {"services": ["canteen"]}, {"services": ["bus", "spy"]}, {"per_minute": 0},
              {"per_minute": 6001}, {"name_zh": ""}, {"contact": ""}], ids=str,
)  # fmt: skip
def test_the_database_refuses_a_key_that_makes_no_sense(db, wrong):
    with pytest.raises(DatabaseError), transaction.atomic():
        make_partner(**wrong)


def at_once(workers: int, act):
    """What each of so many threads got."""
    start, found = threading.Barrier(workers), []

    def work():
        start.wait()
        try:
            found.append(act())
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
