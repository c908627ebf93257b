"""The identity API (docs/identity-api.md): other systems ask who may in. Signed both ways, as a terminal's calls are.

A question is looked at in this order: whose key, its signature, its standing, its time, its address, whether it is new
and within bounds, and only then what it asks. Every doubt about who asks gets the same answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import update_wrapper
from ipaddress import ip_address, ip_network
from typing import Any, Final

from django.http import HttpRequest, HttpResponse

from accounts.checks.errors import Rejected
from accounts.checks.identifiers import AccountNumber, SchoolNumber, parse_account_number, parse_school_number
from accounts.models import Service
from accounts.wiring import client_address
from accounts.wiring import now as present
from purse.procedures import ForeignCard, proven_account
from terminals.api import wiring
from terminals.api.door import Envelope, answered, as_http, read
from terminals.api.errors import ApiError, malformed
from terminals.denials import sentence
from terminals.messages import signing, strictjson
from terminals.messages.identity import By, DeniedAnswer, IdentityAnswer, IdentityRequest, parse_since
from terminals.messages.signing import PartnerStamp, Request, SignatureError, TerminalKeys
from terminals.models import SecurityEventKind
from terminals.services import asking, events, hotlist
from terminals.services.asking import Key, Question
from transactions.days import local_day

Handler = Callable[[Key, Request, datetime], dict[str, Any]]
RETRY_AFTER_S: Final = 60


class PartnerCall:
    """A view of one handler for other systems: question in, answer out, signed once we know whose key it is."""

    csrf_exempt = True

    def __init__(self, method: str, handle: Handler) -> None:
        update_wrapper(self, handle)
        self._method = method
        self._handle = handle

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer whatever happens."""
        now, envelope = present(), Envelope()

        def run() -> bytes:
            asked = read(request, self._method)
            key = _admitted(asked, request, envelope, now=now)
            return strictjson.dumps(self._handle(key, asked, now))

        return as_http(answered(run, envelope, now=now), self._method)


def partner_call(method: str) -> Callable[[Handler], PartnerCall]:
    """Make a view of a handler."""
    return lambda handle: PartnerCall(method, handle)


@partner_call("POST")
def identity(key: Key, asked: Request, now: datetime) -> dict[str, Any]:
    """Whether whoever bears this card, or has this number, may use a service."""
    message = IdentityRequest.parse(strictjson.loads(asked.body))
    finding = asking.look(key, _question(key, message, now=now), now=now)
    bearer, yes = finding.bearer, finding.denial is None
    answer = IdentityAnswer(
        allowed=yes,
        reason=finding.denial.value if finding.denial else None,
        message_zh=sentence(finding.denial, "zh"),
        message_en=sentence(finding.denial, "en"),
        name=bearer.name if bearer and yes and key.tells_name else None,
        school_no=bearer.school_no if bearer and yes and key.tells_school_no else None,
        offline_until_ms=_ms(finding.offline_until_at) if finding.offline_until_at else None,
        server_ms=_ms(now),
    )
    return answer.to_json()


@partner_call("GET")
def denied(key: Key, asked: Request, now: datetime) -> dict[str, Any]:
    """The cards that every door refuses, network or not: what changed since a version."""
    since = parse_since(asked.target.partition("?")[2])
    hotlist.keep_fresh(now=now)
    found = hotlist.changes(since)
    entries = tuple((uid, refusal.value if refusal else None) for uid, refusal in found.entries)
    return DeniedAnswer(found.version, found.whole, found.more, entries).to_json()


def _admitted(asked: Request, request: HttpRequest, envelope: Envelope, *, now: datetime) -> Key:
    """Whose question this is, if it may be asked at all. Raises ``ApiError`` 401, 403 or 429, and counts it."""
    try:
        stamp, mac = signing.parse_partner_authorization(request.headers.get("Authorization", ""))
    except SignatureError:
        raise _unauthorized() from None
    key = asking.find_key(stamp.partner)
    if key is None:
        raise _unauthorized()
    envelope.keys, envelope.nonce = wiring.keyring().partner_candidates(key.id, key.epoch)[0], stamp.nonce
    try:
        envelope.keys = _proven(key, asked, stamp, mac, now=now)
        _refuse_standing(key, stamp, client_address(request), now=now)
        _refuse_repeated(key, stamp, now=now)
    except ApiError:
        asking.note_rejected(key.id, now=now)
        raise
    return key


