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


def sell_plainly(order: TapOrder, book: BookContext) -> TapReply | TapOrder:
    """Post the purchase in one statement, or return the order as the general path has to take it.

    Nothing is lost by trying: what the statement does not accept it does not write, and says what it saw instead. A
    prelude that was made with it is not made again. Raises ``NotAdmitted`` and ``Busy``.
    """
    if order.pin is not None or order.fen > book.policy.sale_max_fen:
        return order
    try:
        purse = decode(order.card, book.keys)
    except (ForeignCard, CardDamaged):
        return order
    if purse.spend.offline_fen or purse.spend.stop or is_worn(purse.spend) or order.fen > purse.card_fen:
        return order
    sale, write = _compose(order, purse, book)
    try:
        sold = plain.sell(sale, order.prelude)
    except DatabaseError as error:
        if sqlstate(error) in TRY_AGAIN:
            return order  # all of it was undone: the key has its answer, or somebody was in the way
        if isinstance(error, OperationalError):
            raise Busy(sqlstate(error) or "connection") from error
        raise
    if not isinstance(sold, plain.Sold):
        return replace(order, prelude=None, facts=sold)
    return TapReply(
        refusal=None,
        book_fen=sold.book_fen,
        card_fen=purse.card_fen - order.fen,
        writes=(write,),
        fen=order.fen,
        today_fen=sale.spent_before + order.fen,
        limit_fen=sold.limit_fen,
        recorded=sold.confirmed,
    )


def _compose(order: TapOrder, purse: Purse, book: BookContext) -> tuple[plain.PlainSale, TellWrite]:
    """What to write and what to answer, if the book agrees with everything the card says."""
    today = local_day(book.now)
    spent_fen, spend, load, till = purse.spent_on(today), purse.spend, purse.load, order.till
    after = State(spend.seq + 1, spend.total_fen + order.fen, 1 - spend.slot)
    today_fen = spent_fen + order.fen
    image = spend_image(purse.uid, purse.ident.account_no, after, Day(today, today_fen), book.keys)
    sale = plain.PlainSale(
        key=order.key,
        asked=order.asked,
        reply=_REPLY % (purse.card_fen - order.fen, after.slot, image.hex(), order.fen, today_fen),
        uid=order.card.uid.hex().upper(),
        account_no=purse.ident.account_no,
        fen=order.fen,
        spend_seq=spend.seq,
        spend_total=spend.total_fen,
        load_seq=load.seq,
        load_total=load.total_fen,
        seq_after=after.seq,
        today=today,
        spent_before=spent_fen,
        at=order.at,
        now=book.now,
        merchant=till.merchant_id,
        terminal=till.id,
        place=till.place,
        journal_seq=order.journal_seq,
        confirmed=order.confirmed,
    )
    return sale, TellWrite(Side.SPEND, after.slot, image)


def _reply_text() -> str:
    """The stored answer of a plain purchase, as text for ``%``: made once, from the one place that knows its shape.

    What the book alone knows stays open for PostgreSQL's ``format``: its amount is ``%1$s``, the limit ``%2$s``.
    """
    book, limit, card, slot, fen, today = (-(10**15) - number for number in range(6))
    image = bytes(range(240, 256))
    writes = (TellWrite(Side.SPEND, slot, image),)
    reply = TapReply(None, book, card, writes, fen=fen, today_fen=today, limit_fen=limit)
    text = plain.as_text(reply.to_json())
    for stand_in, place in (
        (book, "%%1$s"),
        (limit, "%%2$s"),
        *((number, "%d") for number in (card, slot, fen, today)),
        (image.hex(), "%s"),
    ):
        text = text.replace(str(stand_in), place)
    return text


_REPLY = _reply_text()
