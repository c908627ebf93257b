"""The enumerations of this room, for screens, which import no tables."""

from __future__ import annotations

from accounts.models import DocumentKind, HolderKind, OperatorRole, SecretKind

__all__ = ["DocumentKind", "HolderKind", "OperatorRole", "SecretKind"]
