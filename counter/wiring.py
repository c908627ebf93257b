"""The one place where the staff pages take the university's numbers and keys from."""

from __future__ import annotations

from accounts.wiring import options, policy
from terminals.api.wiring import keyring

__all__ = ["keyring", "options", "policy"]
