"""Taking a sale back: by its till with the card on the reader (撤销), or because the till gave it up.

Money goes back onto the card's LOAD side, because totals only grow; a till that may not load leaves it unclaimed.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from purse.evidence import without_leg
from purse.rules import Refusal, refuse_standing
from transactions import ledger
from transactions.days import local_day
from transactions.ledger import CardChange, Change, NewAnswer, NewEntry, TapFacts
from transactions.models import Answer, Contra, Entry, EntryKind, Mode, Reversal, entry_id
from transactions.services.debit import OP as DEBIT
from transactions.services.debit import refuse_unknown, repair
from transactions.services.orders import NO_CARD, BookContext, TapOrder, TapReply, Till
from transactions.services.plan import Plan
from transactions.services.replay import fresh
from transactions.services.running import TOMBSTONE, Decision, reader, run
from transactions.services.sighting import look

OP = "void"
GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Sale:
    """The purchase that a key posted, as far as taking it back needs it."""

    entry: Entry
    taken_back: bool

    @property
    def fen(self) -> int:
        """What the holder paid."""
        return -self.entry.book_change_fen


def void(order: TapOrder, *, of: uuid.UUID, book: BookContext) -> TapReply:
    """Take back the sale ``of`` of the same till, with its card on the reader, on the day it was made.

    Refused with ``NOTHING_TO_VOID`` when there is no such sale or it was taken back already. Safe to repeat. Raises
    ``KeyReused`` and ``Busy``.
    """
    reply = run(
        order,
        book.now,
        read=reader(order),
        decide=lambda facts: _decide(facts, order, of, book),
    )
    return fresh(reply, order, book) if reply.replay else reply


def give_up(key: uuid.UUID, *, till: Till, now: datetime) -> None:
    """The till never got an answer it could use and wrote no card: the book takes its debit back.

    A key that has not arrived yet gets a tombstone, so that the order is refused when it comes. Safe to repeat.
    """
    given_up = uuid.uuid5(key, GIVEN_UP)
    order = _without_card(given_up, till, now)
    known = Answer.objects.filter(key=key).first()
    if known is None:
        try:
            with transaction.atomic():
                ledger.remember_refusal(_tombstone(key, till), now)
        except IntegrityError:  # its order came in this very moment
            known = Answer.objects.get(key=key)
    sale = _sale_of(known, till) if known is not None else None
    if known is None or sale is None or sale.taken_back or known.card_id is None:
        return
    card_id = known.card_id
    run(
        order,
        now,
        read=lambda: ledger.read_by_card(card_id, given_up),
        decide=lambda facts: _decide_give_up(facts, order, sale, now),
    )


def _decide(facts: TapFacts, order: TapOrder, of: uuid.UUID, book: BookContext) -> Decision:
    sighted = look(facts, order.card, book.keys, book.policy)
    if isinstance(sighted, Refusal):
        return refuse_unknown(OP, sighted, order)
    plan = Plan(sighted, order, book)
    today = local_day(book.now)
    sale = _find_sale(of, order.till)
    refusal = refuse_standing(sighted.standing(today))
    if refusal is None and (sale is None or sale.taken_back or not _same(sale, sighted.card.id, today)):
        refusal = Refusal.NOTHING_TO_VOID
    if refusal is not None or sale is None:
        repair(plan, sighted, refusal or Refusal.NOTHING_TO_VOID)
        reply = plan.reply(refusal)
        return Decision(reply, plan.change(OP, reply), sighted=sighted)
    entry = sale.entry
    plan.give_back(entry.id, sale.fen, merchant_id=entry.contra_ref)
    plan.heal()
    reply = plan.reply(None, fen=sale.fen)
    return Decision(reply, plan.change(OP, reply), sighted=sighted)


def _decide_give_up(facts: TapFacts, order: TapOrder, sale: Sale, now: datetime) -> Decision:
    """Back into the book if no card can carry the debit, else into unclaimed money."""
    account, card = facts.account, facts.card
    if account is None or card is None:
        raise LookupError("an entry without its account")
    entry, seq = sale.entry, account.entry_seq + 1
    spend = without_leg(card.spend, entry.seq)
    book_fen, unclaimed_fen = (sale.fen, 0) if spend is not None else (0, sale.fen)
    same_day = account.spent_on == entry.day
    reply = TapReply(refusal=None, fen=sale.fen)
    change = Change(
        before=account,
        book_fen=account.book_fen + book_fen,
        unclaimed_fen=account.unclaimed_fen + unclaimed_fen,
        spent_on=account.spent_on,
        spent_fen=max(0, account.spent_fen - sale.fen) if same_day else account.spent_fen,
        frozen_reasons=account.frozen_reasons,
        now=now,
        entries=(
            NewEntry(
                seq=seq,
                kind=EntryKind.VOID,
                book_change_fen=book_fen,
                unclaimed_change_fen=unclaimed_fen,
                book_after_fen=account.book_fen + book_fen,
                unclaimed_after_fen=account.unclaimed_fen + unclaimed_fen,
                contra=Contra.MERCHANT,
                contra_ref=entry.contra_ref,
                source_key=order.key,
                occurred_at=now,
                mode=Mode.ONLINE,
                card_id=card.id,
                terminal_id=order.till.id,
                reverses=entry.id,
            ),
        ),
        answer=NewAnswer(
            order.key, GIVEN_UP, order.asked, reply.to_json(), entry_seq=seq, terminal_id=order.till.id
        ),
        card=CardChange(card.id, spend or card.spend, card.load, card.late_fen),
        reverses=(entry.id, entry_id(account.id, seq)),
    )
    return Decision(reply, change)


def _find_sale(key: uuid.UUID, till: Till) -> Sale | None:
    known = Answer.objects.filter(key=key).first()
    return _sale_of(known, till) if known else None


def _sale_of(known: Answer, till: Till) -> Sale | None:
    """The purchase behind an answer of this till, or None for a refusal or another till's."""
    if (
        known.op != DEBIT
        or known.terminal_id != till.id
        or known.account_id is None
        or known.entry_seq is None
    ):
        return None
    entry = Entry.objects.get(id=entry_id(known.account_id, known.entry_seq))
    return Sale(entry, Reversal.objects.filter(entry_id=entry.id).exists())


def _same(sale: Sale, card_id: int, today: object) -> bool:
    return sale.entry.card_id == card_id and sale.entry.day == today


def _tombstone(key: uuid.UUID, till: Till) -> NewAnswer:
    reply = TapReply(refusal=Refusal.VOIDED)
    return NewAnswer(key, GIVEN_UP, TOMBSTONE, reply.to_json(), terminal_id=till.id)


def _without_card(key: uuid.UUID, till: Till, now: datetime) -> TapOrder:
    return TapOrder(key, 0, GIVEN_UP.encode(), NO_CARD, 0, now, till)
