"""What the reconciliation desk reads: the queue, why one account differs, when the comparison last ran."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Coalesce

from purse.evidence import Leg, OpenItems
from reconciliation import comparison
from reconciliation.mismatch import CardSide, Compared
from reconciliation.models import Case, CaseNote, CaseState, Mismatch, Proposal, ReconcileRun
from terminals import selectors as terminals
from terminals.models import Terminal

LATE_AFTER = timedelta(hours=26)
"""Cron runs nightly; a run older than this is a missed one (screens.md 6.5)."""
AMBER_DAYS = 3
"""A terminal silent for so long is shown; at ``RED_DAYS`` its gaps are levelled (L109)."""
RED_DAYS = 5


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case in the queue. Amounts in fen; ``card_fen`` and ``difference_fen`` are None without a live card."""

    id: int
    mismatch: Mismatch
    state: CaseState
    account_id: int
    account_number: int
    campus_id: int
    card_fen: int | None
    book_fen: int
    difference_fen: int | None
    at_risk_fen: int
    proposal: Proposal
    numbers: dict[str, int]
    evidence: dict[str, Any]
    opened_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of the comparison; ``finished_at`` None means that it was killed or is still running."""

    started_at: datetime
    finished_at: datetime | None
    compared: int | None
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SilentTerminal:
    """A terminal that may hold sales of which the book knows nothing."""

    id: int
    name_zh: str
    place: str
    campus_id: int
    silent_days: int
    red: bool
    """Silent long enough for its gaps to be levelled."""


@dataclass(frozen=True, slots=True)
class OpenItem:
    """One part of the difference between card and book; ``fen`` signed as it adds to card minus book."""

    mismatch: Mismatch
    fen: int
    entry_seq: int | None = None
    purse_seq: int | None = None
    terminal_id: int | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why card and book of one account differ: the items add up to ``difference_fen``, always."""

    book_fen: int
    card_fen: int | None
    difference_fen: int
    items: tuple[OpenItem, ...]
    seen_at: datetime | None
    seen_place: str


def open_cases(campus_id: int | None = None, *, mismatch: Mismatch | None = None) -> list[CaseRow]:
    """The queue of one campus or of all, oldest first. One statement."""
    cases = _open(campus_id).select_related("account").order_by("opened_at", "id")
    if mismatch is not None:
        cases = cases.filter(mismatch=mismatch)
    return [row_of(case) for case in cases]


def case(case_id: int) -> CaseRow:
    """One case, open or closed. Raises ``Case.DoesNotExist``."""
    return row_of(Case.objects.select_related("account").get(pk=case_id))


def cases_of(account_id: int) -> list[CaseRow]:
    """Every case an account ever had, newest first."""
    cases = Case.objects.filter(account_id=account_id).select_related("account")
    return [row_of(each) for each in cases.order_by("-opened_at", "-id")]


def open_cases_of(account_id: int) -> list[CaseRow]:
    """The cases of an account that wait for somebody, oldest first. One statement."""
    cases = _open(None).filter(account_id=account_id).select_related("account")
    return [row_of(each) for each in cases.order_by("opened_at", "id")]


def notes(case_id: int) -> list[CaseNote]:
    """What happened to a case, in order."""
    return list(CaseNote.objects.filter(case_id=case_id).order_by("at", "id"))


def open_counts(campus_id: int | None = None) -> dict[Mismatch, int]:
    """How many cases of each reason are open; every reason is there, also with 0. One statement."""
    counts = dict(_open(campus_id).values_list("mismatch").annotate(n=Count("id")).order_by())
    return {mismatch: counts.get(mismatch.value, 0) for mismatch in Mismatch}


def last_run() -> RunRow | None:
    """The newest run that came to its end, or None."""
    run = ReconcileRun.objects.filter(finished_at__isnull=False).order_by("-started_at").first()
    return RunRow(run.started_at, run.finished_at, run.compared, run.result) if run else None


def is_late(*, now: datetime) -> bool:
    """Whether cron has missed a night: no run came to its end within ``LATE_AFTER``."""
    run = last_run()
    return run is None or run.finished_at is None or now - run.finished_at > LATE_AFTER


