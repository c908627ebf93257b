"""Disputes: opened by a holder or at a desk for him, worked on by any desk, ended by an answer or a refund.

Nothing here moves money. A refund is a decision (``decisions``): one person below the bound, two above it, nobody about
his own account; the dispute only follows it. Every deed carries a key, so a second press of a button changes nothing.
"""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction

from accounts.actors import Actor, AtCounter, Channel
from accounts.options import Options
from accounts.services import rows
from accounts.services.operators import Hand, NoSuchOperator, Officer, officer
from purse.policy import Policy
from reconciliation import comparison
from reconciliation.deadlines import due_on, last_day, special_days
from reconciliation.mismatch import evidence_of
from reconciliation.models import (
    Case,
    CaseNote,
    Decision,
    DecisionAction,
    Dispute,
    DisputeEvent,
    DisputeEventKind,
    DisputeKind,
    DisputeState,
    Mismatch,
    NoteKind,
    Proposal,
)
from reconciliation.models_disputes import OPEN_STATES, WORKABLE
from reconciliation.services import decisions, dispute_events
from reconciliation.services.decisions import MAKERS, Preview, Wish
from reconciliation.services.dispute_events import NotAStep, Step
from reconciliation.services.remedies import Obstacle, Refused, Target, make
from transactions.days import local_day
from transactions.entries import Movement, links, movement, twin_of
from transactions.kinds import EntryKind

OPEN_MAX = 20
"""Open disputes of one account at a time; who has more to say comes to a desk."""


class Problem(StrEnum):
    """Why a deed about a dispute is not done. Nothing was written; screens have a sentence for each."""

    NO_SUCH_MOVEMENT = "no_such_movement"
    WRONG_KIND = "wrong_kind"
    """A top-up was not bought, a purchase is no missing top-up."""
    TAKEN_BACK = "taken_back"
    """The movement was taken back already: the money is there."""
    TOO_OLD = "too_old"
    IN_FUTURE = "in_future"
    NO_WORDS = "no_words"
    TOO_MANY = "too_many"
    FINISHED = "finished"
    """The dispute has gone on since the page was shown."""
    NOT_ENTITLED = "not_entitled"
    OWN_ACCOUNT = "own_account"
    KEY_REUSED = "key_reused"
    NO_MOVEMENT = "no_movement"
    """There is nothing on the statement that could be taken back."""


class NotDone(Exception):
    """It is not done; ``problem`` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Claim:
    """What a holder says is wrong: one movement by its number, or the day and amount (fen) of a missing top-up."""

    key: UUID
    account_id: int
    kind: DisputeKind
    text: str
    entry_seq: int | None = None
    fen: int = 0
    happened_on: date | None = None
    receipt_no: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """The dispute, new or known: one movement is disputed once."""

    dispute: Dispute
    known: bool


_PAID = (DisputeKind.WRONG_AMOUNT, DisputeKind.DOUBLE, DisputeKind.NOT_MINE)
_RECEIVED = (DisputeKind.TOP_UP_MISSING, DisputeKind.WRONG_AMOUNT)


def kinds_for(found: Movement) -> tuple[DisputeKind, ...]:
    """What can be wrong with a movement: with money that went out, or with money that came in."""
    if found.fen < 0:
        return _PAID if found.is_sale else (DisputeKind.WRONG_AMOUNT, DisputeKind.DOUBLE)
    if found.kind in (EntryKind.TOP_UP, EntryKind.BANK_LOAD, EntryKind.SUBSIDY):
        return _RECEIVED
    return (DisputeKind.WRONG_AMOUNT,)


@transaction.atomic(durable=True)
def open_dispute(
    claim: Claim,
    *,
    actor: Actor,
    now: datetime,
    options: Options,
    door: AtCounter | None = None,
) -> Opened:
    """Open a dispute, or return the one that there is about the same thing. Raises ``NotDone``.

    ``door``: at a desk, with the document that the holder showed. Refused after the window of ``options``.
    """
    account = rows.lock(claim.account_id)
    if door is not None and door.own_holder_id == account.holder_id:
        raise NotDone(Problem.OWN_ACCOUNT)
    known = _known(claim)
    if known is not None:
        return Opened(known, known=True)
    today = local_day(now)
    found = _movement_of(claim)
    happened_on = local_day(found.occurred_at) if found else claim.happened_on
    if happened_on is None or happened_on > today:
        raise NotDone(Problem.IN_FUTURE)
    if today > last_day(happened_on, options=options):
        raise NotDone(Problem.TOO_OLD)
    if not claim.text.strip():
        raise NotDone(Problem.NO_WORDS)
    mine = Dispute.objects.filter(account=account)
    if mine.filter(state__in=OPEN_STATES).count() >= OPEN_MAX:
        raise NotDone(Problem.TOO_MANY)
    dispute = Dispute.objects.create(
        **_facts(claim, found),
        reference=_reference(now),
        campus_id=account.campus_id,
        happened_on=happened_on,
        opened_at=now,
        channel=actor.channel,
        document="" if door is None else f"{door.document.value} {door.document_note}".strip(),
        due_on=due_on(today, special=special_days(account.campus_id, after=today)),
        changed_at=now,
    )
    step = Step(uuid5(claim.key, "opened"), DisputeEventKind.OPENED, actor, now, text="")
    dispute_events.add(dispute, step)
    dispute_events.tell(dispute, DisputeEventKind.OPENED, now=now, due_on=dispute.due_on.isoformat())
    return Opened(dispute, known=False)


@transaction.atomic(durable=True)
def add_word(account_id: int, dispute_id: int, text: str, *, key: UUID, actor: Actor, now: datetime) -> None:
    """The holder says more; asked for it, the desk's clock goes on. Raises ``NotDone``, ``Dispute.DoesNotExist``."""
    dispute = _own(account_id, dispute_id)
    if not text.strip():
        raise NotDone(Problem.NO_WORDS)
    _step(dispute, Step(key, DisputeEventKind.ADDED, actor, now, text=text))


