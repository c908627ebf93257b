"""The ledger table and its locks, as plain SQL: Django cannot say PARTITION BY, nor forbid a change.

Append-only in three locks: no grants, row triggers, TRUNCATE triggers; and no book changes without its entries.
"""

from __future__ import annotations

from django.db import migrations

ENTRY = [
    """
    CREATE TABLE transactions_entry (
        id bigint NOT NULL,
        account_id bigint NOT NULL,
        seq bigint NOT NULL,
        kind text NOT NULL,
        book_change_fen bigint NOT NULL,
        unclaimed_change_fen bigint NOT NULL,
        book_after_fen bigint NOT NULL,
        unclaimed_after_fen bigint NOT NULL,
        contra text NOT NULL,
        contra_ref bigint,
        source_key uuid NOT NULL,
        card_id bigint,
        purse_side text,
        purse_seq integer,
        occurred_at timestamptz NOT NULL,
        posted_at timestamptz NOT NULL,
        day date NOT NULL,
        terminal_id bigint,
        mode text NOT NULL,
        reverses bigint,
        corrects bigint,
        note text NOT NULL DEFAULT '',
        PRIMARY KEY (id, posted_at)
    ) PARTITION BY RANGE (posted_at)
    """,
    "CREATE INDEX entry_posted_at_brin ON transactions_entry USING brin (posted_at)",
]

# Rules of an entry, in a trigger because PostgreSQL reads every CHECK of a table anew for each statement
# (docs/decisions/0013): fourteen CHECKs cost as much as everything else that posting a purchase does.
ENTRY_RULES = [
    """
    CREATE FUNCTION transactions_entry_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        broken text := CASE
            WHEN NEW.seq < 1 OR NEW.id <> NEW.account_id * 4294967296 + NEW.seq THEN 'entry_id_names_account_and_seq'
            WHEN NEW.book_change_fen = 0 AND NEW.unclaimed_change_fen = 0 THEN 'entry_moves_something'
            WHEN greatest(abs(NEW.book_change_fen), abs(NEW.unclaimed_change_fen)) > 10000000
                THEN 'entry_amount_bounded'
            WHEN (NEW.contra = 'none') <> (NEW.book_change_fen + NEW.unclaimed_change_fen = 0)
                THEN 'entry_contra_balances'
            WHEN NEW.unclaimed_after_fen < 0 THEN 'entry_unclaimed_not_negative'
            WHEN NEW.book_after_fen < 0 AND NEW.book_change_fen < 0 AND NEW.kind NOT IN ('offline_sale', 'bank_load')
                THEN 'entry_book_below_zero_only_late'
            WHEN (NEW.purse_side IS NULL) <> (NEW.purse_seq IS NULL) THEN 'entry_purse_claim_whole'
            WHEN NEW.purse_side NOT IN ('spend', 'load') THEN 'entry_purse_side_known'
            WHEN NEW.day <> (NEW.posted_at AT TIME ZONE 'Asia/Shanghai')::date THEN 'entry_day_is_shanghai'
            WHEN NEW.mode NOT IN ('online', 'offline', 'server') THEN 'entry_mode_known'
            WHEN NEW.kind NOT IN (
                'purchase', 'offline_sale', 'void', 'top_up', 'bank_load', 'subsidy', 'claim', 'levelling', 'refund',
                'fee', 'opening'
            ) THEN 'entry_kind_known'
            WHEN NEW.contra NOT IN (
                'none', 'merchant', 'drawer', 'bank', 'subsidy', 'levelling', 'fee', 'opening'
            ) THEN 'entry_contra_known'
        END;
    BEGIN
        IF broken IS NOT NULL THEN
            RAISE EXCEPTION 'entry % of account % breaks %', NEW.seq, NEW.account_id, broken
                USING ERRCODE = 'check_violation', CONSTRAINT = broken;
        END IF;
        PERFORM set_config('ecard.backed', concat_ws(' ', NEW.id,
            NEW.book_after_fen - NEW.book_change_fen, NEW.book_after_fen,
            NEW.unclaimed_after_fen - NEW.unclaimed_change_fen, NEW.unclaimed_after_fen), true);
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER entry_rules BEFORE INSERT ON transactions_entry
        FOR EACH ROW EXECUTE FUNCTION transactions_entry_rules()
    """,
]

