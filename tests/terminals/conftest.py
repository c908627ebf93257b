"""A server with a stopped clock, and boxes that talk to it over signed HTTP as real terminals do."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.actors import Actor
from purse.procedures import Outcome
from terminals.api import door, views, wiring
from terminals.api.entrance import Entrance
from terminals.messages import signing, strictjson
from terminals.messages.records import Clocks, Record, RecordKind, Sale
from terminals.messages.signing import NO_RECORD_MAC, Request, Stamp, TerminalKeys
from terminals.messages.upkeep import EnrolAnswer
from terminals.services import enrolment
from terminals.services.keyring import Keyring
from terminals.services.registry import Registry
from terminals.urls import urlpatterns
from tests.campus import KEYS, NOON, make_campus

HOST = "testserver"
PREFIX = "/api/terminal/v1/"
ACTOR = Actor.system("test")
KEYRING = Keyring(masters={2: b"t" * 32, 1: b"s" * 32}, card=KEYS)
_nonces = itertools.count(1)


class _NotPlain(Exception):
    """The entrance hands this request to the site."""


def _site(environ, start_response):
    raise _NotPlain


class ShortWay(Client):
    """Django's test client behind the entrance that a web server has: plain messages never reach Django's handler."""

    went_short = 0
    entrance = Entrance(_site, prefix=PREFIX, patterns=urlpatterns)

    def request(self, **request: Any) -> Any:
        told: list[Any] = []
        environ = self._base_environ(**request)
        environ.setdefault("HTTP_HOST", environ["SERVER_NAME"])  # as every real request has it
        try:
            body = self.entrance(environ, lambda status, headers: told.extend((status, headers)))
        except _NotPlain:
            return super().request(**request)
        ShortWay.went_short += 1
        answer = HttpResponse(b"".join(body), status=int(told[0].split()[0]), headers=dict(told[1]))
        answer.wsgi_request = None
        return answer


class Server:
    """The clock of the server, and the memory of one worker process."""

    def __init__(self) -> None:
        self.now: datetime = NOON
        self.registry = Registry()

    def pass_time(self, **spans: float) -> None:
        self.now += timedelta(**spans)

    def monotonic_s(self) -> float:
        return self.now.timestamp()

    @property
    def now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)


@pytest.fixture
def server(monkeypatch) -> Server:
    made = Server()

    monkeypatch.setattr(wiring, "keyring", lambda: KEYRING)
    monkeypatch.setattr(wiring, "registry", lambda: made.registry)
    monkeypatch.setattr(door, "present", lambda: made.now)
    monkeypatch.setattr(views, "present", lambda: made.now)
    monkeypatch.setattr(door, "monotonic", made.monotonic_s)
    return made


@dataclass
class Reply:
    status: int
    body: dict[str, Any]
    signed: bool
    at_ms: int | None = None
    raw: Any = field(default=None, repr=False)


@dataclass
class Box:
    """A terminal as the network sees it: it signs, counts its requests and checks the answers."""

    server: Server
    enrolled: EnrolAnswer
    boot: int = 1
    seq: int = 0

    @property
    def id(self) -> int:
        return self.enrolled.terminal

    @property
    def keys(self) -> TerminalKeys:
        return TerminalKeys.from_secret(bytes.fromhex(self.enrolled.secret))

    def stamp(self, **changed: Any) -> Stamp:
        self.seq += 1
        told = {
            "terminal": self.id,
            "epoch": self.enrolled.epoch,
            "boot": self.boot,
            "seq": self.seq,
            "at_ms": self.server.now_ms,
            "nonce": next(_nonces).to_bytes(16, "big"),
        }
        return Stamp(**{**told, **changed})

    def call(self, call: str, message: dict[str, Any] | bytes, **changed: Any) -> Reply:
        """Sign and send; keyword arguments change the stamp before it is signed."""
        body = message if isinstance(message, bytes) else strictjson.dumps(message)
        stamp = self.stamp(**changed)
        header = signing.sign_request(self.keys, Request("POST", HOST, PREFIX + call, body), stamp)
        return self.send(call, body, header, stamp.nonce)

    def send(
        self, call: str, body: bytes, header: str, nonce: bytes = b"", *, method: str = "POST", **extra: str
    ) -> Reply:
        """Send bytes and headers as they are."""
        extra.setdefault("CONTENT_TYPE", "application/json")
        headers = {"HTTP_AUTHORIZATION": header, **extra}
        content_type = headers.pop("CONTENT_TYPE")
        client = ShortWay(raise_request_exception=True)
        raw = client.generic(method, PREFIX + call, body, content_type=content_type, **headers)
        return self.read(raw, nonce)

    def read(self, raw: Any, nonce: bytes) -> Reply:
        told = raw.headers.get(signing.RESPONSE_HEADER, "")
        try:
            at_ms = signing.verify_response(
                self.keys, told, nonce=nonce, status=raw.status_code, body=raw.content
            )
        except signing.SignatureError:
            at_ms = None
        body = json.loads(raw.content) if raw.content else {}
        return Reply(raw.status_code, body, at_ms is not None, at_ms, raw)

    def heartbeat(self, **changed: Any) -> Reply:
        message = {
            "journal": "ab" * 16,
            "journal_seq": 0,
            "journal_mac": NO_RECORD_MAC,
            "unsent": 0,
            "hotlist_version": 0,
            "offset_ms": 0,
            "free_mb": 900,
        }
        return self.call("heartbeat", message, **changed)


def make_box(server: Server, *, kind: str = "till", may_sell_offline: bool = False) -> Box:
    """Add a terminal and enrol a box as it, through the services."""
    campus, merchant = make_campus()
    wanted = enrolment.NewTerminal(
        name_zh="一餐厅 3 号机",
        kind=kind,
        campus_id=campus.pk,
        merchant_id=merchant.pk if kind == "till" else None,
        may_sell_offline=may_sell_offline,
    )
    issued = enrolment.register.__wrapped__(wanted, actor=ACTOR, now=server.now)
    return Box(server, enrol(server, issued.code))


def enrol(server: Server, code: str) -> EnrolAnswer:
    found = Client().post(PREFIX + "enrol", {"code": code}, content_type="application/json")
    assert found.status_code == 200, found.content
    return EnrolAnswer.parse(json.loads(found.content))


@pytest.fixture
def box(server: Server, transactional_db: None) -> Box:
    return make_box(server)


@dataclass
class Journal:
    """A journal that is written by hand, so that it can also be written wrongly."""

    box: Box
    id: str = "cd" * 16
    records: list[Record] = field(default_factory=list)

    def sale(self, fen: int = 5_50, *, uid: str = "a0000001", **changed: Any) -> dict[str, Any]:
        before = self.records[-1].sale.spend_total_after if self.records and self.records[-1].sale else 0
        number = len(self.records) + 1
        told = {
            "key_seq": number,
            "uid": uid,
            "account": 10001,
            "fen": fen,
            "card_seq_before": number - 1,
            "card_seq_after": number,
            "spend_total_before": before,
            "spend_total_after": before + fen,
            "offline_spent_after": before + fen,
            "load_total": 100_00,
            "outcome": "written",
        }
        told |= changed
        return self.add(RecordKind.SALE, Sale(**{**told, "outcome": Outcome(told["outcome"])}))

    def add(self, kind: RecordKind = RecordKind.BOOT, sale: Sale | None = None) -> dict[str, Any]:
        now_ms = self.box.server.now_ms
        record = Record(
            terminal=self.box.id,
            journal=self.id,
            seq=len(self.records) + 1,
            kind=kind,
            clocks=Clocks(now_ms, now_ms, 1000, 0),
            hotlist_version=1,
            prev_mac=self.records[-1].mac if self.records else NO_RECORD_MAC,
            sale=sale,
        ).signed(self.box.keys.jrnl)
        self.records.append(record)
        return record.to_json()

    def resigned(self, record: dict[str, Any], **changed: Any) -> dict[str, Any]:
        """A record with other content and a right MAC, as whoever holds the key could make it."""
        told = {**record, **changed}
        return {**told, "mac": signing.document_mac(self.box.keys.jrnl, told)}

    def upload(self, *records: Any) -> list[dict[str, Any]]:
        reply = self.box.call("upload", json.dumps({"records": list(records)}).encode())
        assert reply.status == 200, reply.body
        assert reply.signed
        return reply.body["answers"]


@pytest.fixture
def journal(server: Server, transactional_db: None) -> Journal:
    return Journal(make_box(server, may_sell_offline=True))
