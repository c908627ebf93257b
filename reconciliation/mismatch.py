"""Why card and book of one account differ, as pure functions: what was read in, diagnoses and freeze reasons out.

The difference is split by ``purse.evidence.open_items``; each item that is not zero is one diagnosis, and every finding
that a tap left behind is one too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from purse.evidence import Finding, Leg, OpenItems, SideMirror, open_items
from purse.policy import Policy
from purse.rules import FreezeReason, freeze_reason
from reconciliation.models import Mismatch, Proposal

GRACE = timedelta(minutes=10)
"""A card that was taken away a moment ago is mostly put back: a leg becomes a case when it is this old."""
CLOCK_LIMIT = timedelta(seconds=2)
"""How far the clocks of application and database may be apart (reliability.md C9)."""


@dataclass(frozen=True, slots=True)
class LegTrail:
    """What is known of a leg's entry: when it happened, and whether its terminal said that the write went wrong."""

    occurred_at: datetime
    reported: bool


@dataclass(frozen=True, slots=True)
class CardSide:
    """The live card of an account as its last sighting left it. ``trails``: (side, entry seq) of open legs."""

    id: int
    spend: SideMirror
    load: SideMirror
    late_fen: int
    seen_at: datetime | None
    seen_place: str
    levelled_seq: int = 0

    @property
    def card_fen(self) -> int:
        """What the card held when it was last seen."""
        return self.load.shown.total_fen - self.spend.shown.total_fen


@dataclass(frozen=True, slots=True)
class FoundEvidence:
    """A row of ``transactions_cardfinding`` that no closed case has dealt with."""

    id: int
    kind: Finding
    detail: Mapping[str, Any]

    @property
    def surplus_fen(self) -> int:
        """What the card showed beyond every record at that tap."""
        part = self.detail.get
        explained = part("book_fen", 0) + part("torn_fen", 0) - part("unwritten_fen", 0) + part("late_fen", 0)
        return max(0, int(part("card_fen", 0)) - int(explained))


