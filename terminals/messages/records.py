"""Journal records as terminals upload them: each signed, each naming the one before it, kept for ever as they came.

A record is one flat JSON object; its ``mac`` covers the canonical JSON of everything else (``signing.document_mac``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from purse.procedures import Outcome
from terminals.messages.signing import document_mac
from terminals.messages.strictjson import WireError
from terminals.messages.taker import Taker

RECORD_VERSION = 1
MAX_RECORDS = 200
NUMBER_MAX = 2**53

_MAC = re.compile(r"\A[0-9a-f]{64}\Z")
_SEQ_MAX = 0xFFFF
_TOTAL_MAX = 0xFFFF_FFFF


class RecordKind(StrEnum):
    """What a record tells of. ``boot`` and ``close`` carry no sale; they prove where a journal begins and ends."""

    SALE = "sale"
    BOOT = "boot"
    CLOSE = "close"


class Result(StrEnum):
    """What became of an uploaded record. Each of them means: the server keeps it, do not send it again."""

    POSTED = "posted"
    DUPLICATE = "duplicate"
    SUSPECT = "suspect"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Sale:
    """An offline sale. ``key_seq`` is the seq of its operation key; totals in fen as they stood on the card."""

    key_seq: int
    uid: str
    account: int
    fen: int
    card_seq_before: int
    card_seq_after: int
    spend_total_before: int
    spend_total_after: int
    offline_spent_after: int
    """Spent offline since the card's last online write, this sale included; tells on which online state it stands."""
    load_total: int
    outcome: Outcome

    def to_json(self) -> dict[str, Any]:
        """The part of a record that only sales have."""
        return {
            "key_seq": self.key_seq,
            "uid": self.uid,
            "account": self.account,
            "fen": self.fen,
            "card_seq_before": self.card_seq_before,
            "card_seq_after": self.card_seq_after,
            "spend_total_before": self.spend_total_before,
            "spend_total_after": self.spend_total_after,
            "offline_spent_after": self.offline_spent_after,
            "load_total": self.load_total,
            "outcome": self.outcome.value,
        }

    @classmethod
    def take(cls, take: Taker) -> Sale:
        """Take the fields of a sale out of a record."""
        uid, outcome = take.hex("uid"), take.text("outcome", 20)
        if len(uid) not in (8, 14):
            raise WireError("uid", "须为 4 或 7 字节")
        if outcome not in {member.value for member in Outcome}:
            raise WireError("outcome", "未知的结果")
        return cls(
            key_seq=take.integer("key_seq", 1, NUMBER_MAX),
            uid=uid,
            account=take.integer("account", 0, 99_999),
            fen=take.fen("fen"),
            card_seq_before=take.integer("card_seq_before", 0, _SEQ_MAX),
            card_seq_after=take.integer("card_seq_after", 0, _SEQ_MAX),
            spend_total_before=take.integer("spend_total_before", 0, _TOTAL_MAX),
            spend_total_after=take.integer("spend_total_after", 0, _TOTAL_MAX),
            offline_spent_after=take.integer("offline_spent_after", 0, _SEQ_MAX),
            load_total=take.integer("load_total", 0, _TOTAL_MAX),
            outcome=Outcome(outcome),
        )


