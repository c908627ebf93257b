"""The few centimetres above a reader: which cards lie there, and the moment one is pulled away.

Every operation on a simulated card passes through a ``Field``, which counts and logs it, lets it take its
time, and cuts it off where a test or the tear switch asks for it. Both the simulated reader and the virtual
card stand on it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from purse.link import CardGone, GarbledAnswer, KeySlot, LinkError, ReaderGone, SeveralCards

from .model import ClassicCard
from .tearing import Tear


class Kind(StrEnum):
    """The four operations of ``purse.link.CardLink``."""

    UID = "uid"
    AUTHENTICATE = "authenticate"
    READ = "read"
    WRITE = "write"


@dataclass(frozen=True)
class Operation:
    """One line of the log: the ``index``-th operation since the field was made, and how it ended for the caller."""

    kind: Kind
    block: int | None = None
    slot: KeySlot | None = None
    index: int = 0
    error: type[LinkError] | None = None


@dataclass(frozen=True)
class Latency:
    """Seconds each operation takes. ``RADIO`` has the figures of ``card.md``, without the reader's USB."""

    select_s: float = 0.0
    long_uid_s: float = 0.0
    authenticate_s: float = 0.0
    read_s: float = 0.0
    write_s: float = 0.0

    def of(self, kind: Kind, uid_bytes: int) -> float:
        """How long the card takes for one operation."""
        select = self.select_s + (self.long_uid_s if uid_bytes > 4 else 0.0)
        return {
            Kind.UID: select,
            Kind.AUTHENTICATE: self.authenticate_s,
            Kind.READ: self.read_s,
            Kind.WRITE: self.write_s,
        }[kind]


