"""Reads of the book for screens: a statement page, its totals, why card and book differ.

A statement is a range of the primary key (``models.entry_id``), so a page costs the same at any depth. Its days are
ledger days (posting), because only in that order each line's book follows from the line before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Aggregate, Count, Max, Q, QuerySet, Sum, Value
from django.db.models.functions import Abs, Greatest
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

from accounts.models import Card
from purse.evidence import OpenItems, State, open_items
from transactions.days import SHANGHAI, local_day
from transactions.mirror import read_side
from transactions.models import SEQ_BITS, Contra, Entry, EntryKind, Merchant, Mode, OfflineTrace, entry_id

LAST_SEQ = (1 << SEQ_BITS) - 1


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One movement as its holder reads it; amounts in fen, signed as the holder gains."""

    seq: int
    kind: EntryKind
    mode: Mode
    book_change_fen: int
    unclaimed_change_fen: int
    book_after_fen: int
    unclaimed_after_fen: int
    occurred_at: datetime
    posted_at: datetime
    merchant_id: int | None
    terminal_id: int | None
    purse_seq: int | None = None
    """The number that it claimed on the card (counter); None where no card was written."""
    place: Merchant | None = None
    """Where it was spent, with its campus."""

    @property
    def posted_later(self) -> bool:
        """Whether it happened on another day than it was posted, as late uploads do."""
        return local_day(self.occurred_at) != local_day(self.posted_at)


@dataclass(frozen=True, slots=True)
class StatementRange:
    """Which movements: ledger days ``from_on`` to ``to_on``, both included; None is all. Amounts in fen, either way."""

    from_on: date
    to_on: date
    kind: EntryKind | None = None
    merchant_id: int | None = None
    campus_id: int | None = None
    """Of the merchant; what went to no merchant belongs to no campus."""
    least_fen: int | None = None
    most_fen: int | None = None
    until_seq: int | None = None
    """The last movement that is meant; later ones are left out."""


@dataclass(frozen=True, slots=True)
class StatementPage:
    """Lines, newest first. ``older_than`` and ``newer_than`` are the cursors of the neighbours; None where none is."""

    lines: tuple[StatementLine, ...]
    older_than: int | None
    newer_than: int | None


@dataclass(frozen=True, slots=True)
class Totals:
    """What a statement adds up to, on the book: money in, money out (≥ 0), movements."""

    in_fen: int
    out_fen: int
    count: int


def latest_lines(account_id: int, *, limit: int = 10) -> tuple[StatementLine, ...]:
    """The last movements of an account, newest first. Two statements."""
    return _with_places(_lines(_of_account(account_id).order_by("-id")[:limit]))


def statement_page(
    account_id: int,
    which: StatementRange,
    *,
    older_than: int | None = None,
    newer_than: int | None = None,
    size: int = 20,
) -> StatementPage:
    """One page: the newest lines, or those next to a cursor (an entry's ``seq``). Two statements at any depth."""
    chosen = _chosen(account_id, which)
    if newer_than is not None:
        found = _lines(chosen.filter(id__gt=entry_id(account_id, newer_than)).order_by("id")[: size + 1])
        lines = _with_places(found[size - 1 :: -1] if len(found) > size else found[::-1])
        has_newer, has_older = len(found) > size, True
    else:
        if older_than is not None:
            chosen = chosen.filter(id__lt=entry_id(account_id, older_than))
        found = _lines(chosen.order_by("-id")[: size + 1])
        lines = _with_places(found[:size])
        has_newer, has_older = older_than is not None, len(found) > size
    return StatementPage(
        lines=lines,
        older_than=lines[-1].seq if lines and has_older else None,
        newer_than=lines[0].seq if lines and has_newer else None,
    )


def statement_totals(account_id: int, which: StatementRange) -> Totals:
    """Money in and out of the book over the whole range, not only the page. One statement."""
    return _totals(_chosen(account_id, which).aggregate(**_sums()))


def statement_summary(account_id: int, which: StatementRange) -> tuple[Totals, tuple[Merchant, ...]]:
    """The totals, and where the holder spent in these days, whatever else is asked: merchants by name with campuses.

    Two statements, of which only one reads the movements, and reads each of them once.
    """
    spent = ArrayAgg("contra_ref", distinct=True, filter=Q(contra=Contra.MERCHANT), default=Value([]))
    found = _in_days(account_id, which).aggregate(**_sums(_narrowed(which)), spent=spent)
    merchants = Merchant.objects.filter(pk__in=found["spent"]).select_related("campus")
    return _totals(found), tuple(merchants.order_by("name_zh", "pk"))


def statement_kinds(account_id: int, which: StatementRange) -> list[tuple[EntryKind, int, int, int]]:
    """Kind, money in, money out (≥ 0, of the book) and movements, the most frequent kind first. One statement."""
    rows = (
        _chosen(account_id, which)
        .values("kind")
        .annotate(
            into=Sum("book_change_fen", filter=Q(book_change_fen__gt=0), default=0),
            out=Sum("book_change_fen", filter=Q(book_change_fen__lt=0), default=0),
            count=Count("id"),
        )
        .order_by("-count", "kind")
    )
    return [(EntryKind(row["kind"]), int(row["into"]), -int(row["out"]), row["count"]) for row in rows]


def book_before(account_id: int, day: date) -> int:
    """The book as it stood when this ledger day began, in fen. One statement."""
    start = datetime.combine(day, time(), SHANGHAI)
    before = _of_account(account_id).filter(posted_at__lt=start).order_by("-id")
    return before.values_list("book_after_fen", flat=True).first() or 0


