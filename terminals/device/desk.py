"""The desk's program: takes card jobs over the signed API and does them at its reader, moved by one thread.

``python -m terminals.device desk --server URL --config FILE --reader sim:DIR|pcsc:NAME [--ui HOST:PORT]``
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from purse.link import LinkError, SeveralCards
from terminals.device import desk_face
from terminals.device.client import Identity, NoAnswer, Rejected
from terminals.device.clock import Clock
from terminals.device.config import Config
from terminals.device.desk_face import DeskFace
from terminals.device.desk_line import DeskClient, DeskJournal
from terminals.device.desk_work import DeskWork
from terminals.device.line import Wire
from terminals.device.reader import Reader, ReaderState
from terminals.device.store import JournalBroken, Store
from terminals.messages.jobs import Trouble
from terminals.messages.upkeep import HeartbeatRequest

POLL_MS = 1_000
"""How long the server may keep a question for a job."""
ALIVE_S = 1.5
"""How often a job under way is told of; this is also how soon a cancelled one is let go."""
BETWEEN_S = 0.3
"""Between two questions for a job, when the server answered at once."""
DEAD_LINE_S = 1.0
HEARTBEAT_S = 60.0
SHOWN_S = 8.0
"""How long the end of a job stays on the face."""
LOOK_S = 0.03
_TROUBLE_OF = {ReaderState.NO_SERVICE: Trouble.NO_SERVICE, ReaderState.NO_READER: Trouble.NO_READER}


@dataclass(slots=True)
class DeskParts:
    """What a desk is made of. ``journal`` is None when it is broken: then no job is taken."""

    clock: Clock
    client: DeskClient
    store: Store | None = None
    journal: DeskJournal | None = None
    problem: str = ""

    @classmethod
    def assemble(
        cls,
        config: Config,
        server: str,
        journal_at: Callable[[], Store],
        clock: Clock | None = None,
        wire: Wire | None = None,
    ) -> DeskParts:
        """Open the journal, close what a power cut left open in it, and put the parts together."""
        clock, wire = clock or Clock(), wire or Wire(server, ca=config.ca)
        try:
            store = journal_at()
            journal = DeskJournal(
                store, terminal=config.terminal, key=config.keys.jrnl, now_ms=clock.now_ms()
            )
            clock.not_before(journal.newest_ms())
            journal.cut_off()
        except JournalBroken as error:
            identity = Identity(config.terminal, config.epoch, clock.now_ms())
            return cls(clock, DeskClient(wire, identity, config.keys, clock), problem=str(error))
        identity = Identity(config.terminal, config.epoch, journal.boot)
        client = DeskClient(wire, identity, config.keys, clock)
        client.rebooted = lambda boot: journal.reboot(boot, clock.clocks(), 0)
        return cls(clock, client, store, journal)

    def close(self) -> None:
        """Drop the line and let go of the journal."""
        self.client.close()
        if self.store is not None:
            self.store.close()


class DeskStation:
    """A desk at its reader. Listeners hear every new face, called by the desk's own thread."""

    def __init__(self, config: Config, parts: DeskParts, reader: Reader) -> None:
        self.config = config
        self.parts = parts
        self.reader = reader
        self.face: DeskFace = desk_face.no_line()
        self.ended: Callable[[], None] = lambda: None
        """Called when the desk's thread ends, whatever the reason."""
        self._listeners: list[Callable[[DeskFace], None]] = []
        self._stopped = threading.Event()
        self._polled_at = self._alive_at = self._heartbeat_at = self._shown_at = -1e9
        self._rejected = False
        self.work = (
            DeskWork(config.card_keys, parts.journal, parts.client, parts.clock, self._show)
            if parts.journal is not None
            else None
        )
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)

    def listen(self, listener: Callable[[DeskFace], None]) -> None:
        """Hear of every new face from now on."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is open in the journal is told at the next start."""
        self._stopped.set()
        self.parts.client.close()
        if self._thread.is_alive():
            self._thread.join(timeout=6)
        self.parts.close()
        self.reader.close()

    def network(self, *, up: bool) -> None:
        """The network switch of demo and tests."""
        self.parts.client.plugged = up
        if not up:
            self.parts.client.close()
            self.parts.client.up = False

    def round(self) -> bool:
        """One turn: talk to the server if something is due, look at the reader once. False: there was nothing to do."""
        work = self.work
        if work is None:
            self._show(desk_face.broken(self.parts.problem))
            return False
        try:
            self._talk(work)
            if work.ticket is None or not self.parts.client.up:
                return False
            self._look_at_reader(work)
        except NoAnswer:
            self._polled_at = self._alive_at = self.parts.clock.mono()
            if work.ticket is None:
                self._show(desk_face.no_line())
            return False
        except Rejected as error:
            self._polled_at = self._alive_at = self.parts.clock.mono()
            self._rejected = True
            self._show(desk_face.rejected(error.code))
            return False
        except JournalBroken as error:
            self._show(desk_face.broken(str(error)))
            return False
        return True

    # ------------------------------------------------------------------------------------------------- inside

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                if not self.round():
                    self._stopped.wait(LOOK_S)
        finally:
            self.ended()

    def _talk(self, work: DeskWork) -> None:
        now, up = self.parts.clock.mono(), self.parts.client.up
        if now - self._alive_at < (ALIVE_S if up else DEAD_LINE_S) and work.ticket is not None:
            return
        if work.ticket is None and now - self._polled_at < (BETWEEN_S if up else DEAD_LINE_S):
            return
        work.tell()
        self._heartbeat(now)
        if work.ticket is not None:
            self._alive_at = now
            work.keep_alive()
            return
        ticket = self.parts.client.job(POLL_MS)
        self._polled_at = self.parts.clock.mono()
        if ticket is not None:
            self._alive_at = self._polled_at
            work.take(ticket)
        elif self._polled_at - self._shown_at > SHOWN_S or self.face.state in _PASSING:
            self._show(desk_face.idle(self.config.name))

    def _heartbeat(self, now: float) -> None:
        journal = self.parts.journal
        if journal is None or now - self._heartbeat_at < HEARTBEAT_S:
            return
        seq, mac = journal.last_record()
        self.parts.client.heartbeat(
            HeartbeatRequest(
                journal=journal.id,
                journal_seq=seq,
                journal_mac=mac,
                unsent=0,
                hotlist_version=0,
                offset_ms=self.parts.clock.offset_ms,
                free_mb=journal.free_mb(),
            )
        )
        self._heartbeat_at = now

    def _look_at_reader(self, work: DeskWork) -> None:
        if work.card_must_leave:
            if self.reader.wait_for_removal(LOOK_S):
                work.card_must_leave = False
                work.wait(None)
            return
        try:
            link = self.reader.wait_for_card(LOOK_S)
        except SeveralCards:
            work.wait(Trouble.SEVERAL_CARDS)
            self._stopped.wait(LOOK_S)
            return
        except LinkError:
            self._stopped.wait(LOOK_S)
            return
        if link is not None:
            work.card(link)
            return
        trouble = _TROUBLE_OF.get(self.reader.state())
        if trouble is not None:
            work.wait(trouble)
        elif work.trouble in _TROUBLE_OF.values() or work.trouble is Trouble.SEVERAL_CARDS:
            work.wait(None)

    def _show(self, face: DeskFace) -> None:
        if face == self.face:
            return
        self.face, self._shown_at = face, self.parts.clock.mono()
        for listener in self._listeners:
            listener(face)


_PASSING = (desk_face.DeskState.NO_LINE, desk_face.DeskState.BROKEN)


def told(station: DeskStation) -> dict[str, Any]:
    """The state of the desk for its page: name, line, reader."""
    return {
        "event": "state",
        "name": {"zh": station.config.name.zh, "en": station.config.name.en},
        "campus": station.config.enrolled.campus,
        "reader": station.reader.state().value,
        "plugged": station.parts.client.plugged,
        "online": station.parts.client.up,
    }
