"""The plain purchase in one call: read, decide and write, when nothing about card and account needs a thought.

The function (transactions/migrations/0005_plain_sale.py) says in SQL what ``purse.rules`` and ``purse.evidence`` accept
in the plain case, and never accepts more (tests/transactions/test_plain.py holds the two against each other on random
facts). Nothing written means "not plain": the general path looks, decides and explains.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

from transactions.ledger import facts, statement
from transactions.ledger.shapes import NotAdmitted, Prelude, TapFacts
from transactions.ledger.statement import array, dump


class PlainSale(NamedTuple):
    """What a purchase writes if it is plain: the parameters of the function by their names. A tuple, as it is hot.

    ``spend_…`` and ``load_…`` are what the card shows, ``seq_after`` the SPEND sequence to be written. Amounts in fen.
    """

    key: uuid.UUID
    asked: bytes
    reply: str
    """The answer as JSON text for PostgreSQL's ``format``: ``%1$s`` is the book's amount, ``%2$s`` the limit."""
    uid: str
    account_no: int
    fen: int
    spend_seq: int
    spend_total: int
    load_seq: int
    load_total: int
    seq_after: int
    today: date
    spent_before: int
    """What the card knows of today, before this purchase."""
    at: datetime
    now: datetime
    merchant: int | None
    terminal: int
    place: str
    journal_seq: int
    confirmed: tuple[uuid.UUID, ...]


@dataclass(frozen=True, slots=True)
class Sold:
    """What became of it, for the reply. Amounts in fen."""

    book_fen: int
    limit_fen: int
    confirmed: tuple[uuid.UUID, ...]


_SELL = """
    SELECT transactions_sell({admitted}, %(key)s::uuid,
        %(asked)s::bytea, %(reply)s, %(uid)s, %(account_no)s, %(fen)s, %(spend_seq)s, %(spend_total)s, %(load_seq)s,
        %(load_total)s, %(seq_after)s, %(images)s::jsonb, %(told)s::jsonb, %(today)s, %(spent_before)s, %(at)s,
        %(now)s, %(merchant)s, %(terminal)s, %(place)s, %(journal_seq)s, %(confirmed)s::uuid[])
"""


def sell(sale: PlainSale, prelude: Prelude | None) -> Sold | TapFacts | None:
    """Post a purchase if it is plain; if it is not, nothing was written but what the prelude does.

    Then the facts are returned, for the general path; None for a card that is not ours.

    Raises ``NotAdmitted`` when the prelude was refused, ``IntegrityError`` (unique) when the key is answered meanwhile.
    """
    text, params = _TEXT_ALONE, _params(sale)
    if prelude is not None:
        text = _text_after(prelude.call)
        params |= prelude.params
    (told,) = statement.run(text, params)
    if told is None:
        return None
    if not told:
        raise NotAdmitted
    if told.startswith("{"):
        return facts.from_json(told)
    book_fen, limit_fen, *settled = told.split(" ")
    return Sold(int(book_fen), int(limit_fen), tuple(key for key in sale.confirmed if str(key) in settled))


def as_text(reply: dict[str, object]) -> str:
    """An answer as the register keeps it."""
    return dump(reply)


@lru_cache(maxsize=16)
def _text_after(call: str) -> str:
    return _SELL.format(admitted=call)


_TEXT_ALONE = _SELL.format(admitted="true")


def _params(sale: PlainSale) -> dict[str, object]:
    seq, total = sale.seq_after, sale.spend_total + sale.fen
    params: dict[str, object] = sale._asdict()
    params["confirmed"] = array(sale.confirmed)
    params["told"] = f'{{"spend":[{seq},{total},0]}}'
    params["images"] = (
        f'{{"spend":{{"floor":[{sale.spend_seq},{sale.spend_total},0,false],"told":[[{seq},{total},false]]}}}}'
    )
    return params
