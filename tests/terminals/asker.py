"""Another system of the university as the network sees it: it signs its questions and checks the answers."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.test import Client

from accounts.models import Campus, Service
from terminals.messages import signing, strictjson
from terminals.messages.signing import PartnerStamp, Request, TerminalKeys
from terminals.models import ASKABLE, Partner, PartnerContact
from tests.campus import NOON, make_campus
from tests.terminals.conftest import HOST, KEYRING, Reply, Server

PATH = "/api/v1/identity"
_nonces = itertools.count(1)


def make_partner(*campuses: Campus, **more: Any) -> Partner:
    """A key of 崂山 that may ask everything and is told nothing."""
    told = {
        "name_zh": "图书馆系统", "contact": "图书馆技术部 66781234", "services": [*ASKABLE], "per_minute": 600,
        "expires_on": date(NOON.year + 1, 1, 31), "made_at": NOON, "turned_at": NOON,
    }  # fmt: skip
    made = Partner.objects.create(**(told | more))
    made.campuses.add(*(campuses or [make_campus()[0]]))
    PartnerContact.objects.create(partner=made)
    return made


@dataclass
class Asker:
    """Whoever holds a key. ``address``: where the network says it asks from."""

    server: Server
    partner: int
    epoch: int = 1
    address: str = "10.8.0.7"
    secret: bytes = b""
    client: Client = field(default_factory=lambda: Client(raise_request_exception=True))

    @property
    def keys(self) -> TerminalKeys:
        return TerminalKeys.from_secret(self.secret or KEYRING.partner_secret(self.partner, self.epoch))

    def stamp(self, **changed: Any) -> PartnerStamp:
        told = {"partner": self.partner, "epoch": self.epoch, "at_ms": self.server.now_ms}
        return PartnerStamp(**(told | {"nonce": next(_nonces).to_bytes(16, "big")} | changed))

    def ask(self, service: Service | str = "library_gate", value: str = "", **changed: Any) -> Reply:
        """Ask by a UID, or as the keyword arguments say."""
        told = {"service": str(service), "campus": None, "by": "uid", "value": value, "ident": None}
        return self.call(told | changed)

    def call(self, message: dict[str, Any] | bytes, **stamped: Any) -> Reply:
        """Sign and send; keyword arguments change the stamp before it is signed."""
        body = message if isinstance(message, bytes) else strictjson.dumps(message)
        stamp = self.stamp(**stamped)
        header = signing.sign_partner_request(self.keys, Request("POST", HOST, PATH, body), stamp)
        return self.send(body, header, stamp.nonce)

    def denied(self, query: str = "since=0", **stamped: Any) -> Reply:
        """Ask for the list of refused cards."""
        stamp, target = self.stamp(**stamped), f"{PATH}/denied" + (f"?{query}" if query else "")
        header = signing.sign_partner_request(self.keys, Request("GET", HOST, target, b""), stamp)
        return self.send(b"", header, stamp.nonce, method="GET", path=target)

    def send(
        self,
        body: bytes,
        header: str,
        nonce: bytes = b"",
        *,
        method: str = "POST",
        path: str = PATH,
        **extra: str,
    ) -> Reply:
        """Send bytes and headers as they are."""
        content_type = extra.pop("CONTENT_TYPE", "application/json")
        headers = {"HTTP_AUTHORIZATION": header, "REMOTE_ADDR": self.address, **extra}
        raw = self.client.generic(method, path, body, content_type=content_type, **headers)
        told = raw.headers.get(signing.RESPONSE_HEADER, "")
        try:
            at_ms = signing.verify_response(
                self.keys, told, nonce=nonce, status=raw.status_code, body=raw.content
            )
        except signing.SignatureError:
            at_ms = None
        return Reply(raw.status_code, json.loads(raw.content), at_ms is not None, at_ms, raw)


def later(days: int) -> date:
    """So many days after the day of the tests."""
    return NOON.date() + timedelta(days=days)
