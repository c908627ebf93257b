"""What takes two people: one asks, another agrees, and only what both saw is carried out, once (reliability.md L9, E7).

The service that carries a deed out calls ``use`` inside its own transaction with the content that it is about to
post; anything else than what was agreed raises. Whoever asks, and whoever it is about, has no say in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet, Sum

from accounts.actors import Actor, Channel
from accounts.kinds import OperatorRole
from accounts.models import (
    Account,
    Operator,
    Request,
    RequestNeeds,
    RequestResult,
    RequestRuling,
    RequestVerdict,
)
from accounts.services import audit, rows
from accounts.services.operators import Hand, NoSuchOperator, Officer, officer, officer_of
from purse.policy import Policy

LIFETIME: Final = timedelta(days=7)
"""For so long a request may be agreed to and carried out, unless its kind says otherwise."""
SAME_DAY: Final = timedelta(hours=24)
"""What is asked for about one account within this time counts together, else a bound could be cut up."""
MAKERS: Final = {
    RequestNeeds.SECOND: (OperatorRole.CLERK, OperatorRole.CASHIER, OperatorRole.SUPERVISOR),
    RequestNeeds.CHIEF: (OperatorRole.CLERK, OperatorRole.CASHIER, OperatorRole.SUPERVISOR),
    RequestNeeds.ADMIN: (OperatorRole.ADMIN,),
}
CHECKERS: Final = {
    RequestNeeds.SECOND: (OperatorRole.SUPERVISOR,),
    RequestNeeds.CHIEF: (OperatorRole.SUPERVISOR,),
    RequestNeeds.ADMIN: (OperatorRole.ADMIN,),
}


class Why(StrEnum):
    """Why a request is not made, agreed to or carried out; nothing was written."""

    NOT_ENTITLED = "not_entitled"
    OTHER_CAMPUS = "other_campus"
    OWN_ACCOUNT = "own_account"
    ABOUT_ONESELF = "about_oneself"
    CODE_TOO_OLD = "code_too_old"
    SAME_PERSON = "same_person"
    NOT_CHIEF = "not_chief"
    NO_REASON = "no_reason"
    NOT_OPEN = "not_open"
    NOT_AGREED = "not_agreed"
    EXPIRED = "expired"
    CHANGED = "changed"
    USED = "used"
    KEY_REUSED = "key_reused"
    WITHDRAWN = "withdrawn"
    CHECKER_GONE = "checker_gone"
    """Whoever agreed was let out or moved since: his word holds no longer than his post (P5)."""


class NotApproved(Exception):
    """A second person is missing, or something stands against it; nothing was written."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for. ``content``: JSON values, everything that the second person has to see and that is posted.

    ``needs`` is the least; an amount above the second level asks for a chief whatever it says. ``key`` comes with the
    form. ``operator_id``: the member of staff whom it is about. ``campus_id``: where it takes effect, if that is not
    where the maker stands.
    """

    key: UUID
    kind: str
    content: Mapping[str, Any]
    reason: str
    account_id: int | None = None
    operator_id: int | None = None
    amount_fen: int = 0
    needs: RequestNeeds = RequestNeeds.SECOND
    campus_id: int | None = None

    @property
    def is_of_the_office(self) -> bool:
        """Whether it is about the system and no account: an administrator may ask a supervisor for it."""
        return self.account_id is None and self.amount_fen == 0


def canonical(content: Mapping[str, Any]) -> str:
    """The one way in which a content is written. Raises ``TypeError`` and ``ValueError`` for what JSON has not."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(content: Mapping[str, Any]) -> bytes:
    """SHA-256 of the canonical content."""
    return hashlib.sha256(canonical(content).encode()).digest()


@transaction.atomic
def propose(
    ask: Ask, *, hand: Hand, now: datetime, policy: Policy, lifetime: timedelta = LIFETIME
) -> Request:
    """Lay a deed before a second person. The same key again returns the first request.

    Raises ``NotApproved``. What administrators ask for needs a fresh one-time code.
    """
    _lock(f"request key {ask.key}")
    account = rows.lock(ask.account_id) if ask.account_id is not None else None
    known = Request.objects.filter(key=ask.key).first()
    if known is not None:
        return _same(known, ask, hand)
    maker = _officer(hand)
    needs = _needs(ask, now=now, policy=policy)
    admin = maker.role is OperatorRole.ADMIN
    if maker.role not in MAKERS[needs] and not (admin and ask.is_of_the_office):
        raise NotApproved(Why.NOT_ENTITLED)
    _refuse_oneself(maker, account, ask.operator_id)
    if admin and not hand.is_fresh(now=now, policy=policy):
        raise NotApproved(Why.CODE_TOO_OLD)
    if not ask.reason.strip():
        raise NotApproved(Why.NO_REASON)
    request = Request.objects.create(
        key=ask.key,
        kind=ask.kind,
        account=account,
        operator_id=ask.operator_id,
        campus_id=ask.campus_id or _campus_of(maker, account, needs),
        needs=needs,
        amount_fen=ask.amount_fen,
        canonical=canonical(ask.content),
        content_hash=digest_of(ask.content),
        reason=ask.reason,
        maker_id=maker.id,
        made_at=now,
        expires_at=now + lifetime,
    )
    _tell("request.make", request, maker, hand, now, ask.reason)
    return request


