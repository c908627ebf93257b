"""A till on the bench: real parts, a simulated reader, a university behind a port, and a clock that can be moved."""

from __future__ import annotations

import time
from pathlib import Path

from purse.keys import KeyBundle
from purse.link import SeveralCards
from purse.procedures import ClassicDriver, Purse, decode
from purse.rules import Refusal
from terminals.device import config as configuration
from terminals.device.clock import Clock, day_of_ms
from terminals.device.reader.model import ClassicCard
from terminals.device.reader.sim import SimReader, write_card
from terminals.device.reader.tearing import Tear
from terminals.device.station import Parts
from terminals.device.store import Store
from terminals.device.tapped import Ending, Tapped
from terminals.device.till import Ended, Event, Shows, Sounds, Till
from tests.till.university import CARD_KEYS, Served, University


class Bench:
    """One till, moved by the test itself instead of a thread."""

    def __init__(
        self, folder: Path, university: University, served: Served, card_keys: KeyBundle = CARD_KEYS
    ) -> None:
        self.card_keys = card_keys
        self.folder = folder
        self.university = university
        self.served = served
        self.reader = SimReader(folder / "wallet", seed=1)
        self.reader.folder.mkdir(exist_ok=True)
        self.skipped_s = 0.0
        self.wall_error_ms = 0
        self.events: list[Event] = []
        self.config_path = folder / "till.json"
        if not self.config_path.exists():
            configuration.save(self.config_path, university.config())
        self.start()

    # -- the machine ----------------------------------------------------------------------------------------

    def start(self, *, plugged: bool = True) -> None:
        """Switch the till on, with the cable in or out."""
        self.config = configuration.load(self.config_path)
        clock = Clock(
            wall_ms=lambda: time.time_ns() // 1_000_000 + int(self.skipped_s * 1000) + self.wall_error_ms,
            mono=lambda: time.monotonic() + self.skipped_s,
        )
        path = configuration.journal_path(self.config_path, self.config)
        self.parts = Parts.assemble(self.config, self.served.url, lambda: Store(path), clock)
        self.parts.client.plugged = plugged
        if self.parts.background:
            self.parts.background.greet()
        self.till = Till(
            self.parts.sales,
            clock=clock,
            name=self.config.name,
            line=self.parts.line,
            emit=self.events.append,
        )

    def cut_power(self) -> None:
        """Switch off without any ceremony, as far as one process can, and take every card away."""
        self.parts.client.close()
        if self.parts.store:
            self.parts.store.close()
        self.reader.lift()

    def restart(self, *, plugged: bool = True) -> None:
        """A power cut and a new start."""
        self.cut_power()
        self.events.clear()
        self.start(plugged=plugged)

    def close(self) -> None:
        self.parts.close()

    def network(self, *, up: bool) -> None:
        self.parts.client.plugged = up
        if up:
            self.parts.background.greet()
        else:
            self.parts.client.close()
            self.parts.client.up = False

    def skip(self, seconds: float) -> None:
        """Let time pass, as the till sees it."""
        self.skipped_s += seconds
        self.till.tick()

    def university_day(self):
        """The true day."""
        return day_of_ms(int(time.time() * 1000))

    def report(self) -> None:
        """What the background does within a second."""
        assert self.parts.background.greet()

    def report_if_possible(self) -> bool:
        """The same on a till in trouble."""
        return self.parts.background.greet()

    # -- cards ----------------------------------------------------------------------------------------------

    def issue(self, name: str, fen: int, **changes) -> ClassicCard:
        card = self.university.issue(int(name), fen, **changes)
        self.keep(name, card)
        return card

    def keep(self, name: str, card: ClassicCard) -> None:
        write_card(self.reader.folder / f"{name}.json", card)

    def account(self, name: str):
        return self.university.accounts[int(name).to_bytes(4, "big")]

    def purse(self, name: str) -> Purse:
        """What the card holds, as a desk would read it."""
        other = SimReader(self.reader.folder)
        other.place(name)
        return decode(
            ClassicDriver(other.wait_for_card(0), self.card_keys).read_purse(with_ring=True), self.card_keys
        )

    def card_fen(self, name: str) -> int:
        return self.purse(name).card_fen

    # -- the counter ----------------------------------------------------------------------------------------

    def sell(self, name: str, fen: int, **how) -> Tapped:
        self.till.amount(fen)
        return self.tap(name, **how)

    def tap(
        self, name: str, *, leave_after: int | None = None, tear: Tear = Tear.PREFIX, stays: bool = False
    ) -> Tapped:
        """Hold a card to the reader until its tap has ended; what it came to."""
        self.reader.place(name, leave_after=leave_after, tear=tear)
        tapped = self.use()
        if not stays:
            self.reader.field.settle()
            self.take_away()
        return tapped

    def use(self) -> Tapped:
        """Let the till use the card that lies there."""
        assert self.till.wants_card
        self.events.clear()
        try:
            link = self.reader.wait_for_card(0)
        except SeveralCards:
            self.till.several()
        else:
            self.till.card(link)
        return next(event.tapped for event in self.events if isinstance(event, Ended))

    def take_away(self) -> None:
        self.reader.lift()
        if self.till.card_must_leave:
            heard = list(self.events)
            self.till.removed()
            self.events[:] = heard

    # -- what was seen and heard ----------------------------------------------------------------------------

    @property
    def face(self):
        return [event.face for event in self.events if isinstance(event, Shows)][-1]

    @property
    def shown(self) -> tuple[str, str, str, str]:
        face = self.face
        return face.led, face.line1.zh, face.line2.zh, face.lamp.value

    @property
    def sounds(self) -> list[str]:
        return [event.sound.value for event in self.events if isinstance(event, Sounds)]


def ended(tapped: Tapped) -> tuple[Ending, Refusal | None]:
    return tapped.ending, tapped.refusal
