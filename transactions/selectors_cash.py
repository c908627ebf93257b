"""Reads of shifts, slips and receipts, for screens and for the desk. Nothing here changes a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum

from transactions.models import (
    SEQ_BITS,
    Contra,
    Drawer,
    Entry,
    EntryKind,
    Receipt,
    ReceiptKind,
    Reversal,
    Shift,
    TopUpSlip,
    entry_id,
)

OUT_OF_THE_DRAWER = (ReceiptKind.VOID, ReceiptKind.PAYOUT, ReceiptKind.DEPOSIT_BACK)
"""Receipts whose money left the drawer; that of the others came in."""


@dataclass(frozen=True, slots=True)
class KindSum:
    """What the receipts of one kind come to; ``fen`` is signed as the drawer gains."""

    kind: ReceiptKind
    count: int
    fen: int


@dataclass(frozen=True, slots=True)
class ShiftSums:
    """The drawer of a shift: its float, the receipts by kind, and what must be in it. Amounts in fen."""

    float_fen: int
    kinds: tuple[KindSum, ...]
    count: int
    moved_fen: int

    @property
    def expected_fen(self) -> int:
        """By the receipts; the ledger says the same, or ``verify`` complains (L12)."""
        return self.float_fen + self.moved_fen


def drawers(*, campus_id: int | None) -> list[Drawer]:
    """The drawers in service, of one campus or of all."""
    found = Drawer.objects.filter(retired_at=None)
    if campus_id is not None:
        found = found.filter(campus_id=campus_id)
    return list(found.select_related("campus").order_by("campus_id", "code"))


def shift(shift_id: int, *, campus_id: int | None) -> Shift | None:
    """A shift at a drawer of this campus (None: of any), with everybody who signed it."""
    found = _shifts(campus_id).filter(pk=shift_id)
    return found.first()


def shifts(
    *, campus_id: int | None, officer_id: int | None = None, waiting: bool = False, limit: int = 50
) -> list[Shift]:
    """The newest shifts; ``waiting``: only those closed and not accepted, oldest first."""
    found = _shifts(campus_id)
    if officer_id is not None:
        found = found.filter(officer_id=officer_id)
    if waiting:
        return list(found.filter(closed_at__isnull=False, accepted_at=None).order_by("closed_at")[:limit])
    return list(found.order_by("-opened_at", "-pk")[:limit])


def waiting_count(campus_id: int | None) -> int:
    """How many closed shifts wait for a supervisor."""
    return _shifts(campus_id).filter(closed_at__isnull=False, accepted_at=None).count()


def sums(of: Shift) -> ShiftSums:
    """What the drawer's receipts come to. One statement."""
    rows = (
        Receipt.objects.filter(shift=of)
        .values_list("kind")
        .annotate(count=Count("id"), fen=Sum("fen"))
        .order_by("kind")
    )
    found = {kind: (count, fen) for kind, count, fen in rows}
    kinds = tuple(
        KindSum(kind, found[kind][0], -found[kind][1] if kind in OUT_OF_THE_DRAWER else found[kind][1])
        for kind in ReceiptKind
        if kind in found
    )
    return ShiftSums(
        float_fen=of.float_fen,
        kinds=kinds,
        count=sum(each.count for each in kinds),
        moved_fen=sum(each.fen for each in kinds),
    )


def latest_receipts(of: Shift, *, limit: int = 8) -> list[Receipt]:
    """The last receipts of a shift, newest first."""
    return list(Receipt.objects.filter(shift=of).select_related("voided_by").order_by("-no")[:limit])


def receipt(receipt_id: int) -> Receipt | None:
    """A receipt, with what voided it, what it voids, and its shift."""
    found = Receipt.objects.select_related("voided_by", "voids", "shift__drawer__campus", "series__campus")
    return found.filter(pk=receipt_id).first()


def receipt_by_number(series: str, no: int) -> Receipt | None:
    """The receipt with this number."""
    return Receipt.objects.filter(series_id=series, no=no).first()


def receipts_of_account(account_id: int, *, limit: int = 20) -> list[Receipt]:
    """The newest receipts of an account."""
    found = Receipt.objects.filter(account_id=account_id).select_related("voided_by")
    return list(found.order_by("-issued_at", "-pk")[:limit])


def copies(receipt_id: int) -> int:
    """How often a receipt was printed, the original included."""
    return Receipt.objects.filter(pk=receipt_id).aggregate(n=Count("copies"))["n"] or 0


def slip(slip_id: UUID) -> TopUpSlip | None:
    """A top-up slip with its shift and account."""
    found = TopUpSlip.objects.select_related("shift__drawer__campus", "account__holder")
    return found.filter(pk=slip_id).first()


def open_slip(shift_id: int) -> TopUpSlip | None:
    """The newest slip of a shift that is neither confirmed nor dropped."""
    found = TopUpSlip.objects.filter(shift_id=shift_id, confirmed_at=None, dropped_at=None)
    return found.select_related("account__holder").order_by("-announced_at").first()


def last_slip(shift_id: int) -> TopUpSlip | None:
    """The newest slip of a shift that was not dropped."""
    found = TopUpSlip.objects.filter(shift_id=shift_id, dropped_at=None)
    return found.order_by("-announced_at").first()


def shift_by_display(display_key: UUID) -> Shift | None:
    """The open shift whose customer display has this key."""
    found = Shift.objects.filter(display_key=display_key, closed_at=None)
    return found.select_related("drawer__campus").first()


def untouched_top_up(account_id: int, top_up_id: int) -> Entry | None:
    """This cash top-up of this account, if it was not taken back and nothing has moved the book since. In fen > 0."""
    entry = Entry.objects.filter(
        id=top_up_id,
        account_id=account_id,
        kind=EntryKind.TOP_UP,
        contra=Contra.DRAWER,
        book_change_fen__gt=0,
    ).first()
    if entry is None or Reversal.objects.filter(entry_id=top_up_id).exists():
        return None
    later = Entry.objects.filter(id__gt=top_up_id, id__lt=entry_id(account_id + 1, 0))
    return None if later.exclude(book_change_fen=0).exists() else entry


def entry_of(receipt_of: Receipt) -> int:
    """The sequence of the receipt's entry in its account."""
    return receipt_of.entry_id & ((1 << SEQ_BITS) - 1)


def _shifts(campus_id: int | None) -> QuerySet[Shift]:
    found = Shift.objects.select_related("drawer__campus", "officer__campus", "closed_by", "accepted_by")
    return found if campus_id is None else found.filter(drawer__campus_id=campus_id)


def opened_between(campus_id: int | None, start: datetime, end: datetime) -> Iterable[Shift]:
    """The shifts that touched a stretch of time, for the finance report."""
    touched = Q(opened_at__lt=end) & (Q(closed_at=None) | Q(closed_at__gte=start))
    return _shifts(campus_id).filter(touched).order_by("opened_at")
