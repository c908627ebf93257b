"""Carrying out a plan: one posting, card job or unfreeze, under the operation key of the decision.

Money moves in ``transactions.services.corrections``, cards in ``terminals.services.jobs``; here is only which of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.actors import Actor, AtCounter
from accounts.models import DocumentKind
from accounts.services import standing
from purse.policy import Policy
from reconciliation.models import DecisionAction
from reconciliation.services.remedies import Obstacle, Plan, Refused
from terminals.models import JobKind
from terminals.services import jobs
from transactions.models import entry_id
from transactions.services import corrections
from transactions.services.orders import KeyReused


@dataclass(frozen=True, slots=True)
class Errand:
    """On whose behalf a plan is carried out, and at which desk. ``key`` is the operation key of everything posted."""

    key: uuid.UUID
    actor: Actor
    now: datetime
    policy: Policy
    reason: str
    desk_id: int | None = None
    own_holder_id: int | None = None


def carry_out(plan: Plan, errand: Errand) -> dict[str, Any]:
    """Do it, inside the caller's transaction, under the account's lock. Returns the numbers that stand afterwards.

    Raises ``Refused``; then the caller's transaction must not be committed.
    """
    try:
        return _DOERS[plan.action](plan, errand)
    except corrections.CorrectionRefused as refusal:
        raise Refused(_CORRECTION.get(refusal.why, Obstacle.CHANGED)) from refusal
    except jobs.OrderRefused as refusal:
        raise Refused(_JOB.get(refusal.problem, Obstacle.NOT_A_DESK)) from refusal
    except KeyReused as fault:
        raise Refused(Obstacle.KEY_REUSED) from fault


def is_on_reader(account_id: int, desk_id: int | None, *, now: datetime) -> bool:
    """Whether this desk's reader has just read the live card of this account."""
    return desk_id is not None and jobs.card_on_reader(account_id, desk_id=desk_id, now=now) is not None


_CORRECTION = {
    corrections.Why.NO_REASON: Obstacle.NO_REASON,
    corrections.Why.NOT_REVERSIBLE: Obstacle.NOT_REVERSIBLE,
    corrections.Why.REVERSED: Obstacle.REVERSED,
    corrections.Why.ACCOUNT_ENDED: Obstacle.ACCOUNT_ENDED,
    corrections.Why.AMOUNT: Obstacle.BOOK_BELOW_ZERO,
}
_JOB = {
    jobs.OrderProblem.DESK_BUSY: Obstacle.DESK_BUSY,
    jobs.OrderProblem.OWN_ACCOUNT: Obstacle.OWN_ACCOUNT,
    jobs.OrderProblem.WRONG_CARD: Obstacle.NO_CARD,
}


def _do_set_to_card(plan: Plan, errand: Errand) -> dict[str, Any]:
    order = corrections.AdjustOrder(
        key=errand.key,
        account_id=plan.target.account_id,
        seen_book_fen=plan.content["book_fen"],
        book_fen=plan.content["book_after_fen"],
        reason=errand.reason,
    )
    done = corrections.adjust(order, actor=errand.actor, now=errand.now, policy=errand.policy)
    return {"entries": [done.entry_seq], "book_fen": done.book_fen}


def _do_set_to_book(plan: Plan, errand: Errand) -> dict[str, Any]:
    if errand.desk_id is None:
        raise Refused(Obstacle.CARD_NOT_HERE)
    order = jobs.JobOrder(
        key=errand.key,
        kind=JobKind.SET,
        desk_id=errand.desk_id,
        account_id=plan.target.account_id,
        params={"despite_finding": plan.suspect},
    )
    job = jobs.order_job(order, actor=errand.actor, now=errand.now, own_holder_id=errand.own_holder_id)
    return {"job": str(job.id), "book_fen": plan.content["book_fen"]}


def _do_refund(plan: Plan, errand: Errand) -> dict[str, Any]:
    numbers: dict[str, Any] = {"entries": []}
    for item in plan.content["late"]:
        late_id = entry_id(plan.target.account_id, item["seq"])
        key = uuid.uuid5(errand.key, str(late_id))
        order = corrections.RefundOrder(key, plan.target.account_id, late_id, errand.reason)
        done = corrections.refund_late(order, actor=errand.actor, now=errand.now, policy=errand.policy)
        numbers["entries"].append(done.entry_seq)
        numbers["book_fen"] = done.book_fen
    return numbers


def _do_reverse(plan: Plan, errand: Errand) -> dict[str, Any]:
    taken_back = entry_id(plan.target.account_id, plan.content["entry_seq"])
    order = corrections.ReverseOrder(errand.key, plan.target.account_id, taken_back, errand.reason)
    done = corrections.reverse(order, actor=errand.actor, now=errand.now, policy=errand.policy)
    return {"entries": [done.entry_seq], "book_fen": done.book_fen, "unclaimed_fen": done.unclaimed_fen}


def _do_unfreeze(plan: Plan, errand: Errand) -> dict[str, Any]:
    here = is_on_reader(plan.target.account_id, errand.desk_id, now=errand.now)
    if plan.needs_card and not here:
        raise Refused(Obstacle.CARD_NOT_HERE)
    door = AtCounter(errand.actor, DocumentKind.NONE, here, errand.own_holder_id)
    standing.unfreeze(
        plan.target.account_id, door=door, open_items_fen=0, now=errand.now, reason=errand.reason
    )
    return {"book_fen": plan.content["book_fen"], "card_fen": plan.content["card_fen"]}


_DOERS: dict[DecisionAction, Callable[[Plan, Errand], dict[str, Any]]] = {
    DecisionAction.SET_TO_CARD: _do_set_to_card,
    DecisionAction.SET_TO_BOOK: _do_set_to_book,
    DecisionAction.REFUND: _do_refund,
    DecisionAction.REVERSE: _do_reverse,
    DecisionAction.UNFREEZE: _do_unfreeze,
}
