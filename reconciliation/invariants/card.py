"""Promises about cards: C1 to C5. The identity of C2 is ``purse.evidence.open_items``, said in SQL."""

# ruff: noqa: S608 - fixed texts put together from fixed parts; nothing that anybody entered comes in

from __future__ import annotations

from reconciliation.invariants.check import CARDS, Check, bound

_LIVE = "card.life IN ('issued', 'active')"
_SIDES = """
    FROM accounts_card card
    JOIN accounts_account a ON a.id = card.account_id
    CROSS JOIN LATERAL (VALUES
        ('spend', card.spend_seq, card.spend_total_fen), ('load', card.load_seq, card.load_total_fen)
    ) AS shown (side, seq, total_fen)
"""
_LEGS = f"""{_SIDES}
    CROSS JOIN LATERAL jsonb_array_elements(card.legs -> shown.side) WITH ORDINALITY AS leg (it, place)
"""
_TOLD = f"""{_SIDES}
    CROSS JOIN LATERAL jsonb_array_elements(card.images -> shown.side -> 'told') WITH ORDINALITY AS told (it, place)
"""

CARD = (
    Check(
        "C1",
        CARDS,
        f"""SELECT min(a.number), NULL, format('%s live cards', count(*))
        FROM accounts_card card JOIN accounts_account a ON a.id = card.account_id
        WHERE {_LIVE} GROUP BY card.account_id HAVING count(*) > 1
        UNION ALL
        SELECT min(a.number), NULL, format('UID %s stands on %s live cards', card.uid, count(*))
        FROM accounts_card card JOIN accounts_account a ON a.id = card.account_id
        WHERE {_LIVE} GROUP BY card.uid HAVING count(*) > 1
        UNION ALL
        SELECT min(a.number), NULL, format('card number %s used %s times', card.issue_no, count(*))
        FROM accounts_card card JOIN accounts_account a ON a.id = card.account_id
        GROUP BY card.account_id, card.issue_no HAVING count(*) > 1""",
    ),
    Check(
        "C1",
        "SELECT count(*) FROM transactions_entry WHERE purse_seq IS NOT NULL",
        """SELECT min(a.number), max(e.seq), format('%s %s of card %s is claimed by %s entries', e.purse_side,
            e.purse_seq, e.card_id, count(*))
        FROM transactions_entry e LEFT JOIN accounts_account a ON a.id = e.account_id
        WHERE e.purse_seq IS NOT NULL AND e.mode = 'online'
            AND NOT EXISTS (SELECT FROM transactions_reversal r WHERE r.entry_id = e.id)
        GROUP BY e.card_id, e.purse_side, e.purse_seq HAVING count(*) > 1""",
    ),
    Check(
        "C2",
        "SELECT count(*) FROM accounts_card WHERE legs <> '{}'",
        f"""SELECT a.number, (leg.it ->> 0)::bigint, format('%s leg %s is not as its entry says', shown.side, leg.it)
        {_LEGS}
        LEFT JOIN transactions_entry e ON e.id = card.account_id * 4294967296 + (leg.it ->> 0)::bigint
        WHERE e.id IS NULL OR e.purse_side IS DISTINCT FROM shown.side
            OR e.kind <> 'offline_sale' AND (e.card_id IS DISTINCT FROM card.id
                OR e.purse_seq IS DISTINCT FROM (leg.it ->> 1)::integer)
            OR e.book_change_fen <> CASE shown.side WHEN 'spend' THEN -1 ELSE 1 END * (leg.it ->> 2)::bigint
            OR e.terminal_id IS DISTINCT FROM (leg.it ->> 3)::bigint
            OR (leg.it ->> 5)::boolean AND (leg.it ->> 1)::integer > shown.seq AND card.offline_spent_fen = 0""",
    ),
    Check(
        "C2",
        "SELECT count(*) FROM accounts_card WHERE legs <> '{}'",
        f"""SELECT min(a.number), (leg.it ->> 0)::bigint, format('%s legs for one entry', count(*))
        {_LEGS} GROUP BY card.id, leg.it ->> 0 HAVING count(*) > 1""",
    ),
    Check(
        "C2",
        f"SELECT count(*) FROM accounts_card card WHERE {_LIVE}",
        f"""SELECT a.number, NULL, format('card %s, book %s, torn %s, unwritten %s, late %s: more on the card than any '
            'record explains, and no case', d.card_fen, a.book_fen, d.torn_fen, d.unwritten_fen, card.late_fen)
        FROM accounts_card card
        JOIN accounts_account a ON a.id = card.account_id
        CROSS JOIN LATERAL (
            SELECT card.load_total_fen - card.spend_total_fen AS card_fen,
                coalesce(sum((leg ->> 2)::bigint) FILTER (WHERE side = 'spend'), 0) AS torn_fen,
                coalesce(sum((leg ->> 2)::bigint) FILTER (WHERE side = 'load'), 0) AS unwritten_fen
            FROM jsonb_each(card.legs) AS open (side, legs)
            CROSS JOIN LATERAL jsonb_array_elements(open.legs) AS leg
            WHERE NOT (leg ->> 5)::boolean
        ) AS d
        WHERE {_LIVE}
            AND d.card_fen - a.book_fen > d.torn_fen - d.unwritten_fen + card.late_fen
            AND NOT EXISTS (
                SELECT FROM reconciliation_case c
                WHERE c.account_id = a.id AND c.mismatch = 'EXCESS' AND c.state = 'open')""",
    ),
    Check(
        "C3",
        "SELECT count(*) FROM accounts_card WHERE images <> '{}'",
        f"""SELECT a.number, NULL, format('%s shows %s/%s, below its floor %s', shown.side, shown.seq,
            shown.total_fen, card.images -> shown.side -> 'floor')
        {_SIDES}
        WHERE shown.seq < (card.images -> shown.side -> 'floor' ->> 0)::integer
            OR shown.total_fen < (card.images -> shown.side -> 'floor' ->> 1)::bigint""",
    ),
    Check(
        "C3",
        "SELECT count(*) FROM accounts_card WHERE images <> '{}'",
        f"""SELECT number, NULL, format('%s image %s does not follow the one before', side, it)
        FROM (
            SELECT a.number, shown.side, told.it, (told.it ->> 0)::integer AS seq, (told.it ->> 1)::bigint AS total_fen,
                lag((told.it ->> 0)::integer, 1, (card.images -> shown.side -> 'floor' ->> 0)::integer)
                    OVER side AS seq_before,
                lag((told.it ->> 1)::bigint, 1, 0::bigint) OVER side AS total_before_fen
            {_TOLD} WINDOW side AS (PARTITION BY card.id, shown.side ORDER BY told.place)
        ) AS chain
        WHERE seq <= seq_before OR total_fen < total_before_fen""",
    ),
    Check(
        "C3",
        CARDS,
        f"""SELECT a.number, NULL, format('%s shows %s/%s; no terminal was told to write that', shown.side,
            shown.seq, shown.total_fen)
        {_SIDES}
        JOIN (
            SELECT w.card_id, side, (w.told -> side ->> 0)::integer AS seq,
                array_agg((w.told -> side ->> 1)::bigint) AS totals
            FROM transactions_answer w CROSS JOIN (VALUES ('spend'), ('load')) AS s (side)
            WHERE jsonb_typeof(w.told) = 'object' AND w.told ? side
            GROUP BY 1, 2, 3
        ) AS told ON told.card_id = card.id AND told.side = shown.side AND told.seq = shown.seq
        WHERE shown.total_fen <> ALL (told.totals) AND (shown.side = 'load' OR card.offline_spent_fen = 0)""",
    ),
    Check(
        "C4",
        "SELECT count(*) FROM transactions_answer WHERE jsonb_typeof(told) = 'object'",
        """SELECT min(a.number), min(w.entry_seq), format('%s image %s of card %s was told under %s keys', side,
            told -> side ->> 0, w.card_id, count(*))
        FROM transactions_answer w
        CROSS JOIN (VALUES ('spend'), ('load')) AS s (side)
        LEFT JOIN accounts_account a ON a.id = w.account_id
        LEFT JOIN transactions_reversal r ON r.entry_id = (w.account_id << 32 | w.entry_seq)
        LEFT JOIN transactions_entry v ON v.id = r.reversed_by
        WHERE jsonb_typeof(w.told) = 'object' AND w.told ? side
            -- A sale that its till gave up went to no card: its number is free again.
            AND NOT coalesce(v.purse_side IS NULL AND v.book_change_fen > 0, false)
        GROUP BY w.card_id, side, told -> side ->> 0 HAVING count(*) > 1""",
    ),
    Check(
        "C4",
        "SELECT count(*) FROM transactions_entry WHERE mode = 'online' AND purse_seq IS NOT NULL",
        """SELECT a.number, e.seq, format('claims %s %s, its key was told %s', e.purse_side, e.purse_seq,
            w.told -> e.purse_side)
        FROM transactions_entry e
        JOIN transactions_answer w ON w.key = e.source_key
        LEFT JOIN accounts_account a ON a.id = e.account_id
        WHERE e.mode = 'online' AND e.purse_seq IS NOT NULL
            AND w.told ? e.purse_side AND (w.told -> e.purse_side ->> 0)::integer <> e.purse_seq""",
    ),
    Check(
        "C5",
        CARDS,
        f"""SELECT a.number, NULL, format('card %s fen', card.load_total_fen - card.spend_total_fen)
        FROM accounts_card card JOIN accounts_account a ON a.id = card.account_id
        WHERE {_LIVE} AND card.load_total_fen - card.spend_total_fen
                NOT BETWEEN least(0, a.book_fen) AND {bound("max_book_fen")}
            OR card.offline_spent_fen > card.spend_total_fen
        UNION ALL
        SELECT number, NULL, format('book %s fen', book_fen) FROM accounts_account
        WHERE book_fen > {bound("max_book_fen")}""",
    ),
)
