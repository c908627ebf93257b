"""The SQL of a tap: fixed texts with server-side parameters, planned once a connection.

Nothing from outside is ever put into a text; what varies is only how many entries a tap posts.
"""

# ruff: noqa: S608 - constants are joined with constants here, never with input

from __future__ import annotations

INSERT_ANSWER = """
    INSERT INTO transactions_answer (key, op, asked, account_id, card_id, entry_seq, terminal_id, journal_seq, told,
        reply, answered_at)
"""

MOVED = """
    WITH moved AS (
        UPDATE accounts_account SET book_fen = %(book_fen)s, unclaimed_fen = %(unclaimed_fen)s,
            entry_seq = %(entry_seq)s, spent_on = %(spent_on)s, spent_fen = %(spent_fen)s{frozen},
            version = version + 1
        WHERE id = %(account_id)s AND version = %(version)s
        RETURNING clock_timestamp() AS at
    )"""

FIRST_USE = ", life = 'active'"
"""An issued card is in use from its first tap on."""

LEVELLED = ", levelled_seq = greatest(levelled_seq, %(levelled_seq)s)"
"""Named only by a levelling: a trigger sees to it that it never goes down."""

FROZEN = """,
            frozen_reasons = %(frozen_reasons)s::text[], frozen_at = coalesce(frozen_at, %(frozen_at)s)"""
"""Named only when it changes: the triggers that guard a freeze look at every statement that names it."""

MIRRORED = """, mirrored AS (
        UPDATE accounts_card SET spend_seq = %(spend_seq)s, spend_total_fen = %(spend_total_fen)s,
            offline_spent_fen = %(offline_fen)s, stop_marked = %(stop)s, load_seq = %(load_seq)s,
            load_total_fen = %(load_total_fen)s, late_fen = %(late_fen)s, legs = %(legs)s::jsonb,
            images = %(images)s::jsonb, seen_at = coalesce(%(seen_at)s, seen_at),
            seen_terminal = coalesce(%(seen_terminal)s, seen_terminal),
            seen_place = CASE WHEN %(seen_at)s::timestamptz IS NULL THEN seen_place ELSE %(seen_place)s
                END{first_use}{levelled}
        FROM moved WHERE accounts_card.id = %(card_id)s
        RETURNING 1
    )"""

POSTED = """, posted AS (
        INSERT INTO transactions_entry (id, account_id, seq, kind, book_change_fen, unclaimed_change_fen,
            book_after_fen, unclaimed_after_fen, contra, contra_ref, source_key, card_id, purse_side, purse_seq,
            occurred_at, posted_at, day, terminal_id, mode, reverses, corrects, note)
        SELECT v.id, %(account_id)s, v.seq, v.kind, v.book_change, v.unclaimed_change, v.book_after,
            v.unclaimed_after, v.contra, v.contra_ref, v.source_key, v.card_id, v.side, v.purse_seq, v.occurred_at,
            moved.at, (moved.at AT TIME ZONE 'Asia/Shanghai')::date, v.terminal_id, v.mode, v.reverses, v.corrects,
            v.note
        FROM moved, (VALUES {rows}) AS v (id, seq, kind, book_change, unclaimed_change, book_after, unclaimed_after,
            contra, contra_ref, source_key, card_id, side, purse_seq, occurred_at, terminal_id, mode, reverses,
            corrects, note)
    )"""

ENTRY_ROW = (
    "(%(id_{n})s::bigint, %(seq_{n})s::bigint, %(kind_{n})s::text, %(book_change_{n})s::bigint,"
    " %(unclaimed_change_{n})s::bigint, %(book_after_{n})s::bigint, %(unclaimed_after_{n})s::bigint,"
    " %(contra_{n})s::text, %(contra_ref_{n})s::bigint, %(source_key_{n})s::uuid, %(card_{n})s::bigint,"
    " %(side_{n})s::text, %(purse_seq_{n})s::integer, %(occurred_at_{n})s::timestamptz,"
    " %(terminal_{n})s::bigint, %(mode_{n})s::text, %(reverses_{n})s::bigint, %(corrects_{n})s::bigint,"
    " %(note_{n})s::text)"
)

