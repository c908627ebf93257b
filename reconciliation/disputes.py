"""Reading disputes: the desk's list and file, the holder's own list and page.

The holder sees every event except what the staff noted for itself, and never who of the staff it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from django.db.models import Count, Q, QuerySet

from accounts.actors import Actor
from accounts.checks.masks import mask_school_no
from accounts.models import Account, Operator
from accounts.services import audit
from reconciliation.models import Dispute, DisputeEvent, DisputeEventKind, DisputeKind, DisputeState
from reconciliation.models_disputes import OPEN_STATES, WORKABLE
from terminals.models import Terminal
from transactions.entries import Links, Movement, Neighbour, links, movement, movements, neighbours

PAGE = 20


@dataclass(frozen=True, slots=True)
class DisputeRow:
    """A dispute as lists show it. ``fen`` in fen; people by name."""

    id: int
    reference: str
    account_id: int
    account_number: int
    campus_id: int
    kind: DisputeKind
    state: DisputeState
    fen: int
    entry_seq: int | None
    has_twin: bool
    happened_on: date
    opened_at: datetime
    due_on: date
    changed_at: datetime
    assignee: str
    assignee_id: int | None

    @property
    def open(self) -> bool:
        """Whether somebody still has to do something."""
        return self.state in OPEN_STATES

    @property
    def workable(self) -> bool:
        """Whether it may be answered: no refund waits for its second person."""
        return self.state in WORKABLE

    def days_left(self, today: date) -> int:
        """Calendar days until the promised day; negative when it is over."""
        return (self.due_on - today).days


@dataclass(frozen=True, slots=True)
class Moment:
    """One event as it is shown; ``author`` is empty where the holder spoke."""

    at: datetime
    kind: DisputeEventKind
    text: str
    author: str
    decision_id: int | None


@dataclass(frozen=True, slots=True)
class MovementFile:
    """One movement with its till and what hangs together with it."""

    movement: Movement
    links: Links
    till: Terminal | None


@dataclass(frozen=True, slots=True)
class DisputeFile:
    """A dispute with everything that its page shows."""

    row: DisputeRow
    text: str
    receipt_no: str
    channel: str
    document: str
    moments: tuple[Moment, ...]
    about: MovementFile | None
    twin: Movement | None


@dataclass(frozen=True, slots=True)
class TillMinute:
    """What the same till sold around it: for the desk, with masked school numbers."""

    neighbour: Neighbour
    school_no: str
    same_account: bool


class Show(StrEnum):
    """Which disputes of the list."""

    OPEN = "open"
    MINE = "mine"
    OVERDUE = "overdue"
    PROPOSED = "proposed"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the list: ``campus_id`` None for every campus."""

    show: Show
    today: date
    operator_id: int
    campus_id: int | None = None
    kind: DisputeKind | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page goes on: the last row's promised day and number (of finished ones only the number counts)."""

    due_on: date
    id: int


@dataclass(frozen=True, slots=True)
class DisputePage:
    """Rows, the most urgent first (finished ones: the newest first), and where the next page begins."""

    rows: tuple[DisputeRow, ...]
    after: Cursor | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What the tab and the head of the list say."""

    open: int
    overdue: int


def disputes_of(account_id: int, *, newest: int = 50) -> tuple[DisputeRow, ...]:
    """The disputes of an account, newest first. One statement."""
    return tuple(_row(each) for each in _all().filter(account_id=account_id).order_by("-id")[:newest])


def dispute_about(account_id: int, entry_seq: int) -> DisputeRow | None:
    """The dispute about a movement that was not taken back, or None."""
    found = _all().filter(account_id=account_id, entry_seq=entry_seq)
    row = found.exclude(state=DisputeState.WITHDRAWN).first()
    return _row(row) if row else None


def own_file(account_id: int, dispute_id: int) -> DisputeFile | None:
    """A holder's own dispute, or None: nobody else's is there (P2)."""
    found = _all().filter(pk=dispute_id, account_id=account_id).first()
    return _file(found, staff=False) if found else None


def file(dispute_id: int) -> DisputeFile | None:
    """A dispute for the desk, or None."""
    found = _all().filter(pk=dispute_id).first()
    return _file(found, staff=True) if found else None


def movement_file(account_id: int, seq: int) -> MovementFile | None:
    """One movement of an account with its till and its links, or None."""
    found = movement(account_id, seq)
    if found is None:
        return None
    till = Terminal.objects.filter(pk=found.terminal_id).first() if found.terminal_id else None
    return MovementFile(found, links(found), till)


def till_minute(about: Movement) -> tuple[TillMinute, ...]:
    """What the same till sold within two minutes. Two statements."""
    near = neighbours(about)
    accounts = Account.objects.filter(pk__in={each.account_id for each in near})
    numbers = dict(accounts.values_list("pk", "holder__school_no"))
    return tuple(
        TillMinute(
            each, mask_school_no(numbers.get(each.account_id, "")), each.account_id == about.account_id
        )
        for each in near
    )


def page(wanted: Wanted, *, after: Cursor | None = None) -> DisputePage:
    """One page of the desk's list. One statement."""
    chosen = _chosen(wanted)
    if wanted.show is Show.DONE:
        chosen = chosen.filter(id__lt=after.id) if after else chosen
        found = list(chosen.order_by("-id")[: PAGE + 1])
    else:
        if after is not None:
            chosen = chosen.filter(Q(due_on__gt=after.due_on) | Q(due_on=after.due_on, id__gt=after.id))
        found = list(chosen.order_by("due_on", "id")[: PAGE + 1])
    rows = tuple(_row(each) for each in found[:PAGE])
    more = len(found) > PAGE
    return DisputePage(rows, Cursor(rows[-1].due_on, rows[-1].id) if more else None)


