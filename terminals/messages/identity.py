"""What doors, gates, lending desks and PC rooms ask, and what they are told (docs/identity-api.md). Never money.

The door's own name is not asked for: together with the person and the hour it would be a record of who went where.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from terminals.messages.strictjson import WireError
from terminals.messages.taker import Taker

SINCE_MAX: Final = 2**53 - 1
_UID = re.compile(r"\A(?:[0-9a-f]{8}|[0-9a-f]{14})\Z")
_SINCE = re.compile(r"since=(0|[1-9][0-9]{0,15})")


class By(StrEnum):
    """By what somebody is looked up."""

    UID = "uid"
    ACCOUNT = "account"
    SCHOOL_NO = "school_no"


@dataclass(frozen=True, slots=True)
class IdentityRequest:
    """Whether somebody may use a service.

    ``campus``: where the door stands; None for a key of one campus. ``value``: a UID in lower-case hex, five digits or
    a school number, as ``by`` says. ``ident``: the card's identity block (16 bytes) for a reader that can read it.
    """

    service: str
    campus: str | None
    by: By
    value: str
    ident: bytes | None

    @classmethod
    def parse(cls, message: dict[str, Any]) -> IdentityRequest:
        """Raises ``WireError``."""
        take = Taker(message, "body")
        service = take.text("service", 20)
        campus = take.optional("campus", _code)
        by = take.text("by", 10)
        if by not in list(By):
            raise WireError("by", "须为 uid、account 或 school_no")
        value = take.text("value", 20)
        if by == By.UID and not _UID.match(value):
            raise WireError("value", "须为 4 或 7 字节卡号的小写十六进制")
        ident = take.optional("ident", _ident)
        if ident is not None and by != By.UID:
            raise WireError("ident", "只能与卡号一同提交")
        return take.done(cls(service, campus, By(by), value, ident))

    def to_json(self) -> dict[str, Any]:
        """The message."""
        return {
            "service": self.service,
            "campus": self.campus,
            "by": self.by.value,
            "value": self.value,
            "ident": self.ident.hex() if self.ident else None,
        }


@dataclass(frozen=True, slots=True)
class IdentityAnswer:
    """Yes, or no with a reason. What a key may not be told is null.

    ``offline_until_ms``: how long a door without the network may still say this yes by itself, to a card that is not on
    the list of refused ones.
    """

    allowed: bool
    reason: str | None
    message_zh: str
    message_en: str
    name: str | None
    school_no: str | None
    offline_until_ms: int | None
    server_ms: int

    def to_json(self) -> dict[str, Any]:
        """The message."""
        return {
            "allowed": self.allowed,
            "reason": self.reason,
            "message_zh": self.message_zh,
            "message_en": self.message_en,
            "name": self.name,
            "school_no": self.school_no,
            "offline_until_ms": self.offline_until_ms,
            "server_ms": self.server_ms,
        }


@dataclass(frozen=True, slots=True)
class DeniedAnswer:
    """What changed on the list of refused cards after a version: (UID, reason), or (UID, None) for one that is off it.

    ``whole``: forget what you had, this list begins anew. ``more``: ask again from ``version`` at once.
    """

    version: int
    whole: bool
    more: bool
    entries: tuple[tuple[str, str | None], ...]

    def to_json(self) -> dict[str, Any]:
        """The message."""
        return {
            "version": self.version,
            "whole": self.whole,
            "more": self.more,
            "entries": [list(entry) for entry in self.entries],
        }


def parse_since(query: str) -> int:
    """The version in ``since=N``, which has to be the whole query. Raises ``WireError``."""
    found = _SINCE.fullmatch(query)
    if found is None or int(found[1]) > SINCE_MAX:
        raise WireError("since", "须为 since= 加版本号，一次")
    return int(found[1])


def _code(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 40 or not value.isprintable():
        raise WireError("campus", "须为校区代码")
    return value


def _ident(value: object) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{32}", value):
        raise WireError("ident", "须为 16 字节的小写十六进制")
    return bytes.fromhex(value)
