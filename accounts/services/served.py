"""Standing and limit as a desk changes them: each deed once for its key, with the document that was seen.

What a deed does stands in ``standing``, ``limits`` and ``passwords``; here it is bound to its key, its document and its
receipt in one transaction. A repeated click or a page sent again shows the first receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.actors import AtCounter
from accounts.keys import Secrets
from accounts.models import Budget, Card, CounterDeed, DeedKind, LossReport, SecretKind
from accounts.services import approvals, deeds, limits, passwords, standing, throttle
from accounts.services.errors import NotAllowed, Reason
from accounts.services.rows import By, lock
from purse.policy import Policy
from purse.rules import FreezeReason

LIMIT_KIND = "limit.above_max"
"""What a limit above the policy's maximum is called where two people agree (V01)."""


@dataclass(frozen=True, slots=True)
class At:
    """One deed at a desk: the key that its page made, the account, the door, the moment."""

    key: UUID
    account_id: int
    door: AtCounter
    now: datetime


@transaction.atomic(durable=True)
def report_lost(at: At) -> CounterDeed:
    """Report the card lost for a holder who shows a document (guide L141, R071).

    Raises ``NotAllowed``, ``deeds.KeyReused``, ``standing.KeyReused`` and ``actors.WrongDoor``.
    """

    def act() -> tuple[Mapping[str, Any], int | None]:
        report: LossReport = standing.take_report(
            at.account_id, key=at.key, actor=at.door.actor, now=at.now, door=at.door
        )
        since = report.already_since_at
        facts = {"reference": report.reference, "since": since.isoformat() if since else ""}
        return facts, report.card_id

    return _once(at, DeedKind.LOSS, {}, act)


@transaction.atomic(durable=True)
def lift_loss(at: At) -> CounterDeed:
    """Take the loss report back: document seen and that very card on the reader (guide L145, R073).

    Raises ``NotAllowed``, ``deeds.KeyReused`` and ``actors.WrongDoor``.
    """

    def act() -> tuple[Mapping[str, Any], int | None]:
        card: Card = standing.take_back(at.account_id, door=at.door, now=at.now)
        return {"uid": card.uid}, card.pk

    return _once(at, DeedKind.LIFT_LOSS, {}, act)


@transaction.atomic(durable=True)
def freeze(at: At, reason: str) -> CounterDeed:
    """Freeze account and card by hand, with a reason. Lifted only through the desk of cases (R048).

    Raises ``NotAllowed``, ``deeds.KeyReused`` and ``actors.WrongDoor``.
    """

    def act() -> tuple[Mapping[str, Any], int | None]:
        account = lock(at.account_id)
        passwords.refuse_own(account, at.door)
        if account.life in ("closed", "pending"):
            raise NotAllowed(Reason.ACCOUNT_ENDED)
        by = By(at.door.actor, at.now, reason)
        if not standing.freeze(at.account_id, [FreezeReason.BY_HAND], by=by):
            raise NotAllowed(Reason.FROZEN_ALREADY)
        return {}, None

    return _once(at, DeedKind.FREEZE, {"reason": reason}, act, reason=reason)


@transaction.atomic(durable=True)
def change_limit(at: At, limit_fen: int, *, policy: Policy, request_id: int | None = None) -> CounterDeed:
    """Set the daily limit (guide L157, R079): 0 to the policy's maximum, or up to 600.00 with a second person's yes.

    Raises ``NotAllowed``, ``approvals.NotApproved``, ``deeds.KeyReused`` and ``actors.WrongDoor``.
    """

    def act() -> tuple[Mapping[str, Any], int | None]:
        before = lock(at.account_id).daily_limit_fen
        most = policy.max_limit_fen
        if request_id is not None:
            content = limit_content(at.account_id, limit_fen)
            approvals.use(request_id, kind=LIMIT_KIND, content=content, actor=at.door.actor, now=at.now)
            most = limits.HIGHEST_FEN
        limits.set_limit(at.account_id, limit_fen, door=at.door, most_fen=most, now=at.now)
        return {"before_fen": before, "after_fen": limit_fen}, None

    return _once(at, DeedKind.LIMIT, {"limit_fen": limit_fen, "request": request_id}, act)


def limit_content(account_id: int, limit_fen: int) -> dict[str, Any]:
    """What two people agree on when a limit is above the maximum."""
    return {"account": account_id, "limit_fen": limit_fen}


@transaction.atomic(durable=True)
def reset_password(at: At, kinds: frozenset[SecretKind], *, secrets: Secrets) -> CounterDeed:
    """Put the initial password of the guide back (L131, L151), which follows from the document in the register.

    Raises ``NotAllowed`` when no initial password follows from it, that holder sees one on the pad (``pinpad``), and
    ``passwords.NotOffered`` by standing.
    """

    def act() -> tuple[Mapping[str, Any], int | None]:
        account = lock(at.account_id)
        passwords.refuse_own(account, at.door)
        if not passwords.has_initial(account, secrets):
            raise NotAllowed(Reason.NO_INITIAL_PASSWORD)
        for kind in sorted(kinds):
            passwords.refuse_standing(account, kind)
            passwords.reset_to_initial(at.account_id, kind, door=at.door, now=at.now, secrets=secrets)
        return {"kinds": sorted(kind.value for kind in kinds)}, None

    return _once(at, DeedKind.RESET_PASSWORD, {"kinds": sorted(kind.value for kind in kinds)}, act)


@transaction.atomic(durable=True)
def unlock(at: At) -> CounterDeed:
    """Open what wrong guesses had closed, without touching a password (reading A15)."""

    def act() -> tuple[Mapping[str, Any], int | None]:
        passwords.refuse_own(lock(at.account_id), at.door)
        budgets = frozenset({Budget.REMOTE, Budget.PHYSICAL, Budget.CONSUMPTION})
        throttle.reset(at.account_id, budgets, door=at.door, now=at.now)
        return {}, None

    return _once(at, DeedKind.UNLOCK, {}, act)


def _once(
    at: At,
    kind: DeedKind,
    content: Mapping[str, Any],
    act: Callable[[], tuple[Mapping[str, Any], int | None]],
    *,
    reason: str = "",
) -> CounterDeed:
    """Do it, and write it down, unless this key did it before."""
    asked = deeds.Asked(at.key, kind, {"account": at.account_id, **content})
    known = deeds.begin(asked)
    if known is not None:
        return known
    facts, card_id = act()
    done = deeds.Done(at.account_id, card_id, facts)
    return deeds.note(asked, done, door=at.door, now=at.now, reason=reason)
