"""The one place where the staff pages take the university's numbers from."""

from __future__ import annotations

from purse.policy import Policy


def policy() -> Policy:
    """The bounds in force."""
    return Policy()