@transaction.atomic(durable=True)
def withdraw(account_id: int, dispute_id: int, *, key: UUID, actor: Actor, now: datetime) -> None:
    """The holder takes it back, as long as no refund is on its way. Raises ``NotDone``, ``Dispute.DoesNotExist``."""
    dispute = _own(account_id, dispute_id)
    _step(dispute, Step(key, DisputeEventKind.WITHDRAWN, actor, now))


@transaction.atomic(durable=True)
def work(
    dispute_id: int, kind: DisputeEventKind, text: str = "", *, key: UUID, hand: Hand, now: datetime
) -> None:
    """What a desk does without money: take, ask, remark, settle with an answer, refuse with a reason.

    Any desk may (guide L111); nobody about his own account. Raises ``NotDone`` and ``Dispute.DoesNotExist``.
    """
    assert kind in _DESK_WORK
    dispute = _locked(dispute_id)
    person = _entitled(hand, dispute)
    if kind is not DisputeEventKind.TAKEN and not text.strip():
        raise NotDone(Problem.NO_WORDS)
    actor = _actor(person, hand)
    if _step(dispute, Step(key, kind, actor, now, officer_id=person.id, text=text)):
        dispute_events.tell(dispute, kind, now=now)


def preview_refund(dispute_id: int, *, hand: Hand, now: datetime, policy: Policy) -> Preview:
    """What a refund would do, and who would have to agree. Raises ``NotDone``, ``Refused``. Writes nothing."""
    dispute = Dispute.objects.select_related("account").get(pk=dispute_id)
    person = _entitled(hand, dispute)
    action, target = remedy_of(dispute)
    plan = make(action, target)
    return Preview(plan, decisions.needs_of(person, plan, dispute.account, now=now, policy=policy))


@transaction.atomic(durable=True)
def refund(
    dispute_id: int, digest: bytes, reason: str, *, key: UUID, hand: Hand, now: datetime, policy: Policy
) -> Decision:
    """Make the one decision that gives the money back; it is carried out, or waits for its second person.

    ``digest`` is of the plan that was shown. The same key again returns the same decision. Raises ``NotDone``,
    ``Refused`` (nothing was written) and ``Dispute.DoesNotExist``.
    """
    dispute = _locked(dispute_id)
    known = Decision.objects.filter(key=key).first()
    if known is not None:
        if not known.dispute_events.filter(dispute=dispute).exists() or known.maker_id != hand.operator_id:
            raise NotDone(Problem.KEY_REUSED)
        return known
    person = _entitled(hand, dispute)
    if dispute.state not in WORKABLE:
        raise NotDone(Problem.FINISHED)
    if decisions.open_decisions(dispute.account_id).exists():
        raise Refused(Obstacle.WAITING)
    action, target = remedy_of(dispute)
    case = _case_for(dispute, person, hand, now=now)
    wish = Wish(key, case.pk, action, digest, reason, entry_seq=target.entry_seq)
    return decisions.decide_within(wish, hand=hand, now=now, policy=policy)


def remedy_of(dispute: Dispute) -> tuple[DecisionAction, Target]:
    """Which remedy gives the money back: a record deducted twice is refunded, any other sale taken back.

    Raises ``NotDone`` where nothing on the statement can be taken back.
    """
    found = movement(dispute.account_id, dispute.entry_seq) if dispute.entry_seq else None
    if found is None or found.fen > 0:
        raise NotDone(Problem.NO_MOVEMENT)
    if found.late:
        return DecisionAction.REFUND, Target(dispute.account_id)
    return DecisionAction.REVERSE, Target(dispute.account_id, found.seq)


# ------------------------------------------------------------------------------------------------- inside

_DESK_WORK = (
    DisputeEventKind.TAKEN,
    DisputeEventKind.ASKED,
    DisputeEventKind.REMARKED,
    DisputeEventKind.SETTLED,
    DisputeEventKind.REFUSED,
)