NO_ENTRY_RULES = [
    "DROP TRIGGER entry_rules ON transactions_entry",
    "DROP FUNCTION transactions_entry_rules()",
]

APPEND_ONLY = [
    """
    CREATE FUNCTION transactions_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% on % is refused: the ledger only grows', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE ON transactions_entry
        FOR EACH ROW EXECUTE FUNCTION transactions_refuse_change()
    """,
    """
    CREATE TRIGGER entry_no_truncate BEFORE TRUNCATE ON transactions_entry
        FOR EACH STATEMENT EXECUTE FUNCTION transactions_refuse_change()
    """,
    *(
        statement
        for table in ("answer", "reversal", "outcomenote", "cardfinding")
        for statement in (
            (
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON transactions_{table} "
                "FOR EACH ROW EXECUTE FUNCTION transactions_refuse_change()"
            ),
            (
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON transactions_{table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION transactions_refuse_change()"
            ),
        )
    ),
]

NO_APPEND_ONLY = [
    *(
        f"DROP TRIGGER {table}_{lock} ON transactions_{table}"
        for table in ("answer", "reversal", "outcomenote", "cardfinding")
        for lock in ("append_only", "no_truncate")
    ),
    "DROP TRIGGER entry_no_truncate ON transactions_entry",
    "DROP TRIGGER entry_append_only ON transactions_entry",
    "DROP FUNCTION transactions_refuse_change() CASCADE",
]

PARTITIONS = [
    # A partition inherits row triggers but not the TRUNCATE trigger, so each one gets its own.
    """
    CREATE FUNCTION transactions_guard_partition(name text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        EXECUTE format(
            'CREATE TRIGGER entry_no_truncate BEFORE TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION transactions_refuse_change()', name);
    END $$
    """,
    # The day close calls it as the application role; it runs as the owner, and can do nothing but add a month.
    """
    CREATE FUNCTION transactions_add_month(month date) RETURNS boolean
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE
        first date := date_trunc('month', month)::date;
        name text := 'transactions_entry_' || to_char(month, 'YYYYMM');
    BEGIN
        IF to_regclass(name) IS NOT NULL THEN
            RETURN false;
        END IF;
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF transactions_entry FOR VALUES FROM (%L) TO (%L)', name,
            (first::timestamp AT TIME ZONE 'Asia/Shanghai'),
            ((first + interval '1 month')::timestamp AT TIME ZONE 'Asia/Shanghai'));
        PERFORM transactions_guard_partition(name);
        RETURN true;
    END $$
    """,
    "CREATE TABLE transactions_entry_rest PARTITION OF transactions_entry DEFAULT",
    "SELECT transactions_guard_partition('transactions_entry_rest')",
    """
    SELECT transactions_add_month((date_trunc('month', now()) + make_interval(months => step))::date)
        FROM generate_series(-1, 3) AS step
    """,
]

NO_PARTITIONS = [
    "DROP FUNCTION transactions_add_month(date)",
    "DROP FUNCTION transactions_guard_partition(text)",
]

# Book and entries hold each other, at COMMIT. From the entry's side: its account exists and counts it. That is also the
# foreign key, without the row lock that a declared one takes; an account with entries is never deleted. From the account's
# side: whatever changed the book left entries that say so. The last entry of the transaction is remembered by its own
# trigger, so that the usual case needs no look-up in the partitions.
BOOK_IS_BACKED = [
    """
    CREATE FUNCTION transactions_entry_stands() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM 1 FROM accounts_account WHERE id = NEW.account_id AND entry_seq >= NEW.seq;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'entry % of account % is not counted there', NEW.seq, NEW.account_id
                USING ERRCODE = 'foreign_key_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER entry_stands AFTER INSERT ON transactions_entry
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION transactions_entry_stands()
    """,
    """
    CREATE FUNCTION transactions_book_is_backed() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        line record;
        book bigint := OLD.book_fen;
        unclaimed bigint := OLD.unclaimed_fen;
    BEGIN
        IF NEW.entry_seq = OLD.entry_seq + 1 AND current_setting('ecard.backed', true)
            = concat_ws(' ', NEW.id * 4294967296 + NEW.entry_seq,
                OLD.book_fen, NEW.book_fen, OLD.unclaimed_fen, NEW.unclaimed_fen) THEN
            RETURN NULL;
        END IF;
        -- One look-up by key for each new entry. They carry a posted_at of now() or later, so older partitions are
        -- never opened; a range over id would tempt the planner into the BRIN index, which is dear for a few rows.
        FOR place IN OLD.entry_seq + 1 .. NEW.entry_seq LOOP
            SELECT book_change_fen, unclaimed_change_fen INTO line FROM transactions_entry
                WHERE id = NEW.id * 4294967296 + place AND posted_at >= now();
            IF NOT FOUND THEN
                RAISE EXCEPTION 'account %: entry % is missing', NEW.number, place
                    USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            book := book + line.book_change_fen;
            unclaimed := unclaimed + line.unclaimed_change_fen;
        END LOOP;
        IF NEW.entry_seq < OLD.entry_seq OR book <> NEW.book_fen OR unclaimed <> NEW.unclaimed_fen THEN
            RAISE EXCEPTION 'account %: book % and unclaimed % are not what its entries say (% and %)',
                NEW.number, NEW.book_fen, NEW.unclaimed_fen, book, unclaimed
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER account_book_is_backed AFTER UPDATE ON accounts_account
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (OLD.book_fen <> NEW.book_fen OR OLD.unclaimed_fen <> NEW.unclaimed_fen OR OLD.entry_seq <> NEW.entry_seq)
        EXECUTE FUNCTION transactions_book_is_backed()
    """,
    """
    CREATE TRIGGER account_stays BEFORE DELETE ON accounts_account
        FOR EACH ROW WHEN (OLD.entry_seq > 0) EXECUTE FUNCTION transactions_refuse_change()
    """,
]

NO_BOOK_IS_BACKED = [
    "DROP TRIGGER account_stays ON accounts_account",
    "DROP TRIGGER account_book_is_backed ON accounts_account",
    "DROP FUNCTION transactions_book_is_backed()",
    "DROP TRIGGER entry_stands ON transactions_entry",
    "DROP FUNCTION transactions_entry_stands()",
]

GRANTS = [
    "GRANT SELECT, INSERT, UPDATE ON transactions_merchant TO ecard_app",
    (
        "GRANT SELECT, INSERT ON transactions_entry, transactions_answer, transactions_reversal, transactions_outcomenote, transactions_cardfinding"
        " TO ecard_app"
    ),
    "GRANT EXECUTE ON FUNCTION transactions_add_month(date) TO ecard_app",
]


class Migration(migrations.Migration):
    dependencies = [("transactions", "0001_initial"), ("accounts", "0003_hot_rules")]

    operations = [
        migrations.RunSQL(ENTRY, "DROP TABLE transactions_entry"),
        migrations.RunSQL(ENTRY_RULES, NO_ENTRY_RULES),
        migrations.RunSQL(APPEND_ONLY, NO_APPEND_ONLY),
        migrations.RunSQL(PARTITIONS, NO_PARTITIONS),
        migrations.RunSQL(BOOK_IS_BACKED, NO_BOOK_IS_BACKED),
        migrations.RunSQL(GRANTS, migrations.RunSQL.noop),
    ]
