"""Whether an offline sale whose write could not be read back stands on the card after all. Pure functions.

The till could not tell; the card can, once something later is proven on it. What the evidence does not settle stays
open: the record is kept and asked about again when the card was seen or another of its records came.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from purse.evidence import SideMirror, State


@dataclass(frozen=True, slots=True)
class Doubt:
    """What the record says that it wrote, and what else is known of the card. Amounts in fen."""

    state: State
    """The SPEND side as it stands if the write took."""
    fen: int
    offline: tuple[tuple[int, int], ...]
    """Number and amount of every other offline sale that is posted for this card."""
    online: frozenset[int]
    """The numbers that online purchases claim on it."""
    unexplained_fen: int | None
    """What the card lacks and no record explains (``OpenItems.offline_fen``); None for a card out of use."""
    levelled: bool
    """A levelling stands in for whatever was missing up to here, so that sums prove nothing any more."""
    traced: bool | None = None
    """Whether the card's own ring named this very sale under the number; None: no reader was told of the number."""


def settle(mirror: SideMirror, doubt: Doubt) -> bool | None:
    """True: the sale stands on the card. False: it does not. None: nothing later is proven, or not enough is known.

    Only the floor counts: what was merely shown may turn (docs/decisions/0006).
    """
    floor, state = mirror.floor, doubt.state
    if floor.seq < state.seq:
        return None
    if any(seq == state.seq for seq, _ in doubt.offline):
        return False  # another sale, read back, took the number
    if floor.seq == state.seq:
        return (floor.total_fen, floor.offline_fen) == (state.total_fen, state.offline_fen)
    if floor.offline_fen and floor.base_fen == state.base_fen:
        return _within_a_run(floor, doubt)
    return _below_an_online_write(mirror, doubt)


def _within_a_run(floor: State, doubt: Doubt) -> bool | None:
    """Later offline sales stand on top: each took the next number, so if all of them are here they tell."""
    later = [fen for seq, fen in doubt.offline if doubt.state.seq < seq <= floor.seq]
    if len(later) != floor.seq - doubt.state.seq:
        return None
    return doubt.state.offline_fen + sum(later) == floor.offline_fen


def _below_an_online_write(mirror: SideMirror, doubt: Doubt) -> bool | None:
    """An online write stands on top: what the books cannot explain is this sale, or it is not on the card."""
    if doubt.levelled or doubt.unexplained_fen is None or doubt.unexplained_fen < 0:
        return None
    if doubt.unexplained_fen < doubt.fen:
        return False
    if mirror.in_doubt or doubt.traced is False:
        return None
    if doubt.traced:
        return True
    if doubt.state.seq in doubt.online or not _complete_before(doubt):
        return None
    return True if doubt.unexplained_fen == doubt.fen else None


def _complete_before(doubt: Doubt) -> bool:
    """Whether the offline sales before this one are all here, so that what is missing is not one of theirs."""
    before_fen, seq, by_seq = doubt.state.offline_fen - doubt.fen, doubt.state.seq, dict(doubt.offline)
    while before_fen > 0 and (fen := by_seq.get(seq - 1)) is not None:
        before_fen, seq = before_fen - fen, seq - 1
    return before_fen == 0


def sales_of(claims: Iterable[tuple[int, bool, int]]) -> tuple[tuple[tuple[int, int], ...], frozenset[int]]:
    """Split claims (number, offline, fen) into ``Doubt.offline`` and ``Doubt.online``."""
    claims = tuple(claims)
    return (
        tuple((seq, fen) for seq, offline, fen in claims if offline),
        frozenset(seq for seq, offline, _ in claims if not offline),
    )
