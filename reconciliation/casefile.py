"""Everything about one case on one page: card and book, why they differ, the card's life, what can be done now.

Reads only, as many statements for an old account as for a new one. It shows a holder's movements to somebody else, so
whoever opens it leaves a line in the audit (``note_reading``, reliability.md P6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from accounts.actors import Actor
from accounts.models import Operator
from accounts.selectors import AccountOverview, account_overview
from accounts.services import audit
from purse.evidence import OpenItems
from reconciliation import rulings, selectors
from reconciliation.mismatch import CardSide
from reconciliation.models import Case, CaseState, DecisionAction, NoteKind
from reconciliation.rulings import DecisionRow
from reconciliation.selectors import CaseRow, Explanation
from reconciliation.services.remedies import Facts, Obstacle, Plan, Refused, Target, facts_of, make
from reconciliation.timeline import Line, build
from reconciliation.trail import newest_movements
from terminals import selectors as terminals
from terminals.models import Terminal
from transactions.models import Merchant, OfflineTrace

LINES = 60
"""Movements on the page; a case is about what happened lately."""
OFFERED = (
    DecisionAction.REFUND,
    DecisionAction.SET_TO_CARD,
    DecisionAction.SET_TO_BOOK,
    DecisionAction.UNFREEZE,
)
"""The order of the buttons; taking a sale back is offered at its line."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something happened, in both languages."""

    name_zh: str = ""
    name_en: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """One offline sale that the ring on the card remembers, record not here: number, till, amount in fen."""

    card_seq: int
    terminal_id: int | None
    fen: int | None


@dataclass(frozen=True, slots=True)
class TracedLine:
    """A line of the timeline with its place and, for a gap, what the card's own ring tells of it."""

    line: Line
    place: Place | None
    traces: tuple[Trace, ...] = ()


@dataclass(frozen=True, slots=True)
class OddRecord:
    """An uploaded record that names this card and was not simply posted."""

    terminal_id: int
    seq: int
    result: str
    why: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Remark:
    """One note on the case, with the name of who made it (empty for what happened by itself)."""

    at: datetime
    kind: NoteKind
    author: str
    text: str
    numbers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Offer:
    """One remedy: its plan, or why it is not possible now."""

    action: DecisionAction
    plan: Plan | None
    obstacle: Obstacle | None


@dataclass(frozen=True, slots=True)
class People:
    """How far people are with a case."""

    assignee: str
    held_until: date | None
    escalated_at: datetime | None


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with everything that a supervisor needs to decide it."""

    case: CaseRow
    people: People
    account: AccountOverview
    holder_id: int
    explanation: Explanation
    items: OpenItems
    card: CardSide | None
    lines: tuple[TracedLine, ...]
    older: bool
    """Whether the account has movements before these."""
    odd_records: tuple[OddRecord, ...]
    notes: tuple[Remark, ...]
    decisions: tuple[DecisionRow, ...]
    others: tuple[CaseRow, ...]
    """Other open cases of the account."""
    offers: tuple[Offer, ...]

    @property
    def open_decision(self) -> DecisionRow | None:
        """A decision that waits; nothing else can be decided before it is finished."""
        return next((each for each in self.decisions if each.open), None)

    @property
    def proposed(self) -> Offer | None:
        """The first remedy that is possible now."""
        return next((offer for offer in self.offers if offer.plan is not None), None)


def find(case_id: int, *, today: date, now: datetime) -> CaseFile | None:
    """The file of one case, open or closed; None when there is no such case."""
    case = Case.objects.select_related("account", "assignee").filter(pk=case_id).first()
    if case is None:
        return None
    facts = facts_of(case.account_id)
    explanation = selectors.explain(case.account_id)
    assert explanation is not None
    movements = newest_movements(case.account_id, newest=LINES)
    lines = build(movements, facts.card)
    account = account_overview(case.account_id, today=today)
    others = [row for row in selectors.cases_of(case.account_id) if row.id != case_id]
    return CaseFile(
        case=selectors.row_of(case),
        people=People(
            case.assignee.get_full_name() if case.assignee else "", case.held_until, case.escalated_at
        ),
        account=account,
        holder_id=case.account.holder_id,
        explanation=explanation,
        items=facts.found.items,
        card=facts.card,
        lines=tuple(_traced(lines, facts.card)),
        older=bool(movements) and movements[0].seq > 1,
        odd_records=_odd_records(account.card.uid if account.card else ""),
        notes=tuple(_remarks(case_id)),
        decisions=rulings.decisions_of_account(case.account_id)[::-1],
        others=tuple(row for row in others if row.state is CaseState.OPEN),
        offers=tuple(_offers(facts, case)),
    )


def note_reading(file: CaseFile, *, actor: Actor, now: datetime) -> None:
    """Say in the audit that somebody looked at another person's movements, and for which case (P6)."""
    deed = audit.Deed("statement.read", "account", file.account.id, reason=f"case {file.case.id}")
    audit.record(deed, actor=actor, now=now)


