"""The device as one running whole: the till, its reader and the line, moved by one thread.

Everybody else (console, browser, background) only leaves wishes in a queue, so the till itself needs no locks.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from purse.link import LinkError, SeveralCards
from terminals.device import config as configuration
from terminals.device.alone import Stop
from terminals.device.background import Background
from terminals.device.client import Client, Identity, Wire
from terminals.device.clock import Clock
from terminals.device.config import Config
from terminals.device.hotlist import Hotlist
from terminals.device.journal import Journal
from terminals.device.leftovers import Leftovers
from terminals.device.reader import Reader, ReaderState
from terminals.device.sale import Sales
from terminals.device.store import JournalBroken, Store
from terminals.device.till import Event, LineChanged, Till
from terminals.messages.records import RecordKind

T = TypeVar("T")

GREET_S = 5.0
"""How long the first word of the server may take before the till begins without it."""
LOOK_S = 0.03
"""How long one look at the reader or at the queue takes at most."""


@dataclass(slots=True)
class Parts:
    """What one till is made of. ``sales`` and ``background`` are None when the journal is broken."""

    clock: Clock
    client: Client
    store: Store | None = None
    journal: Journal | None = None
    sales: Sales | None = None
    background: Background | None = None
    problem: str = ""

    @classmethod
    def assemble(
        cls,
        config: Config,
        server: str,
        journal_at: Callable[[], Store],
        clock: Clock | None = None,
        wire: Wire | None = None,
    ) -> Parts:
        """Open the journal and put the parts together; a broken journal is a state, not an end.

        ``wire`` replaces the line to the server: the simulation brings one that fails on purpose.
        """
        clock = clock or Clock()
        wire = wire or Wire(server, ca=config.ca)
        try:
            store = journal_at()
            journal = Journal(store, terminal=config.terminal, key=config.keys.jrnl, now_ms=clock.now_ms())
            hotlist = Hotlist(store, config.keys.hot)
            clock.not_before(max(journal.newest_ms(), hotlist.kept.checked_ms or 0))
            journal.note(RecordKind.BOOT, clock.clocks(), hotlist.kept.version)
            client = Client(wire, Identity(config.terminal, config.epoch, journal.boot), config.keys, clock)
            client.rebooted = lambda boot: journal.reboot(boot, clock.clocks(), hotlist.kept.version)
            sales = Sales(config, journal, client, hotlist, clock)
        except JournalBroken as error:
            identity = Identity(config.terminal, config.epoch, clock.now_ms())
            return cls(clock, Client(wire, identity, config.keys, clock), problem=str(error))
        leftovers = Leftovers(configuration.older_journals(config))
        background = Background(
            client=client, journal=journal, hotlist=hotlist, sales=sales, clock=clock, leftovers=leftovers
        )
        return cls(clock, client, store, journal, sales, background)

    def line(self) -> tuple[bool, int]:
        """Whether the server is there, and how many sales wait to be uploaded."""
        try:
            return self.client.up, self.journal.unsent_count() if self.journal else 0
        except JournalBroken:
            return self.client.up, 0

    @property
    def stop(self) -> Stop | None:
        """Why nothing could be sold without the server now, or at all."""
        return Stop.STORAGE if self.sales is None else self.sales.stop

    def close(self) -> None:
        """Stop the background and let go of the journal."""
        if self.background is not None:
            self.background.stop()
        self.client.close()
        if self.store is not None:
            self.store.close()


class Station:
    """A till at its reader. ``do`` may be called from any thread; listeners are called by the station's own."""

    def __init__(self, config: Config, parts: Parts, reader: Reader) -> None:
        self.config = config
        self.parts = parts
        self.reader = reader
        self._listeners: list[Callable[[Event], None]] = []
        self._wishes: queue.Queue[Callable[[], None]] = queue.Queue()
        self._stopped = threading.Event()
        self._tapping = False
        self._several = False
        self._line = parts.line()
        self._told: tuple[object, ...] = ()
        self.ended: Callable[[], None] = lambda: None
        """Called when the till's thread ends, whatever the reason: a till that stands still must not look alive."""
        self.till = Till(
            parts.sales, clock=parts.clock, name=config.name, line=lambda: self._line, emit=self._tell
        )
        self._thread = threading.Thread(target=self._run, name="till", daemon=True)
        if parts.background is not None:
            parts.background.busy = lambda: self._tapping

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Hear of every event from now on."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin. A server that is there is found before the first card; one that is not is not waited for."""
        if self.parts.background is not None:
            self.parts.background.start(within_s=GREET_S)
        self._line = self.parts.line()
        self._told = (*self._line, self.parts.stop)
        self._thread.start()

    def stop(self) -> None:
        """End: the journal is closed properly, the card let go."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self.parts.close()
        self.reader.close()

    def do(self, wish: Callable[[Till], T]) -> T:
        """Have the till do something and wait until it is done."""
        done: Future[T] = Future()

        def fulfil() -> None:
            try:
                done.set_result(wish(self.till))
            except Exception as error:  # noqa: BLE001 - belongs to whoever wished, not to the till's thread
                done.set_exception(error)

        self._wishes.put(fulfil)
        return done.result(timeout=30)

    def network(self, *, up: bool) -> None:
        """The network switch: pull the cable, or put it back and look for the server at once."""
        self.parts.client.plugged = up
        if not up:
            self.parts.client.close()
            self.parts.client.up = False
        elif self.parts.background is not None:
            self.parts.background.greet()
        self.do(lambda till: self._look_at_line())

    def upload(self) -> bool:
        """Hand over all that waits, now."""
        done = self.parts.background is not None and self.parts.background.upload_now()
        self.do(lambda till: self._look_at_line())
        return done

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._fulfil_wishes()
                self._look_at_line()
                self.till.tick()
                self._look_at_reader()
        finally:
            self.ended()

    def _fulfil_wishes(self) -> None:
        while True:
            try:
                self._wishes.get_nowait()()
            except queue.Empty:
                return

    def _look_at_line(self) -> None:
        self._line = self.parts.line()
        state = (*self._line, self.parts.stop)
        if state != self._told:
            self._told = state
            self._tell(LineChanged())

    def _look_at_reader(self) -> None:
        till = self.till
        if self._several:
            if self.reader.state() is ReaderState.SEVERAL:
                self._stopped.wait(LOOK_S)
                return
            self._several = False
            till.removed()
        if till.card_must_leave:
            if self.reader.wait_for_removal(LOOK_S):
                till.removed()
            return
        if not till.wants_card:
            self._stopped.wait(LOOK_S)
            return
        try:
            link = self.reader.wait_for_card(LOOK_S)
        except SeveralCards:
            self._several = True
            till.several()
            return
        except LinkError:
            self._stopped.wait(LOOK_S)
            return
        if link is None:
            return
        self._tapping = True
        try:
            till.card(link)
        finally:
            self._tapping = False

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)

    @property
    def reader_state(self) -> ReaderState:
        """What the reader says about itself."""
        return self.reader.state()
