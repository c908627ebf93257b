"""Promises about cash: L12, gapless receipts (E6), the customer's look before the cashier's confirmation (R013)."""

from __future__ import annotations

from reconciliation.invariants.check import Check

_CASH = "FROM transactions_entry WHERE contra = 'drawer' AND contra_ref IS NOT NULL"

CASH = (
    Check(
        "L12",
        "SELECT count(*) FROM transactions_shift",
        """SELECT NULL, NULL, format('shift %s of %s: float %s and movements of %s are not the expected %s, '
            'or counted %s is not that with the difference %s', s.no, d.code, s.float_fen, coalesce(m.fen, 0),
            s.expected_fen,
            s.counted_fen, s.difference_fen)
        FROM transactions_shift s
        JOIN transactions_drawer d ON d.id = s.drawer_id
        LEFT JOIN (
            SELECT contra_ref, sum(book_change_fen + unclaimed_change_fen) AS fen
            FROM transactions_entry WHERE contra = 'drawer' AND contra_ref IS NOT NULL GROUP BY contra_ref
        ) AS m ON m.contra_ref = s.id
        WHERE s.closed_at IS NOT NULL
            AND (s.expected_fen <> s.float_fen + coalesce(m.fen, 0)
                OR s.difference_fen <> s.counted_fen - s.expected_fen)""",
    ),
    Check(
        "L12",
        f"SELECT count(*) {_CASH}",
        """SELECT a.number, e.seq, format('%s fen of shift %s at the drawer, and %s receipts for it',
            e.book_change_fen + e.unclaimed_change_fen, e.contra_ref, count(r.id))
        FROM transactions_entry e
        LEFT JOIN accounts_account a ON a.id = e.account_id
        LEFT JOIN transactions_receipt r ON r.entry_id = e.id AND r.shift_id = e.contra_ref
            AND r.fen = abs(e.book_change_fen + e.unclaimed_change_fen)
            AND (r.kind IN ('void', 'payout', 'deposit_back')) = (e.book_change_fen + e.unclaimed_change_fen < 0)
        WHERE e.contra = 'drawer' AND e.contra_ref IS NOT NULL
        GROUP BY a.number, e.id, e.seq, e.book_change_fen, e.unclaimed_change_fen, e.contra_ref
        HAVING count(r.id) <> 1""",
    ),
    Check(
        "L12",
        "SELECT count(*) FROM transactions_receipt",
        """SELECT r.account_number, NULL, format('receipt %s-%s names an entry that is not its own', r.series_id, r.no)
        FROM transactions_receipt r
        LEFT JOIN transactions_entry e ON e.id = r.entry_id AND e.account_id = r.account_id
        WHERE e.id IS NULL
            OR r.shift_id IS NOT NULL AND (e.contra <> 'drawer' OR e.contra_ref IS DISTINCT FROM r.shift_id)""",
    ),
    Check(
        "L12",
        "SELECT count(*) FROM transactions_receiptseries",
        """SELECT NULL, NULL, format('receipts %s: %s of %s, the last one %s', s.code, count(r.id), s.last_no,
            max(r.no))
        FROM transactions_receiptseries s
        LEFT JOIN transactions_receipt r ON r.series_id = s.code
        GROUP BY s.code, s.last_no
        HAVING count(r.id) <> s.last_no OR coalesce(max(r.no), 0) <> s.last_no""",
    ),
    Check(
        "R013",
        "SELECT count(*) FROM transactions_topupslip WHERE confirmed_at IS NOT NULL",
        """SELECT r.account_number, NULL, format('receipt %s-%s of %s fen: shown at %s, confirmed at %s, booked at %s',
            r.series_id, r.no, r.fen, s.shown_at, s.confirmed_at, e.posted_at)
        FROM transactions_topupslip s
        JOIN transactions_receipt r ON r.operation = s.id AND r.kind = 'top_up'
        LEFT JOIN transactions_entry e ON e.id = r.entry_id
        WHERE s.shown_at IS NULL OR s.confirmed_at IS NULL OR s.shown_at > s.confirmed_at
            OR e.posted_at < s.confirmed_at OR r.fen <> s.fen OR r.account_id <> s.account_id""",
    ),
    Check(
        "L9",
        "SELECT count(*) FROM transactions_receipt WHERE kind = 'void'",
        """SELECT v.account_number, NULL, format('receipt %s-%s takes %s fen back, and nobody agreed to it',
            v.series_id, v.no, v.fen)
        FROM transactions_receipt v
        JOIN transactions_receipt r ON r.id = v.voids_id
        WHERE v.fen <> r.fen OR v.account_id <> r.account_id OR v.shift_id IS DISTINCT FROM r.shift_id
            OR NOT EXISTS (
                SELECT FROM accounts_request q
                JOIN accounts_requestresult done ON done.request_id = q.id AND done.done
                JOIN accounts_requestruling ruling ON ruling.request_id = q.id AND ruling.verdict = 'agreed'
                WHERE q.kind = 'top_up.void' AND q.account_id = v.account_id AND q.amount_fen = v.fen
                    AND ruling.checker_id <> q.maker_id
                    AND q.canonical::jsonb ->> 'receipt' = r.series_id || '-' || lpad(r.no::text, 6, '0'))""",
    ),
)
