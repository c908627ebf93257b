"""The till's clock: runs on the monotonic counter, is set only by signed answers of the server.

A wall clock that jumps after the start changes nothing. One that stood wrong at the start is noticed when it is behind
the journal, and healed by the first answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone

from terminals.messages.records import Clocks

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
"""The campus has one time zone without summer time since 1991, so a device needs no time zone database."""
SKEW_MS = 120_000
"""How far behind its own journal a clock may start (``security.md``, section 5)."""


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _since_boot() -> float:
    """Monotonic seconds that a machine put to sleep counts too, where the system can say."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Clock:
    """Corrected time in Unix milliseconds. ``behind_ms`` is the newest time that journal and hotlist have seen."""

    def __init__(
        self,
        *,
        wall_ms: Callable[[], int] = _wall_ms,
        mono: Callable[[], float] = _since_boot,
        behind_ms: int = 0,
    ) -> None:
        self._wall_ms = wall_ms
        self._mono = mono
        self._start = mono()
        self._anchor = (wall_ms(), self._start)
        self._behind_ms = behind_ms
        self._heard = False

    def mono(self) -> float:
        """Seconds that only ever go up."""
        return self._mono()

    def now_ms(self) -> int:
        """Corrected Unix milliseconds."""
        anchor_ms, anchor = self._anchor
        return anchor_ms + int((self._mono() - anchor) * 1000)

    def hear(self, server_ms: int) -> bool:
        """Take over the server's clock from a verified answer. True when ours was too far off to be believed."""
        jumped = abs(server_ms - self.now_ms()) > SKEW_MS
        self._anchor = (server_ms, self._mono())
        self._heard = True
        return jumped

    def not_before(self, behind_ms: int) -> None:
        """Tell the clock of the newest time that was ever written down or heard."""
        self._behind_ms = max(self._behind_ms, behind_ms)

    @property
    def offset_ms(self) -> int:
        """How much the corrected time is ahead of the wall clock."""
        return self.now_ms() - self._wall_ms()

    @property
    def wrong(self) -> bool:
        """True while the clock is behind what the journal proves and no server has set it."""
        return not self._heard and self.now_ms() < self._behind_ms - SKEW_MS

    def local(self) -> datetime:
        """The campus's wall time."""
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC).astimezone(CHINA)

    def day(self) -> date:
        """The business day; never earlier than the journal's newest (a clock set back does not empty the caps, B6)."""
        today = self.local().date()
        return today if self._heard else max(today, day_of_ms(self._behind_ms))

    def clocks(self) -> Clocks:
        """The four times of a journal record."""
        return Clocks(
            at_ms=self.now_ms(),
            wall_ms=max(0, self._wall_ms()),
            mono_ms=int((self._mono() - self._start) * 1000),
            offset_ms=self.offset_ms,
        )


def day_of_ms(at_ms: int) -> date:
    """The day in Shanghai of a Unix time in milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(CHINA).date()
