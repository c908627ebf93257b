"""Who has how much on the desk: open cases by the person who looks after them. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Min, Q, Sum

from accounts.kinds import OperatorRole
from accounts.models import Operator
from reconciliation.models import Case, CaseState


@dataclass(frozen=True, slots=True)
class Load:
    """What one person looks after; ``operator_id`` None is what nobody does. Amounts in fen."""

    operator_id: int | None
    name: str
    campus_id: int | None
    count: int
    fen: int
    held: int
    escalated: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who may look after a case."""

    id: int
    name: str
    campus_id: int | None


def workload(campus_id: int | None, *, today: date) -> tuple[Load, ...]:
    """Nobody's cases first, then everybody who may work on cases, the most loaded first. Two statements.

    ``campus_id``: only cases of this campus; people of other campuses are listed when they have some.
    """
    mine = Q() if campus_id is None else Q(campus_id=campus_id)
    sums: dict[int | None, dict[str, Any]] = {
        row["assignee"]: dict(row)
        for row in Case.objects.filter(mine, state=CaseState.OPEN)
        .values("assignee")
        .annotate(
            count=Count("id"),
            fen=Sum("at_risk_fen"),
            held=Count("id", filter=Q(held_until__gt=today)),
            escalated=Count("id", filter=Q(escalated_at__isnull=False)),
            oldest=Min("opened_at"),
        )
        .order_by()
    }
    here = Q(is_active=True, role__in=_WORK) & (Q() if campus_id is None else Q(campus_id=campus_id))
    people = Operator.objects.filter(here | Q(pk__in=[each for each in sums if each]))
    rows = [_load(each.pk, each.get_full_name(), each.campus_id, sums.get(each.pk)) for each in people]
    rows.sort(key=lambda row: (-row.count, row.name))
    return (_load(None, "", None, sums.get(None)), *rows)


def colleagues() -> tuple[Colleague, ...]:
    """Everybody who may look after a case, by name. One statement."""
    found = Operator.objects.filter(is_active=True, role__in=_WORK)
    rows = [Colleague(each.pk, each.get_full_name(), each.campus_id) for each in found]
    return tuple(sorted(rows, key=lambda row: row.name))


_WORK = (OperatorRole.CLERK, OperatorRole.SUPERVISOR)


def _load(operator_id: int | None, name: str, campus_id: int | None, found: dict[str, Any] | None) -> Load:
    if found is None:
        return Load(operator_id, name, campus_id, 0, 0, 0, 0, None)
    return Load(
        operator_id=operator_id,
        name=name,
        campus_id=campus_id,
        count=found["count"],
        fen=int(found["fen"]),
        held=found["held"],
        escalated=found["escalated"],
        oldest_at=found["oldest"],
    )
