"""Between the wire and the book: a message of a verified terminal becomes an order, a reply becomes an answer.

Nothing is decided here. Outcomes that say "written" ride on the tap itself; the others are told on their own.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_bytes
from typing import Final

from purse.evidence import Side
from purse.keys import Role
from purse.procedures import RawCard, load_sector
from terminals.messages.signing import SEAL_NONCE_BYTES, TerminalKeys, operation_text, seal
from terminals.messages.wire import (
    DebitRequest,
    OperationKey,
    OutcomeReport,
    SightingRequest,
    TapAnswer,
    VoidRequest,
    Write,
)
from terminals.models import TerminalKind
from terminals.services import events
from terminals.services.registry import Machine
from transactions.services import debit as debits
from transactions.services import outcomes
from transactions.services import taps as sightings
from transactions.services import void as voids
from transactions.services.orders import BookContext, Prelude, TapOrder, TapReply, TellWrite, Till

_NO_CLAIMS: Final = frozenset({TerminalKind.QUERY_KIOSK, TerminalKind.DOOR})
LATEST_MS: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Counterpart:
    """The verified terminal that a tap comes from, its keys for this answer, and what the book needs to decide."""

    machine: Machine
    keys: TerminalKeys
    book: BookContext
    hotlist_version: int
    prelude: Prelude | None = None
    """The note of this contact, if it has to be made with the first statement."""

    @property
    def till(self) -> Till:
        """The machine as the book sees it. Kiosks that only look and doors may not put money on a card."""
        return Till(
            id=self.machine.id,
            merchant_id=self.machine.merchant_id,
            place=self.machine.place or self.machine.name_zh,
            may_claim=self.machine.kind not in _NO_CLAIMS,
        )


def debit(asked: DebitRequest, *, of: Counterpart) -> TapAnswer:
    """A purchase. Raises ``KeyReused`` and ``Busy``."""
    recorded = _tell_odd_outcomes(asked.outcomes, of)
    key = OperationKey(of.machine.id, asked.journal, asked.seq)
    reply = debits.debit(_order(asked, key, of, fen=asked.fen, pin=asked.pin), book=of.book)
    return _answer(reply, asked.outcomes, recorded, of, card=asked.card, key=key)


def void(asked: VoidRequest, *, of: Counterpart) -> TapAnswer:
    """Taking back a purchase of the same terminal. Raises ``KeyReused`` and ``Busy``."""
    recorded = _tell_odd_outcomes(asked.outcomes, of)
    key = OperationKey(of.machine.id, asked.journal, asked.seq)
    taken_back = OperationKey(of.machine.id, asked.of_journal, asked.of_seq).as_uuid()
    reply = voids.void(_order(asked, key, of), of=taken_back, book=of.book)
    return _answer(reply, asked.outcomes, recorded, of, card=asked.card, key=key)


def sighting(asked: SightingRequest, *, of: Counterpart) -> TapAnswer:
    """A look at the card. Raises ``Busy``."""
    recorded = tell_outcomes(asked.outcomes, of=of)
    order = TapOrder(
        key=uuid.uuid4(),
        journal_seq=0,
        asked=b"",
        card=asked.card,
        fen=0,
        at=moment(asked.at_ms),
        till=of.till,
    )
    reply = sightings.sighting(order, book=of.book)
    return _answer(reply, asked.outcomes, recorded, of)


def tell_outcomes(reports: Sequence[OutcomeReport], *, of: Counterpart) -> frozenset[uuid.UUID]:
    """Hand over how earlier card writes ended; returns the keys that are settled. Raises ``Busy``."""
    if not reports:
        return frozenset()
    odd = events.forked_journals(
        of.machine.id,
        {report.journal for report in reports if report.outcome == outcomes.CardWrite.ABANDONED},
    )
    told = [outcomes.Report(_key(report, of), _outcome(report, odd)) for report in reports]
    return frozenset(outcomes.report_outcomes(told, till=of.till, now=of.book.now))


def _outcome(report: OutcomeReport, odd: Collection[str]) -> outcomes.CardWrite:
    """What is told of a key. A journal that was put back or copied gives up sales that stand: that is only noted."""
    told = outcomes.CardWrite(report.outcome)
    given_up = told is outcomes.CardWrite.ABANDONED
    return outcomes.CardWrite.UNKNOWN if given_up and report.journal in odd else told


def recorded_pairs(
    reports: Sequence[OutcomeReport], settled: frozenset[uuid.UUID], of: Counterpart
) -> tuple[tuple[str, int], ...]:
    """Name the reports that the terminal may forget, in its own words."""
    if not settled:
        return ()
    return tuple([(report.journal, report.seq) for report in reports if _key(report, of) in settled])


def moment(at_ms: int) -> datetime:
    """A terminal's clock as a time; a clock that ran away stays within what the book can hold."""
    return datetime.fromtimestamp(min(at_ms, LATEST_MS) / 1000, UTC)


