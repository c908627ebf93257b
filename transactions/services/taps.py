"""A tap that buys nothing: the holder looks at his money. Only what was seen is noted; the card is not written."""

from __future__ import annotations

from purse.rules import Refusal, refuse_standing
from transactions.days import local_day
from transactions.ledger import TapFacts
from transactions.services.orders import BookContext, TapOrder, TapReply
from transactions.services.plan import Plan
from transactions.services.running import Decision, reader, run
from transactions.services.sighting import look


def sighting(order: TapOrder, *, book: BookContext) -> TapReply:
    """Say what card and book hold, and why the card may not be used if so; freezes by the two rules as any tap does.

    Raises ``Busy``. Needs no line in the register: asking twice does no harm.
    """
    return run(
        order,
        book.now,
        read=reader(order),
        decide=lambda facts: _decide(facts, order, book),
    )


def _decide(facts: TapFacts, order: TapOrder, book: BookContext) -> Decision:
    sighted = look(facts, order.card, book.keys, book.policy)
    if isinstance(sighted, Refusal):
        return Decision(TapReply(refusal=sighted), None)
    plan = Plan(sighted, order, book)
    reply = plan.reply(refuse_standing(sighted.standing(local_day(book.now))))
    return Decision(reply, plan.change(None, reply), sighted=sighted)
