"""A stored answer, asked for again: what of it may still go to the card, which may have moved on since."""

from __future__ import annotations

import uuid
from dataclasses import replace

from purse.evidence import Side, withheld
from purse.rules import Refusal
from transactions import ledger
from transactions.ledger import CardChange, Change, TapFacts
from transactions.models import Answer, Reversal, entry_id
from transactions.services.orders import BookContext, Busy, TapOrder, TapReply
from transactions.services.sighting import look

ROUNDS = 5
"""How often an account may move under the hands of an answer that is only being repeated."""


def fresh(reply: TapReply, order: TapOrder, book: BookContext) -> TapReply:
    """The stored answer with those images alone that are still open on this card.

    None of a sale that was taken back: when its till gave it up, the number of its image became another's. An image
    that is left out is noted as withheld: the till reports how the *key* ended, and may not confirm what it was not
    given again. Raises ``Busy``.
    """
    if not reply.writes:
        return reply
    if _taken_back(order.key):
        return replace(reply, writes=())
    for _ in range(ROUNDS):
        facts = ledger.read_by_uid(order.card.uid, order.key)
        sighted = look(facts, order.card, book.keys, book.policy)
        if isinstance(sighted, Refusal):
            return replace(reply, writes=())
        given = replace(reply, writes=())
        if sighted.finding is None:
            given = reply.only_open_writes(spend=sighted.card.spend, load=sighted.card.load)
        left_out = {write.side: write.seq for write in reply.writes if write not in given.writes}
        if _withhold(facts, left_out, book):
            return given
    raise Busy("the account moved all the time")


def _withhold(facts: TapFacts, left_out: dict[Side, int], book: BookContext) -> bool:
    """Note it with the card, if there is anything to note; False when somebody was faster."""
    account, card = facts.account, facts.card
    if account is None or card is None:
        return True
    spend = withheld(card.spend, left_out.get(Side.SPEND))
    load = withheld(card.load, left_out.get(Side.LOAD))
    if (spend, load) == (card.spend, card.load):
        return True
    change = Change(
        before=account,
        book_fen=account.book_fen,
        unclaimed_fen=account.unclaimed_fen,
        spent_on=account.spent_on,
        spent_fen=account.spent_fen,
        frozen_reasons=account.frozen_reasons,
        now=book.now,
        card=CardChange(card.id, spend, load, card.late_fen),
    )
    return ledger.write(change).moved


def _taken_back(key: uuid.UUID) -> bool:
    known = Answer.objects.filter(key=key).first()
    if known is None or known.account_id is None or known.entry_seq is None:
        return False
    return Reversal.objects.filter(entry_id=entry_id(known.account_id, known.entry_seq)).exists()
