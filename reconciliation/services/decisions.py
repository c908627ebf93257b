"""Who decides about a difference: one person below the bound, two above it, nobody about his own account.

Any desk serves any holder; the decision belongs to the campus of the desk where it is made, and its second person
answers for that campus (docs/decisions/0020).

What was shown is fixed by its hash. Below the bound it is carried out at once, else it waits for a second person; in
both cases it is worked out again under the account's lock, and only the same content is carried out, in one transaction
with its record, the note on the case and the audit.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet, Sum

from accounts.actors import Actor, Channel
from accounts.kinds import OperatorRole
from accounts.models import Account
from accounts.services import audit, rows
from accounts.services.operators import Hand, NoSuchOperator, Officer, officer, officer_of
from purse.policy import Policy
from reconciliation import comparison
from reconciliation.mismatch import diagnose
from reconciliation.models import (
    Case,
    CaseNote,
    CaseState,
    Decision,
    DecisionAction,
    DecisionResult,
    DisputeEventKind,
    NoteKind,
    Ruling,
)
from reconciliation.models_desk import Needs, Verdict
from reconciliation.services import cases, dispute_events
from reconciliation.services.errands import Errand, carry_out, is_on_reader
from reconciliation.services.remedies import Obstacle, Plan, Refused, Target, make

MAKERS = (OperatorRole.CLERK, OperatorRole.SUPERVISOR)
CHECKERS = (OperatorRole.SUPERVISOR,)
SAME_DAY = timedelta(hours=24)
"""What one person decided alone about an account within this time counts together, else a bound could be cut up."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants done about a case. ``digest`` is of the plan that he was shown and confirmed."""

    key: UUID
    case_id: int
    action: DecisionAction
    digest: bytes
    reason: str
    entry_seq: int | None = None
    desk_id: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan, and who would have to agree to it."""

    plan: Plan
    needs: Needs


def preview(
    case_id: int,
    action: DecisionAction,
    *,
    hand: Hand,
    now: datetime,
    policy: Policy,
    entry_seq: int | None = None,
) -> Preview:
    """Work out what would be done. Writes nothing. Raises ``Refused`` and ``Case.DoesNotExist``."""
    case = Case.objects.select_related("account").get(pk=case_id)
    maker = entitled(hand, case, MAKERS)
    _require_open(case, action)
    plan = make(action, Target(case.account_id, entry_seq))
    return Preview(plan, needs_of(maker, plan, case.account, now=now, policy=policy))


@transaction.atomic(durable=True)
def decide(wish: Wish, *, hand: Hand, now: datetime, policy: Policy) -> Decision:
    """Carry a remedy out, or lay it before a second person. The same key again returns the first decision.

    Raises ``Refused`` (nothing was written) and ``Case.DoesNotExist``.
    """
    return decide_within(wish, hand=hand, now=now, policy=policy)


def decide_within(wish: Wish, *, hand: Hand, now: datetime, policy: Policy) -> Decision:
    """``decide``, as a part of a larger transaction that must not be committed when this raises."""
    case = _locked(wish.case_id)
    known = Decision.objects.filter(key=wish.key).first()
    if known is not None:
        return _same(known, wish, hand)
    maker = entitled(hand, case, MAKERS)
    _require_code(hand, now=now, policy=policy)
    _require_open(case, wish.action)
    if not wish.reason.strip():
        raise Refused(Obstacle.NO_REASON)
    if open_decisions(case.account_id).exists():
        raise Refused(Obstacle.WAITING)
    plan = make(wish.action, Target(case.account_id, wish.entry_seq))
    if plan.digest != wish.digest:
        raise Refused(Obstacle.CHANGED)
    needs = needs_of(maker, plan, case.account, now=now, policy=policy)
    decision = Decision.objects.create(
        key=wish.key,
        case=case,
        account_id=case.account_id,
        campus_id=maker.campus_id or case.campus_id,
        action=wish.action,
        needs=needs,
        amount_fen=plan.amount_fen,
        content=dict(plan.content),
        content_hash=plan.digest,
        reason=wish.reason,
        maker_id=maker.id,
        made_at=now,
    )
    _tell(decision, NoteKind.PROPOSED, "decision.make", _actor(maker, hand), now, wish.reason)
    _follow(decision, DisputeEventKind.PROPOSED, maker, hand, now)
    if needs == Needs.ALONE:
        _do(decision, plan, maker, hand, wish.desk_id, now=now, policy=policy)
    return decision


@transaction.atomic(durable=True)
def approve(
    decision_id: int, digest: bytes, *, hand: Hand, now: datetime, policy: Policy, desk_id: int | None = None
) -> Decision:
    """Agree as the second person; what needs no card is carried out at once, the rest as soon as its card is there.

    When the facts have changed since, the decision ends and nothing is done. Raises ``Refused``.
    """
    decision, case = _decision(decision_id)
    checker = _checker(hand, case, decision)
    _require_code(hand, now=now, policy=policy)
    if decision.needs == Needs.CHIEF and checker.campus_id is not None:
        raise Refused(Obstacle.NOT_CHIEF)
    ruling = Ruling.objects.filter(decision=decision).first()
    if ruling is not None and (ruling.verdict, ruling.checker_id) == (Verdict.APPROVED, checker.id):
        return decision  # the same form once more
    if ruling is not None or DecisionResult.objects.filter(decision=decision).exists():
        raise Refused(Obstacle.NOT_OPEN)
    if digest != bytes(decision.content_hash):
        raise Refused(Obstacle.CHANGED)
    actor = _actor(checker, hand)
    plan = _made_again(decision)
    if plan is None:
        _end(decision, checker, Obstacle.CHANGED, actor=actor, now=now)
        return decision
    _rule(decision, checker, Verdict.APPROVED, now=now)
    _tell(decision, NoteKind.APPROVED, "decision.approve", actor, now)
    if not plan.needs_card or is_on_reader(case.account_id, desk_id, now=now):
        _do(decision, plan, checker, hand, desk_id, now=now, policy=policy)
    return decision


@transaction.atomic(durable=True)
def carry_out_approved(
    decision_id: int, *, hand: Hand, now: datetime, policy: Policy, desk_id: int | None = None
) -> Decision:
    """Do what two people agreed on, now that the card is on the reader. Done before: nothing more.

    Raises ``Refused``.
    """
    decision, case = _decision(decision_id)
    if DecisionResult.objects.filter(decision=decision).exists():
        return decision
    acting = entitled(hand, case, MAKERS)
    _require_code(hand, now=now, policy=policy)
    ruling = Ruling.objects.filter(decision=decision, verdict=Verdict.APPROVED)
    approved = ruling.select_related("decision", "checker__campus").first()
    if approved is None:
        raise Refused(Obstacle.NOT_OPEN)
    plan, holds = _made_again(decision), _still_holds(approved)
    if plan is None or not holds:
        why = Obstacle.CHANGED if holds else Obstacle.CHECKER_GONE
        _end(decision, acting, why, actor=_actor(acting, hand), now=now)
        return decision
    _do(decision, plan, acting, hand, desk_id, now=now, policy=policy)
    return decision


@transaction.atomic(durable=True)
def refuse(decision_id: int, reason: str, *, hand: Hand, now: datetime) -> Decision:
    """Send it back as the second person, with a reason. Raises ``Refused``."""
    decision, case = _decision(decision_id)
    checker = _checker(hand, case, decision)
    if not reason.strip():
        raise Refused(Obstacle.NO_REASON)
    _require_unfinished(decision)
    _rule(decision, checker, Verdict.REFUSED, now=now, reason=reason)
    _tell(decision, NoteKind.REFUSED, "decision.refuse", _actor(checker, hand), now, reason)
    _follow(decision, DisputeEventKind.RETURNED, checker, hand, now)
    return decision


@transaction.atomic(durable=True)
def withdraw(decision_id: int, *, hand: Hand, now: datetime) -> Decision:
    """Take one's own decision back before it is carried out, approved or not. Raises ``Refused``."""
    decision, case = _decision(decision_id)
    maker = entitled(hand, case, MAKERS)
    if decision.maker_id != maker.id:
        raise Refused(Obstacle.NOT_ENTITLED)
    actor = _actor(maker, hand)
    if not Ruling.objects.filter(decision=decision).exists():
        _require_unfinished(decision)
        _rule(decision, maker, Verdict.WITHDRAWN, now=now)
        _tell(decision, NoteKind.WITHDRAWN, "decision.withdraw", actor, now)
        _follow(decision, DisputeEventKind.RETURNED, maker, hand, now)
    elif open_decisions(case.account_id).filter(pk=decision.pk).exists():
        _end(decision, maker, Obstacle.WITHDRAWN, actor=actor, now=now)
    else:
        raise Refused(Obstacle.NOT_OPEN)
    return decision