def _known(claim: Claim) -> Dispute | None:
    """The dispute of this key, or the one that is about the same thing and was not taken back."""
    by_key = Dispute.objects.filter(key=claim.key).first()
    if by_key is not None:
        if by_key.account_id != claim.account_id or by_key.entry_seq != claim.entry_seq:
            raise NotDone(Problem.KEY_REUSED)
        return by_key
    mine = Dispute.objects.filter(account_id=claim.account_id).exclude(state=DisputeState.WITHDRAWN)
    if claim.entry_seq is not None:
        return mine.filter(entry_seq=claim.entry_seq).first()
    if claim.happened_on is None:
        return None
    return mine.filter(entry_seq__isnull=True, happened_on=claim.happened_on, fen=claim.fen).first()


def _movement_of(claim: Claim) -> Movement | None:
    if claim.entry_seq is None:
        if claim.kind is not DisputeKind.TOP_UP_MISSING or claim.fen <= 0:
            raise NotDone(Problem.NO_SUCH_MOVEMENT)
        return None
    found = movement(claim.account_id, claim.entry_seq)
    if found is None:
        raise NotDone(Problem.NO_SUCH_MOVEMENT)
    if claim.kind not in kinds_for(found) or found.fen == 0:
        raise NotDone(Problem.WRONG_KIND)
    around = links(found)
    if around.taken_back_by or around.refunded_by:
        raise NotDone(Problem.TAKEN_BACK)
    return found


def _facts(claim: Claim, found: Movement | None) -> dict[str, Any]:
    """What of a new dispute the claim and its movement say."""
    twin = twin_of(found) if found is not None else None
    return {
        "key": claim.key,
        "account_id": claim.account_id,
        "kind": claim.kind,
        "entry_seq": claim.entry_seq,
        "twin_seq": twin.seq if twin else None,
        "fen": abs(found.fen) if found else claim.fen,
        "receipt_no": claim.receipt_no,
        "text": claim.text,
    }


def _reference(now: datetime) -> str:
    """Twelve digits that can be read out on the telephone: the day in Shanghai and six random ones."""
    while True:
        reference = f"{local_day(now):%y%m%d}{random.randbelow(1_000_000):06d}"
        if not Dispute.objects.filter(reference=reference).exists():
            return reference


def _locked(dispute_id: int) -> Dispute:
    """Lock the account of a dispute, then read the dispute as it is under the lock."""
    account_id = Dispute.objects.values_list("account_id", flat=True).get(pk=dispute_id)
    rows.lock(account_id)
    return Dispute.objects.select_related("account").get(pk=dispute_id)


def _own(account_id: int, dispute_id: int) -> Dispute:
    rows.lock(account_id)
    return Dispute.objects.get(pk=dispute_id, account_id=account_id)


def _step(dispute: Dispute, step: Step) -> bool:
    """Add the event; False when this very press of the button was noted before."""
    known = DisputeEvent.objects.filter(key=step.key).first()
    if known is not None:
        if (known.dispute_id, known.kind, known.actor) != (dispute.pk, step.kind, step.actor.who):
            raise NotDone(Problem.KEY_REUSED)
        return False
    try:
        dispute_events.add(dispute, step)
    except NotAStep:
        raise NotDone(Problem.FINISHED) from None
    return True


def _entitled(hand: Hand, dispute: Dispute) -> Officer:
    try:
        person = officer(hand.operator_id)
    except NoSuchOperator:
        raise NotDone(Problem.NOT_ENTITLED) from None
    if person.role not in MAKERS:
        raise NotDone(Problem.NOT_ENTITLED)
    if person.holder_id is not None and person.holder_id == dispute.account.holder_id:
        raise NotDone(Problem.OWN_ACCOUNT)
    return person


def _case_for(dispute: Dispute, person: Officer, hand: Hand, *, now: datetime) -> Case:
    """The case that carries the decision: of the desk that works on it, so its own supervisor looks at it."""
    found = comparison.read([dispute.account_id])[0]
    case = Case.objects.create(
        account_id=dispute.account_id,
        card_id=found.card.id if found.card else None,
        campus_id=person.campus_id or dispute.campus_id,
        mismatch=Mismatch.DISPUTE,
        at_risk_fen=dispute.fen,
        evidence=evidence_of(found) | {"dispute": dispute.pk, "reference": dispute.reference},
        proposal=Proposal.ANSWER,
        opened_at=now,
        changed_at=now,
    )
    actor = _actor(person, hand)
    numbers = {"fen": dispute.fen}
    CaseNote.objects.create(case=case, at=now, actor=actor.who, kind=NoteKind.OPENED, numbers=numbers)
    return case


def _actor(person: Officer, hand: Hand) -> Actor:
    return Actor.operator(person.id, role=person.role, channel=Channel.COUNTER, place=hand.place)
