"""The terminals as the administration looks at them: how each stands, what it said last, what is odd about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from terminals import selectors
from terminals.models import (
    EnrolmentCode,
    GapRest,
    SecurityEvent,
    Terminal,
    TerminalContact,
    TerminalKind,
)
from terminals.selectors import SILENT, Hole
from terminals.services import holes, hotlist

AMBER_DAYS = 3
"""A terminal silent for so long is pointed out; at ``RED_DAYS`` its gaps are levelled (L109)."""
RED_DAYS = 5
SKEW_MS = 30_000
"""A clock this far off is worth a look; the server refuses it at four times as much."""
FREE_MB = 200
"""Less free space than this lets a journal stop one day."""


class State(StrEnum):
    """How a terminal stands, the gravest first."""

    CLONED = "cloned"
    RED = "red"
    AMBER = "amber"
    OFFLINE = "offline"
    NEW = "new"
    """Registered, but no machine has used its code yet."""
    GOOD = "good"
    REVOKED = "revoked"


WORDS: dict[State, tuple[str | Promise, str]] = {
    State.CLONED: (_("密钥重复，已停用"), "bad"),
    State.RED: (_("静默 5 天以上"), "bad"),
    State.AMBER: (_("静默 3 天以上"), "warn"),
    State.OFFLINE: (_("脱机"), "warn"),
    State.NEW: (_("待注册"), ""),
    State.GOOD: (_("在线"), "good"),
    State.REVOKED: (_("已注销"), ""),
}
_RANK = {state: rank for rank, state in enumerate(State)}


@dataclass(frozen=True, slots=True)
class Box:
    """One terminal with its last words. Figures are None where it never told them."""

    id: int
    name_zh: str
    name_en: str
    kind: TerminalKind
    campus_id: int
    campus_zh: str
    campus_en: str
    place: str
    merchant_id: int | None
    merchant_zh: str
    may_sell_offline: bool
    epoch: int
    enrolled_at: datetime | None
    revoked_at: datetime | None
    heard_at: datetime | None
    heartbeat_at: datetime | None
    hotlist_version: int
    hotlist_behind: int
    """How many changes of the hotlist it does not know yet."""
    unsent: int
    journal_seq: int
    offset_ms: int
    free_mb: int | None
    state: State
    silent_days: int | None

    @property
    def told(self) -> bool:
        """Whether it ever sent a heartbeat: else its figures say nothing."""
        return self.heartbeat_at is not None

    @property
    def clock_odd(self) -> bool:
        """Whether somebody should set its clock."""
        return self.told and abs(self.offset_ms) >= SKEW_MS

    @property
    def has_hotlist(self) -> bool:
        """Whether it decides without the server, and so needs the list."""
        return self.kind in (TerminalKind.TILL, TerminalKind.DOOR)

    @property
    def clock_s(self) -> str:
        """The error of its clock in seconds with its sign, ``+0.4``."""
        return f"{self.offset_ms / 1000:+.1f}"

    @property
    def nearly_full(self) -> bool:
        """Whether its disk is nearly full."""
        return self.free_mb is not None and self.free_mb < FREE_MB


@dataclass(frozen=True, slots=True)
class Gap:
    """A journal with missing records; ``rested`` says who put the alarm to rest and why."""

    hole: Hole
    awake: bool
    rested_at: datetime | None
    rested_by: str
    reason: str


def fleet(
    *, now: datetime, campus_id: int | None = None, kind: TerminalKind | None = None, revoked: bool = False
) -> list[Box]:
    """The terminals of one campus or of all, the gravest state first, then the longest silent. Two statements."""
    rows = _rows()
    if campus_id is not None:
        rows = rows.filter(campus_id=campus_id)
    if kind is not None:
        rows = rows.filter(kind=kind)
    if not revoked:
        rows = rows.filter(revoked_at=None)
    version = hotlist.version()
    found = [_box(row, version, now) for row in rows]
    return sorted(found, key=lambda box: (_RANK[box.state], box.heard_at or now, box.id))


def box(terminal_id: int, *, now: datetime) -> Box | None:
    """One terminal; None for an unknown one."""
    row = _rows().filter(pk=terminal_id).first()
    return _box(row, hotlist.version(), now) if row else None


def events_of(terminal_id: int, *, newest: int = 30) -> list[SecurityEvent]:
    """What was noticed about it, newest first."""
    return list(SecurityEvent.objects.filter(terminal_id=terminal_id).order_by("-at")[:newest])


def gaps_of(terminal_id: int, *, now: datetime) -> list[Gap]:
    """Its journals with missing records, also those whose alarm was put to rest."""
    found = [hole for hole in selectors.holes(open_since=now) if hole.terminal_id == terminal_id]
    awake = holes.awake(found)
    rests = {rest.journal: rest for rest in GapRest.objects.filter(terminal_id=terminal_id).order_by("id")}
    return [_gap(hole, hole in awake, rests.get(hole.journal)) for hole in found]


def open_code(terminal_id: int, *, now: datetime) -> datetime | None:
    """Until when a code that was given out may still be used."""
    codes = EnrolmentCode.objects.filter(terminal_id=terminal_id, used_at=None, withdrawn_at=None)
    return codes.filter(expires_at__gt=now).values_list("expires_at", flat=True).first()


def tills_of(merchant_id: int, *, now: datetime) -> list[Box]:
    """The tills of a merchant that are not revoked."""
    version = hotlist.version()
    rows = _rows().filter(merchant_id=merchant_id, revoked_at=None).order_by("id")
    return [_box(row, version, now) for row in rows]


def counts(boxes: Sequence[Box]) -> dict[State, int]:
    """How many stand how, without those of whom there are none."""
    found = {state: sum(box.state is state for box in boxes) for state in State}
    return {state: count for state, count in found.items() if count}


def _rows() -> QuerySet[Terminal]:
    return Terminal.objects.select_related("campus", "merchant", "contact")


def _gap(hole: Hole, awake: bool, rest: GapRest | None) -> Gap:
    if rest is None:
        return Gap(hole, awake, None, "", "")
    return Gap(hole, awake, rest.rested_at, rest.rested_by, rest.reason)


def _box(row: Terminal, version: int, now: datetime) -> Box:
    contact: TerminalContact | None = getattr(row, "contact", None)
    heard_at = contact.last_contact_at if contact else None
    return Box(
        id=row.id,
        name_zh=row.name_zh,
        name_en=row.name_en,
        kind=TerminalKind(row.kind),
        campus_id=row.campus_id,
        campus_zh=row.campus.name_zh,
        campus_en=row.campus.name_en,
        place=row.place,
        merchant_id=row.merchant_id,
        merchant_zh=row.merchant.name_zh if row.merchant else "",
        may_sell_offline=row.may_sell_offline,
        epoch=row.epoch,
        enrolled_at=row.enrolled_at,
        revoked_at=row.revoked_at,
        heard_at=heard_at,
        heartbeat_at=contact.heartbeat_at if contact else None,
        hotlist_version=contact.hotlist_version if contact else 0,
        hotlist_behind=max(0, version - contact.hotlist_version) if contact else version,
        unsent=contact.unsent if contact else 0,
        journal_seq=contact.journal_seq if contact else 0,
        offset_ms=contact.offset_ms if contact else 0,
        free_mb=contact.free_mb if contact else None,
        state=_state(row, heard_at, now),
        silent_days=(now - heard_at).days if heard_at else None,
    )


def _state(row: Terminal, heard_at: datetime | None, now: datetime) -> State:
    if row.revoked_at is not None:
        return State.REVOKED
    if row.epoch == 0:
        return State.NEW
    if row.cloned_epoch >= row.epoch:
        return State.CLONED
    since = heard_at or row.enrolled_at
    silence = now - since if since else timedelta(days=RED_DAYS)
    if silence >= timedelta(days=RED_DAYS):
        return State.RED
    if silence >= timedelta(days=AMBER_DAYS):
        return State.AMBER
    return State.OFFLINE if silence > SILENT else State.GOOD
