"""The two passwords: comparing, changing, setting and resetting.

A comparison has three steps that never share a transaction: count the guess (committed), compute one full
hash, note the outcome. So these functions are called outside any transaction, and a crash in between costs a
guess, never grants one.
"""

from __future__ import annotations

import hmac
import secrets as random
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from accounts.actors import Actor, AtCounter, Channel, Proof, WrongDoor
from accounts.checks import Rejected
from accounts.checks.idnumber import default_pin
from accounts.checks.pins import PinFacts, parse_pin, weak_password_reason
from accounts.keys import Secrets
from accounts.models import Account, AccountLife, Budget, Card, CardLife, Secret, SecretKind
from accounts.pinhash import Verified, hash_pin, place_at_the_gate, verify_pin
from accounts.services import audit, holders, throttle
from accounts.services.throttle import Guess, Source
from purse.rules import Pin


class PinOutcome(StrEnum):
    """What a comparison said. LOCKED: not compared at all."""

    OK = "ok"
    WRONG = "wrong"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class PinVerdict:
    """The outcome, how many guesses are left before a pause, and the proof when the password was right."""

    outcome: PinOutcome
    remaining: int = 0
    proof: Proof | None = None
    is_default: bool = False

    @property
    def pin(self) -> Pin:
        """The word that ``purse.rules`` knows."""
        return {PinOutcome.OK: Pin.RIGHT, PinOutcome.WRONG: Pin.WRONG, PinOutcome.LOCKED: Pin.LOCKED}[
            self.outcome
        ]


@dataclass(frozen=True, slots=True, repr=False)
class NewPin:
    """What a holder typed to change a password: old, new, and new again."""

    old: str
    new: str
    again: str

    def __repr__(self) -> str:
        return "NewPin(…)"


class NotOffered(Exception):
    """This password cannot be changed here or now. ``message`` says where it can."""

    def __init__(self, message: object) -> None:
        super().__init__()
        self.message = message


BUDGET_OF = {
    Channel.WEB: Budget.REMOTE,
    Channel.PHONE: Budget.REMOTE,
    Channel.QUERY_KIOSK: Budget.PHYSICAL,
    Channel.LOAD_KIOSK: Budget.PHYSICAL,
}
"""Which budget a query password is paid from; the consumption password has its own, everywhere."""
_OTHER = {SecretKind.QUERY: SecretKind.CONSUMPTION, SecretKind.CONSUMPTION: SecretKind.QUERY}


@sensitive_variables("pin")
def verify_consumption(
    account_id: int, pin: str, *, source: Source, now: datetime, secrets: Secrets
) -> PinVerdict:
    """Compare the consumption password for a tap or at a load kiosk. Call it outside any transaction.

    Something that is not six digits is simply wrong, and is counted. Raises ``pinhash.Busy``.
    """
    if source.channel not in {Channel.POS, Channel.LOAD_KIOSK}:
        raise WrongDoor(f"the consumption password is never asked at {source.channel}")
    guess = Guess(throttle.account_subject(account_id), account_id, Budget.CONSUMPTION, source)
    return compare(guess, pin, kind=SecretKind.CONSUMPTION, now=now, secrets=secrets)


@sensitive_variables("pin")
def verify_query(account_id: int, pin: str, *, source: Source, now: datetime, secrets: Secrets) -> PinVerdict:
    """Compare the query password of a known account (card in the kiosk, or asked again before a deed)."""
    if source.channel not in BUDGET_OF:
        raise WrongDoor(f"the query password is never asked at {source.channel}")
    guess = Guess(throttle.account_subject(account_id), account_id, BUDGET_OF[source.channel], source)
    return compare(guess, pin, kind=SecretKind.QUERY, now=now, secrets=secrets)


@sensitive_variables("pin")
def compare(guess: Guess, pin: str, *, kind: SecretKind, now: datetime, secrets: Secrets) -> PinVerdict:
    """Count, compare, note. One full hash whatever happens, unless the source itself is blocked.

    Raises ``pinhash.Busy`` before anything is counted.
    """
    with place_at_the_gate():
        ticket = throttle.reserve(guess, now=now)
        if ticket.source_blocked:
            return PinVerdict(PinOutcome.LOCKED)
        secret = _secret(guess.account_id, kind) if ticket.granted else None
        verified = matches(secret, pin, kind=kind, secrets=secrets)
        if verified.stale and secret is not None:
            _hash_anew(secret, pin, secrets)
    if not verified.right or guess.account_id is None or secret is None:
        throttle.failed(guess, now=now)
        outcome = PinOutcome.WRONG if ticket.granted else PinOutcome.LOCKED
        return PinVerdict(outcome, remaining=ticket.left)
    actor = Actor.holder(secret.account.holder.uid, channel=guess.source.channel, place=guess.source.name)
    throttle.succeeded(guess, actor=actor, now=now)
    proof = Proof(guess.account_id, kind, guess.source.channel, now)
    return PinVerdict(PinOutcome.OK, proof=proof, is_default=secret.is_default)


