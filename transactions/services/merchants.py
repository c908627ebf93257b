"""Merchants: their contract, and on what terms they are paid (guide L79: 签约商户; requirements M01, R034).

Fee and settlement period begin on a day to come and are never rewritten. A contract ends on a last day, today at the
earliest: what was sold was sold.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from accounts.actors import Actor
from accounts.services.audit import Deed, record
from transactions.days import local_day
from transactions.models import Merchant, MerchantTerms


class Why(StrEnum):
    """Why nothing was changed."""

    CONTRACT_ORDER = "contract_order"
    """The last day would lie before the first."""
    IN_THE_PAST = "in_the_past"
    """The day is over, or has begun where it must be to come."""
    NO_REASON = "no_reason"
    KEY_REUSED = "key_reused"


class NotChanged(Exception):
    """The merchant stays as it is; nothing was written."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class Details:
    """Who a merchant is, and from when to when its contract runs (``until``: the last day; None: no end yet)."""

    name_zh: str
    name_en: str
    campus_id: int
    category: str
    contract_no: str
    contract_from: date
    contract_until: date | None


@dataclass(frozen=True, slots=True)
class NewTerms:
    """Fee in hundredths of a per cent and settlement period from a day on. ``key`` comes with the form."""

    key: UUID
    effective_on: date
    fee_bp: int
    settlement: str
    reason: str


@transaction.atomic
def register(details: Details, terms: NewTerms, *, actor: Actor, now: datetime) -> int:
    """Add a merchant with its first terms; the same key again returns the merchant of then. Raises ``NotChanged``."""
    _lock(terms.key)
    known = MerchantTerms.objects.filter(key=terms.key).select_related("merchant").first()
    if known is not None:
        if known.merchant.name_zh != details.name_zh:
            raise NotChanged(Why.KEY_REUSED)
        return known.merchant_id
    _refuse_contract(details)
    made = Merchant.objects.create(**_columns(details))
    record(
        Deed("merchant.register", "merchant", made.pk, after=_plain(_columns(details))), actor=actor, now=now
    )
    _write_terms(made.pk, terms, first=True, actor=actor, now=now)
    return made.pk


@transaction.atomic
def describe(merchant_id: int, details: Details, *, reason: str, actor: Actor, now: datetime) -> bool:
    """Change names, category or contract; False when nothing differs. The campus stays: its tills stand there.

    Raises ``NotChanged`` and ``Merchant.DoesNotExist``.
    """
    merchant = Merchant.objects.select_for_update().get(pk=merchant_id)
    wanted = _columns(details) | {"campus_id": merchant.campus_id}
    before = {
        name: getattr(merchant, name) for name, value in wanted.items() if getattr(merchant, name) != value
    }
    if not before:
        return False
    _refuse_contract(details)
    until = details.contract_until
    if "contract_until" in before and until is not None and until < local_day(now):
        raise NotChanged(Why.IN_THE_PAST)
    if not reason.strip():
        raise NotChanged(Why.NO_REASON)
    for name in before:
        setattr(merchant, name, wanted[name])
    merchant.save(update_fields=list(before))
    after = _plain({name: wanted[name] for name in before})
    deed = Deed(
        "merchant.describe", "merchant", merchant_id, before=_plain(before), after=after, reason=reason
    )
    record(deed, actor=actor, now=now)
    return True


@transaction.atomic
def set_terms(merchant_id: int, terms: NewTerms, *, actor: Actor, now: datetime) -> None:
    """Let other terms begin tomorrow or later, the first ones today; the same key again does nothing more.

    Raises ``NotChanged``.
    """
    _lock(terms.key)
    known = MerchantTerms.objects.filter(key=terms.key).first()
    if known is not None:
        if (known.merchant_id, known.fee_bp) != (merchant_id, terms.fee_bp):
            raise NotChanged(Why.KEY_REUSED)
        return
    first = not MerchantTerms.objects.filter(merchant_id=merchant_id).exists()
    _write_terms(merchant_id, terms, first=first, actor=actor, now=now)


def _write_terms(merchant_id: int, terms: NewTerms, *, first: bool, actor: Actor, now: datetime) -> None:
    today = local_day(now)
    if terms.effective_on < today or (terms.effective_on == today and not first):
        raise NotChanged(Why.IN_THE_PAST)
    if not terms.reason.strip():
        raise NotChanged(Why.NO_REASON)
    MerchantTerms.objects.create(
        merchant_id=merchant_id,
        effective_on=terms.effective_on,
        fee_bp=terms.fee_bp,
        settlement=terms.settlement,
        set_at=now,
        set_by=actor.who,
        reason=terms.reason,
        key=terms.key,
    )
    after = {
        "effective_on": terms.effective_on.isoformat(),
        "fee_bp": terms.fee_bp,
        "settlement": terms.settlement,
    }
    deed = Deed("merchant.set_terms", "merchant", merchant_id, after=after, reason=terms.reason)
    record(deed, actor=actor, now=now)


def _refuse_contract(details: Details) -> None:
    if details.contract_until is not None and details.contract_until < details.contract_from:
        raise NotChanged(Why.CONTRACT_ORDER)


def _columns(details: Details) -> dict[str, Any]:
    return {name: getattr(details, name) for name in Details.__dataclass_fields__}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}


def _lock(key: UUID) -> None:
    """Of a double click the second waits for the first, and finds what it did."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s || current_schema(), 0))", [f"merchant {key}"]
        )
