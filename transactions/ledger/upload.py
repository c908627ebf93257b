"""Many offline sales at once: one statement locks and reads every account and card they touch, one writes them all.

The account rows are locked in the order of their ids, each before its cards, so that two uploads never wait for each
other in a circle and no tap waits for longer than one batch takes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from django.db import connection

from purse.evidence import SideMirror, State
from transactions.ledger.shapes import AccountFacts, CardFacts
from transactions.ledger.statement import dump
from transactions.mirror import read_side, write_sides

# Account by account, through the indexes, in the order of their ids: a join would read all accounts of the university.
_LOCK = """
    SELECT held.* FROM (
        SELECT DISTINCT account_id FROM accounts_card WHERE uid = ANY(%(uids)s) ORDER BY account_id
    ) AS wanted
    CROSS JOIN LATERAL (
        SELECT a.id, a.number, a.life, a.frozen_reasons, a.daily_limit_fen, a.book_fen, a.unclaimed_fen, a.entry_seq,
            a.version, a.spent_on, a.spent_fen,
            c.id, c.life, c.lost, c.expires_on, c.late_fen, c.spend_seq, c.spend_total_fen, c.offline_spent_fen,
            c.stop_marked, c.load_seq, c.load_total_fen, c.legs, c.images, c.levelled_seq, c.uid
        FROM accounts_account a
        JOIN accounts_card c ON c.account_id = a.id
        WHERE a.id = wanted.account_id AND c.life <> 'blank'
        ORDER BY c.id
        FOR NO KEY UPDATE OF a, c
    ) AS held
"""

_ANSWERS = """
    SELECT w.key, w.asked, w.reply ->> 'refusal', w.account_id, w.entry_seq, r.entry_id IS NOT NULL
    FROM transactions_answer w
    LEFT JOIN transactions_reversal r ON r.entry_id = w.account_id * 4294967296 + w.entry_seq
    WHERE w.key = ANY(%(keys)s::uuid[])
"""

_CLAIMS = """
    SELECT e.card_id, e.purse_seq, e.mode, -e.book_change_fen
    FROM unnest(%(accounts)s::bigint[]) AS wanted (id)
    JOIN transactions_entry e ON e.id >= wanted.id * 4294967296 AND e.id < (wanted.id + 1) * 4294967296
    WHERE e.purse_side = 'spend' AND e.kind IN ('purchase', 'offline_sale')
"""

_POST = """
    WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS at),
    moved AS (
        UPDATE accounts_account a SET book_fen = b.book_fen, entry_seq = b.entry_seq, spent_on = b.spent_on,
            spent_fen = b.spent_fen, version = a.version + 1
        FROM unnest(%(account)s::bigint[], %(book)s::bigint[], %(last_seq)s::bigint[], %(spent_on)s::date[],
            %(spent)s::integer[]) AS b (id, book_fen, entry_seq, spent_on, spent_fen)
        WHERE a.id = b.id
        RETURNING 1
    ), mirrored AS (
        UPDATE accounts_card c SET spend_seq = b.seq, spend_total_fen = b.total_fen, offline_spent_fen = b.offline_fen,
            stop_marked = b.stop, late_fen = b.late_fen, legs = b.legs::jsonb, images = b.images::jsonb
        FROM unnest(%(card)s::bigint[], %(seq)s::integer[], %(total)s::bigint[], %(offline)s::integer[],
            %(stop)s::boolean[], %(late)s::bigint[], %(legs)s::text[], %(images)s::text[])
            AS b (id, seq, total_fen, offline_fen, stop, late_fen, legs, images)
        WHERE c.id = b.id
        RETURNING 1
    ), line AS MATERIALIZED (
        SELECT * FROM unnest(%(of)s::bigint[], %(entry_seq)s::bigint[], %(key)s::uuid[], %(fen)s::bigint[],
            %(book_after)s::bigint[], %(unclaimed)s::bigint[], %(on_card)s::bigint[], %(card_seq)s::integer[],
            %(occurred_at)s::timestamptz[], %(journal_seq)s::bigint[], %(asked)s::text[])
            AS line (account_id, seq, key, fen, book_after_fen, unclaimed_fen, card_id, card_seq, occurred_at,
                journal_seq, asked)
    ), posted AS (
        INSERT INTO transactions_entry (id, account_id, seq, kind, book_change_fen, unclaimed_change_fen,
            book_after_fen, unclaimed_after_fen, contra, contra_ref, source_key, card_id, purse_side, purse_seq,
            occurred_at, posted_at, day, terminal_id, mode)
        SELECT line.account_id * 4294967296 + line.seq, line.account_id, line.seq, 'offline_sale', -line.fen, 0,
            line.book_after_fen, line.unclaimed_fen, 'merchant', %(merchant)s, line.key, line.card_id, 'spend',
            line.card_seq, line.occurred_at, clock.at, (clock.at AT TIME ZONE 'Asia/Shanghai')::date, %(terminal)s,
            'offline'
        FROM line, clock
    ), answered AS (
        INSERT INTO transactions_answer (key, op, asked, account_id, card_id, entry_seq, terminal_id, journal_seq,
            reply, answered_at)
        SELECT line.key, %(op)s, decode(line.asked, 'hex'), line.account_id, line.card_id, line.seq, %(terminal)s,
            line.journal_seq, format(%(reply)s, line.fen, line.book_after_fen)::jsonb, clock.at
        FROM line, clock
    )
    SELECT (SELECT count(*) FROM moved), (SELECT count(*) FROM mirrored)
