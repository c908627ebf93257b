"""What the database itself holds of cash: the ledger knows deposits and pay-outs, cash moves in an open shift only, a
shift is closed over what its entries say (L12), receipt numbers have no gap, and what was issued stays.
"""

from __future__ import annotations

from importlib import import_module

from django.db import migrations

FORMER_RULES = import_module("transactions.migrations.0003_levelling").RULES
_ENDS = (
    (
        "'fee', 'opening', 'adjustment', 'reversal'\n",
        "'fee', 'opening', 'adjustment', 'reversal', 'deposit', 'payout'\n",
    ),
    ("'levelling', 'fee', 'opening'\n", "'levelling', 'fee', 'opening', 'deposit'\n"),
)


def _widened(text: str) -> str:
    """The rules of an entry with two kinds and a contra more; every other rule stays word for word."""
    for former, wider in _ENDS:
        if text.count(former) != 1:
            raise ValueError(f"the rules of an entry do not end their list with {former.strip()}")
        text = text.replace(former, wider)
    return text


RULES = [_widened(text) for text in FORMER_RULES]


# A shift is locked as shared by every entry of cash: closing it waits for whoever is posting, and nobody posts to a
# shift that was closed over a sum without him.
OPEN_SHIFT = [
    """
    CREATE FUNCTION transactions_entry_in_open_shift() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        over timestamptz;
    BEGIN
        SELECT closed_at INTO over FROM transactions_shift WHERE id = NEW.contra_ref FOR SHARE;
        IF NOT FOUND OR over IS NOT NULL THEN
            RAISE EXCEPTION 'entry % of account % names shift %, which is not open', NEW.seq, NEW.account_id,
                NEW.contra_ref USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_shift_is_open';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER entry_shift_is_open BEFORE INSERT ON transactions_entry
        FOR EACH ROW WHEN (NEW.contra = 'drawer' AND NEW.contra_ref IS NOT NULL)
        EXECUTE FUNCTION transactions_entry_in_open_shift()
    """,
    """
    CREATE INDEX entry_of_shift ON transactions_entry (contra_ref)
        WHERE contra = 'drawer' AND contra_ref IS NOT NULL
    """,
]

NO_OPEN_SHIFT = [
    "DROP INDEX entry_of_shift",
    "DROP TRIGGER entry_shift_is_open ON transactions_entry",
    "DROP FUNCTION transactions_entry_in_open_shift()",
]

# What a drawer must hold: its float, and what the holders' accounts gained against it.
SHIFT = [
    """
    CREATE FUNCTION transactions_drawer_fen(p_shift bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
        SELECT float_fen + (SELECT coalesce(sum(book_change_fen + unclaimed_change_fen), 0)::bigint
            FROM transactions_entry WHERE contra = 'drawer' AND contra_ref = p_shift)
        FROM transactions_shift WHERE id = p_shift
    $$
    """,
    """
    CREATE FUNCTION transactions_shift_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        broken text := CASE
            WHEN (NEW.id, NEW.drawer_id, NEW.no, NEW.officer_id, NEW.display_key, NEW.opened_at, NEW.float_fen,
                    NEW.float_count)
                IS DISTINCT FROM (OLD.id, OLD.drawer_id, OLD.no, OLD.officer_id, OLD.display_key, OLD.opened_at,
                    OLD.float_fen, OLD.float_count)
                THEN 'shift_stays_as_opened'
            WHEN OLD.closed_at IS NOT NULL AND (NEW.closed_at, NEW.count, NEW.counted_fen, NEW.expected_fen,
                    NEW.difference_fen, NEW.reason)
                IS DISTINCT FROM (OLD.closed_at, OLD.count, OLD.counted_fen, OLD.expected_fen, OLD.difference_fen,
                    OLD.reason)
                THEN 'shift_stays_as_closed'
            WHEN OLD.accepted_at IS NOT NULL AND (NEW.accepted_at, NEW.accepted_by_id)
                IS DISTINCT FROM (OLD.accepted_at, OLD.accepted_by_id)
                THEN 'shift_stays_as_accepted'
            WHEN OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL AND NEW.accepted_at IS NOT NULL
                THEN 'shift_closed_before_accepted'
            WHEN OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL
                AND NEW.expected_fen IS DISTINCT FROM transactions_drawer_fen(NEW.id)
                THEN 'shift_expected_is_the_ledgers'
        END;
    BEGIN
        IF broken IS NOT NULL THEN
            RAISE EXCEPTION '% is broken by shift %', broken, OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = broken;
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER shift_rules BEFORE UPDATE ON transactions_shift
        FOR EACH ROW EXECUTE FUNCTION transactions_shift_rules()
    """,
    """
    CREATE FUNCTION transactions_shift_begins_open() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.closed_at IS NOT NULL OR NEW.accepted_at IS NOT NULL THEN
            RAISE EXCEPTION 'a shift begins open'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'shift_begins_open';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER shift_begins_open BEFORE INSERT ON transactions_shift
        FOR EACH ROW EXECUTE FUNCTION transactions_shift_begins_open()
    """,
]

NO_SHIFT = [
    "DROP TRIGGER shift_begins_open ON transactions_shift",
    "DROP FUNCTION transactions_shift_begins_open()",
    "DROP TRIGGER shift_rules ON transactions_shift",
    "DROP FUNCTION transactions_shift_rules()",
    "DROP FUNCTION transactions_drawer_fen(bigint)",
]

