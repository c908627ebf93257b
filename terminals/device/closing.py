"""How operation keys end in the journal: right after their tap, or after a power cut that parted them from it."""

from __future__ import annotations

from collections.abc import Callable

from purse.procedures import ClassicDriver, Outcome
from terminals.device import offline
from terminals.device.clock import Clock
from terminals.device.hotlist import Hotlist
from terminals.device.journal import Begun, Journal
from terminals.device.store import JournalBroken
from terminals.messages.records import Sale
from terminals.messages.wire import ABANDONED, WRITTEN_OFFLINE, OperationKey

AFTER_BOOT_S = 60.0
"""How long a sale that a power cut left open waits for its card before it is reported as unknown."""


class Closing:
    """Writes the last step of a key, with the outcome that goes up and the offline record if there is one.

    It never raises: what the card shows has happened. An end that the disk does not take now is kept and written as
    soon as it does; until then nothing is sold.
    """

    def __init__(self, journal: Journal, hotlist: Hotlist, clock: Clock) -> None:
        self._journal = journal
        self._hotlist = hotlist
        self._clock = clock
        self._late: list[Callable[[], None]] = []

    @property
    def late(self) -> bool:
        """Whether ends wait for the disk."""
        return bool(self._late)

    def catch_up(self) -> None:
        """Write the ends that wait. Raises ``JournalBroken`` while the disk does not take them."""
        while self._late:
            self._late[0]()
            self._late.pop(0)

    def end(self, key: OperationKey, result: str, *, report: str | None) -> None:
        """Close a key; ``report`` is the outcome that the server must hear, if any."""
        self._write(lambda: self._journal.end(key, result, report=report))

    def online(self, key: OperationKey, outcome: Outcome, *, given_up: bool = False) -> None:
        """``given_up``: certainly nothing was written, and the server takes its debit back."""
        self.end(key, outcome.value, report=ABANDONED if given_up else outcome.value)

    def offline(self, key: OperationKey, sale: Sale, outcome: Outcome, *, asked: bool) -> None:
        """``asked``: the server may know this key from a request whose answer was lost."""
        told = {Outcome.CONFIRMED: WRITTEN_OFFLINE, Outcome.NOT_WRITTEN: ABANDONED}.get(
            outcome, outcome.value
        )
        clocks, version = self._clock.clocks(), self._hotlist.kept.version
        self._write(
            lambda: self._journal.end(
                key,
                outcome.value,
                report=told if asked else None,
                sale=offline.ended(sale, outcome),
                clocks=clocks,
                hotlist_version=version,
            )
        )

    def _write(self, end: Callable[[], None]) -> None:
        self._late.append(end)
        try:
            self.catch_up()
        except JournalBroken:
            return


class LeftOpen:
    """The keys that a power cut left without an end. They wait a minute for their cards."""

    def __init__(self, journal: Journal, closing: Closing, clock: Clock) -> None:
        self._closing = closing
        self._clock = clock
        self._until = clock.mono() + AFTER_BOOT_S
        self._begun = {begun.key.seq: begun for begun in journal.begun()}
        for begun in list(self._begun.values()):
            if not begun.writes:
                # It never came to a card write: the server takes back what it may have posted.
                journal.end(begun.key, "cut_off", report=ABANDONED)
                del self._begun[begun.key.seq]

    def __bool__(self) -> bool:
        return bool(self._begun)

    def finish(self, driver: ClassicDriver, uid: bytes) -> None:
        """The card of a cut-off sale may be back: its own sequence tells whether the write is there."""
        for begun in [begun for begun in self._begun.values() if begun.uid == uid.hex()]:
            outcomes = [driver.resolve(write, uid) for write in begun.writes]
            certain = all(outcome is Outcome.CONFIRMED for outcome in outcomes)
            self._close(begun, Outcome.CONFIRMED if certain else Outcome.UNKNOWN)

    def tick(self) -> None:
        """Stop waiting when the minute is over."""
        if self._begun and self._clock.mono() >= self._until:
            for begun in list(self._begun.values()):
                self._close(begun, Outcome.UNKNOWN)

    def _close(self, begun: Begun, outcome: Outcome) -> None:
        if begun.sale is None:
            self._closing.online(begun.key, outcome)
        else:
            # Whether the server had been asked before the power went is not known: a report too many is harmless.
            self._closing.offline(begun.key, begun.sale, outcome, asked=True)
        del self._begun[begun.key.seq]
