"""Hiring, moving and dismissing members of staff, and handing out what they sign in with.

Whatever gives rights takes two administrators (ASVS 2.3.5, reliability.md E9); taking them away takes one and works at
the next request. Nobody changes himself; one administrator always stays; and the two factors in force never come from
the same administrator, so that none of them can sign in as somebody else.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.views.decorators.debug import sensitive_variables

from accounts.actors import Actor, Channel
from accounts.keys import Secrets
from accounts.models import (
    AuditEvent,
    Campus,
    Holder,
    Operator,
    OperatorRole,
    Request,
    RequestNeeds,
)
from accounts.services import approvals, audit, operators, sessions, throttle
from accounts.services.approvals import Ask
from accounts.services.operators import Hand, NoSuchOperator, Officer, officer
from purse.policy import Policy

MAKE: Final = "operator.make"
CHANGE: Final = "operator.change"
ENABLE: Final = "operator.enable"
USERNAME_FORM: Final = r"\A[A-Za-z0-9._-]{2,64}\Z"
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""No letter in a given password looks like another one."""


class Problem(StrEnum):
    """Why not; nothing was written."""

    NOT_ENTITLED = "not_entitled"
    NO_SUCH_OPERATOR = "no_such_operator"
    NO_SUCH_PERSON = "no_such_person"
    ONESELF = "oneself"
    LAST_ADMIN = "last_admin"
    CODE_TOO_OLD = "code_too_old"
    NO_REASON = "no_reason"
    NAME_TAKEN = "name_taken"
    NOTHING_NEW = "nothing_new"
    DISABLED = "disabled"
    NOT_DISABLED = "not_disabled"
    BOTH_FACTORS = "both_factors"
    WRONG_PASSWORD = "wrong_password"
    SAME_PASSWORD = "same_password"
    WEAK_PASSWORD = "weak_password"
    CHANGED = "changed"


class NotStaffed(Exception):
    """It was not done. ``messages``: what the rules for passwords say, in the reader's language."""

    def __init__(self, problem: Problem, messages: tuple[str, ...] = ()) -> None:
        super().__init__(problem.value)
        self.problem, self.messages = problem, messages


@dataclass(frozen=True, slots=True)
class Post:
    """What somebody may do, and where: ``campus`` is a code, empty for every one; ``back_office`` opens /admin/."""

    role: OperatorRole
    campus: str = ""
    back_office: bool = False

    def as_json(self) -> dict[str, Any]:
        """As it stands in a request."""
        return {"role": self.role.value, "campus": self.campus, "back_office": self.back_office}


@dataclass(frozen=True, slots=True)
class NewStaff:
    """Somebody to be hired. ``school_no``: of the own card, so that nobody serves himself; empty for none."""

    username: str
    name: str
    post: Post
    school_no: str = ""


def propose_new(
    key: UUID, new: NewStaff, reason: str, *, hand: Hand, now: datetime, policy: Policy
) -> Request:
    """Ask for a new operator. Raises ``NotStaffed`` and ``NotApproved``."""
    if Operator.objects.filter(username__iexact=new.username).exists():
        raise NotStaffed(Problem.NAME_TAKEN)
    holder = Holder.objects.filter(school_no=new.school_no).first() if new.school_no else None
    if new.school_no and holder is None:
        raise NotStaffed(Problem.NO_SUCH_PERSON)
    content = {
        "username": new.username,
        "name": new.name,
        "holder": str(holder.uid) if holder else "",
        **_checked(new.post).as_json(),
    }
    ask = Ask(key, MAKE, content, reason, needs=RequestNeeds.ADMIN)
    return approvals.propose(ask, hand=hand, now=now, policy=policy)