@sensitive_variables("pin")
def matches(secret: Secret | None, pin: str, *, kind: SecretKind, secrets: Secrets) -> Verified:
    """Compare with a stored password at the cost of one full hash; nobody's password is never right.

    A derived initial password is compared digit by digit in constant time, and the hash is computed all the
    same.
    """
    account_id = 0 if secret is None else secret.account_id
    stored = None if secret is None else secret.pin_hash
    verified = verify_pin(stored, pin, kind=kind, account_id=account_id, secrets=secrets)
    if secret is None or stored is not None:
        return verified
    initial = _initial_pin(secret.account, secrets)
    return Verified(right=initial is not None and hmac.compare_digest(initial.encode(), pin.encode()))


@sensitive_variables("typed")
def change_pin(
    account_id: int, kind: SecretKind, typed: NewPin, *, source: Source, now: datetime, secrets: Secrets
) -> PinVerdict:
    """Change a password by its holder: at the load kiosk both, on the web the query password only.

    A wrong old password counts as a guess (item 33); then the verdict is not OK and nothing has changed.
    Raises ``Rejected`` when the new password is unfit, ``NotOffered`` by channel or standing. Call it outside
    any transaction.
    """
    _refuse_door(kind, source.channel)
    parse_pin(typed.old)
    new = parse_pin(typed.new)
    if new != typed.again:
        raise Rejected(_("两次输入的新密码不一致"))
    if new == typed.old:
        raise Rejected(_("新密码不能与原密码相同"))
    account = _account(account_id)
    refuse_standing(account, kind)
    verify = verify_query if kind is SecretKind.QUERY else verify_consumption
    verdict = verify(account_id, typed.old, source=source, now=now, secrets=secrets)
    if verdict.outcome is not PinOutcome.OK:
        return verdict
    if not throttle.reserve_change(account_id, now=now):
        raise NotOffered(_("今天修改密码的次数过多，请明天再试"))
    _refuse_weak(account, new, secrets)
    budget = Budget.CONSUMPTION if kind is SecretKind.QUERY else Budget.PHYSICAL
    if throttle.reserve_spare(account_id, budget, now=now):
        _refuse_other(account_id, kind, new, secrets)
    actor = Actor.holder(account.holder.uid, channel=source.channel, place=source.name)
    deed = audit.Deed("secret.change", "secret", f"{account_id}/{kind}")
    _store(account_id, kind, new, deed=deed, actor=actor, now=now, secrets=secrets)
    throttle.release_change(account_id)
    return replace(verdict, is_default=False)


@sensitive_variables("new", "again")
def set_pin(
    account_id: int,
    kind: SecretKind,
    new: str,
    again: str,
    *,
    door: AtCounter,
    now: datetime,
    secrets: Secrets,
) -> None:
    """Set a password that the holder types on the pad at the counter, after showing a document.

    Reopens the channels that wrong guesses had closed. Raises ``Rejected`` and ``NotOffered``.
    """
    if parse_pin(new) != again:
        raise Rejected(_("两次输入的新密码不一致"))
    account = _account(account_id)
    refuse_own(account, door)
    refuse_standing(account, kind)
    _refuse_weak(account, new, secrets)
    _refuse_other(account_id, kind, new, secrets)
    with transaction.atomic():
        deed = audit.Deed("secret.set", "secret", f"{account_id}/{kind}", after=door.noted)
        _store(account_id, kind, new, deed=deed, actor=door.actor, now=now, secrets=secrets)
        throttle.reset(account_id, _budgets_of(kind), door=door, now=now)


@transaction.atomic
def reset_to_initial(
    account_id: int, kind: SecretKind, *, door: AtCounter, now: datetime, secrets: Secrets
) -> str | None:
    """Put the initial password back at the counter.

    Returns None when it follows from the identity number, else six random digits for a sealed slip (A16).
    """
    account = _account(account_id)
    refuse_own(account, door)
    slip = give_initial(account, kind, now=now, secrets=secrets)
    deed = audit.Deed(
        "secret.reset", "secret", f"{account_id}/{kind}", after={"is_default": True, **door.noted}
    )
    audit.record(deed, actor=door.actor, now=now)
    throttle.reset(account_id, _budgets_of(kind), door=door, now=now)
    return slip


def give_initial(account: Account, kind: SecretKind, *, now: datetime, secrets: Secrets) -> str | None:
    """Give the initial password of the guide, or where there is none a random one, which is returned for the slip."""
    slip = None if _initial_pin(account, secrets) is not None else random_pin(_facts(account, secrets))
    pin_hash = None
    if slip is not None:
        pin_hash = hash_pin(slip, kind=kind, account_id=account.pk, secrets=secrets)
    Secret.objects.update_or_create(
        account=account, kind=kind, defaults={"pin_hash": pin_hash, "is_default": True, "changed_at": now}
    )
    return slip


