"""What screens read of cases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from reconciliation.models import Case, CaseState, Mismatch, Proposal


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One line of the queue; the amount in fen."""

    id: int
    account_number: int
    mismatch: Mismatch
    proposal: Proposal
    at_risk_fen: int
    opened_at: datetime
    campus_zh: str
    campus_en: str


def open_cases(*, campus_id: int | None = None) -> list[CaseRow]:
    """The open cases of one campus or of all, oldest first. One statement."""
    found = Case.objects.filter(state=CaseState.OPEN).select_related("account", "campus")
    if campus_id is not None:
        found = found.filter(campus_id=campus_id)
    return [
        CaseRow(
            id=case.pk,
            account_number=case.account.number,
            mismatch=Mismatch(case.mismatch),
            proposal=Proposal(case.proposal),
            at_risk_fen=case.at_risk_fen,
            opened_at=case.opened_at,
            campus_zh=case.campus.name_zh,
            campus_en=case.campus.name_en,
        )
        for case in found.order_by("opened_at", "pk")
    ]
