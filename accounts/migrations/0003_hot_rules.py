"""What an account and a card row may say, as triggers instead of CHECKs (docs/decisions/0013).

PostgreSQL reads every CHECK of a table anew for each statement that writes to it. A trigger that names its columns
costs a tap nothing, because a tap does not write them; what a tap does write is checked by one small CHECK.
"""

from __future__ import annotations

from django.db import migrations

SAY_WHICH = [
    """
    CREATE FUNCTION accounts_break(rule text, thing text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% breaks %', thing, rule USING ERRCODE = 'check_violation', CONSTRAINT = rule;
    END $$
    """,
]

ACCOUNT = [
    """
    CREATE FUNCTION accounts_account_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        broken text := CASE
            WHEN NEW.number NOT BETWEEN 10000 AND 99999 THEN 'account_number_five_digits'
            WHEN NEW.kind NOT IN ('formal', 'named') THEN 'account_kind_known'
            WHEN NEW.life NOT IN ('pending', 'open', 'closing', 'closed') THEN 'account_life_known'
            WHEN (NEW.life = 'closed') <> (NEW.closed_at IS NOT NULL) THEN 'account_closed_has_time'
            WHEN (NEW.frozen_reasons <> '{}') <> (NEW.frozen_at IS NOT NULL) THEN 'account_frozen_has_time'
            WHEN NOT NEW.frozen_reasons <@ '{book_negative,card_above_book,late_upload,by_hand}'::text[]
                THEN 'account_frozen_reasons_known'
            WHEN NEW.daily_limit_fen NOT BETWEEN 0 AND 60000 THEN 'account_limit_in_range'
        END;
    BEGIN
        IF broken IS NOT NULL THEN
            PERFORM accounts_break(broken, 'account ' || NEW.number);
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER account_rules BEFORE INSERT OR
        UPDATE OF number, kind, life, closed_at, frozen_reasons, frozen_at, daily_limit_fen
        ON accounts_account FOR EACH ROW EXECUTE FUNCTION accounts_account_rules()
    """,
    """
    ALTER TABLE accounts_account ADD CONSTRAINT account_counts_not_negative
        CHECK (least(unclaimed_fen, spent_fen, entry_seq, version) >= 0)
    """,
]

CARD = [
    """
    CREATE FUNCTION accounts_card_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        broken text := CASE
            WHEN NEW.uid !~ '^([0-9A-F]{8}|[0-9A-F]{14})$' AND NOT (NEW.uid = '' AND NEW.life IN ('blank', 'void'))
                THEN 'card_uid_form'
            WHEN NEW.issue_no < 1 THEN 'card_issue_no_positive'
            WHEN NEW.kind NOT IN ('formal', 'named') THEN 'card_kind_known'
            WHEN NEW.life NOT IN (
                'blank', 'issued', 'active', 'replaced', 'returned', 'expired', 'damaged', 'void'
            ) THEN 'card_life_known'
            WHEN NEW.lost <> (NEW.lost_at IS NOT NULL) THEN 'card_lost_has_time'
        END;
    BEGIN
        IF broken IS NOT NULL THEN
            PERFORM accounts_break(broken, 'card ' || NEW.id);
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER card_rules BEFORE INSERT OR UPDATE OF uid, issue_no, kind, life, lost, lost_at
        ON accounts_card FOR EACH ROW EXECUTE FUNCTION accounts_card_rules()
    """,
    """
    ALTER TABLE accounts_card ADD CONSTRAINT card_counts_not_negative
        CHECK (least(spend_seq, spend_total_fen, offline_spent_fen, load_seq, load_total_fen, late_fen) >= 0)
    """,
]

NO_RULES = [
    "ALTER TABLE accounts_card DROP CONSTRAINT card_counts_not_negative",
    "DROP TRIGGER card_rules ON accounts_card",
    "DROP FUNCTION accounts_card_rules()",
    "ALTER TABLE accounts_account DROP CONSTRAINT account_counts_not_negative",
    "DROP TRIGGER account_rules ON accounts_account",
    "DROP FUNCTION accounts_account_rules()",
    "DROP FUNCTION accounts_break(text, text)",
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_guards")]

    operations = [migrations.RunSQL([*SAY_WHICH, *ACCOUNT, *CARD], NO_RULES)]