def silent_terminals(*, now: datetime) -> list[SilentTerminal]:
    """Terminals that sell offline and were not heard of for three days or more, the longest silent first."""
    return _heard(terminals.silent_terminals(now=now, silence=timedelta(days=AMBER_DAYS)), now)


def speaking(ids: Collection[int], *, now: datetime) -> list[SilentTerminal]:
    """These terminals in the shape of silent ones, however long ago they spoke. Asks nothing for none."""
    return _heard(Terminal.objects.filter(id__in=ids).order_by("id"), now) if ids else []


def _heard(found: QuerySet[Terminal], now: datetime) -> list[SilentTerminal]:
    heard = Coalesce("contact__last_contact_at", "enrolled_at")
    rows = found.annotate(heard=heard).values_list("id", "name_zh", "place", "campus_id", "heard")
    return [
        SilentTerminal(
            id=row_id,
            name_zh=name,
            place=place,
            campus_id=campus_id,
            silent_days=(days := (now - heard_at).days),
            red=days >= RED_DAYS,
        )
        for row_id, name, place, campus_id, heard_at in rows
    ]


def explain(account_id: int) -> Explanation | None:
    """Why card and book of this account differ, item by item; None for an unknown account."""
    found = next(iter(comparison.read([account_id])), None)
    return explanation_of(found) if found is not None else None


@dataclass(frozen=True, slots=True)
class Sides:
    """Card beside book of one account, for the desk: why they differ, item by item and as their sum."""

    explanation: Explanation
    items: OpenItems
    card: CardSide | None


def sides(account_id: int) -> Sides | None:
    """Both sides of one account as they stand now; None for an unknown account. Two or three statements."""
    found = next(iter(comparison.read([account_id])), None)
    return Sides(explanation_of(found), found.items, found.card) if found is not None else None


def explanation_of(found: Compared) -> Explanation:
    """The same for an account that was read already."""
    card = found.card
    return Explanation(
        book_fen=found.book_fen,
        card_fen=card.card_fen if card else None,
        difference_fen=card.card_fen - found.book_fen if card else 0,
        items=tuple(_items(found)),
        seen_at=card.seen_at if card else None,
        seen_place=card.seen_place if card else "",
    )


def _items(found: Compared) -> Iterator[OpenItem]:
    if found.card is None:
        return
    for mismatch, sign, legs in (
        (Mismatch.TORN, 1, found.card.spend.legs),
        (Mismatch.TORN_LOAD, -1, found.card.load.legs),
    ):
        for leg in legs:
            if not leg.shown:
                yield _leg_item(found, mismatch, sign, leg)
    offline_fen, late_fen = found.items.offline_fen, found.items.late_fen
    if offline_fen:
        yield OpenItem(Mismatch.OFFLINE_GAP if offline_fen > 0 else Mismatch.EXCESS, -offline_fen)
    if late_fen:
        yield OpenItem(Mismatch.DOUBLE, late_fen)


def _leg_item(found: Compared, mismatch: Mismatch, sign: int, leg: Leg) -> OpenItem:
    trail = found.trails.get(leg.entry)
    return OpenItem(
        mismatch=mismatch,
        fen=sign * leg.fen,
        entry_seq=leg.entry,
        purse_seq=leg.seq,
        terminal_id=leg.terminal,
        occurred_at=trail.occurred_at if trail else None,
    )


def _open(campus_id: int | None) -> QuerySet[Case]:
    mine = Q() if campus_id is None else Q(campus_id=campus_id)
    return Case.objects.filter(mine, state=CaseState.OPEN)


def row_of(case: Case) -> CaseRow:
    """A case with its account as screens show it."""
    return CaseRow(
        id=case.pk,
        mismatch=Mismatch(case.mismatch),
        state=CaseState(case.state),
        account_id=case.account_id,
        account_number=case.account.number,
        campus_id=case.campus_id,
        card_fen=case.evidence.get("card_fen"),
        book_fen=case.evidence["book_fen"],
        difference_fen=case.evidence.get("difference_fen"),
        at_risk_fen=case.at_risk_fen,
        proposal=Proposal(case.proposal),
        numbers=case.numbers,
        evidence=case.evidence,
        opened_at=case.opened_at,
        changed_at=case.changed_at,
    )
