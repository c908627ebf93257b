"""Reading merchants: who they are, whether their contract runs, on what terms they are paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from transactions.models import Merchant, MerchantCategory, MerchantTerms, SettlementPeriod

__all__ = ["MerchantCategory", "MerchantRow", "SettlementPeriod", "Terms", "merchant", "merchants"]


@dataclass(frozen=True, slots=True)
class Terms:
    """Fee in hundredths of a per cent and settlement period from a day on; ``set_by`` as ``Actor.who``."""

    effective_on: date
    fee_bp: int
    settlement: SettlementPeriod
    set_at: datetime
    set_by: str
    reason: str

    @property
    def fee_percent(self) -> str:
        """``0.60``."""
        return f"{self.fee_bp // 100}.{self.fee_bp % 100:02d}"


@dataclass(frozen=True, slots=True)
class MerchantRow:
    """A merchant. ``terms``: all of them, the latest beginning first."""

    id: int
    name_zh: str
    name_en: str
    campus_id: int
    campus_zh: str
    campus_en: str
    category: MerchantCategory
    contract_no: str
    contract_from: date
    contract_until: date | None
    terms: Sequence[Terms]

    def has_contract(self, today: date) -> bool:
        """Whether its tills may sell on this day; first and last day included (R034)."""
        return in_force(self.contract_from, self.contract_until, on=today)

    def terms_on(self, day: date) -> Terms | None:
        """On what terms a day is settled."""
        return next((each for each in self.terms if each.effective_on <= day), None)


def in_force(contract_from: date | None, contract_until: date | None, *, on: date) -> bool:
    """Whether a contract runs on a day; one without a first day never does."""
    return (
        contract_from is not None and contract_from <= on and (contract_until is None or on <= contract_until)
    )


def merchants(campus_id: int | None = None) -> list[MerchantRow]:
    """Every merchant of one campus or of all. Two statements."""
    rows = Merchant.objects.select_related("campus").order_by("campus_id", "category", "name_zh", "id")
    if campus_id is not None:
        rows = rows.filter(campus_id=campus_id)
    found = list(rows)
    terms = _terms([row.pk for row in found])
    return [_row(row, terms.get(row.pk, [])) for row in found]


def merchant(merchant_id: int) -> MerchantRow | None:
    """One merchant; None for an unknown one. Two statements."""
    row = Merchant.objects.select_related("campus").filter(pk=merchant_id).first()
    return _row(row, _terms([row.pk]).get(row.pk, [])) if row else None


def _terms(ids: Sequence[int]) -> dict[int, list[Terms]]:
    found: dict[int, list[Terms]] = {}
    rows = MerchantTerms.objects.filter(merchant_id__in=ids).order_by("-effective_on", "-id")
    for row in rows:
        terms = Terms(
            row.effective_on, row.fee_bp, SettlementPeriod(row.settlement), row.set_at, row.set_by, row.reason
        )
        found.setdefault(row.merchant_id, []).append(terms)
    return found


def _row(row: Merchant, terms: Sequence[Terms]) -> MerchantRow:
    return MerchantRow(
        id=row.pk,
        name_zh=row.name_zh,
        name_en=row.name_en,
        campus_id=row.campus_id,
        campus_zh=row.campus.name_zh,
        campus_en=row.campus.name_en,
        category=MerchantCategory(row.category),
        contract_no=row.contract_no,
        contract_from=row.contract_from,
        contract_until=row.contract_until,
        terms=tuple(terms),
    )
