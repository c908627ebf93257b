"""The plain purchase in one statement: read, decide and write, when nothing about card and account needs a thought.

The WHERE says in SQL what ``purse.rules`` and ``purse.evidence`` accept in the plain case, and never accepts more
(tests/transactions/test_plain.py holds the two against each other on random facts). No row changed means "not plain":
the general path looks, decides and explains.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime

from purse.evidence import State
from transactions.ledger import statement
from transactions.ledger.shapes import NotAdmitted, Prelude
from transactions.ledger.sql import CONFIRMED, INSERT_ANSWER
from transactions.ledger.statement import array, dump


@dataclass(frozen=True, slots=True)
class PlainSale:
    """What a purchase writes if it is plain. ``spent_before_fen`` is what the card knows of today."""

    key: uuid.UUID
    asked: bytes
    reply: str
    """The answer as JSON text for PostgreSQL's ``format``: the book's amount and then the limit go where ``%s`` is."""
    uid: str
    account_no: int
    fen: int
    spend: State
    load: State
    after: State
    today: date
    spent_before_fen: int
    at: datetime
    now: datetime
    merchant_id: int | None
    terminal_id: int
    place: str
    journal_seq: int
    confirmed: tuple[uuid.UUID, ...]


@dataclass(frozen=True, slots=True)
class Sold:
    """What became of it, for the reply. Amounts in fen."""

    book_fen: int
    limit_fen: int
    confirmed: tuple[uuid.UUID, ...]


# ``seen`` is the account as the statement found it. A row that somebody changed meanwhile is read again by PostgreSQL
# before it is updated, but the card beside it is not; the version tells, and then this is not plain any more.
_SOLD = """sold AS (
        UPDATE accounts_account a SET book_fen = a.book_fen - %(fen)s, entry_seq = a.entry_seq + 1,
            version = a.version + 1, spent_on = %(today)s,
            spent_fen = CASE WHEN a.spent_on = %(today)s THEN a.spent_fen ELSE 0 END + %(fen)s
        FROM accounts_card c JOIN accounts_account seen ON seen.id = c.account_id
        WHERE c.uid = %(uid)s AND c.life = 'active' AND NOT c.lost
            AND (c.expires_on IS NULL OR c.expires_on >= %(today)s)
            AND c.spend_seq = %(spend_seq)s AND c.spend_total_fen = %(spend_total)s AND c.offline_spent_fen = 0
            AND NOT c.stop_marked AND c.load_seq = %(load_seq)s AND c.load_total_fen = %(load_total)s
            AND c.late_fen = 0 AND c.legs = '{{}}' AND c.images = '{{}}'
            AND a.id = seen.id AND a.version = seen.version
            AND seen.number = %(account_no)s AND seen.life = 'open' AND seen.frozen_reasons = '{{}}'
            AND seen.unclaimed_fen = 0 AND seen.book_fen >= c.load_total_fen - c.spend_total_fen
            AND %(fen)s <= c.load_total_fen - c.spend_total_fen
            AND (seen.spent_on IS DISTINCT FROM %(today)s OR seen.spent_fen <= %(spent_before)s)
            AND %(spent_after)s <= seen.daily_limit_fen
            AND NOT EXISTS (SELECT FROM transactions_answer WHERE key = %(key)s::uuid){admitted}
        RETURNING a.id, c.id AS card, a.entry_seq, a.book_fen, a.daily_limit_fen, clock_timestamp() AS at
    ), mirrored AS (
        UPDATE accounts_card SET images = %(images)s::jsonb, seen_at = %(now)s, seen_terminal = %(terminal)s,
            seen_place = %(place)s,
            legs = format('{{"spend":[[%s,%s,%s,%s,%s,false]]}}', sold.entry_seq, %(seq_after)s::bigint,
                %(fen)s::bigint, %(terminal)s::bigint, %(journal_seq)s::bigint)::jsonb
        FROM sold WHERE accounts_card.id = sold.card
        RETURNING 1
    ), posted AS (
        INSERT INTO transactions_entry (id, account_id, seq, kind, book_change_fen, unclaimed_change_fen,
            book_after_fen, unclaimed_after_fen, contra, contra_ref, source_key, card_id, purse_side, purse_seq,
            occurred_at, posted_at, day, terminal_id, mode)
        SELECT sold.id * 4294967296 + sold.entry_seq, sold.id, sold.entry_seq, 'purchase', -%(fen)s::bigint, 0,
            sold.book_fen, 0, 'merchant', %(merchant)s::bigint, %(key)s::uuid, sold.card, 'spend', %(seq_after)s,
            %(at)s, sold.at, (sold.at AT TIME ZONE 'Asia/Shanghai')::date, %(terminal)s, 'online'
        FROM sold
    ), answered AS ({insert}
        SELECT %(key)s::uuid, 'debit', %(asked)s::bytea, sold.id, sold.card, sold.entry_seq, %(terminal)s,
            %(journal_seq)s, %(told)s::jsonb, format(%(reply)s, sold.book_fen, sold.daily_limit_fen)::jsonb, sold.at
        FROM sold
    )"""
_RESULT = """
    SELECT sold.book_fen, sold.daily_limit_fen, {confirmed}, {advanced}
    FROM (SELECT 1) AS always LEFT JOIN sold ON true
