"""The plain purchase with fewer statements, and the triggers of the hot tables without what is known already.

``transactions_sell`` proves what a deferred trigger would ask at COMMIT (docs/decisions/0028), so it is not even queued.
Nobody else is let off: ``ecard.selling`` is said by that function alone, of one account, and taken back at once.
"""

from __future__ import annotations

from importlib import import_module

from django.db import migrations

FORMER_RULES = import_module("transactions.migrations.0009_card_holds").RULES
FORMER_SELL = import_module("transactions.migrations.0005_plain_sale").SELL

# The condition of a trigger is text that PostgreSQL reads anew for every statement, as that of a CHECK is
# (docs/decisions/0013). So the rules that only some entries need are asked for by the one trigger that all of them
# pass; and an assignment is no query.
_SAID = "        PERFORM set_config('ecard.backed', "
_ASKED = """        IF NEW.day < (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date THEN
            PERFORM 1 FROM transactions_shutday WHERE day >= NEW.day;
            IF FOUND THEN
                RAISE EXCEPTION 'entry % of account % is for day %, which is shut', NEW.seq, NEW.account_id, NEW.day
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_day_is_open';
            END IF;
        END IF;
        IF NEW.contra = 'drawer' AND NEW.contra_ref IS NOT NULL THEN
            PERFORM 1 FROM transactions_shift WHERE id = NEW.contra_ref AND closed_at IS NULL FOR SHARE;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'entry % of account % names shift %, which is not open', NEW.seq, NEW.account_id,
                    NEW.contra_ref USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_shift_is_open';
            END IF;
        END IF;
        said := set_config('ecard.backed', """


def _asking(text: str) -> str:
    """The rules of an entry, with what two triggers asked; every other rule stays word for word."""
    if text.count(_SAID) != 1:
        raise ValueError("the rules of an entry do not end as they did")
    return text.replace(_SAID, _ASKED).replace("    DECLARE\n", "    DECLARE\n        said text;\n", 1)


RULES = [_asking(text) for text in FORMER_RULES]
ONE_TRIGGER = [
    "DROP TRIGGER entry_day_is_open ON transactions_entry",
    "DROP FUNCTION transactions_refuse_shut_day()",
    "DROP TRIGGER entry_shift_is_open ON transactions_entry",
    "DROP FUNCTION transactions_entry_in_open_shift()",
]
THREE_TRIGGERS = [
    *import_module("transactions.migrations.0004_shut_days").REFUSE,
    *import_module("transactions.migrations.0008_cash_guards").OPEN_SHIFT[:2],
]

# A purchase says of which account it is the sale, and is let off; it looks itself whether its entry says what became of
# the book.
BACKED = [
    "DROP TRIGGER account_book_is_backed ON accounts_account",
    """
    CREATE CONSTRAINT TRIGGER account_book_is_backed
        AFTER UPDATE OF book_fen, unclaimed_fen, entry_seq ON accounts_account
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (current_setting('ecard.selling', true) IS DISTINCT FROM NEW.number::text)
        EXECUTE FUNCTION transactions_book_is_backed()
    """,
]

FORMER_BACKED = [BACKED[0], import_module("transactions.migrations.0002_ledger").BOOK_IS_BACKED[3]]