@dataclass(frozen=True, slots=True)
class Clocks:
    """The times of a record: corrected wall clock, the clock as it stood, time since boot, and the known error."""

    at_ms: int
    wall_ms: int
    mono_ms: int
    offset_ms: int

    def to_json(self) -> dict[str, Any]:
        """``at_ms``, ``wall_ms``, ``mono_ms``, ``offset_ms``; Unix milliseconds but for the last two."""
        return {
            "at_ms": self.at_ms,
            "wall_ms": self.wall_ms,
            "mono_ms": self.mono_ms,
            "offset_ms": self.offset_ms,
        }

    @classmethod
    def take(cls, take: Taker) -> Clocks:
        """Take the times out of a record."""
        return cls(
            at_ms=take.integer("at_ms", 0, NUMBER_MAX),
            wall_ms=take.integer("wall_ms", 0, NUMBER_MAX),
            mono_ms=take.integer("mono_ms", 0, NUMBER_MAX),
            offset_ms=take.integer("offset_ms", -NUMBER_MAX, NUMBER_MAX),
        )


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a journal. ``seq`` counts the journal's records from 1 without a gap."""

    terminal: int
    journal: str
    seq: int
    kind: RecordKind
    clocks: Clocks
    hotlist_version: int
    prev_mac: str
    """``mac`` of the record before, ``signing.NO_RECORD_MAC`` in the first."""
    sale: Sale | None = None
    mac: str = field(default="", repr=False)

    def to_json(self) -> dict[str, Any]:
        """One flat object with ``mac``, empty while the record is not signed."""
        return {
            "v": RECORD_VERSION,
            "terminal": self.terminal,
            "journal": self.journal,
            "seq": self.seq,
            "kind": self.kind.value,
            "hotlist_version": self.hotlist_version,
            "prev_mac": self.prev_mac,
            "mac": self.mac,
            **self.clocks.to_json(),
            **(self.sale.to_json() if self.sale else {}),
        }

    def signed(self, key: bytes) -> Record:
        """This record with its MAC; ``key`` is the terminal's ``jrnl``."""
        return replace(self, mac=document_mac(key, self.to_json()))

    @classmethod
    def parse(cls, data: object) -> Record:
        """Inverse of ``to_json``. Raises ``WireError``; the MAC is for the caller to check."""
        take = Taker(data, "records")
        take.integer("v", RECORD_VERSION, RECORD_VERSION)
        kind = take.text("kind", 10)
        if kind not in {member.value for member in RecordKind}:
            raise WireError("kind", "未知的记录种类")
        found = cls(
            terminal=take.integer("terminal", 1, 2**32 - 1),
            journal=take.hex("journal", 16),
            seq=take.integer("seq", 1, NUMBER_MAX),
            kind=RecordKind(kind),
            clocks=Clocks.take(take),
            hotlist_version=take.integer("hotlist_version", 0, NUMBER_MAX),
            prev_mac=_mac(take, "prev_mac"),
            mac=_mac(take, "mac"),
            sale=Sale.take(take) if kind == RecordKind.SALE else None,
        )
        return take.done(found)


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """Up to ``MAX_RECORDS`` records. They stay raw here, because one bad record must not spoil its neighbours."""

    records: tuple[Any, ...]

    def to_json(self) -> dict[str, Any]:
        """``{"records": […]}``."""
        return {"records": list(self.records)}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> UploadRequest:
        """Inverse of ``to_json``."""
        take = Taker(data, "body")
        return take.done(cls(tuple(take.items("records", MAX_RECORDS))))


@dataclass(frozen=True, slots=True)
class RecordAnswer:
    """What became of one record. ``seq`` is null where the record was too broken to say which it is."""

    seq: int | None
    result: Result
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """``{"seq", "result", "why"}``."""
        return {"seq": self.seq, "result": self.result.value, "why": self.why}

    @classmethod
    def parse(cls, data: object) -> RecordAnswer:
        """Inverse of ``to_json``."""
        take = Taker(data, "answers")
        seq, result = take.raw("seq"), take.text("result", 20)
        if seq is not None and (isinstance(seq, bool) or not isinstance(seq, int)):
            raise WireError("seq", "须为整数")
        if result not in {member.value for member in Result}:
            raise WireError("result", "未知的结果")
        return take.done(cls(seq, Result(result), take.text("why", 200)))


@dataclass(frozen=True, slots=True)
class UploadAnswer:
    """One answer a record, in the order of the request."""

    answers: tuple[RecordAnswer, ...]

    def to_json(self) -> dict[str, Any]:
        """``{"answers": […]}``."""
        return {"answers": [answer.to_json() for answer in self.answers]}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> UploadAnswer:
        """Inverse of ``to_json``."""
        take = Taker(data, "answer")
        answers = tuple(RecordAnswer.parse(item) for item in take.items("answers", MAX_RECORDS))
        return take.done(cls(answers))


def _mac(take: Taker, name: str) -> str:
    value = take.text(name, 64)
    if not _MAC.match(value):
        raise WireError(name, "须为 32 字节的小写十六进制")
    return value
