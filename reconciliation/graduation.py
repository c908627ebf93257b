"""Closings of many: what stands against each account, worked out for all of them at once, and how far a batch is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from accounts.checks.masks import mask_name
from accounts.models import (
    AccountLife,
    Campus,
    ClosingBatch,
    ClosingItem,
    ClosingResult,
    ClosingState,
)
from reconciliation.closing import Against
from reconciliation.models import Case, CaseState
from reconciliation.models_disputes import OPEN_STATES, Dispute

NEWEST = 8
PAGE = 100


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """A batch of closings; amounts in fen, of the accounts that are still in it."""

    id: int
    name: str
    campus: Campus | None
    state: ClosingState
    made_by: str
    made_at: datetime
    ended_at: datetime | None
    total: int
    waiting: int
    started: int
    refused: int
    hindered: int
    """Of those that wait: how many cannot be closed as things stand."""
    money_fen: int
    unknown: tuple[str, ...]

    @property
    def share(self) -> int:
        """How far it is, in per cent."""
        return (self.total - self.waiting) * 100 // max(1, self.total)


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """One account of a batch: whose, with what money, and why not."""

    place: int
    account_id: int
    number: int
    name: str
    school_no: str
    unit: str
    book_fen: int
    unclaimed_fen: int
    result: ClosingResult
    against: Against | None


def batch_facts(batch_id: int) -> BatchFacts | None:
    """One batch, or None."""
    batch = _batches().filter(pk=batch_id).first()
    return _batch(batch) if batch else None


def newest_batches(campus_id: int | None) -> list[BatchFacts]:
    """The latest batches of a campus and of those who serve all."""
    found = _batches()
    if campus_id is not None:
        found = found.filter(Q(campus_id=campus_id) | Q(campus_id=None))
    return [_batch(batch) for batch in found.order_by("-made_at")[:NEWEST]]


def items(batch_id: int, *, hindered: bool, after: int = 0) -> list[ItemFacts]:
    """The next accounts of a batch, those that cannot be closed or the others; one more than a page."""
    found = _with_obstacles(ClosingItem.objects.filter(batch_id=batch_id, place__gt=after))
    stands = Q(result=ClosingResult.REFUSED) | Q(result=ClosingResult.WAITING) & _ANY
    found = found.filter(stands) if hindered else found.exclude(stands)
    rows = found.select_related("account__holder").order_by("place")[: PAGE + 1]
    return [_item(row) for row in rows]


_ANY = (
    ~Q(account__life=AccountLife.OPEN)
    | ~Q(account__frozen_reasons=[])
    | Q(account__book_fen__lt=0)
    | Q(has_case=True)
    | Q(has_dispute=True)
)


def _with_obstacles(found: QuerySet[ClosingItem]) -> QuerySet[ClosingItem]:
    account = OuterRef("account_id")
    return found.annotate(
        has_case=Exists(Case.objects.filter(account_id=account, state=CaseState.OPEN)),
        has_dispute=Exists(Dispute.objects.filter(account_id=account, state__in=OPEN_STATES)),
    )


def _batches() -> QuerySet[ClosingBatch]:
    return ClosingBatch.objects.select_related("campus", "made_by")


def _batch(batch: ClosingBatch) -> BatchFacts:
    found = _with_obstacles(ClosingItem.objects.filter(batch=batch))
    sums = found.aggregate(
        total=Count("id"),
        waiting=Count("id", filter=Q(result=ClosingResult.WAITING)),
        started=Count("id", filter=Q(result=ClosingResult.STARTED)),
        refused=Count("id", filter=Q(result=ClosingResult.REFUSED)),
        hindered=Count("id", filter=Q(result=ClosingResult.WAITING) & _ANY),
        book=Sum("account__book_fen"),
        unclaimed=Sum("account__unclaimed_fen"),
    )
    return BatchFacts(
        id=batch.pk,
        name=batch.name,
        campus=batch.campus,
        state=ClosingState(batch.state),
        made_by=batch.made_by.get_full_name(),
        made_at=batch.made_at,
        ended_at=batch.ended_at,
        total=sums["total"],
        waiting=sums["waiting"],
        started=sums["started"],
        refused=sums["refused"],
        hindered=sums["hindered"],
        money_fen=int((sums["book"] or 0) + (sums["unclaimed"] or 0)),
        unknown=tuple(batch.unknown),
    )


def _item(row: Any) -> ItemFacts:
    account, holder = row.account, row.account.holder
    return ItemFacts(
        place=row.place,
        account_id=account.pk,
        number=account.number,
        name=mask_name(holder.name),
        school_no=holder.school_no,
        unit=holder.unit,
        book_fen=account.book_fen,
        unclaimed_fen=account.unclaimed_fen,
        result=ClosingResult(row.result),
        against=Against(row.reason) if row.reason else _obstacle(row),
    )


def _obstacle(row: Any) -> Against | None:
    """The first thing that stands against an account that still waits."""
    if row.result != ClosingResult.WAITING:
        return None
    account = row.account
    found = (
        (account.life in (AccountLife.CLOSED, AccountLife.CLOSING), Against.CLOSED),
        (account.life == AccountLife.PENDING, Against.NOT_CLOSING),
        (account.frozen, Against.FROZEN),
        (row.has_case, Against.OPEN_CASE),
        (row.has_dispute, Against.OPEN_DISPUTE),
        (account.book_fen < 0, Against.DEBT),
    )
    return next((against for stands, against in found if stands), None)
