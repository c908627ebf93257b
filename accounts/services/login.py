"""Signing in with a number and the query password (guide L119, L131): on the web, by phone, at a kiosk.

Unknown number, wrong password and locked door look the same: same words, same work, same counters. What a
session may do follows from the door and from whether the password is still the initial one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from accounts.actors import Channel, Proof
from accounts.checks import Rejected
from accounts.checks.identifiers import AccountNumber, parse_identifier
from accounts.checks.pins import parse_pin
from accounts.keys import Secrets
from accounts.models import Account, AccountLife, SecretKind
from accounts.services import throttle
from accounts.services.passwords import BUDGET_OF, PinOutcome, compare
from accounts.services.throttle import Guess, Source

NOT_IN = _("账号或密码不正确，或尝试次数过多，请 15 分钟后再试")
"""The only words for every failure, whatever its cause."""
CLOSED_READABLE = timedelta(days=365)


class LoginOutcome(StrEnum):
    """IN: signed in. OUT: not, for whatever reason. CHALLENGE: answer the sum first; nothing was compared."""

    IN = "in"
    OUT = "out"
    CHALLENGE = "challenge"


class Right(StrEnum):
    """What a signed-in holder may do."""

    READ = "read"
    REPORT_LOSS = "report_loss"
    LIFT_LOSS = "lift_loss"
    CHANGE_QUERY = "change_query"
    CHANGE_CONSUMPTION = "change_consumption"
    CHANGE_LIMIT = "change_limit"
    LOAD = "load"


@dataclass(frozen=True, slots=True)
class LoginResult:
    """The answer to a sign-in. ``must_change``: initial password; say so, and restrict to ``rights``."""

    outcome: LoginOutcome
    message: str | Promise = ""
    account_id: int | None = None
    holder_uid: UUID | None = None
    rights: frozenset[Right] = frozenset()
    must_change: bool = False
    proof: Proof | None = None
    wait_until: datetime | None = None


_DOORS: dict[Channel, frozenset[Right]] = {
    Channel.WEB: frozenset({Right.READ, Right.REPORT_LOSS, Right.CHANGE_QUERY}),
    Channel.PHONE: frozenset({Right.REPORT_LOSS}),
    Channel.QUERY_KIOSK: frozenset({Right.READ, Right.REPORT_LOSS}),
    Channel.LOAD_KIOSK: frozenset(Right),
}
_WITH_DEFAULT: dict[Channel, frozenset[Right]] = {
    **_DOORS,
    Channel.WEB: frozenset({Right.REPORT_LOSS, Right.CHANGE_QUERY}),
}
"""With the initial password the web lets a holder report a loss or choose a password, nothing else."""


@sensitive_variables("pin")
def authenticate_holder(
    identifier: str,
    pin: str,
    channel: Channel,
    source: Source,
    *,
    now: datetime,
    secrets: Secrets,
    challenge_passed: bool = False,
) -> LoginResult:
    """Sign a holder in by school number or account number; by phone by account number only (A19).

    Call it outside any transaction. Raises ``Rejected`` when ``pin`` is not six digits (nothing is counted)
    and ``pinhash.Busy``. An identifier of the wrong form is an unknown one.
    """
    if channel not in _DOORS or channel is not source.channel:
        raise ValueError(f"nobody signs in at {channel} from {source.channel}")
    parse_pin(pin)
    suspicion = throttle.suspicion(source, now=now)
    early = suspicion.wait_until is not None and now < suspicion.wait_until
    if suspicion.challenge and (early or not challenge_passed):
        return LoginResult(LoginOutcome.CHALLENGE, NOT_IN, wait_until=suspicion.wait_until)
    account = _find(identifier, channel, now=now)
    guess = _guess(identifier, account, source, secrets)
    verdict = compare(guess, pin, kind=SecretKind.QUERY, now=now, secrets=secrets)
    if verdict.outcome is not PinOutcome.OK or account is None:
        return LoginResult(LoginOutcome.OUT, NOT_IN)
    return LoginResult(
        LoginOutcome.IN,
        account_id=account.pk,
        holder_uid=account.holder.uid,
        rights=rights_of(account, channel, is_default=verdict.is_default),
        must_change=verdict.is_default,
        proof=verdict.proof,
    )


def rights_of(account: Account, channel: Channel, *, is_default: bool) -> frozenset[Right]:
    """What this door offers for this account (security.md section 4; requirements 3.3)."""
    rights = (_WITH_DEFAULT if is_default else _DOORS)[channel]
    if account.life == AccountLife.CLOSED:
        return rights & {Right.READ}
    if account.life == AccountLife.CLOSING:
        return rights & {Right.READ, Right.REPORT_LOSS}
    return rights


def _find(identifier: str, channel: Channel, *, now: datetime) -> Account | None:
    """The account meant, the one in use before a closed one; a closed one can be read for a year."""
    try:
        parsed = parse_identifier(identifier)
    except Rejected:
        return None
    if isinstance(parsed, AccountNumber):
        found = Account.objects.filter(number=parsed.value)
    elif channel is Channel.PHONE:
        return None
    else:
        found = Account.objects.filter(holder__school_no=parsed.value)
    in_use = found.filter(life__in=[AccountLife.OPEN, AccountLife.CLOSING])
    closed = found.filter(life=AccountLife.CLOSED, closed_at__gt=now - CLOSED_READABLE)
    newest_open = in_use.select_related("holder").order_by("-opened_at", "-pk").first()
    return newest_open or closed.select_related("holder").order_by("-closed_at", "-pk").first()


def _guess(identifier: str, account: Account | None, source: Source, secrets: Secrets) -> Guess:
    budget = BUDGET_OF[source.channel]
    if account is not None:
        return Guess(throttle.account_subject(account.pk), account.pk, budget, source)
    hidden = secrets.blind("unknown_identifier", identifier[:200].upper()).hex()
    return Guess(f"unknown:{hidden[:32]}", None, budget, source)
