"""What becomes of a case: opened, kept up to date and closed by the comparison, remarked on or decided by a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts.actors import Actor
from reconciliation.mismatch import Compared, Diagnosis
from reconciliation.models import Case, CaseFinding, CaseNote, CaseState, Mismatch, NoteKind


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done about one reason: open (no case yet), bring up to date, or close (no diagnosis any more)."""

    case: Case | None
    diagnosis: Diagnosis | None


class NotClosable(Exception):
    """The difference is still there: it is to be put right, not to be declared settled."""


def changes(diagnoses: Iterable[Diagnosis], open_cases: Iterable[Case]) -> tuple[Change, ...]:
    """Compare what was found with the cases that are open. Nothing to do for a case that already says it all."""
    cases = {case.mismatch: case for case in open_cases}
    found = {diagnosis.mismatch: diagnosis for diagnosis in diagnoses}
    wanted = [
        Change(cases.get(mismatch), diagnosis)
        for mismatch, diagnosis in found.items()
        if mismatch not in cases or _differs(cases[mismatch], diagnosis)
    ]
    gone = [
        Change(case, None)
        for mismatch, case in cases.items()
        if mismatch not in found and mismatch != Mismatch.DISPUTE  # that one ends with its decision
    ]
    return (*wanted, *gone)


def apply(change: Change, found: Compared, *, actor: Actor, now: datetime) -> None:
    """Carry out one change, with its note; part of a larger transaction."""
    case, diagnosis = change.case, change.diagnosis
    if diagnosis is None:
        if case is not None:
            _close(case, NoteKind.GONE, actor=actor, now=now)
    elif case is None:
        _open(found, diagnosis, actor=actor, now=now)
    else:
        _refresh(case, found, diagnosis, actor=actor, now=now)


def remark(case_id: int, text: str, *, actor: Actor, now: datetime) -> None:
    """Add what a person has to say."""
    CaseNote.objects.create(case_id=case_id, at=now, actor=actor.who, kind=NoteKind.REMARK, text=text)


@transaction.atomic(durable=True)
def decide(case_id: int, text: str, *, actor: Actor, now: datetime) -> None:
    """Close a case about a suspect card, saying what was done with it. Safe to repeat.

    Raises ``NotClosable`` for every other kind: those close themselves when the difference is gone.
    """
    case = Case.objects.select_for_update().get(pk=case_id)
    if case.state == CaseState.CLOSED:
        return
    if not case.findings.exists():
        raise NotClosable(Mismatch(case.mismatch).label)
    _close(case, NoteKind.DECIDED, actor=actor, now=now, text=text)


def _differs(case: Case, diagnosis: Diagnosis) -> bool:
    return (case.at_risk_fen, case.proposal, case.numbers, case.evidence) != (
        diagnosis.at_risk_fen,
        diagnosis.proposal,
        dict(diagnosis.numbers),
        dict(diagnosis.evidence),
    )


def _open(found: Compared, diagnosis: Diagnosis, *, actor: Actor, now: datetime) -> None:
    case = Case.objects.create(
        account_id=found.account_id,
        card_id=found.card.id if found.card else None,
        campus_id=found.campus_id,
        mismatch=diagnosis.mismatch,
        at_risk_fen=diagnosis.at_risk_fen,
        evidence=dict(diagnosis.evidence),
        proposal=diagnosis.proposal,
        numbers=dict(diagnosis.numbers),
        opened_at=now,
        changed_at=now,
    )
    _take_up(case, diagnosis)
    _note(case, NoteKind.OPENED, actor=actor, now=now, numbers=diagnosis.numbers)


def _refresh(case: Case, found: Compared, diagnosis: Diagnosis, *, actor: Actor, now: datetime) -> None:
    """A new sighting renews the evidence; only another amount is worth a note."""
    changed = Case.objects.filter(pk=case.pk, state=CaseState.OPEN).update(
        card_id=found.card.id if found.card else None,
        at_risk_fen=diagnosis.at_risk_fen,
        evidence=dict(diagnosis.evidence),
        proposal=diagnosis.proposal,
        numbers=dict(diagnosis.numbers),
        changed_at=now,
    )
    if not changed:
        return
    _take_up(case, diagnosis)
    if case.at_risk_fen != diagnosis.at_risk_fen:
        numbers = {"before_fen": case.at_risk_fen, "after_fen": diagnosis.at_risk_fen}
        _note(case, NoteKind.CHANGED, actor=actor, now=now, numbers=numbers)


def _close(case: Case, kind: NoteKind, *, actor: Actor, now: datetime, text: str = "") -> None:
    changed = Case.objects.filter(pk=case.pk, state=CaseState.OPEN).update(
        state=CaseState.CLOSED, closed_at=max(now, case.opened_at), changed_at=now
    )
    if changed:
        _note(case, kind, actor=actor, now=now, numbers={"fen": case.at_risk_fen}, text=text)


def _take_up(case: Case, diagnosis: Diagnosis) -> None:
    CaseFinding.objects.bulk_create(
        [CaseFinding(finding_id=finding_id, case=case) for finding_id in diagnosis.finding_ids],
        ignore_conflicts=True,
    )


def _note(
    case: Case,
    kind: NoteKind,
    *,
    actor: Actor,
    now: datetime,
    numbers: Mapping[str, int],
    text: str = "",
) -> None:
    CaseNote.objects.create(case=case, at=now, actor=actor.who, kind=kind, text=text, numbers=dict(numbers))
