"""The plain purchase: nearly every tap of a lunch. Composed here without asking the book, posted if the book agrees.

Whatever is not plain (a leg still open, money to claim, a password, a doubt) is left to the general path.
"""

from __future__ import annotations

from dataclasses import replace

from django.db import DatabaseError, OperationalError

from purse.evidence import Side, State
from purse.procedures import CardDamaged, Day, ForeignCard, Purse, decode, is_worn, spend_image
from transactions.days import local_day
from transactions.ledger import plain
from transactions.services.orders import BookContext, Busy, TapOrder, TapReply, TellWrite
from transactions.services.running import RETRYABLE, UNIQUE_VIOLATION, sqlstate

TRY_AGAIN = RETRYABLE | {UNIQUE_VIOLATION}
BOOK_FEN, LIMIT_FEN = -111_111_111_111, -222_222_222_222
"""Stand-ins in the prepared answer for the two amounts that only the book knows."""


def sell_plainly(order: TapOrder, book: BookContext) -> TapReply | TapOrder:
    """Post the purchase in one statement, or return the order as the general path has to take it.

    Nothing is lost by trying: what the statement does not accept it does not write. A prelude that was made with it is
    not made again. Raises ``NotAdmitted`` and ``Busy``.
    """
    if order.pin is not None or order.fen > book.policy.sale_max_fen:
        return order
    try:
        purse = decode(order.card, book.keys)
    except (ForeignCard, CardDamaged):
        return order
    if purse.spend.offline_fen or purse.spend.stop or is_worn(purse.spend) or order.fen > purse.card_fen:
        return order
    sale, reply = _compose(order, purse, book)
    try:
        sold = plain.sell(sale, order.prelude)
    except DatabaseError as error:
        if sqlstate(error) in TRY_AGAIN:
            return order  # all of it was undone: the key has its answer, or somebody was in the way
        if isinstance(error, OperationalError):
            raise Busy(sqlstate(error) or "connection") from error
        raise
    if sold is None:
        return replace(order, prelude=None)
    return TapReply(
        refusal=None,
        book_fen=sold.book_fen,
        card_fen=reply.card_fen,
        writes=reply.writes,
        fen=order.fen,
        today_fen=reply.today_fen,
        limit_fen=sold.limit_fen,
        recorded=sold.confirmed,
    )


def _compose(order: TapOrder, purse: Purse, book: BookContext) -> tuple[plain.PlainSale, TapReply]:
    """What to write and what to answer, if the book agrees with everything the card says."""
    today = local_day(book.now)
    spent_fen = purse.spent_on(today)
    spend = purse.spend
    after = State(spend.seq + 1, spend.total_fen + order.fen, 1 - spend.slot)
    day = Day(today, spent_fen + order.fen)
    image = spend_image(purse.uid, purse.ident.account_no, after, day, book.keys)
    reply = TapReply(
        refusal=None,
        book_fen=BOOK_FEN,
        card_fen=purse.card_fen - order.fen,
        writes=(TellWrite(Side.SPEND, after.slot, image),),
        fen=order.fen,
        today_fen=day.spent_fen,
        limit_fen=LIMIT_FEN,
    )
    sale = plain.PlainSale(
        key=order.key,
        asked=order.asked,
        reply=plain.template(reply.to_json(), {str(BOOK_FEN): 1, str(LIMIT_FEN): 2}),
        uid=order.card.uid.hex().upper(),
        account_no=purse.ident.account_no,
        fen=order.fen,
        spend=spend,
        load=purse.load,
        after=after,
        today=today,
        spent_before_fen=spent_fen,
        at=order.at,
        now=book.now,
        merchant_id=order.till.merchant_id,
        terminal_id=order.till.id,
        place=order.till.place,
        journal_seq=order.journal_seq,
        confirmed=order.confirmed,
    )
    return sale, reply
