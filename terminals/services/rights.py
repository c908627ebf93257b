"""Which machine may ask what, and which card keys it is given. A kind that is not named may nothing."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from purse.keys import OFFLINE_TILL, ONLINE_TILL, KeyBundle, Role
from terminals.models import TerminalKind


class Call(StrEnum):
    """The signed calls of the terminal API; the value is the last part of the address."""

    DEBIT = "debit"
    VOID = "void"
    SIGHTING = "sighting"
    OUTCOMES = "outcomes"
    UPLOAD = "upload"
    HEARTBEAT = "heartbeat"
    HOTLIST = "hotlist"
    JOB = "job"
    JOB_PROGRESS = "job_progress"
    JOB_CARD = "job_card"
    JOB_RESULT = "job_result"
    KEYS = "keys"


_ALWAYS: Final = frozenset({Call.HEARTBEAT, Call.SIGHTING})
_JOBS: Final = frozenset({Call.JOB, Call.JOB_PROGRESS, Call.JOB_CARD, Call.JOB_RESULT})
"""Only a desk is asked to do things with cards."""
_ALLOWED: Final[Mapping[TerminalKind, frozenset[Call]]] = {
    TerminalKind.TILL: frozenset(Call) - _JOBS,
    TerminalKind.DESK: _ALWAYS | _JOBS | {Call.OUTCOMES, Call.HOTLIST},
    TerminalKind.KIOSK: _ALWAYS | {Call.OUTCOMES},
    TerminalKind.QUERY_KIOSK: _ALWAYS,
    TerminalKind.DOOR: _ALWAYS | {Call.HOTLIST},
}
_ROLES: Final[Mapping[TerminalKind, frozenset[Role]]] = {
    TerminalKind.TILL: ONLINE_TILL,
    TerminalKind.DESK: frozenset({Role.READ, Role.SPEND, Role.LOAD, Role.CENTER}),
    TerminalKind.KIOSK: frozenset({Role.READ, Role.SPEND, Role.LOAD}),
    TerminalKind.QUERY_KIOSK: frozenset({Role.READ}),
    TerminalKind.DOOR: frozenset({Role.READ}),
}


def allowed(kind: str, call: Call) -> bool:
    """Say whether machines of this kind may make this call."""
    return call in _ALLOWED.get(TerminalKind(kind), frozenset())


def card_keys(kind: str, *, may_sell_offline: bool, every_key: KeyBundle) -> KeyBundle:
    """The card keys that a machine of this kind is given. Only a till that sells offline ever holds MAC keys."""
    return every_key.only(OFFLINE_TILL if may_sell_offline else _ROLES[TerminalKind(kind)])
