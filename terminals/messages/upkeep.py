"""Messages that keep a terminal fit for work: enrolment, heartbeat, hotlist. Shapes as in docs/terminal-protocol.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from purse.keys import KeyBundle
from purse.policy import Policy
from purse.rules import Refusal
from terminals.messages.records import NUMBER_MAX
from terminals.messages.strictjson import WireError
from terminals.messages.taker import Taker, as_hex, as_integer

HOTLIST_PAGE = 2_000
LAST_SEEN_MAX = 5_000

NAME_MAX = 200
SEALED_MAX = 4_000


def policy_to_json(policy: Policy) -> dict[str, Any]:
    """Every number of the policy by name; durations in seconds, their names ending in ``_s``."""
    found: dict[str, Any] = {}
    for name in (item.name for item in fields(Policy)):
        value = getattr(policy, name)
        if isinstance(value, timedelta):
            found[f"{name}_s"] = int(value.total_seconds())
        else:
            found[name] = value
    return found


def parse_policy(data: object) -> Policy:
    """Inverse of ``policy_to_json``. Raises ``WireError``.

    The one lenient place of the wire, because tills and server are not updated in the same moment: a number that is
    missing takes its usual value, one that we do not know is left alone. What is there must still have its shape.
    """
    if not isinstance(data, Mapping):
        raise WireError("policy", "须为对象")
    usual = Policy()
    take = Taker({**policy_to_json(usual), **data}, "policy")
    found: dict[str, Any] = {}
    for name in (item.name for item in fields(Policy)):
        if isinstance(getattr(usual, name), timedelta):
            found[name] = timedelta(seconds=take.integer(f"{name}_s", 0, 2**31))
        elif isinstance(getattr(usual, name), bool):
            found[name] = take.boolean(name)
        else:
            found[name] = take.integer(name, 0, 2**31)
    return Policy(**found)


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """The one-time code, typed or pasted at the terminal. The only message without a signature."""

    code: str = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """``{"code"}``."""
        return {"code": self.code}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> EnrolRequest:
        """Inverse of ``to_json``."""
        take = Taker(data, "body")
        return take.done(cls(take.text("code", 60)))


@dataclass(frozen=True, slots=True)
class EnrolAnswer:
    """All that a terminal needs to work. ``secret`` is K_term in hex; ``card_keys`` a ``KeyBundle`` as JSON."""

    terminal: int
    epoch: int
    secret: str = field(repr=False)
    card_keys: Mapping[str, Any] = field(repr=False)
    kind: str
    name_zh: str
    name_en: str
    campus: str
    merchant: str
    may_sell_offline: bool
    policy: Policy
    server_ms: int

    def to_json(self) -> dict[str, Any]:
        """All fields by name, ``policy`` as in ``policy_to_json``."""
        return {
            "terminal": self.terminal,
            "epoch": self.epoch,
            "secret": self.secret,
            "card_keys": dict(self.card_keys),
            "kind": self.kind,
            "name_zh": self.name_zh,
            "name_en": self.name_en,
            "campus": self.campus,
            "merchant": self.merchant,
            "may_sell_offline": self.may_sell_offline,
            "policy": policy_to_json(self.policy),
            "server_ms": self.server_ms,
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> EnrolAnswer:
        """Inverse of ``to_json``."""
        take = Taker(data, "answer")
        card_keys = take.raw("card_keys")
        try:
            KeyBundle.from_json(card_keys)
        except (ValueError, AttributeError) as error:
            raise WireError("card_keys", "不是卡密钥") from error
        found = cls(
            terminal=take.integer("terminal", 1, 2**32 - 1),
            epoch=take.integer("epoch", 1, 2**32 - 1),
            secret=take.hex("secret", 32),
            card_keys=card_keys,
            kind=take.text("kind", 20),
            name_zh=take.text("name_zh", NAME_MAX),
            name_en=take.text("name_en", NAME_MAX),
            campus=take.text("campus", NAME_MAX),
            merchant=take.text("merchant", NAME_MAX),
            may_sell_offline=take.boolean("may_sell_offline"),
            policy=parse_policy(take.raw("policy")),
            server_ms=take.integer("server_ms", 0, NUMBER_MAX),
        )
        return take.done(found)

    @property
    def bundle(self) -> KeyBundle:
        """The card keys, ready for ``purse.procedures``."""
        return KeyBundle.from_json(self.card_keys)


@dataclass(frozen=True, slots=True)
class HeartbeatRequest:
    """How a terminal does, once a minute. ``journal_seq`` and ``journal_mac`` name the last record of its journal."""

    journal: str
    journal_seq: int
    journal_mac: str
    unsent: int
    hotlist_version: int
    offset_ms: int
    free_mb: int

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> HeartbeatRequest:
        """Inverse of ``to_json``."""
        take = Taker(data, "body")
        found = cls(
            journal=take.hex("journal", 16),
            journal_seq=take.integer("journal_seq", 0, NUMBER_MAX),
            journal_mac=take.hex("journal_mac", 32),
            unsent=take.integer("unsent", 0, 2**31 - 1),
            hotlist_version=take.integer("hotlist_version", 0, NUMBER_MAX),
            offset_ms=take.integer("offset_ms", -NUMBER_MAX, NUMBER_MAX),
            free_mb=take.integer("free_mb", 0, 2**31 - 1),
        )
        return take.done(found)


@dataclass(frozen=True, slots=True)
class HeartbeatAnswer:
    """What may have changed for the terminal since it was enrolled.

    ``again_from``: the server has no record of the journal from this number on, whatever it said before: it was
    restored to an older state. Left out of the message where nothing is lacking.
    """

    server_ms: int
    hotlist_version: int
    may_sell_offline: bool
    policy: Policy
    again_from: int | None = None

    def to_json(self) -> dict[str, Any]:
        """All fields by name, ``policy`` as in ``policy_to_json``."""
        lacking = {} if self.again_from is None else {"again_from": self.again_from}
        return lacking | {
            "server_ms": self.server_ms,
            "hotlist_version": self.hotlist_version,
            "may_sell_offline": self.may_sell_offline,
            "policy": policy_to_json(self.policy),
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> HeartbeatAnswer:
        """Inverse of ``to_json``."""
        take = Taker(data, "answer")
        found = cls(
            server_ms=take.integer("server_ms", 0, NUMBER_MAX),
            hotlist_version=take.integer("hotlist_version", 0, NUMBER_MAX),
            may_sell_offline=take.boolean("may_sell_offline"),
            policy=parse_policy(take.raw("policy")),
            again_from=take.integer("again_from", 1, NUMBER_MAX) if "again_from" in data else None,
        )
        return take.done(found)


@dataclass(frozen=True, slots=True)
class KeysAnswer:
    """The card keys that go with this terminal's present rights; ``sealed`` as in ``signing.seal_keys``."""

    sealed: str = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """``{"sealed"}``."""
        return {"sealed": self.sealed}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> KeysAnswer:
        """Inverse of ``to_json``."""
        take = Taker(data, "answer")
        return take.done(cls(take.text("sealed", SEALED_MAX)))


