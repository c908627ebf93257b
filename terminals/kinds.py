"""The enumerations of this room, for screens, which import no tables."""

from __future__ import annotations

from terminals.models import JobKind, JobState, TerminalKind

__all__ = ["JobKind", "JobState", "TerminalKind"]
