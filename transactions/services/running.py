"""Running one tap against the book: read, decide, compare-and-swap; again when somebody was faster.

Nothing here knows what a tap is for. The bounds: a few optimistic rounds, then one under the account's lock, so that a
hot account is served too; a few retries where PostgreSQL itself asks for them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import DatabaseError, IntegrityError, OperationalError, transaction

from accounts.actors import Actor, Channel
from accounts.models import Card
from accounts.services import audit
from purse.evidence import Finding
from transactions import ledger
from transactions.ledger import Change, NewAnswer, TapFacts, Written
from transactions.models import CardFinding, OfflineTrace
from transactions.services.orders import Busy, KeyReused, TapOrder, TapReply
from transactions.services.sighting import Sighted

OPTIMISTIC_ROUNDS = 3
DATABASE_RETRIES = 3
RETRYABLE = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, lock timeout: PostgreSQL asks for the whole transaction again."""
UNIQUE_VIOLATION = "23505"
LATE_ORDER = timedelta(minutes=2)
"""How long an order may have been under way; no till asks for the same sale longer than that."""
TOMBSTONE = b""
"""What a key "asked" that was given up before its order arrived: whatever comes later is the order it stands for."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write and what to answer. ``change`` is None for a card that is not ours."""

    reply: TapReply
    change: Change | None
    refusal_only: NewAnswer | None = None
    sighted: Sighted | None = None


Decide = Callable[[TapFacts], Decision]


def run(order: TapOrder, now: datetime, read: Callable[[], TapFacts], decide: Decide) -> TapReply:
    """Answer one order once, whatever happens to the connection, and whoever asks at the same moment.

    Raises ``KeyReused`` (409) and ``Busy`` (503, same key safe).
    """
    for attempt in range(DATABASE_RETRIES + 1):
        try:
            return _rounds(order, now, read, decide)
        except OperationalError as error:
            if sqlstate(error) not in RETRYABLE or attempt == DATABASE_RETRIES:
                raise Busy(sqlstate(error) or "connection") from error
            time.sleep(random.uniform(0.002, 0.02) * (attempt + 1))  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable")


def reader(order: TapOrder) -> Callable[[], TapFacts]:
    """Read by the card on the reader; what must happen with the first look is not asked of the later ones."""
    preludes, seen = [order.prelude], [order.facts]

    def read() -> TapFacts:
        facts = seen.pop() if seen else None
        if facts is not None:
            return facts
        prelude = preludes.pop() if preludes else None
        return ledger.read_by_uid(order.card.uid, order.key, order.confirmed, prelude)

    return read


def sqlstate(error: DatabaseError) -> str | None:
    """The SQLSTATE that PostgreSQL gave, or None for a connection that simply broke."""
    return getattr(error.__cause__, "sqlstate", None)


def _rounds(order: TapOrder, now: datetime, read: Callable[[], TapFacts], decide: Decide) -> TapReply:
    for _ in range(OPTIMISTIC_ROUNDS):
        reply = _round(order, now, read(), decide)
        if reply is not None:
            return reply
    with transaction.atomic():
        facts = read()
        if facts.account is not None:
            ledger.lock(facts.account.id)
            facts = read()
        reply = _round(order, now, facts, decide)
    if reply is None:
        raise Busy("the account changed under its own lock")
    return reply


def _round(order: TapOrder, now: datetime, facts: TapFacts, decide: Decide) -> TapReply | None:
    """One attempt; None when the account moved between reading and writing."""
    if facts.answer is not None:
        return _replayed(order, facts)
    decision = decide(facts)
    if decision.sighted is not None and _came_late(order, now, decision.sighted):
        return decision.reply
    try:
        written = _write(order, now, decision)
    except IntegrityError as error:
        if sqlstate(error) != UNIQUE_VIOLATION:
            raise
        return None  # the same key was answered meanwhile; the next round finds it
    return replace(decision.reply, recorded=written.confirmed) if written.moved else None