@dataclass(frozen=True, slots=True)
class HotlistRequest:
    """What changed after version ``have`` (0 = nothing here yet), and cards seen anywhere since ``seen_since_ms``."""

    have: int
    seen_since_ms: int = 0

    def to_json(self) -> dict[str, Any]:
        """``{"have", "seen_since_ms"}``."""
        return {"have": self.have, "seen_since_ms": self.seen_since_ms}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> HotlistRequest:
        """Inverse of ``to_json``."""
        take = Taker(data, "body")
        found = cls(take.integer("have", 0, NUMBER_MAX), take.integer("seen_since_ms", 0, NUMBER_MAX))
        return take.done(found)


@dataclass(frozen=True, slots=True)
class HotlistAnswer:
    """Changes in order. A card with ``refusal`` None left the list. ``more``: ask again with ``have=version``.

    ``whole``: the list starts anew; forget the one at hand (none, or the server was restored to an older state).
    ``seen`` maps the UID of a card to the spend sequence proven last; a card that shows less is a restored dump.
    """

    version: int
    whole: bool
    more: bool
    entries: tuple[tuple[str, Refusal | None], ...]
    seen: tuple[tuple[str, int], ...]
    seen_until_ms: int

    def to_json(self) -> dict[str, Any]:
        """``{"version", "whole", "more", "entries": [[uid, refusal|null]], "seen": [[uid, seq]], "seen_until_ms"}``."""
        return {
            "version": self.version,
            "whole": self.whole,
            "more": self.more,
            "entries": [[uid, refusal.value if refusal else None] for uid, refusal in self.entries],
            "seen": [list(pair) for pair in self.seen],
            "seen_until_ms": self.seen_until_ms,
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> HotlistAnswer:
        """Inverse of ``to_json``."""
        take = Taker(data, "answer")
        found = cls(
            version=take.integer("version", 0, NUMBER_MAX),
            whole=take.boolean("whole"),
            more=take.boolean("more"),
            entries=tuple(_entry(item) for item in take.items("entries", HOTLIST_PAGE)),
            seen=tuple(_seen(item) for item in take.items("seen", LAST_SEEN_MAX)),
            seen_until_ms=take.integer("seen_until_ms", 0, NUMBER_MAX),
        )
        return take.done(found)


def _entry(value: object) -> tuple[str, Refusal | None]:
    uid, refusal = _pair(value, "entries")
    try:
        return as_hex(uid, "entries"), None if refusal is None else Refusal(str(refusal))
    except ValueError as error:
        raise WireError("entries", "未知的拒绝原因") from error


def _seen(value: object) -> tuple[str, int]:
    uid, seq = _pair(value, "seen")
    return as_hex(uid, "seen"), as_integer(seq, "seen", 0, 0xFFFF)


def _pair(value: object, name: str) -> tuple[Any, Any]:
    if not isinstance(value, list) or len(value) != 2:
        raise WireError(name, "须为两项的列表")
    return value[0], value[1]
