"""What a tap reads, and the plain purchase, as functions: one call is one round trip, planned once a connection.

``transactions.ledger.facts`` and ``transactions.ledger.plain`` call them and say what goes in and comes out;
``tests/transactions/test_plain.py`` holds the conditions against the rules (docs/decisions/0014).
"""

from __future__ import annotations

from django.db import migrations

# Everything about the card with this UID (the live one first) or this id, and about this operation key.
TAP_FACTS = """
    CREATE FUNCTION transactions_tap_facts(p_uid text, p_card_id bigint, p_key uuid, p_confirmed uuid[])
        RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
    BEGIN
        RETURN (
            SELECT jsonb_build_object(
                'account', jsonb_build_array(a.id, a.number, a.life, a.frozen_reasons, a.daily_limit_fen, a.book_fen,
                    a.unclaimed_fen, a.entry_seq, a.version, a.spent_on, a.spent_fen),
                'card', jsonb_build_array(c.id, c.life, c.lost, c.expires_on, c.late_fen, c.levelled_seq),
                'spend', jsonb_build_array(c.spend_seq, c.spend_total_fen, 0, c.offline_spent_fen, c.stop_marked),
                'load', jsonb_build_array(c.load_seq, c.load_total_fen, 0),
                'legs', c.legs, 'images', c.images,
                'asked', encode(w.asked, 'hex'), 'reply', w.reply,
                'told', (SELECT jsonb_agg(told) FROM transactions_answer p
                    WHERE p.key = ANY(p_confirmed) AND p.card_id = c.id)
            )
            FROM accounts_card c
            JOIN accounts_account a ON a.id = c.account_id
            LEFT JOIN transactions_answer w ON w.key = p_key
            WHERE c.id IN (SELECT id FROM accounts_card WHERE uid = p_uid UNION ALL SELECT p_card_id)
            ORDER BY c.life IN ('issued', 'active') DESC, c.id DESC
            LIMIT 1
        );
    END $$
"""

# Said once, asked twice: before anything is written, and again of the row under its lock. PostgreSQL copies the text
# of such a function into the statement that names it, so it costs nothing.
PLAIN_CARD = """
    CREATE FUNCTION transactions_card_is_plain(
        card accounts_card, p_today date, p_spend_seq bigint, p_spend_total bigint, p_load_seq bigint,
        p_load_total bigint
    ) RETURNS boolean LANGUAGE sql STABLE AS $$
        SELECT card.life = 'active' AND NOT card.lost AND (card.expires_on IS NULL OR card.expires_on >= p_today)
            AND card.spend_seq = p_spend_seq AND card.spend_total_fen = p_spend_total AND card.offline_spent_fen = 0
            AND NOT card.stop_marked AND card.load_seq = p_load_seq AND card.load_total_fen = p_load_total
            AND card.late_fen = 0 AND card.legs = '{}' AND card.images = '{}'
    $$
"""

