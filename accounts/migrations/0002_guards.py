"""What the models cannot say: grants, append-only tables, life cycles that never run backwards, free space.

The application role owns nothing. It can therefore neither drop a trigger nor truncate a table.
"""

from __future__ import annotations

from django.db import migrations

APP_ROLE = [
    """
    DO $$
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ecard_app') THEN
            CREATE ROLE ecard_app NOLOGIN;
        END IF;
    EXCEPTION
        WHEN duplicate_object OR unique_violation THEN NULL;
        WHEN insufficient_privilege THEN
            RAISE EXCEPTION 'the role ecard_app is missing'
                USING HINT = 'Ask a database administrator: CREATE ROLE ecard_app LOGIN;';
    END $$
    """,
]

GRANTS = [
    "GRANT SELECT, INSERT, UPDATE ON accounts_campus TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON accounts_holder TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON accounts_account TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON accounts_card TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON accounts_secret TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON accounts_operator TO ecard_app",
    "GRANT SELECT, INSERT, DELETE ON accounts_operator_groups TO ecard_app",
    "GRANT SELECT, INSERT, DELETE ON accounts_operator_user_permissions TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON accounts_attempt TO ecard_app",
    "GRANT SELECT, INSERT, DELETE ON accounts_loginrecord TO ecard_app",
    "GRANT SELECT, INSERT ON accounts_lossreport TO ecard_app",
    "GRANT SELECT, INSERT ON accounts_auditevent TO ecard_app",
]

NO_GRANTS = [
    """
    REVOKE ALL ON accounts_campus, accounts_holder, accounts_account, accounts_card, accounts_secret,
        accounts_operator, accounts_operator_groups, accounts_operator_user_permissions, accounts_attempt,
        accounts_loginrecord, accounts_lossreport, accounts_auditevent FROM ecard_app
    """,
]

APPEND_ONLY = [
    """
    CREATE FUNCTION accounts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% on % is refused: rows are only ever added', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER auditevent_append_only BEFORE UPDATE OR DELETE ON accounts_auditevent
        FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change()
    """,
    """
    CREATE TRIGGER auditevent_no_truncate BEFORE TRUNCATE ON accounts_auditevent
        FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change()
    """,
    """
    CREATE TRIGGER lossreport_append_only BEFORE UPDATE OR DELETE ON accounts_lossreport
        FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change()
    """,
    """
    CREATE TRIGGER lossreport_no_truncate BEFORE TRUNCATE ON accounts_lossreport
        FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change()
    """,
]

CHANGEABLE = [
    "DROP TRIGGER lossreport_no_truncate ON accounts_lossreport",
    "DROP TRIGGER lossreport_append_only ON accounts_lossreport",
    "DROP TRIGGER auditevent_no_truncate ON accounts_auditevent",
    "DROP TRIGGER auditevent_append_only ON accounts_auditevent",
    "DROP FUNCTION accounts_refuse_change()",
]

LIFE_CYCLES = [
    """
    CREATE FUNCTION accounts_check_life() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT (OLD.life || ' ' || NEW.life) = ANY (TG_ARGV) THEN
            RAISE EXCEPTION '% % cannot go from % to %', TG_TABLE_NAME, OLD.id, OLD.life, NEW.life
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER account_life BEFORE UPDATE OF life ON accounts_account
        FOR EACH ROW WHEN (OLD.life IS DISTINCT FROM NEW.life)
        EXECUTE FUNCTION accounts_check_life(
            'pending open', 'pending closed', 'open closing', 'closing open', 'closing closed')
    """,
    """
    CREATE TRIGGER card_life BEFORE UPDATE OF life ON accounts_card
        FOR EACH ROW WHEN (OLD.life IS DISTINCT FROM NEW.life)
        EXECUTE FUNCTION accounts_check_life(
            'blank issued', 'blank void',
            'issued active', 'issued replaced', 'issued returned', 'issued expired', 'issued damaged',
            'issued void',
            'active replaced', 'active returned', 'active expired', 'active damaged', 'active void',
            'expired active', 'expired replaced', 'expired returned', 'expired void',
            'damaged replaced', 'damaged returned', 'damaged void')
    """,
]

NO_LIFE_CYCLES = [
    "DROP TRIGGER card_life ON accounts_card",
    "DROP TRIGGER account_life ON accounts_account",
    "DROP FUNCTION accounts_check_life()",
]

FLAGS = [
    """
    CREATE FUNCTION accounts_check_unfreeze() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'account % stays frozen while its book is % fen', OLD.id, NEW.book_fen
            USING ERRCODE = 'check_violation', CONSTRAINT = 'account_unfreeze_needs_book';
    END $$
    """,
    """
    CREATE TRIGGER account_unfreeze BEFORE UPDATE OF frozen_reasons ON accounts_account
        FOR EACH ROW WHEN (OLD.frozen_reasons <> '{}' AND NEW.frozen_reasons = '{}' AND NEW.book_fen < 0)
        EXECUTE FUNCTION accounts_check_unfreeze()
    """,
    """
    CREATE FUNCTION accounts_check_unloss() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'card % is % and stays lost', OLD.id, NEW.life
            USING ERRCODE = 'check_violation', CONSTRAINT = 'card_unloss_needs_life';
    END $$
    """,
    """
    CREATE TRIGGER card_unloss BEFORE UPDATE OF lost ON accounts_card
        FOR EACH ROW WHEN (OLD.lost AND NOT NEW.lost AND NEW.life NOT IN ('issued', 'active', 'expired'))
        EXECUTE FUNCTION accounts_check_unloss()
    """,
]

NO_FLAGS = [
    "DROP TRIGGER card_unloss ON accounts_card",
    "DROP FUNCTION accounts_check_unloss()",
    "DROP TRIGGER account_unfreeze ON accounts_account",
    "DROP FUNCTION accounts_check_unfreeze()",
]

# A tap rewrites its account and card; with free space in the page the new version stays there (HOT) and no
# index is touched.
FREE_SPACE = [
    "ALTER TABLE accounts_account SET (fillfactor = 70)",
    "ALTER TABLE accounts_card SET (fillfactor = 70)",
    "ALTER TABLE accounts_attempt SET (fillfactor = 70)",
]

NO_FREE_SPACE = [
    "ALTER TABLE accounts_account RESET (fillfactor)",
    "ALTER TABLE accounts_card RESET (fillfactor)",
    "ALTER TABLE accounts_attempt RESET (fillfactor)",
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL(APP_ROLE, migrations.RunSQL.noop),
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
        migrations.RunSQL(LIFE_CYCLES, NO_LIFE_CYCLES),
        migrations.RunSQL(FLAGS, NO_FLAGS),
        migrations.RunSQL(FREE_SPACE, NO_FREE_SPACE),
    ]
