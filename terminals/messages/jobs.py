"""Messages of card jobs between a desk and the server. Shapes as in docs/terminal-protocol.md.

The desk polls for its job, tells what it sees, shows each card under an operation key of its own journal, and tells
how each write ended. Every message may be repeated; the server answers a key as it did before.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from purse.procedures import Outcome, RawCard
from terminals.messages.records import NUMBER_MAX
from terminals.messages.strictjson import WireError
from terminals.messages.taker import Taker, as_hex, as_integer
from terminals.messages.wire import (
    Write,
    card_to_json,
    parse_card,
)

WAIT_MAX_MS = 2_000
BLOCKS_MAX = 16
STATES_TOLD = ("card_awaited", "reading", "writing")
"""The states that an agent may tell; the others are the server's to decide."""


class Trouble(StrEnum):
    """What is in the way of a job. Each has one sentence and one safe next step on the page."""

    NO_SERVICE = "no_service"
    """The PC/SC service does not answer."""
    NO_READER = "no_reader"
    """The reader is unplugged."""
    SEVERAL_CARDS = "several_cards"
    WRONG_CARD = "wrong_card"
    """A card of ours, but not the one that this job is about."""
    FOREIGN_CARD = "foreign_card"
    UNREADABLE = "unreadable"
    """The card answers with errors before anything was written."""
    CARD_GONE = "card_gone"
    """Taken away before anything was written."""
    TORN = "torn"
    """Taken away while it was written: the same card must come back."""
    NOT_CONFIRMED = "not_confirmed"
    """Written, but what was read back is not what was written; the card lies there still."""
    CHIP_IN_USE = "chip_in_use"
    """To be prepared, but it is somebody's card in force."""
    CHIP_VOID = "chip_void"
    """A chip that opens with no key: torn in a trailer, or another system's."""
    JOURNAL_BROKEN = "journal_broken"
    """The desk cannot note what it does, so it does nothing."""


class Verdict(StrEnum):
    """What the server says to a card that was shown to it."""

    WRITE = "write"
    """Write what follows, read it back, tell the outcome."""
    DONE = "done"
    """Nothing needs to be written; the job is over."""
    REFUSED = "refused"
    """The job is over; ``refusal`` says why. Nothing was written or booked."""
    OTHER_CARD = "other_card"
    """This is not the card; the job waits on. ``trouble`` says what is wrong with it."""
    OVER = "over"
    """The job has ended already; nothing may be written."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """Is there anything to do? The server waits up to ``wait_ms`` before it says no."""

    wait_ms: int = 0

    def to_json(self) -> dict[str, Any]:
        """``{"wait_ms"}``."""
        return {"wait_ms": self.wait_ms}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> JobRequest:
        """Inverse of ``to_json``."""
        take = Taker(data, "body")
        return take.done(cls(take.integer("wait_ms", 0, WAIT_MAX_MS)))


@dataclass(frozen=True, slots=True)
class JobTicket:
    """A job as its desk knows it. ``uid``: the card that must be shown, null for any; ``told``: writing has begun.

    ``number`` and ``fen`` are for the desk's own display: the account's five digits, what is to be loaded.
    """

    id: uuid.UUID
    kind: str
    state: str
    uid: str | None
    told: bool
    number: int | None = None
    fen: int = 0

    def to_json(self) -> dict[str, Any]:
        """``{"id", "kind", "state", "uid", "told", "number", "fen"}``."""
        return {
            "id": str(self.id),
            "kind": self.kind,
            "state": self.state,
            "uid": self.uid,
            "told": self.told,
            "number": self.number,
            "fen": self.fen,
        }

    @classmethod
    def parse(cls, data: object) -> JobTicket:
        """Inverse of ``to_json``."""
        take = Taker(data, "job")
        found = cls(
            id=_id(take.raw("id")),
            kind=take.text("kind", 20),
            state=take.text("state", 20),
            uid=take.optional("uid", lambda value: as_hex(value, "uid")),
            told=take.boolean("told"),
            number=take.optional("number", lambda value: as_integer(value, "number", 0, 99_999)),
            fen=take.integer("fen", 0, NUMBER_MAX),
        )
        return take.done(found)


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """The desk's open job, or none."""

    job: JobTicket | None = None

    def to_json(self) -> dict[str, Any]:
        """``{"job": JobTicket|null}``."""
        return {"job": self.job.to_json() if self.job else None}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> JobAnswer:
        """Inverse of ``to_json``."""
        take = Taker(data, "answer")
        return take.done(cls(take.optional("job", JobTicket.parse)))


