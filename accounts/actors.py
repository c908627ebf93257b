"""Who does something, and through which door. Goes into every write and into the audit.

What must not be possible at a door is not offered there by type: ``AtCounter`` and ``AtLoadKiosk`` can only
be made from what happens at those two places, and the services that the guide keeps to them (un-loss, limit)
ask for one of the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from accounts.models import DocumentKind, OperatorRole, SecretKind
from accounts.papers import PaperKind


class Channel(StrEnum):
    """The doors of the system."""

    WEB = "web"
    PHONE = "phone"
    QUERY_KIOSK = "query_kiosk"
    LOAD_KIOSK = "load_kiosk"
    POS = "pos"
    COUNTER = "counter"
    CASHIER = "cashier"
    SYSTEM = "system"
    """Commands and cron."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who: ``operator:<id>``, ``holder:<uid>``, ``terminal:<id>`` or ``system:<command>``; never a name."""

    who: str
    role: str
    channel: Channel
    place: str = ""
    """Terminal or network address."""

    @classmethod
    def holder(cls, uid: object, *, channel: Channel, place: str = "") -> Actor:
        """A holder who serves himself."""
        return cls(f"holder:{uid}", "holder", channel, place)

    @classmethod
    def operator(cls, operator_id: int, *, role: str, channel: Channel, place: str = "") -> Actor:
        """A member of staff."""
        return cls(f"operator:{operator_id}", role, channel, place)

    @classmethod
    def system(cls, command: str) -> Actor:
        """A command or cron job."""
        return cls(f"system:{command}", "system", Channel.SYSTEM)


class WrongDoor(Exception):
    """A programme tried to pass one door off as another, or acted without the proof that the door asks for."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A password was right:

    whose, which one, where, when. Made by ``services.login`` and ``services.passwords``.
    """

    account_id: int
    kind: SecretKind
    channel: Channel
    at: datetime

    def covers(self, account_id: int, kind: SecretKind, *, now: datetime, lifetime: timedelta) -> bool:
        """Whether it speaks for this account and password and is not older than ``lifetime``."""
        return (self.account_id, self.kind) == (account_id, kind) and timedelta(
            0
        ) <= now - self.at <= lifetime


@dataclass(frozen=True, slots=True)
class AtCounter:
    """Served by a clerk or supervisor at a center desk who has seen a document (guide L141, L145)."""

    actor: Actor
    document: DocumentKind | PaperKind
    card_on_reader: bool = False
    """Whether the desk reader shows *that* card of the account."""
    own_holder_id: int | None = None
    """The clerk's own holder row, if any: nobody serves himself."""
    document_note: str = ""
    """How the document was checked, for the audit (``services.papers``); empty where none was asked for."""

    def __post_init__(self) -> None:
        if self.actor.channel is not Channel.COUNTER:
            raise WrongDoor(f"{self.actor.channel} is not the counter")
        if self.actor.role not in {OperatorRole.CLERK, OperatorRole.SUPERVISOR}:
            raise WrongDoor(f"{self.actor.role} does not serve at the counter")

    @property
    def noted(self) -> dict[str, str]:
        """What the audit keeps of the document: its kind, and whether the register agreed. Never an identity number."""
        if not self.document_note:
            return {}
        return {"document": self.document.value, "document_check": self.document_note}


@dataclass(frozen=True, slots=True)
class AtLoadKiosk:
    """At a load kiosk, with a password just proven there (guide L55, L63)."""

    actor: Actor
    proof: Proof

    LIFETIME: ClassVar[timedelta] = timedelta(minutes=3)
    """A session at a kiosk lasts three minutes at most."""

    def __post_init__(self) -> None:
        if self.actor.channel is not Channel.LOAD_KIOSK or self.proof.channel is not Channel.LOAD_KIOSK:
            raise WrongDoor(f"{self.actor.channel} is not a load kiosk")

    def require(self, account_id: int, kind: SecretKind, *, now: datetime) -> None:
        """Raise ``WrongDoor`` unless the proof covers this account and password now."""
        if not self.proof.covers(account_id, kind, now=now, lifetime=self.LIFETIME):
            raise WrongDoor("the password of this session does not cover the deed")