# ------------------------------------------------------------------------------------------------- inside


def _locked(case_id: int) -> Case:
    """Lock the account, then the case: the order in which the nightly run takes them too."""
    account_id = Case.objects.values_list("account_id", flat=True).get(pk=case_id)
    rows.lock(account_id)
    return Case.objects.select_for_update(of=("self",)).select_related("account").get(pk=case_id)


def _decision(decision_id: int) -> tuple[Decision, Case]:
    decision = Decision.objects.select_related("maker").get(pk=decision_id)
    return decision, _locked(decision.case_id)


def entitled(hand: Hand, case: Case, roles: Collection[OperatorRole]) -> Officer:
    """The operator, if he may act on this case at all: role, not his own account (P4, P5); at any desk (L31, C14)."""
    try:
        acting = officer(hand.operator_id)
    except NoSuchOperator:
        raise Refused(Obstacle.NOT_ENTITLED) from None
    if acting.role not in roles:
        raise Refused(Obstacle.NOT_ENTITLED)
    if acting.holder_id is not None and acting.holder_id == case.account.holder_id:
        raise Refused(Obstacle.OWN_ACCOUNT)
    return acting


def _checker(hand: Hand, case: Case, decision: Decision) -> Officer:
    """The second person: a supervisor who answers for the staff of the campus where it was decided (P3, E7)."""
    checker = entitled(hand, case, CHECKERS)
    if not checker.serves(decision.campus_id):
        raise Refused(Obstacle.OTHER_CAMPUS)
    if checker.is_person(decision.maker_id, decision.maker.holder_id):
        raise Refused(Obstacle.SAME_PERSON)
    return checker