@dataclass(frozen=True, slots=True)
class Compared:
    """Everything about one account that the comparison looks at. ``trails`` by entry seq of the account."""

    account_id: int
    number: int
    campus_id: int
    book_fen: int
    frozen_reasons: frozenset[str]
    card: CardSide | None
    trails: Mapping[int, LegTrail] = field(default_factory=dict)
    findings: tuple[FoundEvidence, ...] = ()
    entry_seq: int = 0

    @property
    def items(self) -> OpenItems:
        """The open items; all zero without a live card."""
        if self.card is None:
            return OpenItems(0, 0, 0, 0)
        return open_items(
            spend=self.card.spend, load=self.card.load, book_fen=self.book_fen, late_fen=self.card.late_fen
        )


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One reason for a difference, with its amount, the arithmetic and the next step."""

    mismatch: Mismatch
    at_risk_fen: int
    proposal: Proposal
    numbers: Mapping[str, int]
    evidence: Mapping[str, Any]
    finding_ids: tuple[int, ...] = ()


def freeze_reasons(found: Compared, *, policy: Policy, now: datetime) -> tuple[FreezeReason, ...]:
    """The reasons that the rules call for and the account does not have yet (guide L95, S2).

    A sale whose till still waits for the card (L101: first the book, then the card) is not counted as a difference.
    """
    card = found.card
    card_fen = found.book_fen if card is None else card.card_fen - _in_flight_fen(found, policy, now)
    wanted = [freeze_reason(book_fen=found.book_fen, card_fen=card_fen, policy=policy)]
    if policy.freeze_on_late_upload and found.items.late_fen > 0:
        wanted.append(FreezeReason.LATE_UPLOAD)
    return tuple(reason for reason in wanted if reason is not None and reason not in found.frozen_reasons)


def diagnose(found: Compared, *, now: datetime, grace: timedelta = GRACE) -> tuple[Diagnosis, ...]:
    """Every reason why card and book differ, and every open finding. Legs younger than ``grace`` are no case yet."""
    return (*_of_difference(found, now, grace), *_of_findings(found))


def _of_difference(found: Compared, now: datetime, grace: timedelta) -> Iterator[Diagnosis]:
    book_fen, items, evidence = found.book_fen, found.items, evidence_of(found)
    if found.card is not None:
        torn_fen = _settled_fen(found, found.card.spend.legs, now, grace)
        unwritten_fen = _settled_fen(found, found.card.load.legs, now, grace)
        if torn_fen > 0:
            numbers = {"fen": torn_fen, "card_after_fen": found.card.card_fen - torn_fen}
            yield Diagnosis(Mismatch.TORN, torn_fen, Proposal.WRITE_CARD, numbers, evidence)
        if unwritten_fen > 0:
            numbers = {"fen": unwritten_fen, "card_after_fen": found.card.card_fen + unwritten_fen}
            yield Diagnosis(Mismatch.TORN_LOAD, unwritten_fen, Proposal.WRITE_CREDIT, numbers, evidence)
    if items.offline_fen > 0:
        numbers = {"fen": items.offline_fen, "book_after_fen": book_fen - items.offline_fen}
        yield Diagnosis(Mismatch.OFFLINE_GAP, items.offline_fen, Proposal.AWAIT_UPLOAD, numbers, evidence)
    if items.late_fen > 0:
        numbers = {"fen": items.late_fen, "book_after_fen": book_fen + items.late_fen}
        yield Diagnosis(Mismatch.DOUBLE, items.late_fen, Proposal.REFUND_LATE, numbers, evidence)
    if book_fen < 0:
        numbers = {"fen": -book_fen, "rest_fen": max(0, -book_fen - items.late_fen)}
        yield Diagnosis(Mismatch.NEGATIVE, -book_fen, Proposal.COLLECT, numbers, evidence)


_KINDS = {
    Finding.EXCESS: (Mismatch.EXCESS, Proposal.KEEP_CARD),
    Finding.FORK: (Mismatch.FORK, Proposal.VOID_CARD),
    Finding.ROLLBACK: (Mismatch.ROLLBACK, Proposal.VOID_CARD),
}


def _of_findings(found: Compared) -> Iterator[Diagnosis]:
    """What taps found, and the surplus that the book itself sees, which is a finding without a tap."""
    surplus_fen = max(0, -found.items.offline_fen)
    for kind, (mismatch, proposal) in _KINDS.items():
        seen = [finding for finding in found.findings if finding.kind is kind]
        amounts = [finding.surplus_fen for finding in seen]
        if kind is Finding.EXCESS and surplus_fen > 0:
            amounts.append(surplus_fen)
        if amounts:
            ids = tuple(finding.id for finding in seen)
            evidence = evidence_of(found) | {"findings": [dict(finding.detail) for finding in seen]}
            yield Diagnosis(mismatch, max(amounts), proposal, {"fen": max(amounts)}, evidence, ids)


def evidence_of(found: Compared) -> dict[str, Any]:
    """The arithmetic as JSON: ``card − book = torn − unwritten − offline + late``, amounts in fen, and the legs."""
    card, items = found.card, found.items
    evidence: dict[str, Any] = {"book_fen": found.book_fen, "card_fen": card.card_fen if card else None}
    if card is None:
        return evidence
    return evidence | {
        "difference_fen": card.card_fen - found.book_fen,
        "torn_fen": items.torn_fen,
        "unwritten_fen": items.unwritten_fen,
        "offline_fen": items.offline_fen,
        "late_fen": items.late_fen,
        "spend_seq": card.spend.shown.seq,
        "load_seq": card.load.shown.seq,
        "seen_at": card.seen_at.isoformat() if card.seen_at else None,
        "seen_place": card.seen_place,
        "legs": {"spend": _legs(card.spend.legs), "load": _legs(card.load.legs)},
    }


def _legs(legs: Iterable[Leg]) -> list[dict[str, Any]]:
    return [
        {"entry": leg.entry, "seq": leg.seq, "fen": leg.fen, "terminal": leg.terminal, "shown": leg.shown}
        for leg in legs
    ]


def _settled_fen(found: Compared, legs: Iterable[Leg], now: datetime, grace: timedelta) -> int:
    """The legs that the card lacks and that nobody is about to put right by himself."""
    return sum(leg.fen for leg in legs if not leg.shown and _age(found, leg, now) >= grace)


def _in_flight_fen(found: Compared, policy: Policy, now: datetime) -> int:
    """The newest sale while its till may still be writing it; the older ones were proven missing by the newest."""
    if found.card is None or not found.card.spend.legs:
        return 0
    leg = found.card.spend.legs[-1]
    trail = found.trails.get(leg.entry)
    if leg.shown or trail is None or trail.reported:
        return 0
    return leg.fen if -CLOCK_LIMIT <= now - trail.occurred_at < policy.retap else 0


def _age(found: Compared, leg: Leg, now: datetime) -> timedelta:
    trail = found.trails.get(leg.entry)
    return now - trail.occurred_at if trail else timedelta.max