def _came_late(order: TapOrder, now: datetime, sighted: Sighted) -> bool:
    """Whether the card was read before its last tap elsewhere and the order came after it: old news, no old card.

    Such an order is refused, but nothing is held against the card, and its key stays free for what the till does next.
    """
    if sighted.finding is not Finding.ROLLBACK or now - order.at > LATE_ORDER:
        return False
    seen_at = Card.objects.values_list("seen_at", flat=True).get(id=sighted.card.id)
    return seen_at is not None and order.at < seen_at


def _replayed(order: TapOrder, facts: TapFacts) -> TapReply:
    if facts.answer is None or facts.answer.asked not in (order.asked, TOMBSTONE):
        raise KeyReused(str(order.key))
    return TapReply.from_json(facts.answer.reply)


def _write(order: TapOrder, now: datetime, decision: Decision) -> Written:
    if decision.change is None:
        if decision.refusal_only is not None:
            ledger.remember_refusal(decision.refusal_only, now)
        return Written(moved=True, confirmed=())
    sighted = decision.sighted
    if sighted is None or not sighted.noteworthy:
        return ledger.write(decision.change)
    with transaction.atomic():
        written = ledger.write(decision.change)
        if written.moved:
            _note(order, now, sighted)
    return written


def _note(order: TapOrder, now: datetime, sighted: Sighted) -> None:
    """First use and freeze go into the audit, what the card tells beyond its totals into tables of its own."""
    actor = Actor(f"terminal:{order.till.id}", "terminal", Channel.POS, order.till.place)
    if sighted.first_use:
        deed = audit.Deed("card.active", "card", sighted.card.id, {"life": "issued"}, {"life": "active"})
        audit.record(deed, actor=actor, now=now)
    if sighted.freeze is not None:
        deed = audit.Deed(
            action="account.freeze",
            object_kind="account",
            object_id=sighted.account.id,
            before={"frozen_reasons": list(sighted.account.frozen_reasons)},
            after={"frozen_reasons": [*sighted.account.frozen_reasons, sighted.freeze.value]},
            reason=f"book {sighted.account.book_fen} card {sighted.card_fen}",
        )
        audit.record(deed, actor=actor, now=now)
    if sighted.traces:
        OfflineTrace.objects.bulk_create(
            [
                OfflineTrace(
                    card_id=sighted.card.id,
                    card_seq=sale.card_seq,
                    terminal_id=sale.terminal or None,
                    journal_seq=sale.journal_seq or None,
                    fen=sale.fen or None,
                    seen_at=now,
                )
                for sale in sighted.traces
            ],
            ignore_conflicts=True,
        )
    if sighted.finding is not None:
        spend, load = sighted.purse.spend, sighted.purse.load
        CardFinding.objects.bulk_create(
            [
                CardFinding(
                    account_id=sighted.account.id,
                    card_id=sighted.card.id,
                    kind=sighted.finding.value,
                    sighting=f"{spend.seq}/{spend.total_fen}/{spend.offline_fen} {load.seq}/{load.total_fen}",
                    detail=_evidence(sighted),
                    terminal_id=order.till.id,
                    found_at=now,
                )
            ],
            ignore_conflicts=True,
        )


def _evidence(sighted: Sighted) -> dict[str, int]:
    floor_spend, floor_load = sighted.card.spend.floor, sighted.card.load.floor
    return {
        "book_fen": sighted.account.book_fen,
        "card_fen": sighted.card_fen,
        "spend_seq": sighted.purse.spend.seq,
        "spend_total_fen": sighted.purse.spend.total_fen,
        "load_seq": sighted.purse.load.seq,
        "load_total_fen": sighted.purse.load.total_fen,
        "proven_spend_seq": floor_spend.seq,
        "proven_spend_total_fen": floor_spend.total_fen,
        "proven_load_seq": floor_load.seq,
        "proven_load_total_fen": floor_load.total_fen,
        "torn_fen": sighted.items.torn_fen,
        "unwritten_fen": sighted.items.unwritten_fen,
        "offline_fen": sighted.items.offline_fen,
        "late_fen": sighted.items.late_fen,
    }
