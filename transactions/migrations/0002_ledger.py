"""The ledger table and its locks, as plain SQL: Django cannot say PARTITION BY, nor forbid a change.

Append-only in three locks: no grants, row triggers, TRUNCATE triggers; and no book changes without its entries.
"""

from __future__ import annotations

from django.db import migrations

ENTRY = [
    """
    CREATE TABLE transactions_entry (
        id bigint NOT NULL,
        account_id bigint NOT NULL REFERENCES accounts_account (id),
        seq bigint NOT NULL CHECK (seq > 0),
        kind text NOT NULL,
        book_change_fen bigint NOT NULL CHECK (abs(book_change_fen) <= 10000000),
        unclaimed_change_fen bigint NOT NULL CHECK (abs(unclaimed_change_fen) <= 10000000),
        book_after_fen bigint NOT NULL,
        unclaimed_after_fen bigint NOT NULL CHECK (unclaimed_after_fen >= 0),
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
        mode text NOT NULL CHECK (mode IN ('online', 'offline', 'server')),
        reverses bigint,
        corrects bigint,
        note text NOT NULL DEFAULT '',
        PRIMARY KEY (id, posted_at),
        CONSTRAINT entry_id_names_account_and_seq CHECK (id = account_id * 4294967296 + seq),
        CONSTRAINT entry_moves_something CHECK (book_change_fen <> 0 OR unclaimed_change_fen <> 0),
        CONSTRAINT entry_contra_balances CHECK ((contra = 'none') = (book_change_fen + unclaimed_change_fen = 0)),
        CONSTRAINT entry_book_below_zero_only_late CHECK (
            book_after_fen >= 0 OR book_change_fen >= 0 OR kind IN ('offline_sale', 'bank_load')
        ),
        CONSTRAINT entry_purse_claim_whole CHECK ((purse_side IS NULL) = (purse_seq IS NULL)),
        CONSTRAINT entry_purse_side_known CHECK (purse_side IN ('spend', 'load')),
        CONSTRAINT entry_day_is_shanghai CHECK (day = (posted_at AT TIME ZONE 'Asia/Shanghai')::date),
        CONSTRAINT entry_kind_known CHECK (kind IN (
            'purchase', 'offline_sale', 'void', 'top_up', 'bank_load', 'subsidy', 'claim', 'levelling', 'refund', 'fee',
            'opening'
        )),
        CONSTRAINT entry_contra_known CHECK (contra IN (
            'none', 'merchant', 'drawer', 'bank', 'subsidy', 'levelling', 'fee', 'opening'
        ))
    ) PARTITION BY RANGE (posted_at)
    """,
    "CREATE INDEX entry_posted_at_brin ON transactions_entry USING brin (posted_at)",
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

BOOK_IS_BACKED = [
    """
    CREATE FUNCTION transactions_book_is_backed() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        line record;
        book bigint := OLD.book_fen;
        unclaimed bigint := OLD.unclaimed_fen;
    BEGIN
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
]

NO_BOOK_IS_BACKED = [
    "DROP TRIGGER account_book_is_backed ON accounts_account",
    "DROP FUNCTION transactions_book_is_backed()",
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
    dependencies = [("transactions", "0001_initial"), ("accounts", "0002_guards")]

    operations = [
        migrations.RunSQL(ENTRY, "DROP TABLE transactions_entry"),
        migrations.RunSQL(APPEND_ONLY, NO_APPEND_ONLY),
        migrations.RunSQL(PARTITIONS, NO_PARTITIONS),
        migrations.RunSQL(BOOK_IS_BACKED, NO_BOOK_IS_BACKED),
        migrations.RunSQL(GRANTS, migrations.RunSQL.noop),
    ]
