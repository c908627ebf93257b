"""Adding to a dispute: one event, one line of the audit, and what the holder is told of it.

Decisions about disputes are made, agreed on and carried out like all others (``decisions``). That room calls
``follow`` at each of those moments, in the same transaction, so a dispute can never say less or more than its decision.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from accounts.actors import Actor
from accounts.models import NoticeKind
from accounts.services import audit, notices
from accounts.services.notices import Message
from reconciliation.models import (
    Case,
    CaseNote,
    CaseState,
    Decision,
    DecisionAction,
    Dispute,
    DisputeEvent,
    DisputeEventKind,
    DisputeState,
    Mismatch,
    NoteKind,
)
from reconciliation.models_disputes import STEPS

TOLD = {
    DisputeEventKind.OPENED: NoticeKind.DISPUTE_OPENED,
    DisputeEventKind.ASKED: NoticeKind.DISPUTE_ASKED,
    DisputeEventKind.REFUNDED: NoticeKind.DISPUTE_REFUNDED,
    DisputeEventKind.SETTLED: NoticeKind.DISPUTE_SETTLED,
    DisputeEventKind.REFUSED: NoticeKind.DISPUTE_REFUSED,
}
"""What the holder is told by a message; the rest stands on the page of the dispute."""


class NotAStep(Exception):
    """A dispute in this state does not go that way."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happened: by whom, in which words. ``key`` makes the same press of a button one event."""

    key: uuid.UUID
    kind: DisputeEventKind
    actor: Actor
    now: datetime
    officer_id: int | None = None
    text: str = ""
    decision_id: int | None = None


def add(dispute: Dispute, step: Step) -> DisputeEvent:
    """Add one event to a dispute whose account is locked. Raises ``NotAStep``; the database refuses it as well."""
    last = DisputeEvent.objects.filter(dispute=dispute).order_by("-seq").first()
    if last is None:
        state = DisputeState.OPEN
    else:
        found = STEPS[step.kind].get(DisputeState(last.state))
        if found is None:
            raise NotAStep(f"{last.state} {step.kind}")
        state = found
    event = DisputeEvent.objects.create(
        dispute=dispute,
        seq=1 if last is None else last.seq + 1,
        key=step.key,
        at=step.now,
        actor=step.actor.who,
        officer_id=step.officer_id,
        kind=step.kind,
        state=state,
        text=step.text,
        decision_id=step.decision_id,
    )
    deed = audit.Deed(
        f"dispute.{step.kind.value}",
        "dispute",
        dispute.pk,
        before={} if last is None else {"state": last.state},
        after={"state": state.value, "account": dispute.account_id} | _decided(step),
        reason=step.text,
    )
    audit.record(deed, actor=step.actor, now=step.now)
    return event


def tell(dispute: Dispute, kind: DisputeEventKind, *, now: datetime, **facts: object) -> None:
    """Leave the holder a message about this event, if it is one that he is told of."""
    if kind in TOLD:
        known = {"reference": dispute.reference, "fen": dispute.fen, "kind": dispute.kind}
        message = Message(TOLD[kind], f"dispute:{dispute.pk}", known | facts)
        notices.tell(dispute.account_id, message, now=now)


def follow(
    decision: Decision, kind: DisputeEventKind, *, officer_id: int, actor: Actor, now: datetime
) -> None:
    """Let the dispute that a decision is about, if any, go the same way; its case ends with the decision."""
    case = decision.case
    if case.mismatch != Mismatch.DISPUTE:
        return
    dispute = Dispute.objects.get(pk=case.evidence["dispute"], account_id=decision.account_id)
    key = uuid.uuid5(decision.key, kind.value)
    add(dispute, Step(key, kind, actor, now, officer_id=officer_id, decision_id=decision.pk))
    if kind is DisputeEventKind.PROPOSED:
        return
    _close(case, dispute, actor=actor, now=now)
    waits = decision.action == DecisionAction.REVERSE
    tell(dispute, kind, now=now, fen=decision.amount_fen, waits=waits)


def _close(case: Case, dispute: Dispute, *, actor: Actor, now: datetime) -> None:
    Case.objects.filter(pk=case.pk, state=CaseState.OPEN).update(
        state=CaseState.CLOSED, closed_at=max(now, case.opened_at), changed_at=now
    )
    CaseNote.objects.create(
        case=case,
        at=now,
        actor=actor.who,
        kind=NoteKind.DECIDED,
        text=dispute.reference,
        numbers={"fen": case.at_risk_fen},
    )


def _decided(step: Step) -> dict[str, object]:
    return {} if step.decision_id is None else {"decision": step.decision_id}
