"""The ledger's two statements: read every fact of a tap, and write its whole effect if nothing moved meanwhile.

The lock is held for one statement: compare-and-swap on the account's version, so rules stay in Python and two tills
never wait for each other's round trip. Only ``transactions.services`` may import this package.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from transactions.ledger import sql, statement
from transactions.ledger.facts import read_by_card, read_by_uid
from transactions.ledger.shapes import (
    AccountFacts,
    AnswerFacts,
    CardChange,
    CardFacts,
    Change,
    NewAnswer,
    NewEntry,
    NotAdmitted,
    Prelude,
    TapFacts,
    Written,
)
from transactions.ledger.statement import array, dump
from transactions.mirror import write_sides
from transactions.models import SEQ_BITS

__all__ = [
    "AccountFacts",
    "AnswerFacts",
    "CardChange",
    "CardFacts",
    "Change",
    "NewAnswer",
    "NewEntry",
    "NotAdmitted",
    "Prelude",
    "TapFacts",
    "Written",
    "confirm",
    "lock",
    "read_by_card",
    "read_by_uid",
    "remember_refusal",
    "write",
]


def write(change: Change) -> Written:
    """Apply a change if the account is still at the version that was read.

    ``Written.moved`` False: somebody else was faster; read and decide again. Raises ``psycopg.errors.UniqueViolation``
    when the key was answered in between, and ``OperationalError`` with its SQLSTATE for locks and lost connections.
    """
    text, params = _statement(change)
    row = statement.run(text, params)
    confirmed = tuple(row[1] or ()) if change.confirmed else ()
    return Written(moved=bool(row[0]), confirmed=confirmed)


def remember_refusal(answer: NewAnswer, now: datetime) -> None:
    """Register the answer to a card that is not ours: no account, so nothing else to write."""
    text = sql.INSERT_ANSWER + (
        "VALUES (%(key)s, %(op)s, %(asked)s, NULL, NULL, NULL, %(terminal)s, %(journal_seq)s, NULL,"
        " %(reply)s::jsonb, %(now)s) RETURNING 1"
    )
    params = {
        "key": answer.key,
        "op": answer.op,
        "asked": answer.asked,
        "terminal": answer.terminal_id,
        "journal_seq": answer.journal_seq,
        "reply": dump(answer.reply),
        "now": now,
    }
    statement.run(text, params)


def confirm(keys: tuple[uuid.UUID, ...], *, terminal_id: int) -> frozenset[uuid.UUID]:
    """Settle the cards of operations whose write this terminal read back; keys of other terminals settle nothing.

    Returns the keys of cards that somebody else holds.
    """
    busy = statement.run(sql.CONFIRM_ALONE, {"confirmed": array(keys), "terminal": terminal_id})[0]
    return frozenset(busy or ())


def lock(account_id: int) -> None:
    """Hold the account's row until the transaction ends: for the one who lost the race too often."""
    statement.run("SELECT 1 FROM accounts_account WHERE id = %(id)s FOR NO KEY UPDATE", {"id": account_id})


def _statement(change: Change) -> tuple[str, dict[str, Any]]:
    freezes = change.frozen_reasons != change.before.frozen_reasons
    parts = [sql.MOVED.format(frozen=sql.FROZEN if freezes else "")]
    params = _account_params(change)
    if change.card is not None:
        parts.append(
            sql.MIRRORED.format(
                first_use=sql.FIRST_USE if change.card.first_use else "",
                levelled=sql.LEVELLED if change.card.levelled_seq is not None else "",
            )
        )
        params |= _card_params(change.card)
    if change.entries:
        rows = ", ".join(sql.ENTRY_ROW.format(n=n) for n in range(len(change.entries)))
        parts.append(sql.POSTED.format(rows=rows))
        for n, entry in enumerate(change.entries):
            params |= _entry_params(n, change.before.id, entry)
    if change.answer is not None:
        parts.append(sql.ANSWERED)
        params |= _answer_params(change.answer, change.card)
    if change.reverses is not None:
        parts.append(sql.REVERSED)
        params["reversed"], params["reversing"] = change.reverses
    if change.confirmed:
        parts.append(sql.CONFIRMED)
        params["confirmed"] = array(change.confirmed)
        params.setdefault("card_id", None)
    result = sql.RESULT + (sql.RESULT_CONFIRMED if change.confirmed else "")
    return "".join(parts) + result, params


def _account_params(change: Change) -> dict[str, Any]:
    before = change.before
    return {
        "account_id": before.id,
        "version": before.version,
        "book_fen": change.book_fen,
        "unclaimed_fen": change.unclaimed_fen,
        "entry_seq": before.entry_seq + len(change.entries),
        "spent_on": change.spent_on,
        "spent_fen": change.spent_fen,
        "frozen_reasons": array(change.frozen_reasons),
        "frozen_at": change.now,
    }


def _card_params(card: CardChange) -> dict[str, Any]:
    legs, images = write_sides(card.spend, card.load)
    return {
        "card_id": card.id,
        "spend_seq": card.spend.shown.seq,
        "spend_total_fen": card.spend.shown.total_fen,
        "offline_fen": card.spend.shown.offline_fen,
        "stop": card.spend.shown.stop,
        "load_seq": card.load.shown.seq,
        "load_total_fen": card.load.shown.total_fen,
        "late_fen": card.late_fen,
        "legs": dump(legs),
        "images": dump(images),
        "seen_at": card.seen_at,
        "seen_terminal": card.seen_terminal,
        "seen_place": card.seen_place,
        "levelled_seq": card.levelled_seq,
    }


def _entry_params(n: int, account_id: int, entry: NewEntry) -> dict[str, Any]:
    return {
        f"id_{n}": account_id << SEQ_BITS | entry.seq,
        f"seq_{n}": entry.seq,
        f"kind_{n}": entry.kind,
        f"book_change_{n}": entry.book_change_fen,
        f"unclaimed_change_{n}": entry.unclaimed_change_fen,
        f"book_after_{n}": entry.book_after_fen,
        f"unclaimed_after_{n}": entry.unclaimed_after_fen,
        f"contra_{n}": entry.contra,
        f"contra_ref_{n}": entry.contra_ref,
        f"source_key_{n}": entry.source_key,
        f"card_{n}": entry.card_id,
        f"side_{n}": entry.purse_side,
        f"purse_seq_{n}": entry.purse_seq,
        f"occurred_at_{n}": entry.occurred_at,
        f"terminal_{n}": entry.terminal_id,
        f"mode_{n}": entry.mode,
        f"reverses_{n}": entry.reverses,
        f"corrects_{n}": entry.corrects,
        f"note_{n}": entry.note,
    }


def _answer_params(answer: NewAnswer, card: CardChange | None) -> dict[str, Any]:
    return {
        "key": answer.key,
        "op": answer.op,
        "asked": answer.asked,
        "answer_card": card.id if card else None,
        "answer_seq": answer.entry_seq,
        "answer_terminal": answer.terminal_id,
        "journal_seq": answer.journal_seq,
        "told": dump(answer.told) if answer.told else None,
        "reply": dump(answer.reply),
    }
