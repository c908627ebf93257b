"""What the models cannot say: grants of the application role, and notes that only grow."""

from __future__ import annotations

from django.db import migrations

GRANTS = [
    "GRANT SELECT, INSERT, UPDATE ON reconciliation_case TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON reconciliation_reconcilerun TO ecard_app",
    "GRANT SELECT, INSERT ON reconciliation_casenote TO ecard_app",
    "GRANT SELECT, INSERT ON reconciliation_casefinding TO ecard_app",
]

NO_GRANTS = [
    """
    REVOKE ALL ON reconciliation_case, reconciliation_reconcilerun, reconciliation_casenote,
        reconciliation_casefinding FROM ecard_app
    """,
]

GROWING = ("casenote", "casefinding")

APPEND_ONLY = [
    """
    CREATE FUNCTION reconciliation_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% on % is refused: what happened to a case stays', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    *(
        statement
        for table in GROWING
        for statement in (
            (
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON reconciliation_{table} "
                "FOR EACH ROW EXECUTE FUNCTION reconciliation_refuse_change()"
            ),
            (
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON reconciliation_{table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION reconciliation_refuse_change()"
            ),
        )
    ),
]

CHANGEABLE = [
    *(
        f"DROP TRIGGER {table}_{lock} ON reconciliation_{table}"
        for table in GROWING
        for lock in ("no_truncate", "append_only")
    ),
    "DROP FUNCTION reconciliation_refuse_change()",
]


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0001_initial"),
        ("accounts", "0002_guards"),
        ("transactions", "0002_ledger"),
    ]

    operations = [
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
    ]