def propose_change(
    key: UUID, operator_id: int, post: Post, reason: str, *, hand: Hand, now: datetime, policy: Policy
) -> Request:
    """Ask for another role or campus for somebody. Raises ``NotStaffed`` and ``NotApproved``."""
    before = _post_of(_found(operator_id))
    if _checked(post) == before:
        raise NotStaffed(Problem.NOTHING_NEW)
    content = {"before": before.as_json(), "after": post.as_json()}
    ask = Ask(key, CHANGE, content, reason, operator_id=operator_id, needs=RequestNeeds.ADMIN)
    return approvals.propose(ask, hand=hand, now=now, policy=policy)


def propose_enable(
    key: UUID, operator_id: int, reason: str, *, hand: Hand, now: datetime, policy: Policy
) -> Request:
    """Ask for somebody who was disabled to be let in again. Raises ``NotStaffed`` and ``NotApproved``."""
    person = _found(operator_id)
    if person.is_active:
        raise NotStaffed(Problem.NOT_DISABLED)
    ask = Ask(
        key, ENABLE, _post_of(person).as_json(), reason, operator_id=operator_id, needs=RequestNeeds.ADMIN
    )
    return approvals.propose(ask, hand=hand, now=now, policy=policy)


@transaction.atomic
def carry_out(request_id: int, *, actor: Actor, now: datetime) -> int:
    """Do what two administrators agreed on; returns the operator's id. New ones can sign in once they got both factors.

    Raises ``NotApproved`` and ``NotStaffed`` (what it rests on has changed).
    """
    request = Request.objects.get(pk=request_id)
    if request.kind == MAKE:
        return _make(request, actor, now)
    person = _locked(request.operator_id or 0)
    before = _post_of(person)
    if request.kind == ENABLE:
        approvals.use(request_id, kind=ENABLE, content=before.as_json(), actor=actor, now=now)
        if person.is_active:
            raise NotStaffed(Problem.NOT_DISABLED)
        _update(person, "operator.enable", {"is_active": True}, actor, now, request.reason)
        return person.pk
    after = request.content["after"]
    approvals.use(
        request_id, kind=CHANGE, content={"before": before.as_json(), "after": after}, actor=actor, now=now
    )
    _move(person, _post_from(after), actor, now, request.reason)
    return person.pk


@transaction.atomic
def disable(operator_id: int, reason: str, *, hand: Hand, now: datetime, policy: Policy) -> None:
    """Let somebody out at once: no sign-in, no session any more. Safe to repeat. Raises ``NotStaffed``."""
    admin = _admin(operator_id, hand, now=now, policy=policy)
    if not reason.strip():
        raise NotStaffed(Problem.NO_REASON)
    person = _locked(operator_id)
    if not person.is_active:
        return
    actor = _actor(admin, hand)
    _update(person, "operator.disable", {"is_active": False}, actor, now, reason)
    sessions.end_all(operator_id, actor=actor, now=now)


@transaction.atomic
def give_password(operator_id: int, *, hand: Hand, now: datetime, policy: Policy, secrets: Secrets) -> str:
    """Give a password that is good for one thing, choosing an own one. Shown once, nowhere to be read again.

    Ends every session and forgets wrong guesses. Raises ``NotStaffed``.
    """
    admin = _admin(operator_id, hand, now=now, policy=policy)
    person = _active(operator_id)
    if _giver(operator_id, "operator.set_authenticator") == f"operator:{admin.id}":
        raise NotStaffed(Problem.BOTH_FACTORS)
    password = "-".join("".join(randomness.choice(_LETTERS) for _ in range(5)) for _ in range(4))
    person.set_password(password)
    person.must_change_password = True
    person.save(update_fields=["password", "must_change_password"])
    actor = _actor(admin, hand)
    audit.record(audit.Deed("operator.give_password", "operator", operator_id), actor=actor, now=now)
    sessions.end_all(operator_id, actor=actor, now=now)
    operators.forget_guesses(person.username, secrets=secrets)
    return password


