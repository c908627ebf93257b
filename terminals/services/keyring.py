"""The keys of terminals and of other systems, derived when needed from the masters of this installation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from purse.keys import KeyBundle
from terminals.messages.signing import TerminalKeys, partner_secret, terminal_secret


@dataclass(frozen=True, slots=True)
class Keyring:
    """The masters by id, the first being the current one. ``card`` has every role key of the cards.

    New epochs are made from the current master; older masters stay in the ring for as long as terminals use them.
    """

    masters: Mapping[int, bytes] = field(repr=False)
    card: KeyBundle = field(repr=False)

    def secret(self, terminal: int, epoch: int) -> bytes:
        """K_term of a new epoch, for the answer to an enrolment."""
        return terminal_secret(next(iter(self.masters.values())), terminal, epoch)

    def candidates(self, terminal: int, epoch: int) -> Iterator[TerminalKeys]:
        """The keys that this terminal may hold for this epoch: one set for each master, the current one first."""
        return (_derive(master, terminal, epoch) for master in self.masters.values())

    def current(self, terminal: int, epoch: int) -> TerminalKeys:
        """The keys as made from the current master."""
        return next(self.candidates(terminal, epoch))

    def partner_secret(self, partner: int, epoch: int) -> bytes:
        """The secret of another system's new key, shown once."""
        return partner_secret(next(iter(self.masters.values())), partner, epoch)

    def partner_candidates(self, partner: int, epoch: int) -> tuple[TerminalKeys, ...]:
        """The keys that another system may hold for this epoch: one set for each master, the current one first."""
        return tuple(_derive_partner(master, partner, epoch) for master in self.masters.values())


@lru_cache(maxsize=256)
def _derive_partner(master: bytes, partner: int, epoch: int) -> TerminalKeys:
    return TerminalKeys.from_secret(partner_secret(master, partner, epoch))


@lru_cache(maxsize=4096)
def _derive(master: bytes, terminal: int, epoch: int) -> TerminalKeys:
    return TerminalKeys.derive(master, terminal, epoch)
