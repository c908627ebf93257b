"""A purchase at an online till: the book first, then the card (guide L101)."""

from __future__ import annotations

from purse.procedures import is_worn
from purse.rules import DebitFacts, Pin, Refusal, refuse_debit, refuse_standing
from transactions.days import local_day
from transactions.ledger import NewAnswer, TapFacts
from transactions.services.orders import BookContext, TapOrder, TapReply
from transactions.services.plain import sell_plainly
from transactions.services.plan import Plan
from transactions.services.replay import fresh
from transactions.services.running import Decision, reader, run
from transactions.services.sighting import Sighted, look

OP = "debit"


def debit(order: TapOrder, *, book: BookContext) -> TapReply:
    """Take the money from the book, or say why not. The terminal writes the card afterwards.

    Safe to repeat: the same order gets the same answer and moves money once. When this returns, everything is
    committed, so the terminal may act on it. Raises ``KeyReused`` and ``Busy`` (running.py).
    """
    tried = sell_plainly(order, book)
    if isinstance(tried, TapReply):
        return tried
    order = tried
    pins = _PinOnce(order, book)
    reply = run(
        order,
        book.now,
        read=reader(order),
        decide=lambda facts: _decide(facts, order, book, pins),
    )
    return fresh(reply, order, book) if reply.replay else reply


class _PinOnce:
    """Compares the password of an order at most once, however often the order is decided anew."""

    def __init__(self, order: TapOrder, book: BookContext) -> None:
        self._pin = order.pin
        self._check = book.check_pin
        self._verdict: tuple[Pin, int | None] | None = None

    def verdict(self, account_id: int) -> tuple[Pin, int | None]:
        """What is known of the password, and how many guesses are left."""
        if self._pin is None:
            return Pin.NOT_GIVEN, None
        if self._verdict is None:
            found = self._check(account_id, self._pin)
            self._verdict = found.pin, found.remaining
        return self._verdict


def _decide(facts: TapFacts, order: TapOrder, book: BookContext, pins: _PinOnce) -> Decision:
    sighted = look(facts, order.card, book.keys, book.policy)
    if isinstance(sighted, Refusal):
        return refuse_unknown(OP, sighted, order)
    plan = Plan(sighted, order, book)
    standing = sighted.standing(local_day(book.now))
    pin, pin_left = Pin.NOT_GIVEN, None
    if refuse_standing(standing) is None:
        pin, pin_left = pins.verdict(sighted.account.id)
    claim_fen = plan.claimable_fen()
    debit_facts = DebitFacts(
        standing=standing,
        amount_fen=order.fen,
        card_fen=plan.healed_card_fen + claim_fen,
        book_fen=plan.book_fen + claim_fen,
        spent_today_fen=plan.spent_today_fen,
        limit_fen=sighted.account.limit_fen,
        pin=pin,
        card_worn=is_worn(sighted.card.spend),
    )
    refusal = refuse_debit(debit_facts, book.policy)
    if refusal is None:
        if claim_fen:
            plan.claim(claim_fen)
        plan.purchase()
        plan.heal()
    else:
        repair(plan, sighted, refusal)
    reply = plan.reply(refusal, fen=0 if refusal else order.fen, pin_left=pin_left)
    return Decision(reply, plan.change(OP, reply), sighted=sighted)


def repair(plan: Plan, sighted: Sighted, refusal: Refusal) -> None:
    """What a refused tap still does to the card: heal it, or mark it so that offline tills refuse it too."""
    if sighted.finding is not None or refusal is Refusal.CARD_WORN:
        return
    if refusal in _STOPS:
        plan.mark_stopped()
    else:
        plan.heal()


_STOPS = frozenset(
    {
        Refusal.CARD_LOST,
        Refusal.CARD_FROZEN,
        Refusal.CARD_REPLACED,
        Refusal.ACCOUNT_CLOSED,
        Refusal.CARD_EXPIRED,
    }
)


def refuse_unknown(op: str, refusal: Refusal, order: TapOrder) -> Decision:
    """A card without a row of ours: answered and remembered, nothing else."""
    reply = TapReply(refusal=refusal)
    answer = NewAnswer(
        key=order.key,
        op=op,
        asked=order.asked,
        reply=reply.to_json(),
        terminal_id=order.till.id,
        journal_seq=order.journal_seq,
    )
    return Decision(reply, None, refusal_only=answer)