@transaction.atomic
def give_authenticator(
    operator_id: int, *, hand: Hand, now: datetime, policy: Policy, secrets: Secrets
) -> str:
    """Give a new authenticator; the old one is dead. Returns its ``otpauth://`` address, shown once.

    Raises ``NotStaffed``.
    """
    admin = _admin(operator_id, hand, now=now, policy=policy)
    person = _active(operator_id)
    given = person.must_change_password or not person.has_usable_password()
    if given and _giver(operator_id, "operator.give_password") == f"operator:{admin.id}":
        raise NotStaffed(Problem.BOTH_FACTORS)
    actor = _actor(admin, hand)
    address = operators.set_authenticator(person.username, actor=actor, now=now, secrets=secrets)
    sessions.end_all(operator_id, actor=actor, now=now)
    return address


@transaction.atomic
def end_sessions(operator_id: int, *, hand: Hand, now: datetime, policy: Policy) -> int:
    """End every session of somebody; he may sign in again. Returns how many. Raises ``NotStaffed``."""
    admin = _admin(operator_id, hand, now=now, policy=policy)
    return sessions.end_all(operator_id, actor=_actor(admin, hand), now=now)


@sensitive_variables("old", "new")
def change_own_password(
    old: str, new: str, *, hand: Hand, now: datetime, secrets: Secrets, session_key: str | None
) -> None:
    """Choose an own password; ends every other session. A wrong old one counts as a wrong guess at the door.

    Not to be called inside a transaction: the guess is counted before it is compared. Raises ``NotStaffed``.
    """
    person = Operator.objects.get(pk=hand.operator_id)
    guess = operators.guess_of(person.username, hand.place, secrets=secrets)
    if not throttle.reserve(guess, now=now).granted:
        raise NotStaffed(Problem.WRONG_PASSWORD)
    if not person.check_password(old):
        throttle.failed(guess, now=now)
        raise NotStaffed(Problem.WRONG_PASSWORD)
    actor = _actor(operators.officer_of(person), hand)
    throttle.succeeded(guess, actor=actor, now=now)
    if new == old:
        raise NotStaffed(Problem.SAME_PASSWORD)
    if person.username.casefold() in new.casefold():
        raise NotStaffed(Problem.WEAK_PASSWORD)
    try:
        validate_password(new, person)
    except ValidationError as problem:
        raise NotStaffed(Problem.WEAK_PASSWORD, tuple(problem.messages)) from None
    with transaction.atomic():
        person = _locked(person.pk)
        person.set_password(new)
        person.must_change_password = False
        person.save(update_fields=["password", "must_change_password"])
        audit.record(audit.Deed("operator.change_password", "operator", person.pk), actor=actor, now=now)
        sessions.end_all(person.pk, actor=actor, now=now, keep=session_key)


def _admin(operator_id: int, hand: Hand, *, now: datetime, policy: Policy) -> Officer:
    """The administrator, if he may do something about this person now.

    Locks both rows in the order of their ids, so that two who turn against each other do not wait for ever.
    """
    both = Operator.objects.filter(pk__in=(operator_id, hand.operator_id))
    people = list(both.select_for_update(of=("self",)).order_by("pk").values_list("pk", "holder_id"))
    try:
        acting = officer(hand.operator_id)
    except NoSuchOperator:
        raise NotStaffed(Problem.NOT_ENTITLED) from None
    if acting.role is not OperatorRole.ADMIN:
        raise NotStaffed(Problem.NOT_ENTITLED)
    if any(acting.is_person(*each) for each in people if each[0] == operator_id):
        raise NotStaffed(Problem.ONESELF)
    if not hand.is_fresh(now=now, policy=policy):
        raise NotStaffed(Problem.CODE_TOO_OLD)
    return acting


def _found(operator_id: int) -> Operator:
    found = Operator.objects.select_related("campus").filter(pk=operator_id).first()
    if found is None:
        raise NotStaffed(Problem.NO_SUCH_OPERATOR)
    return found


def _locked(operator_id: int) -> Operator:
    found = Operator.objects.select_for_update(of=("self",)).filter(pk=operator_id).first()
    if found is None:
        raise NotStaffed(Problem.NO_SUCH_OPERATOR)
    return found