ANSWERED = f""", answered AS ({INSERT_ANSWER}
        SELECT %(key)s::uuid, %(op)s, %(asked)s::bytea, %(account_id)s, %(answer_card)s::bigint,
            %(answer_seq)s::bigint, %(answer_terminal)s::bigint, %(journal_seq)s::bigint, %(told)s::jsonb,
            %(reply)s::jsonb, moved.at
        FROM moved
    )"""

REVERSED = """, reversed AS (
        INSERT INTO transactions_reversal (entry_id, reversed_by)
        SELECT %(reversed)s::bigint, %(reversing)s::bigint FROM moved
    )"""

# The outcome of the till's sale before this one rides along. It touches another card, so a card that somebody else
# holds is skipped rather than waited for: its own tap settles it, or the till reports again. The tap's own card is
# locked before, so two tills that settle each other's cards cannot wait for each other.
_CONFIRMED = """, free AS (
        SELECT w.key, c.id, w.told FROM transactions_answer w
        JOIN accounts_card c ON c.id = w.card_id
        WHERE w.key = ANY(%(confirmed)s::uuid[]) AND {others}
        FOR UPDATE OF c SKIP LOCKED
    ), settled AS (
        UPDATE accounts_card c SET
            spend_seq = CASE WHEN {spend} THEN (free.told->'spend'->>0)::int ELSE c.spend_seq END,
            spend_total_fen = CASE WHEN {spend} THEN (free.told->'spend'->>1)::bigint ELSE c.spend_total_fen END,
            offline_spent_fen = CASE WHEN {spend} THEN 0 ELSE c.offline_spent_fen END,
            stop_marked = CASE WHEN {spend} THEN (free.told->'spend'->>2)::int = 1 ELSE c.stop_marked END,
            load_seq = CASE WHEN {load} THEN (free.told->'load'->>0)::int ELSE c.load_seq END,
            load_total_fen = CASE WHEN {load} THEN (free.told->'load'->>1)::bigint ELSE c.load_total_fen END,
            legs = CASE WHEN {spend} THEN CASE WHEN {load} THEN c.legs - 'spend' - 'load' ELSE c.legs - 'spend' END
                WHEN {load} THEN c.legs - 'load' ELSE c.legs END,
            images = CASE WHEN {spend} THEN CASE WHEN {load} THEN c.images - 'spend' - 'load' ELSE c.images - 'spend'
                END WHEN {load} THEN c.images - 'load' ELSE c.images END
        FROM free WHERE c.id = free.id AND ({spend} OR {load})
    )"""
_TOLD_LAST = {
    "spend": "coalesce((c.images->'spend'->'told'->-1) - 2 = (free.told->'spend') - 2, false)",
    "load": "coalesce((c.images->'load'->'told'->-1) - 2 = (free.told->'load') - 2, false)",
}
CONFIRMED = _CONFIRMED.format(
    others="w.card_id IS DISTINCT FROM %(card_id)s AND (SELECT count(*) FROM mirrored) = 1", **_TOLD_LAST
)

RESULT = " SELECT (SELECT count(*) FROM moved)"
RESULT_CONFIRMED = ", (SELECT array_agg(key) FROM free)"
CONFIRM_ALONE = (
    "WITH nothing AS (SELECT 1)"
    + _CONFIRMED.format(others="w.terminal_id = %(terminal)s", **_TOLD_LAST)
    + """ SELECT array_agg(w.key) FROM transactions_answer w
        WHERE w.key = ANY(%(confirmed)s::uuid[]) AND w.terminal_id = %(terminal)s AND w.card_id IS NOT NULL
            AND w.key NOT IN (SELECT key FROM free)"""
)
