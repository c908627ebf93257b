"""A reader whose cards are files: ``sim:DIR`` with one ``DIR/NAME.json`` per card.

The file is the card. It is read when the card is placed and written through at every block write, so a card
goes from till to till, a copied file is a clone, and putting an old file back restores a dump.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from pathlib import Path

from purse.link import CardLink

from .base import ReaderState
from .field import NO_LATENCY, Fault, Field, Latency
from .model import ClassicCard
from .tearing import Tear

_NAME = re.compile(r"\A[0-9A-Za-z][0-9A-Za-z_-]{0,63}\Z")


class UnknownCard(LookupError):
    """There is no such card file; the name itself may be unusable."""


class FileCard(ClassicCard):
    """A card that lives in a file."""

    path: Path

    def save(self) -> None:
        """Write the card through to its file."""
        write_card(self.path, self)


class SimReader:
    """``terminals.device.reader.base.Reader`` over a folder of card files, and the hands that move the cards.

    ``seed`` makes torn writes and weak cells repeat; without it every card is seeded by its own UID. The
    hands (``place``, ``lift``, ``leave_after`` …) may work in another thread than the one that waits for
    cards.
    """

    def __init__(self, folder: Path, *, latency: Latency = NO_LATENCY, seed: int | None = None) -> None:
        self.folder = folder
        self.field = Field(latency=latency, saved=_save)
        self._seed = seed
        self._held: int | None = None

    # -- hands -----------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """The cards in the folder, in order of their names."""
        return sorted(path.stem for path in self.folder.glob("*.json") if _NAME.match(path.stem))

    def place(self, name: str, *, leave_after: int | None = None, tear: Tear = Tear.PREFIX) -> None:
        """Put ``DIR/name.json`` on the reader, with any card that is there already. Raises ``UnknownCard``.

        ``leave_after`` arms the pull before anyone can use the card.
        """
        card = self._load(name)
        with self.field.changed:
            for other in self.field.cards:
                if isinstance(other, FileCard) and other.path == card.path:
                    self.field.lift(other)
            self.field.place(card, fault=None if leave_after is None else Fault(leave_after, tear))

    def lift(self) -> None:
        """Take every card away."""
        self.field.lift()

    def swap(self, name: str) -> None:
        """Exchange the card for another so fast that the field is never seen empty. Raises ``UnknownCard``."""
        self.field.swap(self._load(name))

    def leave_after(
        self, operations: int, tear: Tear = Tear.PREFIX, *, keep: int | None = None, stays: bool = False
    ) -> None:
        """Let ``operations`` more card operations succeed, then pull the card in the middle of the next one.

        If that one is a write, the block is left as ``tear`` says (``Tear.AFTER``: executed, answer lost).
        With ``stays`` the card is only lost for a moment and can be selected again.
        """
        self.field.arm(Fault(operations, tear, keep, stays))

    # -- Reader ----------------------------------------------------------------------------------------------

    def wait_for_card(self, timeout: float) -> CardLink | None:
        deadline = time.monotonic() + timeout
        with self.field.changed:
            while not (self.field.plugged and self.field.cards):
                if not self.field.changed.wait(max(0.0, deadline - time.monotonic())) and _past(deadline):
                    return None
        link = self.field.select()
        self._held = None if link is None else link.generation
        return link

    def card_present(self) -> bool:
        return self.field.plugged and bool(self.field.cards)

    def wait_for_removal(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        self.field.settle()
        with self.field.changed:
            while self.card_present() and self._held in (None, self.field.generation):
                if not self.field.changed.wait(max(0.0, deadline - time.monotonic())) and _past(deadline):
                    return False
        return True

    def state(self) -> ReaderState:
        cards = len(self.field.cards)
        if not self.field.plugged:
            return ReaderState.NO_READER
        return ReaderState.EMPTY if cards == 0 else ReaderState.CARD if cards == 1 else ReaderState.SEVERAL

    def close(self) -> None:
        self.field.lift()

    # -- files -----------------------------------------------------------------------------------------------

    def _load(self, name: str) -> FileCard:
        path = self.folder / f"{name}.json"
        if not _NAME.match(name) or not path.is_file():
            raise UnknownCard(name)
        rng = None if self._seed is None else random.Random(f"{self._seed}/{name}")  # noqa: S311 - cells, not secrets
        card = FileCard.from_json(path.read_text(encoding="ascii"), rng=rng)
        card.path = path
        return card


def write_card(path: Path, card: ClassicCard) -> None:
    """Write a card file whole or not at all, so that another till never reads half a card."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    draft.write_text(card.to_json(), encoding="ascii")
    draft.replace(path)


def _save(card: ClassicCard) -> None:
    if isinstance(card, FileCard):
        card.save()


def _past(deadline: float) -> bool:
    return time.monotonic() >= deadline