@dataclass(frozen=True, slots=True)
class JobProgressRequest:
    """How far the desk is with a job, and what is in its way. Told at each change and every few seconds."""

    job: uuid.UUID
    state: str
    trouble: Trouble | None = None

    def to_json(self) -> dict[str, Any]:
        """``{"job", "state", "trouble"}``."""
        return {
            "job": str(self.job),
            "state": self.state,
            "trouble": self.trouble.value if self.trouble else None,
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> JobProgressRequest:
        """Inverse of ``to_json``."""
        take = Taker(data, "body")
        state = take.text("state", 20)
        if state not in STATES_TOLD:
            raise WireError("state", "未知的状态")
        return take.done(cls(_id(take.raw("job")), state, take.optional("trouble", _trouble)))


@dataclass(frozen=True, slots=True)
class JobStateAnswer:
    """The answer to progress and result: what became of the job, and whether to go on.

    ``go_on`` false: it has ended, was cancelled or is not this desk's; touch no card for it. After a result ``go_on``
    means: show the card again (the same one, once it was written).
    """

    go_on: bool
    state: str

    def to_json(self) -> dict[str, Any]:
        """``{"go_on", "state"}``."""
        return {"go_on": self.go_on, "state": self.state}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> JobStateAnswer:
        """Inverse of ``to_json``."""
        take = Taker(data, "answer")
        return take.done(cls(take.boolean("go_on"), take.text("state", 20)))


@dataclass(frozen=True, slots=True)
class JobCardRequest:
    """A card on the reader, shown under an operation key of the desk's journal. ``card`` null: it could not be read.

    ``trouble`` says why not then (foreign or unreadable). A blank card to prepare has no content either.
    """

    job: uuid.UUID
    journal: str
    seq: int
    uid: str
    card: RawCard | None
    trouble: Trouble | None
    at_ms: int

    def to_json(self) -> dict[str, Any]:
        """``{"job", "journal", "seq", "uid", "card", "trouble", "at_ms"}``."""
        return {
            "job": str(self.job),
            "journal": self.journal,
            "seq": self.seq,
            "uid": self.uid,
            "card": card_to_json(self.card) if self.card else None,
            "trouble": self.trouble.value if self.trouble else None,
            "at_ms": self.at_ms,
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> JobCardRequest:
        """Inverse of ``to_json``."""
        take = Taker(data, "body")
        uid = take.hex("uid")
        if len(uid) not in (8, 14):
            raise WireError("uid", "须为 4 或 7 字节")
        found = cls(
            job=_id(take.raw("job")),
            journal=take.hex("journal", 16),
            seq=take.integer("seq", 1, 2**53),
            uid=uid,
            card=take.optional("card", parse_card),
            trouble=take.optional("trouble", _trouble),
            at_ms=take.integer("at_ms", 0, 2**53),
        )
        if found.card is not None and found.card.uid.hex() != uid:
            raise WireError("uid", "与卡片内容不符")
        return take.done(found)


@dataclass(frozen=True, slots=True)
class JobCardAnswer:
    """What to do with that card. ``writes`` in order, each read back; ``blocks`` make a blank chip ours (prepare)."""

    verdict: Verdict
    state: str
    refusal: str | None = None
    trouble: Trouble | None = None
    book_fen: int = 0
    card_fen: int = 0
    writes: tuple[Write, ...] = ()
    blocks: tuple[tuple[int, bytes], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All fields by name; ``blocks`` as ``[[block, hex], …]``."""
        return {
            "verdict": self.verdict.value,
            "state": self.state,
            "refusal": self.refusal,
            "trouble": self.trouble.value if self.trouble else None,
            "book_fen": self.book_fen,
            "card_fen": self.card_fen,
            "writes": [write.to_json() for write in self.writes],
            "blocks": [[block, image.hex()] for block, image in self.blocks],
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> JobCardAnswer:
        """Inverse of ``to_json``."""
        take = Taker(data, "answer")
        found = cls(
            verdict=_verdict(take.raw("verdict")),
            state=take.text("state", 20),
            refusal=take.optional("refusal", _word),
            trouble=take.optional("trouble", _trouble),
            book_fen=take.integer("book_fen", -NUMBER_MAX, NUMBER_MAX),
            card_fen=take.integer("card_fen", -NUMBER_MAX, NUMBER_MAX),
            writes=tuple(Write.parse(item) for item in take.items("writes", 4)),
            blocks=tuple(_block(item) for item in take.items("blocks", BLOCKS_MAX)),
        )
        return take.done(found)


@dataclass(frozen=True, slots=True)
class JobResultRequest:
    """How the write of one shown card ended. ``last``: the desk gives this job up."""

    job: uuid.UUID
    journal: str
    seq: int
    outcome: Outcome
    trouble: Trouble | None = None
    last: bool = False

    def to_json(self) -> dict[str, Any]:
        """``{"job", "journal", "seq", "outcome", "trouble", "last"}``."""
        return {
            "job": str(self.job),
            "journal": self.journal,
            "seq": self.seq,
            "outcome": self.outcome.value,
            "trouble": self.trouble.value if self.trouble else None,
            "last": self.last,
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> JobResultRequest:
        """Inverse of ``to_json``."""
        take = Taker(data, "body")
        found = cls(
            job=_id(take.raw("job")),
            journal=take.hex("journal", 16),
            seq=take.integer("seq", 1, 2**53),
            outcome=_outcome(take.raw("outcome")),
            trouble=take.optional("trouble", _trouble),
            last=take.boolean("last"),
        )
        return take.done(found)


def _id(value: object) -> uuid.UUID:
    try:
        found = uuid.UUID(str(value))
    except ValueError:
        raise WireError("job", "不是任务编号") from None
    if str(found) != value:
        raise WireError("job", "不是任务编号")
    return found


def _trouble(value: object) -> Trouble:
    try:
        return Trouble(str(value))
    except ValueError:
        raise WireError("trouble", "未知的故障") from None


def _verdict(value: object) -> Verdict:
    try:
        return Verdict(str(value))
    except ValueError:
        raise WireError("verdict", "未知的答复") from None


def _outcome(value: object) -> Outcome:
    try:
        return Outcome(str(value))
    except ValueError:
        raise WireError("outcome", "未知的结果") from None


def _word(value: object) -> str:
    if not isinstance(value, str) or len(value) > 40 or not value.isprintable():
        raise WireError("refusal", "须为文本")
    return value


def _block(value: object) -> tuple[int, bytes]:
    if not isinstance(value, list) or len(value) != 2:
        raise WireError("blocks", "须为 [块号, 内容]")
    image = bytes.fromhex(as_hex(value[1], "blocks"))
    if len(image) != 16:
        raise WireError("blocks", "须为 16 字节块")
    return as_integer(value[0], "blocks", 4, 62), image
