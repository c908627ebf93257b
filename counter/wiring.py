"""The one place where the staff pages take the university's numbers from."""

from __future__ import annotations

from accounts.wiring import options, policy

__all__ = ["options", "policy"]