def has_initial(account: Account, secrets: Secrets) -> bool:
    """Whether the initial password of the guide follows from the document in the register (L131, A16)."""
    return _initial_pin(account, secrets) is not None


def random_pin(facts: PinFacts) -> str:
    """Six random digits that the rules for new passwords accept."""
    while True:
        pin = f"{random.randbelow(1_000_000):06d}"
        if weak_password_reason(pin, facts) is None:
            return pin


def refuse_own(account: Account, door: AtCounter) -> None:
    """Nobody serves himself (P4)."""
    if door.own_holder_id is not None and door.own_holder_id == account.holder_id:
        raise WrongDoor("a clerk does not serve his own account")


def _refuse_door(kind: SecretKind, channel: Channel) -> None:
    allowed = {
        SecretKind.QUERY: {Channel.WEB, Channel.LOAD_KIOSK},
        SecretKind.CONSUMPTION: {Channel.LOAD_KIOSK},
    }
    if channel not in allowed[kind]:
        raise NotOffered(_("请到校园智能卡管理中心或圈存机修改该密码"))


def refuse_standing(account: Account, kind: SecretKind) -> None:
    """Requirements 3.3: frozen or lost, only the query password; expired or closing, none. Raises ``NotOffered``."""
    card = Card.objects.filter(account=account).order_by("-issue_no").first()
    expired = card is not None and card.life == CardLife.EXPIRED
    if account.life != AccountLife.OPEN or expired:
        raise NotOffered(_("账户或卡片不在正常使用期内，不能修改密码"))
    if kind is SecretKind.CONSUMPTION and (account.frozen or (card is not None and card.lost)):
        raise NotOffered(_("卡片挂失或冻结期间不能修改消费密码"))


def _refuse_weak(account: Account, new: str, secrets: Secrets) -> None:
    reason = weak_password_reason(new, _facts(account, secrets))
    if reason is not None:
        raise Rejected(reason)


def _refuse_other(account_id: int, kind: SecretKind, new: str, secrets: Secrets) -> None:
    other = _OTHER[kind]
    with place_at_the_gate():
        equal = matches(_secret(account_id, other), new, kind=other, secrets=secrets).right
    if equal:
        raise Rejected(_("查询密码与消费密码不能相同"))


def _facts(account: Account, secrets: Secrets) -> PinFacts:
    number = holders.id_number_of(account.holder, secrets)
    uids = Card.objects.filter(account=account).exclude(uid="").values_list("uid", flat=True)
    printed = [str(int(uid, 16)) for uid in uids]
    numbers = [number or "", account.holder.school_no, str(account.number), *printed]
    default = default_pin(number, x_as=secrets.initial_x) if number else None
    return PinFacts(default=default, numbers=tuple(numbers))


def _initial_pin(account: Account, secrets: Secrets) -> str | None:
    number = holders.id_number_of(account.holder, secrets)
    return default_pin(number, x_as=secrets.initial_x) if number else None


def _account(account_id: int) -> Account:
    return Account.objects.select_related("holder").get(pk=account_id)


def _secret(account_id: int | None, kind: SecretKind) -> Secret | None:
    if account_id is None:
        return None
    return Secret.objects.select_related("account__holder").filter(account_id=account_id, kind=kind).first()


@transaction.atomic
def _store(
    account_id: int,
    kind: SecretKind,
    pin: str,
    *,
    deed: audit.Deed,
    actor: Actor,
    now: datetime,
    secrets: Secrets,
) -> None:
    pin_hash = hash_pin(pin, kind=kind, account_id=account_id, secrets=secrets)
    Secret.objects.update_or_create(
        account_id=account_id,
        kind=kind,
        defaults={"pin_hash": pin_hash, "is_default": False, "changed_at": now},
    )
    note = replace(deed, after={"is_default": False, **deed.after})
    audit.record(note, actor=actor, now=now)


def _hash_anew(secret: Secret, pin: str, secrets: Secrets) -> None:
    """Move a right password to the current pepper, unless it was changed in the meantime."""
    fresh = hash_pin(pin, kind=SecretKind(secret.kind), account_id=secret.account_id, secrets=secrets)
    Secret.objects.filter(pk=secret.pk, pin_hash=secret.pin_hash).update(pin_hash=fresh)


def _budgets_of(kind: SecretKind) -> frozenset[Budget]:
    if kind is SecretKind.CONSUMPTION:
        return frozenset({Budget.CONSUMPTION})
    return frozenset({Budget.REMOTE, Budget.PHYSICAL})
