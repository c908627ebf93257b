"""The cards on campus and whose hands they are in. A card lies on one reader at a time; a clone is another card."""

from __future__ import annotations

import random
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from purse.keys import KeyBundle
from purse.procedures import ClassicDriver, decode
from terminals.device.reader.sim import SimReader


@dataclass(slots=True)
class Plastic:
    """One piece of plastic, its file ``name.json``. ``pin``: the consumption password, if its bearer knows it."""

    name: str
    account: int
    pin: str = ""
    tampered: bool = False
    """A clone, its original, or a card with a restored dump: what it shows proves nothing about its holder."""


class Crowd:
    """Everybody with a card. Thread-safe."""

    def __init__(self, folder: Path, plastics: list[Plastic]) -> None:
        self.folder = folder
        self._plastics = plastics
        self._held: dict[str, Plastic] = {}
        self._lock = threading.Lock()

    @property
    def all(self) -> tuple[Plastic, ...]:
        """Every card, clones included."""
        return tuple(self._plastics)

    def take(self, chance: random.Random) -> Plastic | None:
        """Somebody steps up to a till: a card that lies on no reader now."""
        place = chance.randrange(len(self._plastics))
        with self._lock:
            for shift in range(len(self._plastics)):
                plastic = self._plastics[(place + shift) % len(self._plastics)]
                if plastic.name not in self._held:
                    self._held[plastic.name] = plastic
                    return plastic
        return None

    def take_this(self, plastic: Plastic) -> bool:
        """Take a certain card, if it lies on no reader."""
        with self._lock:
            free = plastic.name not in self._held
            if free:
                self._held[plastic.name] = plastic
            return free

    def give_back(self, plastic: Plastic) -> None:
        """He leaves."""
        with self._lock:
            self._held.pop(plastic.name, None)

    def in_use(self) -> Plastic | None:
        """A card that lies on a reader at this moment."""
        with self._lock:
            return next(iter(self._held.values()), None)

    def clone(self, plastic: Plastic) -> Plastic:
        """Copy a card that is in nobody's hands; both are at work from now on."""
        copy = Plastic(f"{plastic.name}x", plastic.account, plastic.pin, tampered=True)
        shutil.copy(self.file(plastic), self.file(copy))
        plastic.tampered = True
        with self._lock:
            self._plastics.append(copy)
        return copy

    def dump(self, plastic: Plastic) -> str:
        """What stands on a card now, to be put back later."""
        return self.file(plastic).read_text()

    def restore(self, plastic: Plastic, dump: str) -> None:
        """Put an old content back."""
        self.file(plastic).write_text(dump)
        plastic.tampered = True

    def file(self, plastic: Plastic) -> Path:
        """Where this card lives."""
        return self.folder / f"{plastic.name}.json"

    def card_fen(self, plastic: Plastic, keys: KeyBundle) -> int:
        """What a card holds, read by the centre's keys from a copy, so that weak cells stay as they are."""
        with_copy = self.folder.with_name("looked-at")
        with_copy.mkdir(exist_ok=True)
        shutil.copy(self.file(plastic), with_copy / self.file(plastic).name)
        reader = SimReader(with_copy)
        reader.place(plastic.name)
        link = reader.wait_for_card(0)
        if link is None:
            raise RuntimeError("a card that was just placed is not there")
        return decode(ClassicDriver(link, keys).read_purse(), keys).card_fen
