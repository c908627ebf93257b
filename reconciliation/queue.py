"""The queue of the reconciliation desk: what waits, counted by class and by age, page by page; and who is silent.

Reads only. A page costs the same at any depth: it starts behind the last row of the page before (keyset).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Sum

from reconciliation.models import Case, CaseState, Decision, Mismatch
from reconciliation.selectors import RED_DAYS, CaseRow, SilentTerminal, row_of, silent_terminals, speaking
from terminals import selectors as terminals
from terminals.models import TerminalContact

PAGE = 25
AGE_BOUNDS_DAYS = (0, 1, 3, 5)
"""Ages are counted from each of these days up to the next; the last has no end."""


class Show(StrEnum):
    """Which open cases."""

    OPEN = "open"
    """Everything but what was put off to a later day."""
    MINE = "mine"
    WAITING = "waiting"
    """A second person is asked."""
    ESCALATED = "escalated"
    HELD = "held"
    ALL = "all"


class Order(StrEnum):
    """In which order."""

    OLDEST = "oldest"
    LARGEST = "largest"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to show to whom. ``campus_id`` None is every campus; ``today`` decides what is put off."""

    today: date
    operator_id: int
    campus_id: int | None = None
    show: Show = Show.OPEN
    mismatch: Mismatch | None = None
    min_fen: int = 0
    opened_before: datetime | None = None
    order: Order = Order.OLDEST
    assignee_id: int | None = None
    """Only what this person looks after; 0 is what nobody does."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the queue: the amount and id of a case."""

    fen: int
    case_id: int

    def __str__(self) -> str:
        return f"{self.fen}-{self.case_id}"


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A case in the queue, and how far people are with it."""

    case: CaseRow
    frozen: bool
    assignee: str
    held_until: date | None
    escalated: bool
    waiting: bool
    """Whether a decision about it waits for a second person."""


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Rows in the wanted order; the cursors of the neighbours, None where none is."""

    rows: tuple[QueueRow, ...]
    after: Cursor | None
    before: Cursor | None


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How many cases of one class are open, what they come to, since when the oldest is."""

    mismatch: Mismatch
    count: int
    fen: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class AgeCount:
    """How many cases are between two ages, in days; ``until_days`` None for the oldest."""

    from_days: int
    until_days: int | None
    count: int
    fen: int


ALARMED = timedelta(days=2)
"""For so long an alarm about a journal is looked at again; each night renews it."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A silent terminal and how many records it may hold that are not here.

    ``hole``: records are missing in the middle of its journal, silent or not, and the night has raised an alarm.
    """

    terminal: SilentTerminal
    missing: int
    hole: bool = False

    @property
    def share(self) -> int:
        """How long the silence is against twice the days of a levelling, in per cent, for a drawing."""
        return min(100, self.terminal.silent_days * 100 // (2 * RED_DAYS))


def page(wanted: Wanted, *, after: Cursor | None = None, before: Cursor | None = None) -> QueuePage:
    """One page of the queue, from its start, behind a cursor or in front of one. One statement."""
    chosen = _chosen(wanted).select_related("account", "assignee").annotate(waiting=_is_waiting())
    found = list(_ordered(chosen, wanted.order, after, before)[: PAGE + 1])
    more, found = len(found) > PAGE, found[:PAGE]
    if before is not None:
        found.reverse()
    rows = tuple(_row(case) for case in found)
    has_before, has_after = (more, True) if before is not None else (after is not None, more)
    return QueuePage(
        rows=rows,
        after=_cursor(rows[-1]) if rows and has_after else None,
        before=_cursor(rows[0]) if rows and has_before else None,
    )


def by_class(campus_id: int | None) -> tuple[ClassCount, ...]:
    """Every class with what is open of it, the largest sum first; classes without a case last. One statement."""
    sums = {
        mismatch: ClassCount(Mismatch(mismatch), count, int(fen), oldest_at)
        for mismatch, count, fen, oldest_at in _open(campus_id)
        .values_list("mismatch")
        .annotate(n=Count("id"), fen=Sum("at_risk_fen"), oldest=Min("opened_at"))
        .order_by()
    }
    every = (sums.get(mismatch.value) or ClassCount(mismatch, 0, 0, None) for mismatch in Mismatch)
    return tuple(sorted(every, key=lambda each: (-each.fen, -each.count)))


def by_age(campus_id: int | None, *, now: datetime) -> tuple[AgeCount, ...]:
    """How old the open cases are. One statement."""
    bounds = list(zip(AGE_BOUNDS_DAYS, (*AGE_BOUNDS_DAYS[1:], None), strict=True))
    wanted: dict[str, Count | Sum] = {}
    for start, end in bounds:
        within = Q(opened_at__lte=now - timedelta(days=start)) if start else Q()
        if end is not None:
            within &= Q(opened_at__gt=now - timedelta(days=end))
        wanted[f"count_{start}"] = Count("id", filter=within)
        wanted[f"fen_{start}"] = Sum("at_risk_fen", filter=within, default=0)
    sums = _open(campus_id).aggregate(**wanted)
    return tuple(
        AgeCount(start, end, sums[f"count_{start}"], int(sums[f"fen_{start}"])) for start, end in bounds
    )


def silences(campus_id: int | None, *, now: datetime) -> tuple[Silence, ...]:
    """Terminals that may hold sales which the book does not know, the longest silent first, with how many.

    After the silent ones come those that speak, but whose journal has had a hole for more than a day.

    The number is an estimate from below: what the terminal said last that it still held, or what is missing in its
    journal up to the last record it told of.
    """
    alarmed = terminals.alarmed_holes(since=now - ALARMED)
    gaps: dict[int, int] = {}
    holes: set[int] = set()
    silent = silent_terminals(now=now)
    for gap in terminals.journal_gaps() if silent or alarmed else ():
        gaps[gap.terminal_id] = gaps.get(gap.terminal_id, 0) + gap.missing
        if (gap.terminal_id, gap.journal) in alarmed:
            holes.add(gap.terminal_id)
    listed = [*silent, *speaking(holes - {each.id for each in silent}, now=now)]
    shown = [each for each in listed if campus_id in (None, each.campus_id)]
    ids = [each.id for each in shown]
    unsent = dict(TerminalContact.objects.filter(terminal_id__in=ids).values_list("terminal_id", "unsent"))
    return tuple(
        Silence(each, max(unsent.get(each.id, 0), gaps.get(each.id, 0)), each.id in holes) for each in shown
    )


def settled_but_frozen(campus_id: int | None) -> tuple[CaseRow, ...]:
    """The newest case of every account that is frozen still, though no difference is open: unfreeze is what is left."""
    open_too = Case.objects.filter(account_id=OuterRef("account_id"), state=CaseState.OPEN)
    mine = Q() if campus_id is None else Q(campus_id=campus_id)
    found = Case.objects.filter(mine, ~Exists(open_too)).exclude(account__frozen_reasons=[])
    newest = found.select_related("account").order_by("account_id", "-id").distinct("account_id")
    return tuple(row_of(case) for case in newest)


def _pending() -> QuerySet[Decision]:
    return Decision.objects.filter(ruling__isnull=True, result__isnull=True)


def _is_waiting() -> Exists:
    return Exists(_pending().filter(case_id=OuterRef("pk")))


def _open(campus_id: int | None) -> QuerySet[Case]:
    mine = Q() if campus_id is None else Q(campus_id=campus_id)
    return Case.objects.filter(mine, state=CaseState.OPEN)


def _chosen(wanted: Wanted) -> QuerySet[Case]:
    cases = _open(wanted.campus_id).filter(at_risk_fen__gte=wanted.min_fen)
    if wanted.mismatch is not None:
        cases = cases.filter(mismatch=wanted.mismatch)
    if wanted.opened_before is not None:
        cases = cases.filter(opened_at__lte=wanted.opened_before)
    if wanted.assignee_id is not None:
        cases = cases.filter(assignee_id=wanted.assignee_id or None)
    held = Q(held_until__gt=wanted.today)
    shown = {
        Show.OPEN: ~held | Q(held_until__isnull=True),
        Show.MINE: Q(assignee_id=wanted.operator_id),
        Show.WAITING: Q(_is_waiting()),
        Show.ESCALATED: Q(escalated_at__isnull=False),
        Show.HELD: held,
        Show.ALL: Q(),
    }
    return cases.filter(shown[wanted.show])


def _ordered(
    cases: QuerySet[Case], order: Order, after: Cursor | None, before: Cursor | None
) -> QuerySet[Case]:
    """Cases are numbered as they are opened, so the id stands for the age."""
    backwards = before is not None
    if order is Order.OLDEST:
        if after is not None:
            cases = cases.filter(id__gt=after.case_id)
        if before is not None:
            cases = cases.filter(id__lt=before.case_id)
        return cases.order_by("-id" if backwards else "id")
    if after is not None:
        cases = cases.filter(Q(at_risk_fen__lt=after.fen) | Q(at_risk_fen=after.fen, id__gt=after.case_id))
    if before is not None:
        cases = cases.filter(Q(at_risk_fen__gt=before.fen) | Q(at_risk_fen=before.fen, id__lt=before.case_id))
    return cases.order_by("at_risk_fen", "-id") if backwards else cases.order_by("-at_risk_fen", "id")


def _row(case: Case) -> QueueRow:
    return QueueRow(
        case=row_of(case),
        frozen=case.account.frozen,
        assignee=case.assignee.get_full_name() if case.assignee else "",
        held_until=case.held_until,
        escalated=case.escalated_at is not None,
        waiting=bool(getattr(case, "waiting", False)),
    )


def _cursor(row: QueueRow) -> Cursor:
    return Cursor(row.case.at_risk_fen, row.case.id)