def statement_lines(account_id: int, which: StatementRange) -> Iterator[StatementLine]:
    """Every movement of the range, oldest first, read page by page: for files. Two statements for each 500."""
    chosen, last = _chosen(account_id, which).order_by("id"), 0
    while found := _lines(chosen.filter(id__gt=entry_id(account_id, last))[:500]):
        yield from _with_places(found)
        last = found[-1].seq


def why_they_differ(card_id: int) -> OpenItems:
    """Why this card and its book differ, item by item (invariant C2). One statement."""
    card = Card.objects.select_related("account").get(pk=card_id)
    spend = State(card.spend_seq, card.spend_total_fen, 0, card.offline_spent_fen, card.stop_marked)
    load = State(card.load_seq, card.load_total_fen, 0)
    return open_items(
        spend=read_side("spend", spend, card.legs, card.images),
        load=read_side("load", load, card.legs, card.images),
        book_fen=card.account.book_fen,
        late_fen=card.late_fen,
    )


def _of_account(account_id: int) -> QuerySet[Entry]:
    return Entry.objects.filter(id__gt=entry_id(account_id, 0), id__lte=entry_id(account_id, LAST_SEQ))


def _chosen(account_id: int, which: StatementRange) -> QuerySet[Entry]:
    return _in_days(account_id, which).filter(_narrowed(which))


def _in_days(account_id: int, which: StatementRange) -> QuerySet[Entry]:
    """Bounds on ``posted_at`` too, so that only the partitions of these months are opened."""
    start = datetime.combine(which.from_on, time(), SHANGHAI)
    end = datetime.combine(which.to_on + timedelta(days=1), time(), SHANGHAI)
    chosen = _of_account(account_id).filter(posted_at__gte=start, posted_at__lt=end)
    if which.until_seq is not None:
        chosen = chosen.filter(id__lte=entry_id(account_id, which.until_seq))
    return chosen


def _narrowed(which: StatementRange) -> Q:
    """What is asked for besides the days."""
    asked = Q()
    if which.kind is not None:
        asked &= Q(kind=which.kind)
    if which.merchant_id is not None:
        asked &= Q(contra=Contra.MERCHANT, contra_ref=which.merchant_id)
    if which.campus_id is not None:
        there = Merchant.objects.filter(campus_id=which.campus_id).values("pk")
        asked &= Q(contra=Contra.MERCHANT, contra_ref__in=there)
    moved_fen = Greatest(Abs("book_change_fen"), Abs("unclaimed_change_fen"))
    if which.least_fen is not None:
        asked &= Q(GreaterThanOrEqual(moved_fen, which.least_fen))
    if which.most_fen is not None:
        asked &= Q(LessThanOrEqual(moved_fen, which.most_fen))
    return asked


def _sums(asked: Q | None = None) -> dict[str, Aggregate]:
    """Money in, money out and movements of those rows that are asked for."""
    asked = asked or Q()
    return {
        "into": Sum("book_change_fen", filter=Q(book_change_fen__gt=0) & asked, default=0),
        "out": Sum("book_change_fen", filter=Q(book_change_fen__lt=0) & asked, default=0),
        "count": Count("id", filter=asked),
    }


def _totals(found: Mapping[str, Any]) -> Totals:
    return Totals(in_fen=int(found["into"]), out_fen=-int(found["out"]), count=found["count"])


def _lines(entries: Iterable[Entry]) -> list[StatementLine]:
    return [
        StatementLine(
            seq=entry.seq,
            kind=EntryKind(entry.kind),
            mode=Mode(entry.mode),
            book_change_fen=entry.book_change_fen,
            unclaimed_change_fen=entry.unclaimed_change_fen,
            book_after_fen=entry.book_after_fen,
            unclaimed_after_fen=entry.unclaimed_after_fen,
            occurred_at=entry.occurred_at,
            posted_at=entry.posted_at,
            merchant_id=entry.contra_ref if entry.contra == Contra.MERCHANT else None,
            terminal_id=entry.terminal_id,
            purse_seq=entry.purse_seq,
        )
        for entry in entries
    ]


def _with_places(lines: Iterable[StatementLine]) -> tuple[StatementLine, ...]:
    lines = tuple(lines)
    wanted = {line.merchant_id for line in lines if line.merchant_id is not None}
    merchants = Merchant.objects.select_related("campus").in_bulk(wanted)
    return tuple(
        line if line.merchant_id is None else replace(line, place=merchants.get(line.merchant_id))
        for line in lines
    )


def is_late(entry: Entry) -> bool:
    """Whether an offline sale had been levelled away before it was posted, so that it was deducted twice.

    Told by the ledger alone: an earlier entry of the account levelled the same card at this number or a later one.
    """
    if entry.kind != EntryKind.OFFLINE_SALE or entry.purse_seq is None:
        return False
    return _levelled_before(entry).exists()


def _levelled_before(entry: Entry) -> QuerySet[Entry]:
    return Entry.objects.filter(
        id__gt=entry_id(entry.account_id, 0),
        id__lt=entry.id,
        kind__in=(EntryKind.LEVELLING, EntryKind.ADJUSTMENT),
        card_id=entry.card_id,
        purse_seq__gte=entry.purse_seq,
    )


def traced_seqs(card_ids: Iterable[int]) -> dict[int, int]:
    """The highest offline sale that each of these cards told a reader of; cards that told of none are left out."""
    told = OfflineTrace.objects.filter(card_id__in=list(card_ids)).values_list("card_id")
    return dict(told.annotate(last=Max("card_seq")).order_by())