def _still_holds(ruling: Ruling) -> bool:
    """Whether whoever approved may still approve it: a signature holds no longer than the post (P5)."""
    decision, checker = ruling.decision, ruling.checker
    return checker.is_active and checker.role in CHECKERS and officer_of(checker).serves(decision.campus_id)


def _require_code(hand: Hand, *, now: datetime, policy: Policy) -> None:
    if not hand.is_fresh(now=now, policy=policy):
        raise Refused(Obstacle.CODE_TOO_OLD)


def _require_open(case: Case, action: DecisionAction) -> None:
    """A difference that is gone closes its case; what is left to do then is to unfreeze."""
    if case.state != CaseState.OPEN and action is not DecisionAction.UNFREEZE:
        raise Refused(Obstacle.CASE_CLOSED)


def _require_unfinished(decision: Decision) -> None:
    ruled = Ruling.objects.filter(decision=decision).exists()
    if ruled or DecisionResult.objects.filter(decision=decision).exists():
        raise Refused(Obstacle.NOT_OPEN)


def _same(known: Decision, wish: Wish, hand: Hand) -> Decision:
    asked = (wish.case_id, wish.action, wish.digest, hand.operator_id)
    if (known.case_id, known.action, bytes(known.content_hash), known.maker_id) != asked:
        raise Refused(Obstacle.KEY_REUSED)
    return known


def needs_of(maker: Officer, plan: Plan, account: Account, *, now: datetime, policy: Policy) -> Needs:
    """Who must agree: by the amount, together with what nobody else saw; by role; by doubts about the card."""
    done = Decision.objects.filter(account=account, result__done=True)
    if plan.action is DecisionAction.UNFREEZE:
        before = done.filter(result__at__gte=account.frozen_at or now)
    else:
        before = done.filter(needs=Needs.ALONE, result__at__gt=now - SAME_DAY)
    exposed_fen = plan.amount_fen + int(before.aggregate(fen=Sum("amount_fen", default=0))["fen"])
    clerk = maker.role is OperatorRole.CLERK
    alone_fen = policy.clerk_alone_max_fen if clerk else policy.refund_alone_max_fen
    if exposed_fen > policy.second_level_fen:
        return Needs.CHIEF
    if exposed_fen > alone_fen or plan.suspect or (clerk and alone_fen == 0):
        return Needs.SECOND
    return Needs.ALONE


