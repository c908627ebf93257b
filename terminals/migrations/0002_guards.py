"""What the models cannot say: grants, records that only grow, free space for the contact row, the one hotlist row."""

from __future__ import annotations

from django.db import migrations

GRANTS = [
    "GRANT SELECT, INSERT, UPDATE ON terminals_terminal TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON terminals_terminalcontact TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON terminals_enrolmentcode TO ecard_app",
    "GRANT SELECT, UPDATE ON terminals_hotlist TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON terminals_hotlistentry TO ecard_app",
    "GRANT SELECT, INSERT ON terminals_uploadedrecord TO ecard_app",
    "GRANT SELECT, INSERT ON terminals_uploadverdict TO ecard_app",
    "GRANT SELECT, INSERT ON terminals_securityevent TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON terminals_badsignature TO ecard_app",
]

NO_GRANTS = [
    """
    REVOKE ALL ON terminals_terminal, terminals_terminalcontact, terminals_enrolmentcode, terminals_hotlist,
        terminals_hotlistentry, terminals_uploadedrecord, terminals_uploadverdict, terminals_securityevent,
        terminals_badsignature FROM ecard_app
    """,
]

GROWING = ("uploadedrecord", "uploadverdict", "securityevent")

APPEND_ONLY = [
    """
    CREATE FUNCTION terminals_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% on % is refused: rows are only ever added', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    *(
        statement
        for table in GROWING
        for statement in (
            (
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON terminals_{table} "
                "FOR EACH ROW EXECUTE FUNCTION terminals_refuse_change()"
            ),
            (
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON terminals_{table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION terminals_refuse_change()"
            ),
        )
    ),
]

CHANGEABLE = [
    *(
        f"DROP TRIGGER {table}_{lock} ON terminals_{table}"
        for table in GROWING
        for lock in ("no_truncate", "append_only")
    ),
    "DROP FUNCTION terminals_refuse_change()",
]

FREE_SPACE = [
    "ALTER TABLE terminals_terminalcontact SET (fillfactor = 50)",
    "ALTER TABLE terminals_badsignature SET (fillfactor = 50)",
]

NO_FREE_SPACE = [
    "ALTER TABLE terminals_terminalcontact RESET (fillfactor)",
    "ALTER TABLE terminals_badsignature RESET (fillfactor)",
]


class Migration(migrations.Migration):
    dependencies = [("terminals", "0001_initial"), ("accounts", "0002_guards")]

    operations = [
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
        migrations.RunSQL(FREE_SPACE, NO_FREE_SPACE),
        migrations.RunSQL(
            ["INSERT INTO terminals_hotlist (id, version) VALUES (1, 0)"], ["DELETE FROM terminals_hotlist"]
        ),
    ]
