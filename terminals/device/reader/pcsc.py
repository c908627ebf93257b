"""A contactless reader behind the PC/SC service of the operating system (pcscd, Windows, macOS).

Nothing here trusts a return code beyond "it worked". Whatever blocks runs on a thread that can be given up,
and every look starts from nothing: a restarted service, a cable pulled and put back, a second reader are
ordinary events.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from purse.link import CardGone, CardLink, LinkError, ReaderGone, SeveralCards

from .apdu import ApduLink, CallFailed
from .base import ReaderState
from .profile import ReaderProfile, profile_for
from .worker import Stuck, Worker

T = TypeVar("T")

LOOK_S = 0.25
"""How long one look for a change blocks. pcscd ends it early at every change; a dead service is noticed after it."""
PATIENCE_S = 2.0
"""How long any call of the service other than a card operation may take before its thread is given up."""
RETRY_S = 0.2
"""Pause between attempts to reach a service, a reader or a mute card."""
MAX_STUCK = 4
"""Threads left hanging in a service that never answers; then nothing is tried until one of them comes back."""
STATE_CHANGED, STATE_EMPTY, STATE_PRESENT = 0x02, 0x10, 0x20
"""Event state bits, the same on every system (PC/SC part 5)."""


@dataclass(frozen=True)
class Sight:
    """One look at the reader: its state, name and the service's own count of cards that came and went."""

    state: ReaderState
    reader: str = ""
    raw: int = 0

    @property
    def moves(self) -> int:
        """Insertions and removals so far (high word of the event state)."""
        return self.raw >> 16


class Service:
    """One context of the PC/SC service on a thread of its own. Raises ``CallFailed`` and ``Stuck``."""

    def __init__(self, patience_s: float) -> None:
        self._worker = Worker("pcsc")
        self._patience_s = patience_s
        self._faults: tuple[type[Exception], ...] = (ImportError, OSError)
        self._scard: Any = None
        self._context: Any = None
        self._card: Any = None

    def open(self) -> None:
        """Reach the service."""
        self._context = self.call(self._establish)[0]

    @property
    def alive(self) -> bool:
        """Whether its thread still exists."""
        return self._worker.alive

    def call(self, work: Callable[[], T], timeout: float | None = None) -> T:
        """Do ``work`` on the thread."""
        try:
            return self._worker.call(work, self._patience_s if timeout is None else timeout)
        except self._faults as error:
            raise CallFailed(str(error)) from error

    def readers(self) -> list[str]:
        """The names of all readers. Fails when there is none: that too is only a return code."""
        names: list[str] = self.call(lambda: self._done(self._scard.SCardListReaders(self._context, [])))[0]
        return names

    def look(self, reader: str, known: int, wait: float) -> int:
        """The event state of a reader; waits up to ``wait`` seconds for it to differ from ``known`` (0: at once)."""

        def work() -> int:
            states = self._done(
                self._scard.SCardGetStatusChange(self._context, int(wait * 1000), [(reader, known)]),
            )[0]
            return int(states[0][1])

        return self.call(work, wait + self._patience_s)

    def connect(self, reader: str) -> None:
        """Take the card in the reader for us alone. The one before must have been let go."""

        def work() -> None:
            scard = self._scard
            protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
            self._card = self._done(
                scard.SCardConnect(self._context, reader, scard.SCARD_SHARE_EXCLUSIVE, protocols),
            )

        self.call(work)

    def disconnect(self) -> None:
        """Let go of the card without resetting it."""
        self.call(self._disconnect)

    def transmit(self, apdu: bytes, timeout: float) -> bytes:
        """Send an APDU to the card and return its answer; empty when pcscd lost the card and calls that success."""

        def work() -> bytes:
            if self._card is None:
                raise CallFailed("no card is connected")
            handle, protocol = self._card
            answer = self._done(self._scard.SCardTransmit(handle, protocol, list(apdu)))[0]
            return bytes(byte & 0xFF for byte in answer)

        return self.call(work, timeout)

    def abandon(self) -> None:
        """Give the context up; its thread releases it when, and if, it comes back."""
        self._worker.finish(self._release)

    def _establish(self) -> list[Any]:
        # Imported here, because pyscard is missing where no reader is plugged in; without the PC/SC library
        # its import works and its first call fails. Its two families of exceptions have no common base.
        from smartcard import scard
        from smartcard.Exceptions import SmartcardException
        from smartcard.pcsc.PCSCExceptions import BaseSCardException

        self._scard = scard
        self._faults = (SmartcardException, BaseSCardException, scard.error, OSError)
        return self._done(scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM))

    def _disconnect(self) -> None:
        if self._card is not None:
            card, self._card = self._card, None
            self._scard.SCardDisconnect(card[0], self._scard.SCARD_LEAVE_CARD)

    def _release(self) -> None:
        if self._context is not None:
            self._disconnect()
            self._scard.SCardReleaseContext(self._context)

    def _done(self, result: list[Any]) -> list[Any]:
        if result[0] != self._scard.SCARD_S_SUCCESS:
            raise CallFailed(self._scard.SCardGetErrorMessage(result[0]))
        return result[1:]