# Locks in the order that every writer keeps: the account, then its card; another card only if nobody holds it. What is
# not plain is answered with the facts, so that the general path need not ask for them.
SELL = """
    CREATE FUNCTION transactions_sell(
        p_admitted boolean, p_key uuid, p_asked bytea, p_reply text, p_uid text, p_account_no bigint, p_fen bigint,
        p_spend_seq bigint, p_spend_total bigint, p_load_seq bigint, p_load_total bigint, p_seq_after bigint,
        p_images jsonb, p_told jsonb, p_today date, p_spent_before bigint, p_at timestamptz, p_now timestamptz,
        p_merchant bigint, p_terminal bigint, p_place text, p_journal_seq bigint, p_confirmed uuid[],
        OUT admitted boolean, OUT book_fen bigint, OUT limit_fen integer, OUT confirmed uuid[], OUT facts jsonb
    ) LANGUAGE plpgsql AS $$
    DECLARE
        card record;
        account record;
        earlier record;
        earlier_key uuid;
    BEGIN
        admitted := p_admitted;
        IF NOT p_admitted THEN
            RETURN;
        END IF;

        <<plainly>>
        BEGIN
            SELECT c.id, c.account_id INTO card FROM accounts_card c WHERE c.uid = p_uid
                AND transactions_card_is_plain(c, p_today, p_spend_seq, p_spend_total, p_load_seq, p_load_total)
                AND NOT EXISTS (SELECT FROM transactions_answer w WHERE w.key = p_key);
            EXIT plainly WHEN NOT FOUND;

            UPDATE accounts_account a SET book_fen = a.book_fen - p_fen, entry_seq = a.entry_seq + 1,
                version = a.version + 1, spent_on = p_today,
                spent_fen = CASE WHEN a.spent_on = p_today THEN a.spent_fen ELSE 0 END + p_fen
            WHERE a.id = card.account_id AND a.number = p_account_no AND a.life = 'open' AND a.frozen_reasons = '{}'
                AND a.unclaimed_fen = 0 AND a.book_fen >= p_load_total - p_spend_total
                AND p_fen <= p_load_total - p_spend_total
                AND (a.spent_on IS DISTINCT FROM p_today OR a.spent_fen <= p_spent_before)
                AND p_spent_before + p_fen <= a.daily_limit_fen
            RETURNING a.id, a.entry_seq, a.book_fen, a.daily_limit_fen, clock_timestamp() AS at,
                set_config('ecard.counted', (a.id * 4294967296 + a.entry_seq)::text, true) AS entry_id INTO account;
            EXIT plainly WHEN NOT FOUND;

            UPDATE accounts_card c SET images = p_images, seen_at = p_now, seen_terminal = p_terminal,
                seen_place = p_place,
                legs = format('{"spend":[[%s,%s,%s,%s,%s,false]]}', account.entry_seq, p_seq_after, p_fen, p_terminal,
                    p_journal_seq)::jsonb
            WHERE c.id = card.id
                AND transactions_card_is_plain(c, p_today, p_spend_seq, p_spend_total, p_load_seq, p_load_total);
            IF NOT FOUND THEN
                RAISE EXCEPTION 'card % was changed beside its account', card.id
                    USING ERRCODE = 'serialization_failure';
            END IF;

            INSERT INTO transactions_entry (id, account_id, seq, kind, book_change_fen, unclaimed_change_fen,
                book_after_fen, unclaimed_after_fen, contra, contra_ref, source_key, card_id, purse_side, purse_seq,
                occurred_at, posted_at, day, terminal_id, mode)
            VALUES (account.entry_id::bigint, account.id, account.entry_seq, 'purchase', -p_fen, 0,
                account.book_fen, 0, 'merchant', p_merchant, p_key, card.id, 'spend', p_seq_after,
                p_at, account.at, (account.at AT TIME ZONE 'Asia/Shanghai')::date, p_terminal, 'online');

            INSERT INTO transactions_answer (key, op, asked, account_id, card_id, entry_seq, terminal_id, journal_seq,
                told, reply, answered_at)
            VALUES (p_key, 'debit', p_asked, account.id, card.id, account.entry_seq, p_terminal, p_journal_seq,
                p_told, format(p_reply, account.book_fen, account.daily_limit_fen)::jsonb, account.at);

            -- Sales of before whose card was read back. One that has to do with the LOAD side, or whose card somebody
            -- holds, is left out of the answer: its till tells it again, by itself.
            FOREACH earlier_key IN ARRAY p_confirmed LOOP
                SELECT c.id, w.told -> 'spend' AS told,
                    (c.images -> 'spend' -> 'told' -> -1) - 2 = (w.told -> 'spend') - 2 AS last INTO earlier
                FROM transactions_answer w JOIN accounts_card c ON c.id = w.card_id
                WHERE w.key = earlier_key AND w.terminal_id = p_terminal AND c.id <> card.id
                    AND NOT w.told ? 'load' AND NOT c.images ? 'load'
                FOR UPDATE OF c SKIP LOCKED;
                CONTINUE WHEN NOT FOUND;
                IF earlier.last THEN
                    UPDATE accounts_card SET spend_seq = (earlier.told ->> 0)::integer,
                        spend_total_fen = (earlier.told ->> 1)::bigint, offline_spent_fen = 0,
                        stop_marked = (earlier.told ->> 2)::integer = 1, legs = '{}', images = '{}'
                    WHERE id = earlier.id;
                END IF;
                confirmed := confirmed || earlier_key;
            END LOOP;

            book_fen := account.book_fen;
            limit_fen := account.daily_limit_fen;
            RETURN;
        END;
        facts := transactions_tap_facts(p_uid, NULL, p_key, p_confirmed);
    END $$
"""

DROP = [
    "DROP FUNCTION transactions_sell",
    "DROP FUNCTION transactions_card_is_plain",
    "DROP FUNCTION transactions_tap_facts",
]


class Migration(migrations.Migration):
    dependencies = [("transactions", "0004_shut_days"), ("accounts", "0004_levelled_seq")]

    operations = [migrations.RunSQL([TAP_FACTS, PLAIN_CARD, SELL], DROP)]
