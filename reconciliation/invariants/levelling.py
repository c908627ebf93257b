"""Promises about levelling and what comes after it: C6, the late part of C2, refunds (L5), books below zero (L10)."""

# ruff: noqa: S608 - fixed texts put together from fixed parts; nothing that anybody entered comes in

from __future__ import annotations

from reconciliation.invariants.check import ENTRIES, Check, bound

_STANDS_IN = "l.kind IN ('levelling', 'adjustment') AND l.purse_seq IS NOT NULL"
_LEVELLINGS = "SELECT count(*) FROM transactions_entry WHERE kind = 'levelling'"
_LATE = f"""
    SELECT e.id, e.account_id, e.seq, e.card_id, -e.book_change_fen AS fen
    FROM transactions_entry e
    WHERE e.kind = 'offline_sale' AND EXISTS (
        SELECT FROM transactions_entry l
        WHERE l.account_id = e.account_id AND l.seq < e.seq AND l.card_id = e.card_id AND {_STANDS_IN}
            AND l.purse_seq >= e.purse_seq)
"""
"""Records that had been levelled away when they came: the ledger itself says so."""

LEVELLING = (
    Check(
        "C6",
        _LEVELLINGS,
        """SELECT a.number, e.seq, format('levelled upward by %s fen', e.book_change_fen)
        FROM transactions_entry e LEFT JOIN accounts_account a ON a.id = e.account_id
        WHERE e.kind = 'levelling' AND e.book_change_fen >= 0""",
    ),
    Check(
        "C6",
        _LEVELLINGS,
        """SELECT a.number, e.seq, format('levelled against %s without saying up to which number of the card', e.contra)
        FROM transactions_entry e LEFT JOIN accounts_account a ON a.id = e.account_id
        WHERE e.kind = 'levelling' AND (e.contra <> 'levelling' OR e.mode <> 'server' OR e.card_id IS NULL
            OR e.purse_side IS DISTINCT FROM 'spend' OR e.purse_seq IS NULL OR e.unclaimed_change_fen <> 0)""",
    ),
    Check(
        "C6",
        _LEVELLINGS,
        f"""SELECT a.number, e.seq, format('levelled at %s, and no gap of the card was that old', e.occurred_at)
        FROM transactions_entry e LEFT JOIN accounts_account a ON a.id = e.account_id
        WHERE e.kind = 'levelling'
            AND NOT EXISTS (
                SELECT FROM transactions_offlinetrace t
                WHERE t.card_id = e.card_id AND t.card_seq <= e.purse_seq
                    AND t.seen_at <= e.occurred_at - make_interval(secs => {bound("levelling_silence_s")}))
            AND NOT EXISTS (
                SELECT FROM reconciliation_case c
                WHERE c.account_id = e.account_id AND c.mismatch = 'OFFLINE_GAP'
                    AND c.opened_at <= e.occurred_at - make_interval(secs => {bound("levelling_silence_s")}))""",
    ),
    Check(
        "C6",
        "SELECT count(*) FROM accounts_card WHERE levelled_seq > 0",
        f"""SELECT a.number, NULL, format('card %s is levelled up to %s, its entries say %s', card.uid,
            card.levelled_seq, coalesce(l.seq, 0))
        FROM accounts_card card
        LEFT JOIN accounts_account a ON a.id = card.account_id
        LEFT JOIN (
            SELECT l.card_id, max(l.purse_seq) AS seq FROM transactions_entry l WHERE {_STANDS_IN} GROUP BY l.card_id
        ) AS l ON l.card_id = card.id
        WHERE card.levelled_seq <> coalesce(l.seq, 0)""",
    ),
    Check(
        "C2",
        "SELECT count(*) FROM accounts_card WHERE late_fen > 0",
        f"""SELECT a.number, s.seq, format('card %s: %s fen late, its records say %s', card.uid, card.late_fen,
            coalesce(s.fen, 0))
        FROM accounts_card card
        LEFT JOIN accounts_account a ON a.id = card.account_id
        LEFT JOIN (
            SELECT late.card_id, max(late.seq) AS seq, sum(late.fen) AS fen FROM ({_LATE}) AS late
            WHERE NOT EXISTS (SELECT FROM transactions_refund r WHERE r.entry_id = late.id)
            GROUP BY late.card_id
        ) AS s ON s.card_id = card.id
        WHERE card.late_fen <> coalesce(s.fen, 0)""",
    ),
    Check(
        "L5",
        "SELECT count(*) FROM transactions_refund",
        f"""SELECT a.number, e.seq, format('refund %s of %s does not hold', r.refunded_by, r.entry_id)
        FROM transactions_refund r
        LEFT JOIN transactions_entry e ON e.id = r.refunded_by
        LEFT JOIN ({_LATE}) AS late ON late.id = r.entry_id
        LEFT JOIN accounts_account a ON a.id = coalesce(e.account_id, late.account_id)
        WHERE e.id IS NULL OR late.id IS NULL OR e.kind <> 'refund' OR e.corrects IS DISTINCT FROM late.id
            OR e.account_id <> late.account_id OR e.book_change_fen + e.unclaimed_change_fen <> late.fen""",
    ),
    Check(
        "L5",
        "SELECT count(*) FROM transactions_entry WHERE kind = 'refund'",
        """SELECT a.number, e.seq, format('refunds %s, unknown to the register of refunds', e.corrects)
        FROM transactions_entry e
        LEFT JOIN accounts_account a ON a.id = e.account_id
        LEFT JOIN transactions_refund r ON r.refunded_by = e.id AND r.entry_id = e.corrects
        WHERE e.kind = 'refund' AND r.entry_id IS NULL""",
    ),
    Check(
        "L10",
        ENTRIES,
        """SELECT a.number, e.seq, format('%s took the book to %s fen', e.kind, e.book_after_fen)
        FROM transactions_entry e LEFT JOIN accounts_account a ON a.id = e.account_id
        WHERE e.book_after_fen < 0 AND e.book_change_fen < 0
            AND e.kind NOT IN ('offline_sale', 'bank_load', 'levelling')""",
    ),
)