class PcscReader:
    """``terminals.device.reader.base.Reader`` over PC/SC. ``name`` is a part of the reader's name; empty: any.

    Survives a restart of the service, and readers that come and go. Nothing blocks longer than its time-out.
    """

    def __init__(
        self, name: str = "", *, profile: ReaderProfile | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        self._wanted = name
        self._patience_s = patience_s
        self._profile = profile
        self._lock = threading.RLock()
        self._service: Service | None = None
        self._given_up: list[Service] = []
        self._link: ApduLink | None = None
        self._moves_at_link = 0
        self._sight = Sight(ReaderState.NO_SERVICE)
        self._several = False

    # -- Reader ----------------------------------------------------------------------------------------------

    def wait_for_card(self, timeout: float) -> CardLink | None:
        deadline = time.monotonic() + timeout
        self._forget_link()
        wait = 0.0
        while True:
            sight = self._look(wait)
            if sight.state is ReaderState.CARD:
                link = self._connect(sight)
                if link is not None:
                    return link
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            if sight.state is not ReaderState.EMPTY:
                # A mute card, or one another program holds; no reader; no service.
                time.sleep(min(RETRY_S, left))
            wait = min(LOOK_S, left)

    def card_present(self) -> bool:
        return self.state() in (ReaderState.CARD, ReaderState.SEVERAL)

    def wait_for_removal(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        wait = 0.0
        while True:
            sight = self._look(wait)
            if sight.state is not ReaderState.CARD or self._link_is_over(sight):
                self._forget_link()
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            wait = min(LOOK_S, left)

    def state(self) -> ReaderState:
        sight = self._look(0.0)
        several = self._several and sight.state is ReaderState.CARD
        return ReaderState.SEVERAL if several else sight.state

    def close(self) -> None:
        with self._lock:
            self._drop()

    # -- looking ---------------------------------------------------------------------------------------------

    def _look(self, wait: float) -> Sight:
        """See what is there now, or after the next change within ``wait`` seconds. Never raises."""
        # While one thread waits here, another that only asks for the state gets the last answer.
        if not self._lock.acquire(timeout=LOOK_S):
            return self._sight
        try:
            self._sight = self._looked(wait)
            if self._sight.state is not ReaderState.CARD:
                self._several = False
            return self._sight
        finally:
            self._lock.release()

    def _looked(self, wait: float) -> Sight:
        # The second time with a new context: a restarted service does not know the old one.
        for _ in range(2):
            try:
                service = self._open()
            except (CallFailed, Stuck):
                return Sight(ReaderState.NO_SERVICE)
            try:
                return self._sighted(service, wait)
            except (CallFailed, Stuck):
                self._drop()
        # The service lets us in, but to list no reader at all is an error to it.
        return Sight(ReaderState.NO_READER)

    def _sighted(self, service: Service, wait: float) -> Sight:
        known = self._sight
        if wait > 0 and known.reader:
            with suppress(CallFailed):  # it ran out of time, or the reader went: the look below tells
                service.look(known.reader, known.raw & ~STATE_CHANGED, wait)
        if known.reader:
            with suppress(CallFailed):
                raw = service.look(known.reader, 0, 0.0)
                if raw & (STATE_EMPTY | STATE_PRESENT):
                    return _sight(known.reader, raw)
        reader = _choose(service.readers(), self._wanted)
        if reader is None:
            return Sight(ReaderState.NO_READER)
        return _sight(reader, service.look(reader, 0, 0.0))

    def _open(self) -> Service:
        if self._service is None:
            self._given_up = [service for service in self._given_up if service.alive]
            if len(self._given_up) >= MAX_STUCK:
                raise Stuck
            self._service = Service(self._patience_s)
            try:
                self._service.open()
            except (CallFailed, Stuck):
                self._drop()
                raise
        return self._service

    def _drop(self) -> None:
        """Give the service up, and whatever hangs on it."""
        if self._link is not None:
            self._link.retire(ReaderGone)
            self._link = None
        if self._service is not None:
            self._service.abandon()
            self._given_up.append(self._service)
            self._service = None

    # -- connecting ------------------------------------------------------------------------------------------

    def _connect(self, sight: Sight) -> ApduLink | None:
        """Connect to the card that was seen, or say None when it cannot be reached. Raises ``SeveralCards``."""
        with self._lock:
            service = self._service
            if service is None:
                return None
            try:
                service.connect(sight.reader)
                self._moves_at_link = _sight(sight.reader, service.look(sight.reader, 0, 0.0)).moves
                profile = self._profile or profile_for(sight.reader)
                # The service may connect to a card that has just gone: the link begins by asking its UID.
                self._link = ApduLink(service.transmit, profile, lambda: self._lost(service))
                self._several = False
            except SeveralCards:
                self._forget_link()
                self._several = True
                raise
            except (CallFailed, Stuck, LinkError):
                self._forget_link()
                return None
            return self._link

    def _forget_link(self) -> None:
        with self._lock:
            if self._link is not None:
                self._link.retire(CardGone)
                self._link = None
            if self._service is not None:
                try:
                    self._service.disconnect()
                except (CallFailed, Stuck):
                    self._drop()

    def _link_is_over(self, sight: Sight) -> bool:
        """Whether the linked card has left, whatever lies there now.

        The service counts who comes and goes, but misses a swap between two of its own looks; a link does not.
        """
        return self._link is not None and (self._link.dead or sight.moves != self._moves_at_link)

    def _lost(self, service: Service) -> bool:
        """Whether reader or service, not only the card, went away from under a link of ``service``."""
        sight = self._look(0.0)
        return self._service is not service or sight.state in (ReaderState.NO_SERVICE, ReaderState.NO_READER)


def _sight(reader: str, raw: int) -> Sight:
    return Sight(ReaderState.CARD if raw & STATE_PRESENT else ReaderState.EMPTY, reader, raw)


def _choose(readers: list[str], wanted: str) -> str | None:
    """The first reader whose name contains what is wanted; contact slots for SIM-like cards only when asked for."""
    fitting = sorted(name for name in readers if wanted.casefold() in name.casefold())
    usable = [name for name in fitting if " SAM" not in name or " SAM" in wanted]
    return usable[0] if usable else None
