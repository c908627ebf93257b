"""The enumerations of this room, for screens, which import no tables."""

from __future__ import annotations

from accounts.models import (
    ClosingResult,
    ClosingState,
    DeedKind,
    DocumentKind,
    FoundEventKind,
    FoundHow,
    FoundState,
    HolderKind,
    NoticeKind,
    OperatorRole,
    PadState,
    PadTask,
    PhotoVerdict,
    PostState,
    RosterScope,
    RosterState,
    RosterVerdict,
    SecretKind,
    Service,
    ServiceKind,
)

__all__ = [
    "ClosingResult",
    "ClosingState",
    "DeedKind",
    "DocumentKind",
    "FoundEventKind",
    "FoundHow",
    "FoundState",
    "HolderKind",
    "NoticeKind",
    "OperatorRole",
    "PadState",
    "PadTask",
    "PhotoVerdict",
    "PostState",
    "RosterScope",
    "RosterState",
    "RosterVerdict",
    "SecretKind",
    "Service",
    "ServiceKind",
]
