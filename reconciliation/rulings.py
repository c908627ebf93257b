"""Reading what people decided: what waits for whom, one decision with its arithmetic, what was done on a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from reconciliation.models import Decision, DecisionAction
from reconciliation.models_desk import Needs, Verdict
from reconciliation.selectors import CaseRow, row_of


class DecisionState(StrEnum):
    """How far a decision is."""

    WAITING = "waiting"
    APPROVED = "approved"
    """Agreed on; its card has to be on the reader."""
    DONE = "done"
    NOT_DONE = "not_done"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision as screens show it. Amounts in fen; people by name."""

    id: int
    key: UUID
    case: CaseRow
    campus_id: int
    """Of the desk where it was made; its second person answers for that campus."""
    action: DecisionAction
    needs: Needs
    state: DecisionState
    amount_fen: int
    content: Mapping[str, Any]
    digest: bytes
    reason: str
    maker_id: int
    maker: str
    made_at: datetime
    checker: str
    ruled_at: datetime | None
    ruling_reason: str
    done_at: datetime | None
    done_by: str
    numbers: Mapping[str, Any]
    why: str

    @property
    def job_id(self) -> UUID | None:
        """The card job that it ordered."""
        found = self.numbers.get("job")
        return UUID(found) if found else None

    @property
    def open(self) -> bool:
        """Whether somebody still has to do something."""
        return self.state in {DecisionState.WAITING, DecisionState.APPROVED}


def find(decision_id: int) -> DecisionRow | None:
    """One decision, or None."""
    found = _all().filter(pk=decision_id).first()
    return _row(found) if found else None


def decisions_of_case(case_id: int) -> tuple[DecisionRow, ...]:
    """What was decided about a case, newest first."""
    return tuple(_row(each) for each in _all().filter(case_id=case_id).order_by("-id"))


def decisions_of_account(account_id: int) -> tuple[DecisionRow, ...]:
    """What was decided about an account on whatever case, oldest first."""
    return tuple(_row(each) for each in _all().filter(account_id=account_id).order_by("id"))


def waiting(campus_id: int | None) -> tuple[DecisionRow, ...]:
    """What waits for a second person or for its card, oldest first."""
    return tuple(_row(each) for each in _unfinished(campus_id).order_by("id"))


def waiting_count(campus_id: int | None) -> int:
    """How many of those there are."""
    return _unfinished(campus_id).count()


def recent(campus_id: int | None, *, newest: int = 20) -> tuple[DecisionRow, ...]:
    """What was decided last and is finished, newest first."""
    over = _of(campus_id).filter(
        Q(result__isnull=False) | Q(ruling__verdict__in=(Verdict.REFUSED, Verdict.WITHDRAWN))
    )
    return tuple(_row(each) for each in over.order_by("-id")[:newest])


def _unfinished(campus_id: int | None) -> QuerySet[Decision]:
    open_ones = _of(campus_id).filter(result__isnull=True)
    return open_ones.exclude(ruling__verdict__in=(Verdict.REFUSED, Verdict.WITHDRAWN))


def _all() -> QuerySet[Decision]:
    return Decision.objects.select_related("case__account", "maker", "ruling__checker", "result__by")


def _of(campus_id: int | None) -> QuerySet[Decision]:
    return _all() if campus_id is None else _all().filter(campus_id=campus_id)


def _row(found: Decision) -> DecisionRow:
    ruling, result = getattr(found, "ruling", None), getattr(found, "result", None)
    return DecisionRow(
        id=found.pk,
        key=found.key,
        case=row_of(found.case),
        campus_id=found.campus_id,
        action=DecisionAction(found.action),
        needs=Needs(found.needs),
        state=_state(ruling.verdict if ruling else None, result.done if result else None),
        amount_fen=found.amount_fen,
        content=found.content,
        digest=bytes(found.content_hash),
        reason=found.reason,
        maker_id=found.maker_id,
        maker=found.maker.get_full_name(),
        made_at=found.made_at,
        checker=ruling.checker.get_full_name() if ruling else "",
        ruled_at=ruling.ruled_at if ruling else None,
        ruling_reason=ruling.reason if ruling else "",
        done_at=result.at if result else None,
        done_by=result.by.get_full_name() if result else "",
        numbers=result.numbers if result else {},
        why=result.why if result else "",
    )


def _state(verdict: str | None, done: bool | None) -> DecisionState:
    if done is not None:
        return DecisionState.DONE if done else DecisionState.NOT_DONE
    if verdict is None:
        return DecisionState.WAITING
    return {
        Verdict.APPROVED.value: DecisionState.APPROVED,
        Verdict.REFUSED.value: DecisionState.REFUSED,
        Verdict.WITHDRAWN.value: DecisionState.WITHDRAWN,
    }[verdict]
