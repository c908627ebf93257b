"""Posting what a till sold without the network. Each record moves money once, whatever its order, age or repetition.

A record is evidence twice over: that the sale was made, and of what the card showed after it. The book may go below
zero here; that is what freezing is for.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from accounts.models import LIVE_CARD
from purse.evidence import Finding, SideMirror, State, prove, written_offline
from purse.policy import Policy
from transactions import ledger
from transactions.days import local_day
from transactions.ledger import CardChange, CardFacts, Change, NewAnswer, NewEntry, TapFacts
from transactions.models import Contra, EntryKind, Mode
from transactions.services.orders import NO_CARD, KeyReused, TapOrder, TapReply, Till
from transactions.services.running import TOMBSTONE, Decision, run

OP = "offline_sale"


class Posting(StrEnum):
    """What became of an offline sale."""

    POSTED = "posted"
    DUPLICATE = "duplicate"
    """Its key was charged already, online or by an earlier upload."""
    SUSPECT = "suspect"
    """Kept raw for a person: unknown card, doubtful write, another content, or a key that was refused."""


@dataclass(frozen=True, slots=True)
class OfflineSale:
    """One sale out of a till's journal. Totals in fen as they stood on the card; ``asked`` as for an online debit."""

    key: uuid.UUID
    journal_seq: int
    asked: bytes
    uid: bytes
    fen: int
    occurred_at: datetime
    card_seq_after: int
    spend_total_after_fen: int
    offline_spent_after_fen: int
    certain: bool
    """False when the till could not tell whether the card was written."""

    @property
    def state(self) -> State:
        """The SPEND side as the card showed it after the sale; its slot is not known here."""
        return State(self.card_seq_after, self.spend_total_after_fen, 0, self.offline_spent_after_fen)


def post_offline(sale: OfflineSale, *, till: Till, policy: Policy, now: datetime) -> Posting:
    """Post one offline sale exactly once. Raises ``Busy``; safe to repeat.

    The till must have been verified, and the record kept raw, before.
    """
    order = TapOrder(sale.key, sale.journal_seq, sale.asked, NO_CARD, sale.fen, sale.occurred_at, till)
    try:
        reply = run(
            order,
            now,
            read=lambda: ledger.read_by_uid(sale.uid, sale.key),
            decide=lambda facts: _decide(facts, sale, order, now),
        )
    except (KeyReused, _Unclear):
        return Posting.SUSPECT
    if not reply.replay:
        return Posting.POSTED
    if reply.refusal is not None:
        return Posting.SUSPECT
    _settle_same_key(sale, till, now)
    return Posting.DUPLICATE


class _Unclear(Exception):
    """This record cannot be posted without a person looking at it."""


def _decide(facts: TapFacts, sale: OfflineSale, order: TapOrder, now: datetime) -> Decision:
    account, card = facts.account, facts.card
    if account is None or card is None or card.life not in LIVE_CARD or not sale.certain:
        raise _Unclear(str(sale.key))
    spend = prove(card.spend, sale.state)
    if isinstance(spend, Finding):
        raise _Unclear(spend.value)
    seq, today = account.entry_seq + 1, local_day(now)
    counts_today = local_day(sale.occurred_at) == today
    entry = NewEntry(
        seq=seq,
        kind=EntryKind.OFFLINE_SALE,
        book_change_fen=-sale.fen,
        unclaimed_change_fen=0,
        book_after_fen=account.book_fen - sale.fen,
        unclaimed_after_fen=account.unclaimed_fen,
        contra=Contra.MERCHANT,
        contra_ref=order.till.merchant_id,
        source_key=sale.key,
        occurred_at=sale.occurred_at,
        mode=Mode.OFFLINE,
        card_id=card.id,
        purse_side="spend",
        purse_seq=sale.card_seq_after,
        terminal_id=order.till.id,
    )
    reply = TapReply(refusal=None, fen=sale.fen, book_fen=account.book_fen - sale.fen)
    change = Change(
        before=account,
        book_fen=account.book_fen - sale.fen,
        unclaimed_fen=account.unclaimed_fen,
        spent_on=today if counts_today else account.spent_on,
        spent_fen=account.spent_on_day(today) + sale.fen if counts_today else account.spent_fen,
        frozen_reasons=account.frozen_reasons,
        now=now,
        entries=(entry,),
        answer=NewAnswer(
            sale.key,
            OP,
            sale.asked or TOMBSTONE,
            reply.to_json(),
            entry_seq=seq,
            terminal_id=order.till.id,
            journal_seq=sale.journal_seq,
        ),
        card=_card_change(card, spend),
    )
    return Decision(reply, change)


def _settle_same_key(sale: OfflineSale, till: Till, now: datetime) -> None:
    """The answer of an online debit was lost and the till wrote the card offline: its leg is on the card after all."""
    for _ in range(8):
        facts = ledger.read_by_uid(sale.uid, sale.key)
        if facts.account is None or facts.card is None or facts.answer is None:
            return
        wanted = (till.id, sale.journal_seq)
        legs = (leg for leg in facts.card.spend.legs if (leg.terminal, leg.journal_seq) == wanted)
        leg = next(legs, None)
        if leg is None or not sale.certain:
            return
        spend = prove(facts.card.spend, sale.state)
        if isinstance(spend, Finding):
            return
        account = facts.account
        change = Change(
            before=account,
            book_fen=account.book_fen,
            unclaimed_fen=account.unclaimed_fen,
            spent_on=account.spent_on,
            spent_fen=account.spent_fen,
            frozen_reasons=account.frozen_reasons,
            now=now,
            card=_card_change(facts.card, written_offline(spend, entry=leg.entry)),
        )
        if ledger.write(change).moved:
            return


def _card_change(card: CardFacts, spend: SideMirror) -> CardChange:
    return CardChange(card.id, spend, card.load, card.late_fen)