@transaction.atomic
def agree(request_id: int, digest: bytes, *, hand: Hand, now: datetime, policy: Policy) -> Request:
    """Agree as the second person to what is shown; the same person again: nothing more.

    Nothing is carried out by it. Raises ``NotApproved`` and ``Request.DoesNotExist``.
    """
    request, checker = _checked(request_id, hand)
    if not hand.is_fresh(now=now, policy=policy):
        raise NotApproved(Why.CODE_TOO_OLD)
    ruling = RequestRuling.objects.filter(request=request).first()
    if ruling is not None and (ruling.verdict, ruling.checker_id) == (RequestVerdict.AGREED, checker.id):
        return request
    if ruling is not None:
        raise NotApproved(Why.NOT_OPEN)
    if now >= request.expires_at:
        raise NotApproved(Why.EXPIRED)
    if digest != bytes(request.content_hash):
        raise NotApproved(Why.CHANGED)
    _rule(request, checker, RequestVerdict.AGREED, now=now)
    _tell("request.agree", request, checker, hand, now)
    return request


@transaction.atomic
def refuse(request_id: int, reason: str, *, hand: Hand, now: datetime) -> Request:
    """Send it back as the second person, with a reason. Raises ``NotApproved`` and ``Request.DoesNotExist``."""
    request, checker = _checked(request_id, hand)
    if not reason.strip():
        raise NotApproved(Why.NO_REASON)
    if RequestRuling.objects.filter(request=request).exists():
        raise NotApproved(Why.NOT_OPEN)
    _rule(request, checker, RequestVerdict.REFUSED, now=now, reason=reason)
    _tell("request.refuse", request, checker, hand, now, reason)
    return request


@transaction.atomic
def withdraw(request_id: int, *, hand: Hand, now: datetime) -> Request:
    """Take one's own request back before it is carried out, agreed to or not. Raises ``NotApproved``."""
    _lock(f"request {request_id}")
    request, maker = Request.objects.get(pk=request_id), _officer(hand)
    if request.maker_id != maker.id:
        raise NotApproved(Why.NOT_ENTITLED)
    if RequestResult.objects.filter(request=request).exists():
        raise NotApproved(Why.NOT_OPEN)
    ruling = RequestRuling.objects.filter(request=request).first()
    if ruling is None:
        _rule(request, maker, RequestVerdict.WITHDRAWN, now=now)
    elif ruling.verdict == RequestVerdict.AGREED:
        _end(request, maker.id, now=now, why=Why.WITHDRAWN)
    else:
        raise NotApproved(Why.NOT_OPEN)
    _tell("request.withdraw", request, maker, hand, now)
    return request


def use(request_id: int, *, kind: str, content: Mapping[str, Any], actor: Actor, now: datetime) -> Request:
    """Take the agreement for what is posted in this very transaction. Once; a second time raises.

    ``content``: what the caller is about to post, worked out anew. Whoever agreed must still be entitled to. Raises
    ``NotApproved`` and ``RuntimeError`` outside a transaction.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("an agreement is used inside the transaction of the deed")
    _lock(f"request {request_id}")
    request = _with_people().filter(pk=request_id, kind=kind).first()
    if request is None:
        raise NotApproved(Why.NOT_AGREED)
    if request.operator_id is not None and request.operator_id == _operator_id(actor):
        raise NotApproved(Why.ABOUT_ONESELF)
    if RequestResult.objects.filter(request=request).exists():
        raise NotApproved(Why.USED)
    ruling = RequestRuling.objects.filter(request=request, verdict=RequestVerdict.AGREED)
    agreed = ruling.select_related("checker__campus").first()
    if agreed is None:
        raise NotApproved(Why.NOT_AGREED)
    if not may_still_agree(request, agreed.checker):
        raise NotApproved(Why.CHECKER_GONE)
    if now >= request.expires_at:
        raise NotApproved(Why.EXPIRED)
    if digest_of(content) != bytes(request.content_hash):
        raise NotApproved(Why.CHANGED)
    _end(request, _operator_id(actor), now=now)
    deed = audit.Deed("request.use", "request", request.pk, after={"kind": kind, "fen": request.amount_fen})
    audit.record(deed, actor=actor, now=now)
    return request


def drop(request_id: int, *, actor: Actor, now: datetime) -> None:
    """End an agreement whose facts have changed: nothing was done and nothing will be. Ended before: nothing more."""
    with transaction.atomic():
        _lock(f"request {request_id}")
        request = Request.objects.get(pk=request_id)
        if RequestResult.objects.filter(request=request).exists():
            return
        _end(request, _operator_id(actor), now=now, why=Why.CHANGED)
        audit.record(audit.Deed("request.drop", "request", request.pk), actor=actor, now=now)


# ------------------------------------------------------------------------------------------------- inside


def _lock(what: str) -> None:
    """Let whoever rules on or uses the same request come one after the other; the tables themselves only grow."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s || current_schema(), 0))", [what])