def open_decisions(account_id: int) -> QuerySet[Decision]:
    """Decisions that wait for a second person or, agreed on, for their card."""
    unfinished = Decision.objects.filter(account_id=account_id, result__isnull=True)
    return unfinished.exclude(ruling__verdict__in=(Verdict.REFUSED, Verdict.WITHDRAWN))


def _made_again(decision: Decision) -> Plan | None:
    """The plan from the facts of now, or None when it is not the one that was decided."""
    target = Target(decision.account_id, decision.content.get("entry_seq"))
    try:
        plan = make(DecisionAction(decision.action), target)
    except Refused:
        return None
    return plan if plan.digest == bytes(decision.content_hash) else None


def _do(
    decision: Decision,
    plan: Plan,
    acting: Officer,
    hand: Hand,
    desk_id: int | None,
    *,
    now: datetime,
    policy: Policy,
) -> None:
    actor = _actor(acting, hand)
    errand = Errand(decision.key, actor, now, policy, decision.reason, desk_id, acting.holder_id)
    numbers = carry_out(plan, errand)
    DecisionResult.objects.create(decision=decision, done=True, numbers=numbers, by_id=acting.id, at=now)
    _tell(decision, NoteKind.CARRIED_OUT, "decision.carry_out", actor, now)
    _follow(decision, DisputeEventKind.REFUNDED, acting, hand, now)
    _renew_cases(decision.account_id, actor=actor, now=now)


def _end(decision: Decision, acting: Officer, why: Obstacle, *, actor: Actor, now: datetime) -> None:
    DecisionResult.objects.create(decision=decision, done=False, why=why.value, by_id=acting.id, at=now)
    _tell(decision, NoteKind.NOT_CARRIED_OUT, "decision.drop", actor, now, why.value)
    dispute_events.follow(decision, DisputeEventKind.RETURNED, officer_id=acting.id, actor=actor, now=now)


def _rule(decision: Decision, person: Officer, verdict: Verdict, *, now: datetime, reason: str = "") -> None:
    Ruling.objects.create(
        decision=decision,
        verdict=verdict,
        content_hash=decision.content_hash,
        checker_id=person.id,
        reason=reason,
        ruled_at=now,
    )


def _tell(
    decision: Decision, kind: NoteKind, action: str, actor: Actor, now: datetime, text: str = ""
) -> None:
    """The note on the case and the line of the audit."""
    numbers = {"fen": decision.amount_fen, "decision": decision.pk}
    CaseNote.objects.create(
        case_id=decision.case_id, at=now, actor=actor.who, kind=kind, text=text, numbers=numbers
    )
    after = {
        "case": decision.case_id,
        "action": decision.action,
        "fen": decision.amount_fen,
        "needs": decision.needs,
    }
    audit.record(audit.Deed(action, "decision", decision.pk, after=after, reason=text), actor=actor, now=now)


def _follow(decision: Decision, kind: DisputeEventKind, person: Officer, hand: Hand, now: datetime) -> None:
    """The dispute behind the decision, if there is one, goes the same way."""
    dispute_events.follow(decision, kind, officer_id=person.id, actor=_actor(person, hand), now=now)


def _renew_cases(account_id: int, *, actor: Actor, now: datetime) -> None:
    """Bring the account's cases up to date at once: those whose difference is gone close themselves."""
    found = comparison.read([account_id])[0]
    open_cases = Case.objects.filter(account_id=account_id, state=CaseState.OPEN)
    for change in cases.changes(diagnose(found, now=now), open_cases):
        cases.apply(change, found, actor=actor, now=now)


def _actor(person: Officer, hand: Hand) -> Actor:
    return Actor.operator(person.id, role=person.role, channel=Channel.COUNTER, place=hand.place)