NO_LATENCY = Latency()
RADIO = Latency(select_s=0.0025, long_uid_s=0.001, authenticate_s=0.002, read_s=0.0025, write_s=0.0055)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the operation after ``after`` more that succeed.

    A write is left as ``tear`` says (``keep``: new bytes of a prefix). The card leaves the field unless it
    ``stays``: then it must be selected again. ``GarbledAnswer`` moves nothing, ``ReaderGone`` pulls the
    reader's cable.
    """

    after: int
    tear: Tear = Tear.PREFIX
    keep: int | None = None
    stays: bool = False
    error: type[LinkError] = CardGone


T = TypeVar("T")
Act = Callable[[ClassicCard], T]
Torn = Callable[[ClassicCard, Fault], None]


class Field:
    """The antenna of one reader. Thread-safe; ``changed`` is notified whenever cards or the reader come or go."""

    def __init__(
        self, *, latency: Latency = NO_LATENCY, saved: Callable[[ClassicCard], None] | None = None
    ) -> None:
        self.latency = latency
        self.log: list[Operation] = []
        self.changed = threading.Condition(threading.RLock())
        self.generation = 0
        """Grows whenever something comes or goes: a link is bound to one generation."""
        self.plugged = True
        self._saved = saved or (lambda card: None)
        self._cards: list[ClassicCard] = []
        self._fault: Fault | None = None
        self._counted = 0

    # -- hands -----------------------------------------------------------------------------------------------

    @property
    def cards(self) -> tuple[ClassicCard, ...]:
        """What lies in the field now."""
        return tuple(self._cards)

    def place(self, card: ClassicCard, *, fault: Fault | None = None) -> None:
        """Put a card into the field, beside any other; ``fault`` is armed together with it."""
        with self.changed:
            self._cards = [other for other in self._cards if other is not card] + [card]
            if fault is not None:
                self._fault, self._counted = fault, 0
            self._moved()

    def lift(self, card: ClassicCard | None = None) -> None:
        """Take one card, or all, out of the field, and disarm."""
        with self.changed:
            self._cards = [] if card is None else [other for other in self._cards if other is not card]
            self._fault = None
            self._moved()

    def swap(self, card: ClassicCard) -> None:
        """Exchange whatever is there for another card so fast that nobody sees an empty field."""
        with self.changed:
            self._cards = [card]
            self._moved()

    def arm(self, fault: Fault | None) -> None:
        """Let the operation after the next ``fault.after`` fail; None disarms."""
        with self.changed:
            self._fault, self._counted = fault, 0

    def plug(self, plugged: bool) -> None:
        """Pull the reader's own cable, or put it back."""
        with self.changed:
            self.plugged = plugged
            self._moved()

    def settle(self) -> None:
        """Pull the card now if only the pull is left of an armed fault, as a hand does after the last operation."""
        with self.changed:
            fault = self._fault
            if fault and not fault.stays and fault.error is CardGone and self._counted >= fault.after:
                self.lift()

    # -- the reader's side -----------------------------------------------------------------------------------

    def select(self) -> FieldLink | None:
        """Link the only card in the field, or say None. Raises ``SeveralCards``. Not an operation of the log."""
        with self.changed:
            if not self.plugged or not self._cards:
                return None
            if len(self._cards) > 1:
                raise SeveralCards(f"{len(self._cards)} cards")
            self._moved()
            card = self._cards[0]
        time.sleep(self.latency.of(Kind.UID, len(card.uid)))
        return FieldLink(self, card, self.generation)

    def perform(self, link: FieldLink, operation: Operation, act: Act[T], torn: Torn | None = None) -> T:
        """Do one operation of a link on its card, unless it is cut off; ``torn`` leaves the traces of a cut write."""
        time.sleep(self.latency.of(operation.kind, len(link.card.uid)))
        with self.changed:
            try:
                self._require(link)
                fault = self._due()
                if fault is not None:
                    self._cut(link.card, fault, torn)
                result = act(link.card)
            except LinkError as error:
                self._note(operation, type(error))
                raise
            self._note(operation)
            if torn is not None:
                self._saved(link.card)
            return result

    def _require(self, link: FieldLink) -> None:
        if not self.plugged:
            raise ReaderGone("unplugged")
        if len(self._cards) > 1:
            raise SeveralCards(f"{len(self._cards)} cards")
        if link.generation != self.generation:
            raise CardGone("the card was moved since this link was made")

    def _due(self) -> Fault | None:
        fault = self._fault
        if fault is None:
            return None
        if self._counted >= fault.after:
            self._fault = None
            return fault
        self._counted += 1
        return None

    def _cut(self, card: ClassicCard, fault: Fault, torn: Torn | None) -> None:
        if torn is not None:
            torn(card, fault)
            self._saved(card)
        if fault.error is not GarbledAnswer:
            if not fault.stays:
                self._cards = [] if fault.error is not ReaderGone else self._cards
                self.plugged = fault.error is not ReaderGone
            self._moved()
        raise fault.error(f"cut: {fault.tear}")

    def _note(self, operation: Operation, error: type[LinkError] | None = None) -> None:
        self.log.append(replace(operation, index=len(self.log), error=error))

    def _moved(self) -> None:
        self.generation += 1
        for card in self._cards:
            card.deselect()
        self.changed.notify_all()


class FieldLink:
    """``purse.link.CardLink`` to a simulated card, until anything in the field moves."""

    def __init__(self, field: Field, card: ClassicCard, generation: int) -> None:
        self.card = card
        self.generation = generation
        self._field = field

    def uid(self) -> bytes:
        return self._field.perform(self, Operation(Kind.UID), lambda card: card.uid)

    def authenticate(self, block: int, key: bytes, slot: KeySlot) -> None:
        operation = Operation(Kind.AUTHENTICATE, block, slot)
        self._field.perform(self, operation, lambda card: card.authenticate(block, key, slot))

    def read(self, block: int) -> bytes:
        return self._field.perform(self, Operation(Kind.READ, block), lambda card: card.read(block))

    def write(self, block: int, data: bytes) -> None:
        self._field.perform(
            self,
            Operation(Kind.WRITE, block),
            lambda card: card.write(block, data),
            lambda card, fault: card.write_torn(block, data, fault.tear, keep=fault.keep),
        )