def _proven(key: Key, asked: Request, stamp: PartnerStamp, mac: bytes, *, now: datetime) -> TerminalKeys:
    """The keys that signed it. Those of a generation that is shut out are not even derived."""
    known = key.takes(stamp.epoch, now=now)
    for keys in wiring.keyring().partner_candidates(key.id, stamp.epoch) if known else ():
        try:
            signing.verify_partner_request(keys, asked, stamp, mac)
        except SignatureError:
            continue
        return keys
    _note(SecurityEventKind.BAD_SIGNATURES, key, now=now)
    raise _unauthorized()


def _refuse_standing(key: Key, stamp: PartnerStamp, address: str, *, now: datetime) -> None:
    if key.revoked_at is not None:
        _note(SecurityEventKind.REVOKED_CALL, key, now=now)
        raise ApiError(403, "revoked", "接入密钥已停用，请联系校园智能卡管理中心")
    if key.expires_on < local_day(now):
        raise ApiError(403, "expired", "接入密钥已过期，请联系校园智能卡管理中心")
    if abs(_ms(now) - stamp.at_ms) > wiring.policy().clock_skew.total_seconds() * 1000:
        _note(SecurityEventKind.CLOCK_WRONG, key, now=now)
        raise _unauthorized()
    if key.addresses and not _is_within(address, key.addresses):
        raise ApiError(403, "wrong_address", "本密钥不能从这个网络地址使用")


def _refuse_repeated(key: Key, stamp: PartnerStamp, *, now: datetime) -> None:
    in_minute = asking.admit(key, stamp, now=now)
    if in_minute is None:
        _note(SecurityEventKind.REPLAY, key, now=now)
        raise ApiError(401, "replay", "请求已处理过，请换新的随机数重新签名", retry=True)
    if in_minute > key.per_minute:
        raise ApiError(
            429, "too_many", "请求过于频繁，请一分钟后再试", retry=True, more={"retry_after_s": RETRY_AFTER_S}
        )


def _question(key: Key, asked: IdentityRequest, *, now: datetime) -> Question:
    """What is asked, if the key may ask it. Raises ``ApiError`` 400 and 403."""
    if asked.service not in Service.values:
        raise malformed("service", "没有这种服务")
    if asked.service not in key.services:
        raise _not_allowed(key, "service", "本密钥不能查询这种服务", now=now)
    if asked.by is not By.UID and not key.by_number:
        raise _not_allowed(key, "by", "本密钥只能按卡号查询", now=now)
    campus_id = _campus(key, asked.campus, now=now)
    return Question(Service(asked.service), campus_id, _who(asked), _proof(asked))


def _campus(key: Key, code: str | None, *, now: datetime) -> int:
    if code is None:
        if len(key.campuses) > 1:
            raise malformed("campus", "本密钥用于多个校区，须写明校区")
        return next(iter(key.campuses.values()))
    if code not in key.campuses:
        raise _not_allowed(key, "campus", "本密钥不用于这个校区", now=now)
    return key.campuses[code]


def _who(asked: IdentityRequest) -> str | AccountNumber | SchoolNumber:
    if asked.by is By.UID:
        return asked.value
    try:
        if asked.by is By.ACCOUNT:
            return parse_account_number(asked.value)
        return parse_school_number(asked.value)
    except Rejected as rejected:
        raise malformed("value", str(rejected.message)) from None


def _proof(asked: IdentityRequest) -> int | None:
    """The account that the card itself proves; 0 for a block that we never wrote for this chip."""
    if asked.ident is None:
        return None
    try:
        return proven_account(bytes.fromhex(asked.value), asked.ident, wiring.keyring().card)
    except ForeignCard:
        return 0


def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    try:
        asker = ip_address(address)
    except ValueError:
        return False
    return any(asker in ip_network(network) for network in networks)


def _note(kind: SecurityEventKind, key: Key, *, now: datetime) -> None:
    """Something that somebody should look at, told once an hour."""
    events.note(kind, None, now=now, detail={"partner": key.id}, alike={"partner": key.id})


def _unauthorized() -> ApiError:
    return ApiError(401, "unauthorized", "接入密钥未通过验证，请核对密钥、签名和时间")


def _not_allowed(key: Key, field: str, problem: str, *, now: datetime) -> ApiError:
    asking.note_rejected(key.id, now=now)
    return ApiError(403, "not_allowed", problem, field=field)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