def _tell_odd_outcomes(reports: Sequence[OutcomeReport], of: Counterpart) -> frozenset[uuid.UUID]:
    """What was not simply written changes the book and must be told before the next sale is decided."""
    return tell_outcomes(
        [report for report in reports if report.outcome != outcomes.CardWrite.WRITTEN], of=of
    )


def _order(
    asked: DebitRequest | VoidRequest,
    key: OperationKey,
    of: Counterpart,
    *,
    fen: int = 0,
    pin: str | None = None,
) -> TapOrder:
    written = (report for report in asked.outcomes if report.outcome == outcomes.CardWrite.WRITTEN)
    return TapOrder(
        key=key.as_uuid(),
        journal_seq=asked.seq,
        asked=asked.content_hash(),
        card=asked.card,
        fen=fen,
        at=moment(asked.at_ms),
        till=of.till,
        pin=pin,
        confirmed=tuple(_key(report, of) for report in written),
        prelude=of.prelude,
    )


def _answer(
    reply: TapReply,
    reports: Sequence[OutcomeReport],
    recorded: frozenset[uuid.UUID],
    of: Counterpart,
    *,
    card: RawCard | None = None,
    key: OperationKey | None = None,
) -> TapAnswer:
    return TapAnswer(
        refusal=reply.refusal,
        book_fen=reply.book_fen,
        card_fen=reply.card_fen,
        writes=tuple(_write(write, of, card, key) for write in reply.writes),
        fen=reply.fen,
        claimed_fen=reply.claimed_fen,
        healed_fen=reply.healed_fen,
        unclaimed_fen=reply.unclaimed_fen,
        today_fen=reply.today_fen,
        limit_fen=reply.limit_fen,
        pin_left=reply.pin_left,
        replay=reply.replay,
        recorded=recorded_pairs(reports, recorded | frozenset(reply.recorded), of),
        hotlist_version=of.hotlist_version,
    )


def _write(write: TellWrite, of: Counterpart, card: RawCard | None, key: OperationKey | None) -> Write:
    """A till holds no LOAD key: it borrows the one of this card for this write. Keys are never stored with answers."""
    sealed = None
    lends = write.side is Side.LOAD and of.machine.kind == TerminalKind.TILL
    if lends and card is not None and key is not None:
        sealed = seal(
            of.keys.seal,
            uid=card.uid,
            sector=load_sector(),
            operation=operation_text(key.terminal, key.journal, key.seq),
            sector_key=of.book.keys.sector_key(card.uid, load_sector(), Role.LOAD),
            nonce=token_bytes(SEAL_NONCE_BYTES),
        )
    return Write(write.side, write.slot, write.image, sealed)


def _key(report: OutcomeReport, of: Counterpart) -> uuid.UUID:
    return OperationKey(of.machine.id, report.journal, report.seq).as_uuid()
