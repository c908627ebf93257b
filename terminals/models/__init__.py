"""The tables of this room, by what they answer.

``machines``: which terminals there are, and when each was last heard of. ``hotlist``: which cards offline tills refuse.
``uploads``: journal records as they came, and what became of them. ``jobs``: what a desk is asked to do with a card.
``events``: what somebody should look at. ``places``: where people are served, and on which days not.
``partners``: other systems that ask who may in.
"""

from __future__ import annotations

from .events import BadSignature, GapRest, SecurityEvent, SecurityEventKind
from .hotlist import Hotlist, HotlistEntry
from .jobs import OPEN_STATES, CardJob, CardJobStep, JobKind, JobState
from .machines import EnrolmentCode, Terminal, TerminalContact, TerminalKind
from .partners import ASKABLE, DoorRefusal, Partner, PartnerContact, PartnerDay, PartnerNonce
from .places import DayKind, PlaceKind, ServicePoint, SpecialDay
from .uploads import OPEN_VERDICT, Settled, UploadDecision, UploadedRecord, UploadVerdict

__all__ = [
    "ASKABLE",
    "OPEN_STATES",
    "OPEN_VERDICT",
    "BadSignature",
    "CardJob",
    "CardJobStep",
    "DayKind",
    "DoorRefusal",
    "EnrolmentCode",
    "GapRest",
    "Hotlist",
    "HotlistEntry",
    "JobKind",
    "JobState",
    "Partner",
    "PartnerContact",
    "PartnerDay",
    "PartnerNonce",
    "PlaceKind",
    "SecurityEvent",
    "SecurityEventKind",
    "ServicePoint",
    "Settled",
    "SpecialDay",
    "Terminal",
    "TerminalContact",
    "TerminalKind",
    "UploadDecision",
    "UploadVerdict",
    "UploadedRecord",
]
