"""The tables of this room, by what they answer.

``people``: who (Campus, Holder, Operator). ``standing``: Account, Card, LossReport. ``secrets``: passwords
and the counters that protect them (Secret, Attempt, LoginRecord). ``audit``: who did what (AuditEvent), never
changed. ``policy``: the university's numbers from when on (PolicyChange, PolicyWithdrawal), never changed.
"""

from __future__ import annotations

from .audit import AuditEvent
from .people import Campus, DocumentKind, Holder, HolderKind, Operator, OperatorRole
from .policy import NOTICE, PolicyChange, PolicyWithdrawal
from .secrets import Attempt, Budget, LoginRecord, Secret, SecretKind
from .standing import (
    LIVE_CARD,
    Account,
    AccountLife,
    Card,
    CardLife,
    LossReport,
    ServiceKind,
)

__all__ = [
    "LIVE_CARD",
    "NOTICE",
    "Account",
    "AccountLife",
    "Attempt",
    "AuditEvent",
    "Budget",
    "Campus",
    "Card",
    "CardLife",
    "DocumentKind",
    "Holder",
    "HolderKind",
    "LoginRecord",
    "LossReport",
    "Operator",
    "OperatorRole",
    "PolicyChange",
    "PolicyWithdrawal",
    "Secret",
    "SecretKind",
    "ServiceKind",
]