"""

_FREEZE = """
    UPDATE accounts_account a SET frozen_reasons = string_to_array(b.reasons, ' '),
        frozen_at = coalesce(frozen_at, %(now)s)
    FROM unnest(%(account)s::bigint[], %(reasons)s::text[]) AS b (id, reasons)
    WHERE a.id = b.id
"""


@dataclass(frozen=True, slots=True)
class HeldCard:
    """A card, its account and both as they stand under the lock. ``uid`` upper case hex."""

    uid: str
    account: AccountFacts
    card: CardFacts


@dataclass(frozen=True, slots=True)
class KnownKey:
    """What the register has under a key. ``taken_back``: its entry was reversed."""

    asked: bytes
    refusal: str | None
    account_id: int | None
    entry_seq: int | None
    taken_back: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A sale that claims a number on a card's SPEND side; ``offline``: an offline till wrote it there."""

    seq: int
    offline: bool
    fen: int


@dataclass(frozen=True, slots=True)
class Line:
    """One offline sale to post: its place in the account, and its place on the card that it was made on."""

    account_id: int
    seq: int
    key: uuid.UUID
    fen: int
    book_after_fen: int
    unclaimed_fen: int
    card_id: int
    card_seq: int
    occurred_at: datetime
    journal_seq: int
    asked: bytes


class AccountAfter(Protocol):
    """An account row after the batch; amounts in fen."""

    @property
    def facts(self) -> AccountFacts: ...
    @property
    def book_fen(self) -> int: ...
    @property
    def entry_seq(self) -> int: ...
    @property
    def spent_on(self) -> date | None: ...
    @property
    def spent_fen(self) -> int: ...


class CardAfter(Protocol):
    """A card row after the batch."""

    @property
    def facts(self) -> CardFacts: ...
    @property
    def spend(self) -> SideMirror: ...
    @property
    def late_fen(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that one batch writes. ``reply``: the answer as text for ``format``, with fen and book to fill in."""

    accounts: Sequence[AccountAfter]
    cards: Sequence[CardAfter]
    lines: Sequence[Line]
    op: str
    reply: str
    terminal_id: int
    merchant_id: int | None


def hold(uids: Iterable[str]) -> list[HeldCard]:
    """Lock the accounts of these cards, in the order of their ids, with all cards they ever had; read them."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, {"uids": sorted(set(uids))})
        return [_held(row) for row in cursor.fetchall()]


def known_keys(keys: Iterable[uuid.UUID]) -> dict[uuid.UUID, KnownKey]:
    """Those of the keys that were answered. Ask after ``hold``: whoever posts to the accounts has committed then."""
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERS, {"keys": _array(keys)})
        return {row[0]: KnownKey(bytes(row[1]), *row[2:]) for row in cursor.fetchall()}