def _offers(facts: Facts, case: Case) -> Iterable[Offer]:
    for action in OFFERED:
        try:
            if case.state != CaseState.OPEN and action is not DecisionAction.UNFREEZE:
                raise Refused(Obstacle.CASE_CLOSED)
            yield Offer(action, make(action, Target(case.account_id), facts), None)
        except Refused as refusal:
            yield Offer(action, None, refusal.obstacle)


def _traced(lines: tuple[Line, ...], card: CardSide | None) -> Iterable[TracedLine]:
    terminal_ids = {
        line.movement.terminal_id for line in lines if line.movement and line.movement.terminal_id
    }
    merchant_ids = {
        line.movement.merchant_id for line in lines if line.movement and line.movement.merchant_id
    }
    merchants = {
        pk: Place(zh, en)
        for pk, zh, en in Merchant.objects.filter(pk__in=merchant_ids).values_list("pk", "name_zh", "name_en")
    }
    tills = {
        pk: Place(zh, en)
        for pk, zh, en in Terminal.objects.filter(pk__in=terminal_ids).values_list("pk", "name_zh", "name_en")
    }
    traces = _traces(card) if any(line.movement is None for line in lines) else ()
    for line in lines:
        found = line.movement
        place = None
        if found is not None:
            place = merchants.get(found.merchant_id or 0) or tills.get(found.terminal_id or 0)
        inside = tuple(
            trace for trace in traces
            if found is None and (line.first_seq or 0) <= trace.card_seq <= (line.last_seq or 0)
        )  # fmt: skip
        yield TracedLine(line, place, inside)


def _traces(card: CardSide | None) -> tuple[Trace, ...]:
    if card is None:
        return ()
    rows = OfflineTrace.objects.filter(card_id=card.id).order_by("card_seq")
    return tuple(Trace(*row) for row in rows.values_list("card_seq", "terminal_id", "fen"))


def _odd_records(uid: str) -> tuple[OddRecord, ...]:
    """Records that were kept for a person to look at; few enough to be looked through."""
    if not uid:
        return ()
    odd = terminals.open_uploads().filter(record__raw__contains=uid.lower())[:20]
    return tuple(
        OddRecord(each.record.terminal_id, each.record.seq, each.result, each.why, each.record.received_at)
        for each in odd
    )


def _remarks(case_id: int) -> Iterable[Remark]:
    notes = selectors.notes(case_id)
    ids = {int(note.actor.split(":")[1]) for note in notes if note.actor.startswith("operator:")}
    names = {f"operator:{each.pk}": each.get_full_name() for each in Operator.objects.filter(pk__in=ids)}
    for note in notes:
        yield Remark(note.at, NoteKind(note.kind), names.get(note.actor, ""), note.text, note.numbers)