def _active(operator_id: int) -> Operator:
    person = _locked(operator_id)
    if not person.is_active:
        raise NotStaffed(Problem.DISABLED)
    return person


def _giver(operator_id: int, action: str) -> str:
    """Who gave the factor that is in force."""
    given = AuditEvent.objects.filter(object_kind="operator", object_id=str(operator_id), action=action)
    return given.order_by("-id").values_list("actor", flat=True).first() or ""


def _checked(post: Post) -> Post:
    """A post that can exist. Administrators answer for every campus and need the back office; raises ``NotStaffed``."""
    if post.campus and not Campus.objects.filter(code=post.campus).exists():
        raise NotStaffed(Problem.CHANGED)
    return Post(post.role, "", True) if post.role is OperatorRole.ADMIN else post


def _post_of(person: Operator) -> Post:
    campus = person.campus.code if person.campus else ""
    return Post(OperatorRole(person.role), campus, person.is_staff)


def _post_from(told: Mapping[str, Any]) -> Post:
    return Post(OperatorRole(told["role"]), told["campus"], told["back_office"])


def _make(request: Request, actor: Actor, now: datetime) -> int:
    told = request.content
    approvals.use(request.pk, kind=MAKE, content=told, actor=actor, now=now)
    post = _post_from(told)
    person = Operator(
        username=told["username"],
        display_name=told["name"],
        role=post.role,
        campus=Campus.objects.filter(code=post.campus).first(),
        holder=Holder.objects.filter(uid=told["holder"]).first() if told["holder"] else None,
        must_change_password=True,
        **_back_office(post),
    )
    person.set_unusable_password()
    try:
        with transaction.atomic():
            person.save(force_insert=True)
    except IntegrityError:
        raise NotStaffed(Problem.NAME_TAKEN) from None
    after = post.as_json() | {"has_own_card": bool(told["holder"])}
    deed = audit.Deed("operator.make", "operator", person.pk, after=after, reason=request.reason)
    audit.record(deed, actor=actor, now=now)
    return person.pk


def _move(person: Operator, post: Post, actor: Actor, now: datetime, reason: str) -> None:
    campus = Campus.objects.filter(code=post.campus).first()
    before = _post_of(person)
    try:
        with transaction.atomic():
            Operator.objects.filter(pk=person.pk).update(role=post.role, campus=campus, **_back_office(post))
    except IntegrityError:
        raise NotStaffed(Problem.LAST_ADMIN) from None
    changed = [name for name in before.as_json() if before.as_json()[name] != post.as_json()[name]]
    deed = audit.Deed(
        "operator.change",
        "operator",
        person.pk,
        before={name: before.as_json()[name] for name in changed},
        after={name: post.as_json()[name] for name in changed},
        reason=reason,
    )
    audit.record(deed, actor=actor, now=now)
    sessions.end_all(person.pk, actor=actor, now=now)


def _update(
    person: Operator, action: str, fields: Mapping[str, bool], actor: Actor, now: datetime, reason: str
) -> None:
    """Write flags of a locked operator. Raises ``NotStaffed`` when no administrator would be left."""
    before = {name: getattr(person, name) for name in fields}
    try:
        with transaction.atomic():
            Operator.objects.filter(pk=person.pk).update(**fields)
    except IntegrityError:
        raise NotStaffed(Problem.LAST_ADMIN) from None
    deed = audit.Deed(action, "operator", person.pk, before=before, after=dict(fields), reason=reason)
    audit.record(deed, actor=actor, now=now)


def _back_office(post: Post) -> dict[str, bool]:
    return {"is_staff": post.back_office, "is_superuser": post.role is OperatorRole.ADMIN}


def _actor(person: Officer, hand: Hand) -> Actor:
    return Actor.operator(person.id, role=person.role, channel=Channel.COUNTER, place=hand.place)
