"""What the API must know of every terminal before it answers, without asking the database each time.

One statement reads them all, at most once a second and process, so the sale of a busy minute pays nothing and a
revocation holds a second after its commit at the latest.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from terminals.models import Terminal
from terminals.services import hotlist
from transactions.merchants import in_force

FRESH_S: Final = 0.5
"""Younger than this the list is used as it is."""
STALE_S: Final = 1.0
"""Older than this it is never used: whoever needs it waits for the new one."""
NEWCOMER_S: Final = 0.1
"""How often at most the list is read again because of a terminal that it does not know."""

_COLUMNS: Final = (
    "id", "kind", "merchant_id", "campus_id", "name_zh", "place", "may_sell_offline", "epoch", "min_epoch",
    "revoked_at", "cloned_epoch", "merchant__contract_from", "merchant__contract_until",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Machine:
    """A row of ``Terminal`` as the API needs it."""

    id: int
    kind: str
    merchant_id: int | None
    campus_id: int
    name_zh: str
    place: str
    may_sell_offline: bool
    epoch: int
    min_epoch: int
    revoked_at: datetime | None
    cloned_epoch: int = 0
    contract_from: date | None = None
    contract_until: date | None = None
    """First and last day of its merchant's contract."""

    def has_contract(self, today: date) -> bool:
        """Whether its merchant's contract runs: without one a till sells nothing (R034)."""
        return in_force(self.contract_from, self.contract_until, on=today)

    @property
    def revoked(self) -> bool:
        """Whether it may nothing any more but hand in its journal."""
        return self.revoked_at is not None

    @property
    def cloned(self) -> bool:
        """Whether its present keys are in two machines: it is quarantined until it is enrolled anew."""
        return self.epoch <= self.cloned_epoch

    @property
    def sells_offline(self) -> bool:
        """Whether it may sell without the network now."""
        return self.may_sell_offline and not self.cloned


def machine(terminal: int) -> Machine:
    """One machine as it stands now. Raises ``Terminal.DoesNotExist``."""
    return Machine(*Terminal.objects.values_list(*_COLUMNS).get(id=terminal))


def enrolled_at(terminal: int) -> datetime | None:
    """When a machine was enrolled last. Hardly ever asked, so no list of machines has it."""
    return Terminal.objects.values_list("enrolled_at", flat=True).get(id=terminal)


class Registry:
    """The list of one process. ``monotonic_s`` is the caller's clock; this class has none."""

    def __init__(self) -> None:
        self._machines: Mapping[int, Machine] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._hotlist_version = 0
        self._read_at_s: float | None = None
        self._reading = threading.Lock()

    def find(self, terminal: int, epoch: int, *, monotonic_s: float) -> Machine | None:
        """The enrolled machine, as it stood at most ``STALE_S`` ago.

        One that was enrolled a moment ago through another process is looked for again, but not for every stranger.
        """
        self._refresh(monotonic_s, STALE_S)
        machine = self._machines.get(terminal)
        if machine is None or machine.epoch < epoch:
            self._refresh(monotonic_s, NEWCOMER_S)
            machine = self._machines.get(terminal)
        return machine

    @property
    def hotlist_version(self) -> int:
        """How far the hotlist was when the machines were read."""
        return self._hotlist_version

    def forget(self) -> None:
        """Read again at the next question."""
        self._read_at_s = None

    def _refresh(self, monotonic_s: float, bound_s: float) -> None:
        age_s = self._age_s(monotonic_s)
        if age_s >= bound_s:
            with self._reading:
                if self._age_s(monotonic_s) >= bound_s:
                    self._read(monotonic_s)
        elif age_s >= FRESH_S and self._reading.acquire(blocking=False):
            try:
                self._read(monotonic_s)
            finally:
                self._reading.release()

    def _age_s(self, monotonic_s: float) -> float:
        return STALE_S if self._read_at_s is None else monotonic_s - self._read_at_s

    def _read(self, monotonic_s: float) -> None:
        rows = list(Terminal.objects.filter(epoch__gte=1).values_list(*_COLUMNS))
        if rows != self._rows:
            self._rows, self._machines = rows, {row[0]: Machine(*row) for row in rows}
        self._hotlist_version = hotlist.version()
        self._read_at_s = monotonic_s