"""


def sell(sale: PlainSale, prelude: Prelude | None) -> Sold | None:
    """Post a purchase if it is plain; None if it is not, and then nothing was written but what the prelude does.

    Raises ``NotAdmitted`` when the prelude was refused, ``IntegrityError`` (unique) when the key is answered meanwhile.
    """
    row = statement.run(
        _text(prelude, confirms=bool(sale.confirmed)), _params(sale) | (prelude.params if prelude else {})
    )
    if not row[3]:
        raise NotAdmitted
    return Sold(row[0], row[1], tuple(row[2] or ())) if row[0] is not None else None


def template(reply: dict[str, object], places: dict[str, int]) -> str:
    """The answer as text for PostgreSQL's ``format``: each stand-in becomes the argument of that number."""
    text = dump(reply)
    for stand_in, number in places.items():
        text = text.replace(stand_in, f"%{number}$s")
    return text


def _text(prelude: Prelude | None, *, confirms: bool) -> str:
    admitted = " AND EXISTS (SELECT FROM advanced)" if prelude else ""
    parts = [f"{prelude.advance}, " if prelude else "", _SOLD.format(insert=INSERT_ANSWER, admitted=admitted)]
    if confirms:
        parts.append(CONFIRMED)
    result = _RESULT.format(
        confirmed="(SELECT array_agg(key) FROM free)" if confirms else "NULL",
        advanced="(SELECT count(*) FROM advanced)" if prelude else "1",
    )
    return "WITH " + "".join(parts) + result


def _params(sale: PlainSale) -> dict[str, object]:
    spend, after = sale.spend, sale.after
    return {
        "key": sale.key,
        "asked": sale.asked,
        "reply": sale.reply,
        "uid": sale.uid,
        "account_no": sale.account_no,
        "fen": sale.fen,
        "spend_seq": spend.seq,
        "spend_total": spend.total_fen,
        "load_seq": sale.load.seq,
        "load_total": sale.load.total_fen,
        "seq_after": after.seq,
        "images": f'{{"spend":{{"floor":[{spend.seq},{spend.total_fen},0,false],'
        f'"told":[[{after.seq},{after.total_fen},false]]}}}}',
        "told": f'{{"spend":[{after.seq},{after.total_fen},0]}}',
        "today": sale.today,
        "spent_before": sale.spent_before_fen,
        "spent_after": sale.spent_before_fen + sale.fen,
        "at": sale.at,
        "now": sale.now,
        "merchant": sale.merchant_id,
        "terminal": sale.terminal_id,
        "place": sale.place,
        "journal_seq": sale.journal_seq,
        "confirmed": array(sale.confirmed),
        "card_id": None,
    }