def claims(accounts: Iterable[int]) -> dict[int, list[Claim]]:
    """The sales of these accounts by card id. For the few cards with a doubtful record; reads whole accounts."""
    found: dict[int, list[Claim]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIMS, {"accounts": _array(accounts)})
        for card_id, seq, mode, fen in cursor.fetchall():
            found.setdefault(card_id, []).append(Claim(seq, mode == "offline", fen))
    return found


def post(batch: Batch) -> None:
    """Write a batch: accounts, cards, entries, answers. The rows must be held.

    Raises ``IntegrityError`` (unique) when a key was answered meanwhile without its account: nothing is written then.
    """
    with connection.cursor() as cursor:
        cursor.execute(_POST, _params(batch))
        written = cursor.fetchone()
    if written != (len(batch.accounts), len(batch.cards)):
        raise AssertionError("a held row is gone")


def freeze(reasons: dict[int, tuple[str, ...]], *, now: datetime) -> None:
    """Set the reasons of held accounts, by id."""
    with connection.cursor() as cursor:
        words = [" ".join(names) for names in reasons.values()]
        cursor.execute(_FREEZE, {"account": _array(reasons), "reasons": words, "now": now})


def _held(row: tuple[Any, ...]) -> HeldCard:
    spend = State(row[16], row[17], 0, row[18], row[19])
    load = State(row[20], row[21], 0)
    if row[22] == row[23] == "{}":  # nothing open: the usual card
        sides = SideMirror(spend, spend), SideMirror(load, load)
    else:
        legs, images = json.loads(row[22]), json.loads(row[23])
        sides = read_side("spend", spend, legs, images), read_side("load", load, legs, images)
    return HeldCard(
        uid=row[25],
        account=AccountFacts(row[0], row[1], row[2], tuple(row[3]), *row[4:11]),
        card=CardFacts(row[11], row[12], row[13], row[14], row[15], *sides, row[24]),
    )


def _params(batch: Batch) -> dict[str, Any]:
    accounts, lines = batch.accounts, sorted(batch.lines, key=lambda line: (line.account_id, line.seq))
    sides = [_sides(card) for card in batch.cards]
    shown = [card.spend.shown for card in batch.cards]
    return {
        "account": _array(after.facts.id for after in accounts),
        "book": _array(after.book_fen for after in accounts),
        "last_seq": _array(after.entry_seq for after in accounts),
        "spent_on": _array(after.spent_on for after in accounts),
        "spent": _array(after.spent_fen for after in accounts),
        "card": _array(after.facts.id for after in batch.cards),
        "seq": _array(state.seq for state in shown),
        "total": _array(state.total_fen for state in shown),
        "offline": _array(state.offline_fen for state in shown),
        "stop": _array(state.stop for state in shown),
        "late": _array(after.late_fen for after in batch.cards),
        "legs": _array(_quoted(legs) for legs, _ in sides),
        "images": _array(_quoted(images) for _, images in sides),
        "of": _array(line.account_id for line in lines),
        "entry_seq": _array(line.seq for line in lines),
        "key": _array(line.key for line in lines),
        "fen": _array(line.fen for line in lines),
        "book_after": _array(line.book_after_fen for line in lines),
        "unclaimed": _array(line.unclaimed_fen for line in lines),
        "on_card": _array(line.card_id for line in lines),
        "card_seq": _array(line.card_seq for line in lines),
        "occurred_at": _array(line.occurred_at.isoformat() for line in lines),
        "journal_seq": _array(line.journal_seq for line in lines),
        "asked": _array(line.asked.hex() or '""' for line in lines),
        "op": batch.op,
        "reply": batch.reply,
        "terminal": batch.terminal_id,
        "merchant": batch.merchant_id,
    }


def _sides(after: CardAfter) -> tuple[str, str]:
    """The columns ``legs`` and ``images`` as text."""
    spend, load = after.spend, after.facts.load
    if not (spend.legs or spend.told or load.legs or load.told or spend.in_doubt or load.in_doubt):
        return "{}", "{}"
    legs, images = write_sides(spend, load)
    return dump(legs), dump(images)


def _array(items: Iterable[object]) -> str:
    """An array of things that need no quotes as PostgreSQL writes it; far cheaper than the driver's general way."""
    return "{" + ",".join(["NULL" if item is None else str(item) for item in items]) + "}"


def _quoted(text: str) -> str:
    """A text as an element of such an array."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