DROP_SELL = "DROP FUNCTION transactions_sell"
# In the order that every writer keeps: the account, then its card; another card only if nobody holds it. Returns the
# book's amount, the limit, and the earlier sales that are settled; or the facts as JSON if it is not plain; nothing for
# a card that is not ours, and an empty text if it was not admitted.
SELL = """
    CREATE FUNCTION transactions_sell(
        p_admitted boolean, p_key uuid, p_asked bytea, p_reply text, p_uid text, p_account_no bigint, p_fen bigint,
        p_spend_seq bigint, p_spend_total bigint, p_load_seq bigint, p_load_total bigint, p_seq_after bigint,
        p_images jsonb, p_told jsonb, p_today date, p_spent_before bigint, p_at timestamptz, p_now timestamptz,
        p_merchant bigint, p_terminal bigint, p_place text, p_journal_seq bigint, p_confirmed uuid[]
    ) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE
        sold record;
        settled text := '';
        said text;
        earlier_key uuid;
    BEGIN
        IF NOT p_admitted THEN
            RETURN '';
        END IF;

        said := set_config('ecard.selling', p_account_no::text, true);
        UPDATE accounts_account a SET book_fen = a.book_fen - p_fen, entry_seq = a.entry_seq + 1,
            version = a.version + 1, spent_on = p_today,
            spent_fen = CASE WHEN a.spent_on = p_today THEN a.spent_fen ELSE 0 END + p_fen
        FROM accounts_card c
        WHERE c.uid = p_uid
            AND transactions_card_is_plain(c, p_today, p_spend_seq, p_spend_total, p_load_seq, p_load_total)
            AND NOT EXISTS (SELECT FROM transactions_answer w WHERE w.key = p_key)
            AND a.id = c.account_id AND a.number = p_account_no AND a.life = 'open' AND a.frozen_reasons = '{}'
            AND a.unclaimed_fen = 0 AND a.book_fen >= p_load_total - p_spend_total
            AND p_fen <= p_load_total - p_spend_total
            AND (a.spent_on IS DISTINCT FROM p_today OR a.spent_fen <= p_spent_before)
            AND p_spent_before + p_fen <= a.daily_limit_fen
        RETURNING c.id AS card_id, a.id, a.entry_seq, a.book_fen, a.daily_limit_fen, clock_timestamp() AS at,
            set_config('ecard.counted', (a.id * 4294967296 + a.entry_seq)::text, true) AS entry_id INTO sold;
        IF NOT FOUND THEN
            said := set_config('ecard.selling', '', true);
            RETURN transactions_tap_facts(p_uid, NULL, p_key, p_confirmed);
        END IF;

        -- Another transaction may have had the card while we waited for its account.
        UPDATE accounts_card c SET images = p_images, seen_at = p_now, seen_terminal = p_terminal, seen_place = p_place,
            legs = format('{"spend":[[%s,%s,%s,%s,%s,false]]}', sold.entry_seq, p_seq_after, p_fen, p_terminal,
                p_journal_seq)::jsonb
        WHERE c.id = sold.card_id
            AND transactions_card_is_plain(c, p_today, p_spend_seq, p_spend_total, p_load_seq, p_load_total);
        IF NOT FOUND THEN
            RAISE EXCEPTION 'card % was changed beside its account', sold.card_id
                USING ERRCODE = 'serialization_failure';
        END IF;

        INSERT INTO transactions_entry (id, account_id, seq, kind, book_change_fen, unclaimed_change_fen,
            book_after_fen, unclaimed_after_fen, contra, contra_ref, source_key, card_id, purse_side, purse_seq,
            occurred_at, posted_at, day, terminal_id, mode)
        VALUES (sold.entry_id::bigint, sold.id, sold.entry_seq, 'purchase', -p_fen, 0, sold.book_fen, 0, 'merchant',
            p_merchant, p_key, sold.card_id, 'spend', p_seq_after, p_at, sold.at,
            (sold.at AT TIME ZONE 'Asia/Shanghai')::date, p_terminal, 'online');
        -- What the trigger of the account would ask at COMMIT: did that entry say what became of the book?
        IF current_setting('ecard.backed', true)
            IS DISTINCT FROM concat_ws(' ', sold.entry_id, sold.book_fen + p_fen, sold.book_fen, 0, 0) THEN
            RAISE EXCEPTION 'account %: entry % is missing', p_account_no, sold.entry_seq
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        said := set_config('ecard.selling', '', true);

        INSERT INTO transactions_answer (key, op, asked, account_id, card_id, entry_seq, terminal_id, journal_seq,
            told, reply, answered_at)
        VALUES (p_key, 'debit', p_asked, sold.id, sold.card_id, sold.entry_seq, p_terminal, p_journal_seq,
            p_told, format(p_reply, sold.book_fen, sold.daily_limit_fen)::jsonb, sold.at);

        -- Sales of before whose card was read back. One that has to do with the LOAD side, or whose card somebody holds,
        -- is left out of the answer: its till tells it again, by itself.
        FOREACH earlier_key IN ARRAY p_confirmed LOOP
            UPDATE accounts_card c SET spend_seq = (last.told ->> 0)::integer,
                spend_total_fen = (last.told ->> 1)::bigint, offline_spent_fen = 0,
                stop_marked = (last.told ->> 2)::integer = 1, legs = '{}', images = '{}'
            FROM (
                SELECT k.id, w.told -> 'spend' AS told FROM transactions_answer w JOIN accounts_card k ON k.id = w.card_id
                WHERE w.key = earlier_key AND w.terminal_id = p_terminal AND k.id <> sold.card_id
                    AND NOT w.told ? 'load' AND NOT k.images ? 'load'
                    AND (k.images -> 'spend' -> 'told' -> -1) - 2 = (w.told -> 'spend') - 2
                FOR UPDATE OF k SKIP LOCKED
            ) AS last
            WHERE c.id = last.id;
            IF NOT FOUND THEN
                PERFORM 1 FROM transactions_answer w JOIN accounts_card c ON c.id = w.card_id
                WHERE w.key = earlier_key AND w.terminal_id = p_terminal AND c.id <> sold.card_id
                    AND NOT w.told ? 'load' AND NOT c.images ? 'load'
                    AND ((c.images -> 'spend' -> 'told' -> -1) - 2 = (w.told -> 'spend') - 2) IS NOT TRUE
                FOR UPDATE OF c SKIP LOCKED;
                CONTINUE WHEN NOT FOUND;
            END IF;
            settled := settled || ' ' || earlier_key;
        END LOOP;

        RETURN sold.book_fen || ' ' || sold.daily_limit_fen || settled;
    END $$
"""


class Migration(migrations.Migration):
    dependencies = [("transactions", "0010_merchant_terms")]

    operations = [
        migrations.RunSQL([*RULES, *ONE_TRIGGER], [*THREE_TRIGGERS, *FORMER_RULES]),
        migrations.RunSQL(BACKED, FORMER_BACKED),
        migrations.RunSQL([DROP_SELL, SELL], [DROP_SELL, FORMER_SELL]),
    ]
