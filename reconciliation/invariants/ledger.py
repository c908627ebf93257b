"""Promises about the book: L1 to L7 and M1."""

from __future__ import annotations

from reconciliation.invariants.check import ACCOUNTS, ANSWERS, ENTRIES, Check, bound

_MONEY_COLUMNS = """
    FROM information_schema.columns
    WHERE table_schema = current_schema()
        AND table_name ~ '^(accounts|transactions|banking|terminals|reconciliation)_'
        AND (column_name LIKE '%\\_fen' OR table_name ~ '^(transactions|banking)_')
"""

LEDGER = (
    Check(
        "L1",
        f"SELECT count(*) {_MONEY_COLUMNS}",
        f"""SELECT NULL, NULL, format('%s.%s is %s', table_name, column_name, data_type) {_MONEY_COLUMNS}
        AND (data_type IN ('real', 'double precision', 'numeric', 'money')
            OR column_name LIKE '%\\_fen' AND data_type NOT IN ('bigint', 'integer'))""",
    ),
    Check(
        "L1",
        ENTRIES,
        """SELECT a.number, e.seq, format('moves %s and %s fen', e.book_change_fen, e.unclaimed_change_fen)
        FROM transactions_entry e LEFT JOIN accounts_account a ON a.id = e.account_id
        WHERE greatest(abs(e.book_change_fen), abs(e.unclaimed_change_fen)) NOT BETWEEN 1 AND 10000000""",
    ),
    Check(
        "L2",
        ENTRIES,
        """SELECT a.number, e.seq, format('%s fen against %s', e.book_change_fen + e.unclaimed_change_fen, e.contra)
        FROM transactions_entry e
        LEFT JOIN accounts_account a ON a.id = e.account_id
        LEFT JOIN transactions_merchant m ON e.contra = 'merchant' AND m.id = e.contra_ref
        WHERE (e.contra = 'none') <> (e.book_change_fen + e.unclaimed_change_fen = 0)
            OR e.contra = 'merchant' AND m.id IS NULL""",
    ),
    Check(
        "L3",
        ENTRIES,
        """SELECT a.number, chain.seq, format('book after %s, unclaimed after %s do not follow from the entry before',
            chain.book_after_fen, chain.unclaimed_after_fen)
        FROM (
            SELECT e.*, lag(e.seq, 1, 0::bigint) OVER of_account AS seq_before,
                lag(e.book_after_fen, 1, 0::bigint) OVER of_account AS book_before_fen,
                lag(e.unclaimed_after_fen, 1, 0::bigint) OVER of_account AS unclaimed_before_fen
            FROM transactions_entry e
            WINDOW of_account AS (PARTITION BY e.account_id ORDER BY e.seq)
        ) AS chain
        LEFT JOIN accounts_account a ON a.id = chain.account_id
        WHERE chain.seq <> chain.seq_before + 1
            OR chain.book_after_fen <> chain.book_before_fen + chain.book_change_fen
            OR chain.unclaimed_after_fen <> chain.unclaimed_before_fen + chain.unclaimed_change_fen
            OR chain.id <> chain.account_id * 4294967296 + chain.seq
            OR a.id IS NULL""",
    ),
    Check(
        "L3",
        ACCOUNTS,
        """SELECT a.number, a.entry_seq, format('book %s, unclaimed %s; its %s entries add up to %s and %s',
            a.book_fen, a.unclaimed_fen, coalesce(s.entries, 0), coalesce(s.book_fen, 0), coalesce(s.unclaimed_fen, 0))
        FROM accounts_account a
        LEFT JOIN (
            SELECT account_id, count(*) AS entries, max(seq) AS last_seq, sum(book_change_fen) AS book_fen,
                sum(unclaimed_change_fen) AS unclaimed_fen
            FROM transactions_entry GROUP BY account_id
        ) AS s ON s.account_id = a.id
        WHERE (a.book_fen, a.unclaimed_fen, a.entry_seq, a.entry_seq) IS DISTINCT FROM
            (coalesce(s.book_fen, 0), coalesce(s.unclaimed_fen, 0), coalesce(s.entries, 0), coalesce(s.last_seq, 0))""",
    ),
    Check(
        "L4",
        "SELECT 1",
        """SELECT NULL, NULL, format('all sides together come to %s fen instead of 0', holders.fen + others.fen)
        FROM (SELECT coalesce(sum(book_fen + unclaimed_fen), 0) AS fen FROM accounts_account) AS holders,
            (SELECT -coalesce(sum(book_change_fen + unclaimed_change_fen), 0) AS fen FROM transactions_entry) AS others
        WHERE holders.fen + others.fen <> 0""",
    ),
    Check(
        "L4",
        "SELECT count(*) FROM transactions_cardhold",
        """SELECT a.number, e.seq, format('%s fen against the held money, and no hold says so', e.book_change_fen +
            e.unclaimed_change_fen)
        FROM transactions_entry e LEFT JOIN accounts_account a ON a.id = e.account_id
        WHERE e.contra = 'hold' AND NOT EXISTS (SELECT FROM transactions_cardhold h
            WHERE h.entry_id = e.id OR h.released_entry_id = e.id)""",
    ),
    Check(
        "L5",
        "SELECT count(*) FROM transactions_reversal",
        """SELECT a.number, coalesce(o.seq, e.seq), format('%s reversed by %s does not hold', r.entry_id,
            r.reversed_by)
        FROM transactions_reversal r
        LEFT JOIN transactions_entry o ON o.id = r.entry_id
        LEFT JOIN transactions_entry e ON e.id = r.reversed_by
        LEFT JOIN accounts_account a ON a.id = coalesce(o.account_id, e.account_id)
        WHERE o.id IS NULL OR e.id IS NULL OR o.account_id <> e.account_id
            OR e.reverses IS DISTINCT FROM o.id
            OR o.reverses IS NOT NULL
            OR e.book_change_fen + e.unclaimed_change_fen <> -(o.book_change_fen + o.unclaimed_change_fen)""",
    ),
    Check(
        "L5",
        "SELECT count(*) FROM transactions_entry WHERE reverses IS NOT NULL",
        """SELECT a.number, e.seq, format('reverses %s, unknown to the register of reversals', e.reverses)
        FROM transactions_entry e
        LEFT JOIN accounts_account a ON a.id = e.account_id
        LEFT JOIN transactions_reversal r ON r.reversed_by = e.id AND r.entry_id = e.reverses
        WHERE e.reverses IS NOT NULL AND r.entry_id IS NULL""",
    ),
    Check(
        "L5",
        "SELECT count(*) FROM transactions_entry WHERE corrects IS NOT NULL",
        """SELECT a.number, c.seq, format('corrections of %s come to %s fen, more than the entry', c.corrects, c.fen)
        FROM (
            SELECT account_id, corrects, max(seq) AS seq, sum(book_change_fen + unclaimed_change_fen) AS fen
            FROM transactions_entry WHERE corrects IS NOT NULL GROUP BY account_id, corrects
        ) AS c
        LEFT JOIN accounts_account a ON a.id = c.account_id
        LEFT JOIN transactions_entry o ON o.id = c.corrects AND o.account_id = c.account_id
        WHERE o.id IS NULL OR abs(c.fen) > abs(o.book_change_fen + o.unclaimed_change_fen)""",
    ),
    Check(
        "L6",
        ENTRIES,
        """SELECT a.number, e.seq, format('the register has no answer for its key %s', e.source_key)
        FROM transactions_entry e
        LEFT JOIN accounts_account a ON a.id = e.account_id
        LEFT JOIN transactions_answer w ON w.key = e.source_key AND w.account_id = e.account_id
        WHERE w.key IS NULL OR w.entry_seq IS NULL""",
    ),
    Check(
        "L6",
        ANSWERS,
        """SELECT a.number, w.entry_seq, format('answer %s names an entry that it did not make', w.key)
        FROM transactions_answer w
        LEFT JOIN accounts_account a ON a.id = w.account_id
        LEFT JOIN transactions_entry e ON e.id = w.account_id * 4294967296 + w.entry_seq AND e.source_key = w.key
        WHERE w.entry_seq IS NOT NULL AND e.id IS NULL""",
    ),
    Check(
        "L6",
        ENTRIES,
        """SELECT min(a.number), max(e.seq), format('key %s posted %s %s times', e.source_key, e.kind, count(*))
        FROM transactions_entry e LEFT JOIN accounts_account a ON a.id = e.account_id
        GROUP BY e.source_key, e.kind HAVING count(*) > 1""",
    ),
    Check(
        "L7",
        ENTRIES,
        """SELECT a.number, e.seq, format('ledger day %s, posted at %s', e.day, e.posted_at)
        FROM transactions_entry e LEFT JOIN accounts_account a ON a.id = e.account_id
        WHERE e.day <> (e.posted_at AT TIME ZONE 'Asia/Shanghai')::date""",
    ),
    Check(
        "M1",
        "SELECT count(*) FROM transactions_entry WHERE kind = 'bank_load'",
        f"""SELECT a.number, e.seq, format('bank load of %s fen', e.book_change_fen + e.unclaimed_change_fen)
        FROM transactions_entry e LEFT JOIN accounts_account a ON a.id = e.account_id
        WHERE e.kind = 'bank_load' AND e.book_change_fen + e.unclaimed_change_fen > 0
            AND e.book_change_fen + e.unclaimed_change_fen
                NOT BETWEEN {bound("load_min_fen")} AND {bound("load_max_fen")}""",  # noqa: S608 - our own words only
    ),
)
