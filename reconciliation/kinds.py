"""The enumerations of this room, for screens, which import no tables."""

from __future__ import annotations

from reconciliation.models import (
    CaseState,
    DecisionAction,
    DisputeEventKind,
    DisputeKind,
    DisputeState,
    Mismatch,
    NoteKind,
    Proposal,
)
from reconciliation.models_desk import Needs, Verdict

__all__ = [
    "CaseState",
    "DecisionAction",
    "DisputeEventKind",
    "DisputeKind",
    "DisputeState",
    "Mismatch",
    "Needs",
    "NoteKind",
    "Proposal",
    "Verdict",
]
