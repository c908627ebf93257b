"""The enumerations of this room, for screens, which import no tables."""

from __future__ import annotations

from terminals.models import DayKind, JobKind, JobState, PlaceKind, TerminalKind

__all__ = ["DayKind", "JobKind", "JobState", "PlaceKind", "TerminalKind"]
