"""The one place where the staff pages take the university's numbers and keys from."""

from __future__ import annotations

from accounts.wiring import options, policy
from terminals.api import wiring
from terminals.services.keyring import Keyring

__all__ = ["keyring", "options", "policy"]


def keyring() -> Keyring:
    """The masters of this installation."""
    return wiring.keyring()