def _officer(hand: Hand) -> Officer:
    try:
        return officer(hand.operator_id)
    except NoSuchOperator:
        raise NotApproved(Why.NOT_ENTITLED) from None


def _checked(request_id: int, hand: Hand) -> tuple[Request, Officer]:
    """The request and who rules on it, if he may: role, campus, level, another person than all it is about."""
    _lock(f"request {request_id}")
    request = _with_people().get(pk=request_id)
    checker = _officer(hand)
    problem = obstacle(request, checker)
    if problem is not None:
        raise NotApproved(problem)
    return request, checker


def _with_people() -> QuerySet[Request]:
    """Requests with everybody who may be the same person as whoever rules on them."""
    return Request.objects.select_related("account", "operator", "maker")


def obstacle(request: Request, checker: Officer) -> Why | None:
    """Why this person may not rule on this request, whatever its state; None if he may."""
    needs = RequestNeeds(request.needs)
    if checker.role not in CHECKERS[needs]:
        return Why.NOT_ENTITLED
    if checker.is_person(request.maker_id, request.maker.holder_id):
        return Why.SAME_PERSON
    if request.operator is not None and checker.is_person(request.operator_id, request.operator.holder_id):
        return Why.ABOUT_ONESELF
    holder_id = request.account.holder_id if request.account else None
    if holder_id is not None and holder_id == checker.holder_id:
        return Why.OWN_ACCOUNT
    if needs == RequestNeeds.CHIEF and checker.campus_id is not None:
        return Why.NOT_CHIEF
    if needs == RequestNeeds.SECOND and checker.campus_id not in (None, request.campus_id):
        return Why.OTHER_CAMPUS
    return None


def may_still_agree(request: Request, checker: Operator) -> bool:
    """Whether whoever agreed to it could agree to it now as well."""
    return checker.is_active and obstacle(request, officer_of(checker)) is None


def _refuse_oneself(maker: Officer, account: Account | None, operator_id: int | None) -> None:
    about = Operator.objects.filter(pk=operator_id).first() if operator_id is not None else None
    if about is not None and maker.is_person(about.pk, about.holder_id):
        raise NotApproved(Why.ABOUT_ONESELF)
    if account is not None and account.holder_id == maker.holder_id:
        raise NotApproved(Why.OWN_ACCOUNT)


def _needs(ask: Ask, *, now: datetime, policy: Policy) -> RequestNeeds:
    """The level, by the amount together with what was asked for about the account since yesterday."""
    if ask.needs == RequestNeeds.ADMIN:
        return RequestNeeds.ADMIN
    before_fen = 0
    if ask.account_id is not None and ask.amount_fen:
        lately = Request.objects.filter(account_id=ask.account_id, made_at__gt=now - SAME_DAY)
        stands = lately.exclude(ruling__verdict__in=(RequestVerdict.REFUSED, RequestVerdict.WITHDRAWN))
        counted = stands.exclude(result__done=False)
        before_fen = int(counted.aggregate(fen=Sum("amount_fen", default=0))["fen"])
    if ask.amount_fen + before_fen > policy.second_level_fen:
        return RequestNeeds.CHIEF
    return ask.needs


def _campus_of(maker: Officer, account: Account | None, needs: RequestNeeds) -> int | None:
    """Where the maker stands; for one of every campus, where the account is at home."""
    if needs == RequestNeeds.ADMIN:
        return None
    return maker.campus_id or (account.campus_id if account is not None else None)


def _same(known: Request, ask: Ask, hand: Hand) -> Request:
    asked = (ask.kind, ask.account_id, ask.operator_id, digest_of(ask.content), hand.operator_id)
    stored = (known.kind, known.account_id, known.operator_id, bytes(known.content_hash), known.maker_id)
    if asked != stored:
        raise NotApproved(Why.KEY_REUSED)
    return known


def _rule(
    request: Request, person: Officer, verdict: RequestVerdict, *, now: datetime, reason: str = ""
) -> None:
    RequestRuling.objects.create(
        request=request,
        verdict=verdict,
        content_hash=request.content_hash,
        checker_id=person.id,
        reason=reason,
        ruled_at=now,
    )


def _end(request: Request, operator_id: int, *, now: datetime, why: Why | None = None) -> None:
    RequestResult.objects.create(
        request=request,
        done=why is None,
        content_hash=request.content_hash,
        why=why.value if why else "",
        by_id=operator_id,
        at=now,
    )


def _operator_id(actor: Actor) -> int:
    kind, _, number = actor.who.partition(":")
    if kind != "operator":
        raise NotApproved(Why.NOT_ENTITLED)
    return int(number)


def _tell(
    action: str, request: Request, person: Officer, hand: Hand, now: datetime, reason: str = ""
) -> None:
    actor = Actor.operator(person.id, role=person.role, channel=Channel.COUNTER, place=hand.place)
    after = {"kind": request.kind, "fen": request.amount_fen, "needs": request.needs}
    audit.record(audit.Deed(action, "request", request.pk, after=after, reason=reason), actor=actor, now=now)
