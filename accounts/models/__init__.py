"""The tables of this room, by what they answer.

``people``: who (Campus, Holder, Operator). ``standing``: Account, Card, LossReport. ``secrets``: passwords
and the counters that protect them (Secret, Attempt, LoginRecord). ``audit``: who did what (AuditEvent), never
changed. ``policy``: the university's numbers from when on (PolicyChange, PolicyWithdrawal), never changed.
``approvals``: what takes two people (Request …). ``sessions``: where the staff are signed in (StaffSession).
``deeds``: what a desk did with an account and its card (CounterDeed). ``rights``: services granted (ServiceGrant).
``alerts``: what a holder wants to hear of, where to, and the letters on their way.
``found``: lost cards and found ones (FoundCard, FoundEvent, LostPost, FinderReport). ``notices``: holders are told.
``pinpad``: passwords that a holder is asked to key at a desk (PadRequest).
``runs``: what cron did (JobRun).
"""

from __future__ import annotations

from .alerts import (
    GUESSES,
    HIGHEST_ALERT_FEN,
    AlertChoice,
    AlertContact,
    AlertDelivery,
    AlertGroup,
    AlertScan,
    AlertWay,
    DeliveryState,
)
from .approvals import Request, RequestNeeds, RequestResult, RequestRuling, RequestVerdict
from .audit import STANDING_DEEDS, AuditEvent, AuditSeal
from .deeds import CounterDeed, DeedKind
from .found import (
    FinderReport,
    FoundCard,
    FoundEvent,
    FoundEventKind,
    FoundHow,
    FoundState,
    LostPost,
    PostState,
)
from .notices import ALERT_KINDS, Notice, NoticeKind
from .people import Campus, DocumentKind, Holder, HolderKind, Operator, OperatorRole
from .photos import Photo, PhotoItem, PhotoUpload, PhotoVerdict
from .pinpad import OPEN_PAD, PadRequest, PadState, PadTask
from .policy import NOTICE, PolicyChange, PolicyWithdrawal
from .rights import IDENTIFYING, Service, ServiceGrant
from .roster import (
    ROSTER_ENDED,
    ROSTER_UNDER_WAY,
    ClosingBatch,
    ClosingItem,
    ClosingResult,
    ClosingState,
    IssueBatch,
    IssueItem,
    RosterFile,
    RosterMember,
    RosterRow,
    RosterScope,
    RosterState,
    RosterVerdict,
)
from .runs import RUN_LOCK, JobRun, RunResult
from .secrets import Attempt, Budget, LoginRecord, Secret, SecretKind
from .sessions import StaffSession
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
    "ALERT_KINDS",
    "GUESSES",
    "HIGHEST_ALERT_FEN",
    "IDENTIFYING",
    "LIVE_CARD",
    "NOTICE",
    "OPEN_PAD",
    "ROSTER_ENDED",
    "ROSTER_UNDER_WAY",
    "RUN_LOCK",
    "STANDING_DEEDS",
    "Account",
    "AccountLife",
    "AlertChoice",
    "AlertContact",
    "AlertDelivery",
    "AlertGroup",
    "AlertScan",
    "AlertWay",
    "Attempt",
    "AuditEvent",
    "AuditSeal",
    "Budget",
    "Campus",
    "Card",
    "CardLife",
    "ClosingBatch",
    "ClosingItem",
    "ClosingResult",
    "ClosingState",
    "CounterDeed",
    "DeedKind",
    "DeliveryState",
    "DocumentKind",
    "FinderReport",
    "FoundCard",
    "FoundEvent",
    "FoundEventKind",
    "FoundHow",
    "FoundState",
    "Holder",
    "HolderKind",
    "IssueBatch",
    "IssueItem",
    "JobRun",
    "LoginRecord",
    "LossReport",
    "LostPost",
    "Notice",
    "NoticeKind",
    "Operator",
    "OperatorRole",
    "PadRequest",
    "PadState",
    "PadTask",
    "Photo",
    "PhotoItem",
    "PhotoUpload",
    "PhotoVerdict",
    "PolicyChange",
    "PolicyWithdrawal",
    "PostState",
    "Request",
    "RequestNeeds",
    "RequestResult",
    "RequestRuling",
    "RequestVerdict",
    "RosterFile",
    "RosterMember",
    "RosterRow",
    "RosterScope",
    "RosterState",
    "RosterVerdict",
    "RunResult",
    "Secret",
    "SecretKind",
    "Service",
    "ServiceGrant",
    "ServiceKind",
    "StaffSession",
]
