"""What people do with a case besides correcting: take it, put it off, ask a supervisor, remark, close a suspect one."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction

from accounts.actors import Actor, Channel
from accounts.kinds import OperatorRole
from accounts.models import Operator
from accounts.services import audit
from accounts.services.operators import Hand, Officer
from reconciliation.models import Case, CaseNote, CaseState, NoteKind
from reconciliation.services import cases
from reconciliation.services.decisions import CHECKERS, MAKERS, entitled
from reconciliation.services.remedies import Obstacle, Refused

HOLD_MAX = timedelta(days=60)
"""Nothing is put off longer than this; an offline record older than that is not to be waited for."""


class BadDay(Exception):
    """A case is put off to a later day, at most ``HOLD_MAX`` from today."""


@transaction.atomic(durable=True)
def take(case_id: int, *, hand: Hand, now: datetime) -> None:
    """Say that one looks after this case. Taken before by the same person: nothing more. Raises ``Refused``."""
    case, person = _open_case(case_id, hand)
    if case.assignee_id == person.id:
        return
    Case.objects.filter(pk=case_id).update(assignee_id=person.id)
    _note(case, NoteKind.TAKEN, person, hand, now)


@transaction.atomic(durable=True)
def assign(case_id: int, operator_id: int, *, hand: Hand, now: datetime) -> None:
    """分派: give the case to somebody who may work on it. Given to him before: nothing more.

    Supervisors only. Raises ``Refused``: ``NOT_ENTITLED`` and ``OWN_ACCOUNT`` of the one who gives it,
    ``NOT_ASSIGNABLE`` of the one who would get it.
    """
    case = Case.objects.select_for_update(of=("self",)).select_related("account").get(pk=case_id)
    both = Operator.objects.filter(pk__in=(hand.operator_id, operator_id))
    list(both.select_for_update(of=("self",), no_key=True).order_by("pk").values_list("pk"))
    person = entitled(hand, case, CHECKERS)
    if case.state != CaseState.OPEN:
        raise Refused(Obstacle.CASE_CLOSED)
    if case.assignee_id == operator_id:
        return
    try:
        other = entitled(Hand(operator_id, hand.place, now), case, MAKERS)
    except Refused:
        raise Refused(Obstacle.NOT_ASSIGNABLE) from None
    Case.objects.filter(pk=case_id).update(assignee_id=other.id)
    _note(case, NoteKind.ASSIGNED, person, hand, now, other.name)


@transaction.atomic(durable=True)
def put_off(case_id: int, until: date, reason: str, *, hand: Hand, now: datetime, today: date) -> None:
    """挂账: leave it until a day, with a reason; it comes back into the queue by itself.

    Raises ``Refused`` and ``BadDay``.
    """
    if not today < until <= today + HOLD_MAX:
        raise BadDay(until.isoformat())
    case, person = _open_case(case_id, hand, reason=reason)
    Case.objects.filter(pk=case_id).update(held_until=until)
    _note(case, NoteKind.HELD, person, hand, now, f"{until.isoformat()} {reason}")


@transaction.atomic(durable=True)
def escalate(case_id: int, reason: str, *, hand: Hand, now: datetime) -> None:
    """转上级: ask a supervisor to look, with a reason. Raises ``Refused``."""
    case, person = _open_case(case_id, hand, reason=reason)
    Case.objects.filter(pk=case_id).update(escalated_at=now, held_until=None)
    _note(case, NoteKind.ESCALATED, person, hand, now, reason)


@transaction.atomic(durable=True)
def remark(case_id: int, text: str, *, hand: Hand, now: datetime) -> None:
    """Add what one has to say; a closed case takes remarks too. Raises ``Refused``."""
    case = Case.objects.select_for_update(of=("self",)).select_related("account").get(pk=case_id)
    person = entitled(hand, case, MAKERS)
    if not text.strip():
        raise Refused(Obstacle.NO_REASON)
    _note(case, NoteKind.REMARK, person, hand, now, text)


def close_suspect(case_id: int, text: str, *, hand: Hand, now: datetime) -> None:
    """Close a case about a suspect card, saying what was done with it. Supervisors only.

    Raises ``Refused`` and ``cases.NotClosable`` (every other kind closes itself when its difference is gone).
    """
    case = Case.objects.select_related("account").get(pk=case_id)
    person = entitled(hand, case, CHECKERS)
    if not text.strip():
        raise Refused(Obstacle.NO_REASON)
    cases.decide(case_id, text, actor=_actor(person, hand), now=now)


def _open_case(case_id: int, hand: Hand, *, reason: str | None = None) -> tuple[Case, Officer]:
    case = Case.objects.select_for_update(of=("self",)).select_related("account").get(pk=case_id)
    person = entitled(hand, case, MAKERS)
    if case.state != CaseState.OPEN:
        raise Refused(Obstacle.CASE_CLOSED)
    if reason is not None and not reason.strip():
        raise Refused(Obstacle.NO_REASON)
    return case, person


def _note(case: Case, kind: NoteKind, person: Officer, hand: Hand, now: datetime, text: str = "") -> None:
    actor = _actor(person, hand)
    CaseNote.objects.create(case=case, at=now, actor=actor.who, kind=kind, text=text)
    audit.record(audit.Deed(f"case.{kind.value}", "case", case.pk, reason=text), actor=actor, now=now)


def _actor(person: Officer, hand: Hand) -> Actor:
    return Actor.operator(
        person.id, role=OperatorRole(person.role), channel=Channel.COUNTER, place=hand.place
    )