# Each moment of a slip is set once, and nothing else of it ever changes.
SLIP = [
    """
    CREATE FUNCTION transactions_slip_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.id, NEW.shift_id, NEW.account_id, NEW.fen, NEW.announced_at)
                IS DISTINCT FROM (OLD.id, OLD.shift_id, OLD.account_id, OLD.fen, OLD.announced_at)
            OR OLD.shown_at IS NOT NULL AND (NEW.shown_at, NEW.shown_on) IS DISTINCT FROM (OLD.shown_at, OLD.shown_on)
            OR OLD.confirmed_at IS NOT NULL AND NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at
            OR OLD.dropped_at IS NOT NULL AND NEW.dropped_at IS DISTINCT FROM OLD.dropped_at
        THEN
            RAISE EXCEPTION 'slip % stays as it is', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'slip_moments_once';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER slip_rules BEFORE UPDATE ON transactions_topupslip
        FOR EACH ROW EXECUTE FUNCTION transactions_slip_rules()
    """,
]

NO_SLIP = [
    "DROP TRIGGER slip_rules ON transactions_topupslip",
    "DROP FUNCTION transactions_slip_rules()",
]

# A number is taken together with its receipt or not at all: at COMMIT the last number has its receipt, and no receipt
# has a number that was not taken.
SERIES = [
    """
    CREATE FUNCTION transactions_series_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' AND NEW.last_no <> 0
            OR TG_OP = 'UPDATE' AND ((NEW.code, NEW.campus_id, NEW.drawer_id)
                IS DISTINCT FROM (OLD.code, OLD.campus_id, OLD.drawer_id) OR NEW.last_no <> OLD.last_no + 1)
        THEN
            RAISE EXCEPTION 'receipt series % goes up by one', NEW.code
                USING ERRCODE = 'check_violation', CONSTRAINT = 'series_goes_up_by_one';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER series_rules BEFORE INSERT OR UPDATE ON transactions_receiptseries
        FOR EACH ROW EXECUTE FUNCTION transactions_series_rules()
    """,
    """
    CREATE FUNCTION transactions_series_has_receipt() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM 1 FROM transactions_receipt WHERE series_id = NEW.code AND no = NEW.last_no;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'receipt %-% was numbered and not issued', NEW.code, NEW.last_no
                USING ERRCODE = 'foreign_key_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER series_has_receipt AFTER UPDATE ON transactions_receiptseries
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION transactions_series_has_receipt()
    """,
    """
    CREATE FUNCTION transactions_receipt_is_numbered() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM 1 FROM transactions_receiptseries WHERE code = NEW.series_id AND last_no = NEW.no;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'receipt %-% does not follow the last one', NEW.series_id, NEW.no
                USING ERRCODE = 'check_violation', CONSTRAINT = 'receipt_follows_the_last';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER receipt_is_numbered BEFORE INSERT ON transactions_receipt
        FOR EACH ROW EXECUTE FUNCTION transactions_receipt_is_numbered()
    """,
]

NO_SERIES = [
    "DROP TRIGGER receipt_is_numbered ON transactions_receipt",
    "DROP FUNCTION transactions_receipt_is_numbered()",
    "DROP TRIGGER series_has_receipt ON transactions_receiptseries",
    "DROP FUNCTION transactions_series_has_receipt()",
    "DROP TRIGGER series_rules ON transactions_receiptseries",
    "DROP FUNCTION transactions_series_rules()",
]

GROWING = ("receipt", "receiptcopy")
KEPT = ("drawer", "shift", "topupslip", "receiptseries")

LOCKS = [
    *(
        f"CREATE TRIGGER {table}_{name} BEFORE {events} ON transactions_{table} "
        f"FOR EACH {each} EXECUTE FUNCTION transactions_refuse_change()"
        for table in GROWING
        for name, events, each in (
            ("append_only", "UPDATE OR DELETE", "ROW"),
            ("no_truncate", "TRUNCATE", "STATEMENT"),
        )
    ),
    *(
        f"CREATE TRIGGER {table}_kept BEFORE DELETE ON transactions_{table} "
        "FOR EACH ROW EXECUTE FUNCTION transactions_refuse_change()"
        for table in KEPT
    ),
    "GRANT SELECT, INSERT ON transactions_receipt, transactions_receiptcopy TO ecard_app",
    (
        "GRANT SELECT, INSERT, UPDATE ON transactions_drawer, transactions_shift, transactions_topupslip, "
        "transactions_receiptseries TO ecard_app"
    ),
]

NO_LOCKS = [
    *(
        f"DROP TRIGGER {table}_{lock} ON transactions_{table}"
        for table in GROWING
        for lock in ("append_only", "no_truncate")
    ),
    *(f"DROP TRIGGER {table}_kept ON transactions_{table}" for table in KEPT),
]


class Migration(migrations.Migration):
    dependencies = [("transactions", "0007_cash")]

    operations = [
        migrations.RunSQL(RULES, FORMER_RULES),
        migrations.RunSQL(OPEN_SHIFT, NO_OPEN_SHIFT),
        migrations.RunSQL(SHIFT, NO_SHIFT),
        migrations.RunSQL(SLIP, NO_SLIP),
        migrations.RunSQL(SERIES, NO_SERIES),
        migrations.RunSQL(LOCKS, NO_LOCKS),
    ]
