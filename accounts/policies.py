"""Which value of policy and options holds when: reading the changes, and the numbers that follow at a moment.

``Book`` is pure: it is read once and asked as often as one likes, so a sale pays no statement for its policy.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from accounts.models import PolicyChange
from accounts.options import Options
from purse.policy import Policy

_log = logging.getLogger("ecard.policy")
_USUAL_POLICY: Final = Policy()
_USUAL_OPTIONS: Final = Options()
_POLICY_NAMES: Final = frozenset(item.name for item in fields(Policy))
_OPTION_NAMES: Final = frozenset(item.name for item in fields(Options))
FRESH_S: Final = 3.0
"""Younger than this the changes are used as they were read."""
STALE_S: Final = 6.0
"""Older than this they are never used."""
_EVER: Final = datetime.max.replace(tzinfo=UTC)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)

Value = int | bool | str | timedelta


@dataclass(frozen=True, slots=True)
class Change:
    """One value from a moment on, that was not called off."""

    id: int
    name: str
    value: Value
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class InForce:
    """Policy and options, and from when to before when they hold."""

    policy: Policy
    options: Options
    since: datetime = _NEVER
    until: datetime = _EVER

    def value(self, name: str) -> Value:
        """One of them by its name. Raises ``AttributeError``."""
        found: Value = getattr(self.policy if name in _POLICY_NAMES else self.options, name)
        return found


class Book:
    """All changes in their order."""

    def __init__(self, changes: Iterable[Change] = ()) -> None:
        self.changes: Sequence[Change] = sorted(changes, key=lambda each: (each.effective_at, each.id))

    def at(self, moment: datetime) -> InForce:
        """What holds at this moment."""
        begun = [each for each in self.changes if each.effective_at <= moment]
        ahead = [each.effective_at for each in self.changes[len(begun) :]]
        chosen = {each.name: each.value for each in begun}
        since = begun[-1].effective_at if begun else _NEVER
        return composed(chosen, since=since, until=ahead[0] if ahead else _EVER)

    def from_on(self, moment: datetime) -> list[InForce]:
        """What holds at this moment, and after each change to come."""
        spans = [self.at(moment)]
        while spans[-1].until != _EVER:
            spans.append(self.at(spans[-1].until))
        return spans

    def widest(self, *, until: datetime) -> Policy:
        """The usual policy with each bound as wide as it ever was up to a moment.

        What was right when it was done stays right after a bound was drawn tighter: so the books are verified.
        """
        narrow = {"load_min_fen": min, "levelling_silence": min}
        wide = {"max_book_fen": max, "max_limit_fen": max, "load_max_fen": max}
        found: dict[str, Any] = {}
        for name, choose in (narrow | wide).items():
            ever = [each.value for each in self.changes if each.name == name and each.effective_at <= until]
            found[name] = choose([getattr(_USUAL_POLICY, name), *ever])
        return replace(self.at(until).policy, **found)


class Shelf:
    """The book of one process, read again every few seconds.

    It is never older than ``STALE_S``, which is less than the notice that each change gives (``models.NOTICE``), so
    every process has a change before it begins. ``monotonic_s`` is the caller's clock; this class has none.
    """

    def __init__(self, read: Callable[[], Book]) -> None:
        self._read = read
        self._book = Book()
        self._held: tuple[Book, InForce] | None = None
        self._read_at_s: float | None = None
        self._reading = threading.Lock()

    def in_force(self, moment: datetime, *, monotonic_s: float) -> InForce:
        """What holds at this moment. Asks the database only when the book is old."""
        self._refresh(monotonic_s)
        book, held = self._book, self._held
        if held is None or held[0] is not book or not held[1].since <= moment < held[1].until:
            held = self._held = (book, book.at(moment))
        return held[1]

    def forget(self) -> None:
        """Read again at the next question."""
        self._read_at_s = None

    def _refresh(self, monotonic_s: float) -> None:
        """Old enough: whoever comes first reads, the others go on. Too old: everybody waits for who reads."""
        age_s = self._age_s(monotonic_s)
        if age_s >= STALE_S:
            with self._reading:
                if self._age_s(monotonic_s) >= STALE_S:
                    self._take(monotonic_s)
        elif age_s >= FRESH_S and self._reading.acquire(blocking=False):
            try:
                self._take(monotonic_s)
            finally:
                self._reading.release()

    def _take(self, monotonic_s: float) -> None:
        self._book = self._read()
        self._read_at_s = monotonic_s

    def _age_s(self, monotonic_s: float) -> float:
        return STALE_S if self._read_at_s is None else monotonic_s - self._read_at_s


def composed(chosen: dict[str, Value], *, since: datetime = _NEVER, until: datetime = _EVER) -> InForce:
    """Policy and options in which these values take the place of the usual ones."""
    policy: dict[str, Any] = {name: value for name, value in chosen.items() if name in _POLICY_NAMES}
    options: dict[str, Any] = {name: value for name, value in chosen.items() if name in _OPTION_NAMES}
    return InForce(replace(_USUAL_POLICY, **policy), replace(_USUAL_OPTIONS, **options), since, until)


def read() -> Book:
    """Every change that was not called off. One statement, short: a university changes a number a few times a year."""
    rows = PolicyChange.objects.filter(withdrawal=None).values_list("id", "name", "value", "effective_at")
    return Book(change for row in rows if (change := _change(*row)) is not None)


def _change(row_id: int, name: str, stored: object, effective_at: datetime) -> Change | None:
    """A row in the types of its field; None for one that this version does not know, as after going back to it."""
    try:
        return Change(row_id, name, from_json(name, stored), effective_at)
    except (KeyError, TypeError):
        _log.warning("policy.unknown_value", extra={"policy": name, "change": row_id})
        return None


@dataclass(frozen=True, slots=True)
class Told:
    """A change as the history shows it, called off or not; ``set_by`` and the like as ``Actor.who``."""

    id: int
    name: str
    value: Value
    effective_at: datetime
    set_at: datetime
    set_by: str
    agreed_by: str
    reason: str
    withdrawn_at: datetime | None = None
    withdrawn_by: str = ""
    withdrawn_reason: str = ""


def history(name: str | None = None, *, newest: int = 200) -> list[Told]:
    """Every change of one value or of all, the latest beginning first. One statement."""
    rows = PolicyChange.objects.select_related("withdrawal").order_by("-effective_at", "-id")
    if name is not None:
        rows = rows.filter(name=name)
    return [told for row in rows[:newest] if (told := _told(row)) is not None]


def change(change_id: int) -> Told | None:
    """One change; None for one that is not there."""
    row = PolicyChange.objects.select_related("withdrawal").filter(pk=change_id).first()
    return _told(row) if row else None


def _told(row: PolicyChange) -> Told | None:
    known = _change(row.pk, row.name, row.value, row.effective_at)
    if known is None:
        return None
    off = getattr(row, "withdrawal", None)
    return Told(
        id=row.pk,
        name=row.name,
        value=known.value,
        effective_at=row.effective_at,
        set_at=row.set_at,
        set_by=row.set_by,
        agreed_by=row.agreed_by,
        reason=row.reason,
        withdrawn_at=off.withdrawn_at if off else None,
        withdrawn_by=off.withdrawn_by if off else "",
        withdrawn_reason=off.reason if off else "",
    )


def usual(name: str) -> Value:
    """The value that holds as long as nobody set one. Raises ``KeyError``."""
    if name in _POLICY_NAMES:
        found: Value = getattr(_USUAL_POLICY, name)
    elif name in _OPTION_NAMES:
        found = getattr(_USUAL_OPTIONS, name)
    else:
        raise KeyError(name)
    return found


def to_json(value: Value) -> int | bool | str:
    """A value as it is stored: durations in whole seconds."""
    return int(value.total_seconds()) if isinstance(value, timedelta) else value


def from_json(name: str, stored: object) -> Value:
    """Inverse of ``to_json``. Raises ``KeyError`` for an unknown name, ``TypeError`` for another type."""
    kind = type(usual(name))
    if kind is timedelta and type(stored) is int:
        return timedelta(seconds=stored)
    if type(stored) is not kind:
        raise TypeError(name)
    found: Value = stored
    return found
