"""Members of staff: who they are for the desk, how they are made, how guesses at their passwords are counted.

An ``Officer`` is read anew for every deed, so whoever is disabled or moved cannot act a moment later (P5, E10).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.views.decorators.debug import sensitive_variables
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.actors import Actor
from accounts.keys import Secrets
from accounts.models import Attempt, Budget, Campus, Holder, LoginRecord, Operator, OperatorRole
from accounts.services import audit
from accounts.services.throttle import Guess, Source
from purse.policy import Policy


@dataclass(frozen=True, slots=True)
class Officer:
    """An active member of staff. ``campus_id`` None serves every campus; ``holder_id`` is the own card's person."""

    id: int
    role: OperatorRole
    name: str
    campus_id: int | None
    holder_id: int | None
    campus_name_zh: str = ""
    campus_name_en: str = ""

    def serves(self, campus_id: int) -> bool:
        """Whether the own campus, or all, include this one (P3)."""
        return self.campus_id in (None, campus_id)

    def is_person(self, operator_id: int | None, holder_id: int | None) -> bool:
        """Whether that operator is this person: the same name, or another one that signs in for the same holder."""
        return operator_id == self.id or (holder_id is not None and holder_id == self.holder_id)


@dataclass(frozen=True, slots=True)
class NewOperator:
    """Who is to be made. ``campus`` is a code, empty for every campus; ``school_no`` links the own card's person."""

    username: str
    role: OperatorRole
    campus: str = ""
    name: str = ""
    school_no: str = ""
    back_office: bool = False


@dataclass(frozen=True, slots=True)
class Hand:
    """Who acts: the operator, from which address, and when his one-time code was last right."""

    operator_id: int
    place: str
    code_at: datetime

    def is_fresh(self, *, now: datetime, policy: Policy) -> bool:
        """Whether the code still speaks for a step that asks for one (security.md section 3, step-up)."""
        return timedelta(0) <= now - self.code_at <= policy.step_up


class NoSuchOperator(Exception):
    """There is no active operator of that id or name."""


class NotMade(Exception):
    """The operator cannot be made; the message says why."""


def officer(operator_id: int) -> Officer:
    """The operator as he stands now. Inside a transaction his row cannot change until its end.

    Raises ``NoSuchOperator`` for a disabled one too.
    """
    rows = Operator.objects.filter(pk=operator_id, is_active=True).select_related("campus")
    if transaction.get_connection().in_atomic_block:
        rows = rows.select_for_update(of=("self",), no_key=True)
    found = rows.first()
    if found is None:
        raise NoSuchOperator(str(operator_id))
    return officer_of(found)


def officer_of(operator: Operator) -> Officer:
    """The facts of an operator that was read already."""
    return Officer(
        id=operator.pk,
        role=OperatorRole(operator.role),
        name=operator.get_full_name(),
        campus_id=operator.campus_id,
        holder_id=operator.holder_id,
        campus_name_zh=operator.campus.name_zh if operator.campus else "",
        campus_name_en=operator.campus.name_en if operator.campus else "",
    )


def refuse(new: NewOperator) -> None:
    """Raise ``NotMade`` when campus or person are unknown, before anybody has to type a password."""
    if new.campus and not Campus.objects.filter(code=new.campus).exists():
        raise NotMade(f"there is no campus {new.campus}")
    if new.school_no and not Holder.objects.filter(school_no=new.school_no).exists():
        raise NotMade(f"there is no person {new.school_no}")


@sensitive_variables("password")
def make_operator(new: NewOperator, password: str, *, actor: Actor, now: datetime) -> int:
    """Create an operator. Raises ``NotMade``."""
    refuse(new)
    place = Campus.objects.filter(code=new.campus).first()
    holder = Holder.objects.filter(school_no=new.school_no).first()
    operator = Operator(
        username=new.username,
        role=new.role,
        campus=place,
        holder=holder,
        display_name=new.name,
        is_staff=new.back_office,
        is_superuser=new.back_office and new.role == OperatorRole.ADMIN,
    )
    try:
        validate_password(password, operator)
    except ValidationError as problem:
        raise NotMade(" ".join(problem.messages)) from None
    operator.set_password(password)
    try:
        with transaction.atomic():
            operator.save(force_insert=True)
            after = {"role": new.role.value, "campus": new.campus, "has_own_card": holder is not None}
            deed = audit.Deed("operator.make", "operator", operator.pk, after=after)
            audit.record(deed, actor=actor, now=now)
    except IntegrityError:
        raise NotMade(f"the name {new.username} is taken or not of the form a-z, 0-9, . _ -") from None
    return operator.pk


@transaction.atomic
def set_authenticator(username: str, *, actor: Actor, now: datetime, secrets: Secrets) -> str:
    """Give an operator a new authenticator; the old one and all wrong guesses are forgotten.

    Returns its ``otpauth://`` address, which is nowhere to be read again. Raises ``NoSuchOperator``.
    """
    operator = Operator.objects.filter(username=username, is_active=True).first()
    if operator is None:
        raise NoSuchOperator(username)
    TOTPDevice.objects.filter(user=operator).delete()
    forget_guesses(username, secrets=secrets)
    device = TOTPDevice.objects.create(user=operator, name="authenticator", confirmed=True)
    audit.record(audit.Deed("operator.set_authenticator", "operator", operator.pk), actor=actor, now=now)
    return str(device.config_url)


def guess_of(username: str, address: str, *, secrets: Secrets) -> Guess:
    """A staff password or code about to be compared, for a name that exists or not."""
    return Guess(_subject(username, secrets), None, Budget.REMOTE, Source.web(address))


def forget_guesses(username: str, *, secrets: Secrets) -> None:
    """Take away the count of wrong guesses at an operator's door."""
    Attempt.objects.filter(subject=_subject(username, secrets)).delete()


def logins_of(username: str, *, secrets: Secrets, newest: int = 10) -> list[LoginRecord]:
    """The latest passwords and codes tried for an operator, newest first."""
    staff = LoginRecord.objects.filter(subject__startswith="operator:")  # of these there is an index
    tried = staff.filter(subject=_subject(username, secrets))
    return list(tried.order_by("-at", "-pk")[:newest])


def _subject(username: str, secrets: Secrets) -> str:
    """Under which name the guesses for an operator are counted."""
    return f"operator:{secrets.blind('operator', username.lower()[:200]).hex()[:32]}"
