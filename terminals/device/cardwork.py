"""The writes of one operation key on one card: carried out in order, taken up again after a tear."""

from __future__ import annotations

from dataclasses import dataclass, field

from purse.evidence import Side
from purse.keys import KeyBundle
from purse.link import LinkError
from purse.procedures import ClassicDriver, Outcome, SlotWrite
from terminals.device.offline import Plan
from terminals.messages.wire import OperationKey

ATTEMPTS = 3
"""How often a write is tried while the card lies still; a weak cell may need a second charge."""


@dataclass(slots=True)
class Work:
    """What one key still has to write, and all that is needed to say how it ended."""

    key: OperationKey
    uid: bytes
    fen: int
    void: bool = False
    asked: bool = True
    """Whether the server may know this key."""
    plan: Plan | None = None
    """The offline sale that this is, None online."""
    left: list[SlotWrite] = field(default_factory=list)
    keys: KeyBundle | None = field(default=None, repr=False)
    card_fen: int = 0
    book_fen: int | None = None
    claimed_fen: int = 0
    remembered: bool = False
    """The ring on the card names this offline sale."""
    begun: bool = False
    """A first attempt was made: from now on every write is resolved, never blindly repeated."""
    touched: bool = False
    """Something of this key is, or may be, on the card."""
    spend_seq: int = 0
    """The spend sequence that was read back."""


def carry_out(driver: ClassicDriver, work: Work) -> Outcome:
    """Write what is left, in order, with every write read back. The card must be the one of the work.

    ``NotWritten``: the write that failed is certainly not there (earlier ones may be: see ``work.touched``).
    """
    again, work.begun = work.begun, True
    if work.plan is not None and not work.remembered:
        try:
            driver.remember_offline(work.uid, work.plan.ring, work.plan.ring_seq)
        except LinkError:
            return Outcome.NOT_WRITTEN
        work.remembered = True
    while work.left:
        write = work.left[0]
        outcome = _write(driver, write, work.uid, again=again)
        if outcome is not Outcome.NOT_WRITTEN:
            work.touched = True
        if outcome is not Outcome.CONFIRMED:
            return outcome
        if write.side is Side.SPEND:
            work.spend_seq = write.seq
        work.left.pop(0)
    return Outcome.CONFIRMED


def _write(driver: ClassicDriver, write: SlotWrite, uid: bytes, *, again: bool) -> Outcome:
    outcome = driver.resolve(write, uid) if again else driver.commit(write, uid)
    for _ in range(ATTEMPTS - 1):
        if outcome is not Outcome.UNKNOWN or not _lies_there(driver, uid):
            break
        outcome = driver.resolve(write, uid)
    return outcome


def _lies_there(driver: ClassicDriver, uid: bytes) -> bool:
    try:
        return driver.identify() == uid
    except LinkError:
        return False
