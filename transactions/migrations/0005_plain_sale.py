"""The plain purchase as one function: one call of a till is one round trip, and its statements are planned once.

``transactions.ledger.plain`` calls it and says what its parameters are; ``tests/transactions/test_plain.py`` holds its
conditions against the rules (docs/decisions/0014).
"""

from __future__ import annotations

from django.db import migrations

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

# Locks in the order that every writer keeps: the account, then its card; another card only if nobody holds it.
SELL = """
    CREATE FUNCTION transactions_sell(
        p_admitted boolean, p_key uuid, p_asked bytea, p_reply text, p_uid text, p_account_no bigint, p_fen bigint,
        p_spend_seq bigint, p_spend_total bigint, p_load_seq bigint, p_load_total bigint, p_seq_after bigint,
        p_images jsonb, p_told jsonb, p_today date, p_spent_before bigint, p_at timestamptz, p_now timestamptz,
        p_merchant bigint, p_terminal bigint, p_place text, p_journal_seq bigint, p_confirmed uuid[],
        OUT admitted boolean, OUT book_fen bigint, OUT limit_fen integer, OUT confirmed uuid[]
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

        SELECT c.id, c.account_id INTO card FROM accounts_card c WHERE c.uid = p_uid
            AND transactions_card_is_plain(c, p_today, p_spend_seq, p_spend_total, p_load_seq, p_load_total);
        IF NOT FOUND THEN
            RETURN;
        END IF;

        UPDATE accounts_account a SET book_fen = a.book_fen - p_fen, entry_seq = a.entry_seq + 1,
            version = a.version + 1, spent_on = p_today,
            spent_fen = CASE WHEN a.spent_on = p_today THEN a.spent_fen ELSE 0 END + p_fen
        WHERE a.id = card.account_id AND a.number = p_account_no AND a.life = 'open' AND a.frozen_reasons = '{}'
            AND a.unclaimed_fen = 0 AND a.book_fen >= p_load_total - p_spend_total
            AND p_fen <= p_load_total - p_spend_total
            AND (a.spent_on IS DISTINCT FROM p_today OR a.spent_fen <= p_spent_before)
            AND p_spent_before + p_fen <= a.daily_limit_fen
        RETURNING a.id, a.entry_seq, a.book_fen, a.daily_limit_fen, clock_timestamp() AS at INTO account;
        IF NOT FOUND THEN
            RETURN;
        END IF;

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
        VALUES (account.id * 4294967296 + account.entry_seq, account.id, account.entry_seq, 'purchase', -p_fen, 0,
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
            WHERE w.key = earlier_key AND c.id <> card.id AND NOT w.told ? 'load' AND NOT c.images ? 'load'
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
    END $$
"""

DROP = [
    "DROP FUNCTION transactions_sell",
    "DROP FUNCTION transactions_card_is_plain",
]


class Migration(migrations.Migration):
    dependencies = [("transactions", "0004_shut_days"), ("accounts", "0004_levelled_seq")]

    operations = [migrations.RunSQL([PLAIN_CARD, SELL], DROP)]
