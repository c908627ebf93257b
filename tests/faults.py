"""Counts of the fault runs: every run says how many cases it had and how many broke a promise.

The counts end up as lines ``FAULTS name cases violations`` at the end of the test output, from whatever
process the test ran in.
"""

from __future__ import annotations

_reported: list[tuple[str, int, int]] = []


def report(name: str, cases: int, violations: int) -> None:
    """Note the outcome of one fault run; the same name may report several times and is summed up.

    Raises:
        ValueError: a run without cases proves nothing.
    """
    if cases < 1:
        raise ValueError(f"the fault run {name} had no cases")
    _reported.append((name, cases, violations))


def take() -> list[tuple[str, int, int]]:
    """Hand over what was reported since the last call."""
    taken = list(_reported)
    _reported.clear()
    return taken