def counts(campus_id: int | None, *, today: date) -> Counts:
    """How many are open, and how many of them are past their promised day. One statement."""
    mine = Dispute.objects.filter(state__in=OPEN_STATES)
    if campus_id is not None:
        mine = mine.filter(campus_id=campus_id)
    found = mine.aggregate(open=Count("id"), overdue=Count("id", filter=Q(due_on__lt=today)))
    return Counts(found["open"], found["overdue"])


def note_reading(found: DisputeFile, *, actor: Actor, now: datetime) -> None:
    """Say in the audit that somebody looked at another person's movements, and for which dispute (P6)."""
    reason = f"dispute {found.row.reference}"
    audit.record(
        audit.Deed("statement.read", "account", found.row.account_id, reason=reason), actor=actor, now=now
    )


def _chosen(wanted: Wanted) -> QuerySet[Dispute]:
    chosen = _all()
    if wanted.campus_id is not None:
        chosen = chosen.filter(campus_id=wanted.campus_id)
    if wanted.kind is not None:
        chosen = chosen.filter(kind=wanted.kind)
    unfinished = Q(state__in=OPEN_STATES)
    shown = {
        Show.OPEN: Q(state__in=WORKABLE),
        Show.MINE: unfinished & Q(assignee_id=wanted.operator_id),
        Show.OVERDUE: unfinished & Q(due_on__lt=wanted.today),
        Show.PROPOSED: Q(state=DisputeState.PROPOSED),
        Show.DONE: ~unfinished,
    }
    return chosen.filter(shown[wanted.show])


def _all() -> QuerySet[Dispute]:
    return Dispute.objects.select_related("account", "assignee")


def _row(found: Dispute) -> DisputeRow:
    return DisputeRow(
        id=found.pk,
        reference=found.reference,
        account_id=found.account_id,
        account_number=found.account.number,
        campus_id=found.campus_id,
        kind=DisputeKind(found.kind),
        state=DisputeState(found.state),
        fen=found.fen,
        entry_seq=found.entry_seq,
        has_twin=found.twin_seq is not None,
        happened_on=found.happened_on,
        opened_at=found.opened_at,
        due_on=found.due_on,
        changed_at=found.changed_at,
        assignee=found.assignee.get_full_name() if found.assignee else "",
        assignee_id=found.assignee_id,
    )


def _file(found: Dispute, *, staff: bool) -> DisputeFile:
    twin = movements(found.account_id, [found.twin_seq]) if found.twin_seq else {}
    return DisputeFile(
        row=_row(found),
        text=found.text,
        receipt_no=found.receipt_no,
        channel=found.channel,
        document=found.document if staff else "",
        moments=tuple(_moments(found.pk, staff=staff)),
        about=movement_file(found.account_id, found.entry_seq) if found.entry_seq else None,
        twin=twin.get(found.twin_seq or 0),
    )


def _moments(dispute_id: int, *, staff: bool) -> Iterable[Moment]:
    events = list(DisputeEvent.objects.filter(dispute_id=dispute_id).order_by("seq"))
    ids = {event.officer_id for event in events if event.officer_id} if staff else set()
    names = {each.pk: each.get_full_name() for each in Operator.objects.filter(pk__in=ids)} if ids else {}
    for event in events:
        kind = DisputeEventKind(event.kind)
        if staff or kind is not DisputeEventKind.REMARKED:
            decision_id = event.decision_id if staff else None
            yield Moment(event.at, kind, event.text, names.get(event.officer_id or 0, ""), decision_id)
