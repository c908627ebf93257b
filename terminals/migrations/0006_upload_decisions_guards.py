"""Decisions about uploaded records only grow; and only a record that its verdict left open can be decided."""

from __future__ import annotations

from django.db import migrations

GRANTS = ["GRANT SELECT, INSERT ON terminals_uploaddecision TO ecard_app"]
NO_GRANTS = ["REVOKE ALL ON terminals_uploaddecision FROM ecard_app"]

GUARDS = [
    """
    CREATE FUNCTION terminals_upload_decision_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM FROM terminals_uploadverdict
            WHERE record_id = NEW.record_id AND result IN ('suspect', 'quarantined');
        IF NOT FOUND THEN
            RAISE EXCEPTION 'record % is not open', NEW.record_id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'upload_decision_of_open_records';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER uploaddecision_rules BEFORE INSERT ON terminals_uploaddecision
        FOR EACH ROW EXECUTE FUNCTION terminals_upload_decision_rules()
    """,
    """
    CREATE TRIGGER uploaddecision_append_only BEFORE UPDATE OR DELETE ON terminals_uploaddecision
        FOR EACH ROW EXECUTE FUNCTION terminals_refuse_change()
    """,
    """
    CREATE TRIGGER uploaddecision_no_truncate BEFORE TRUNCATE ON terminals_uploaddecision
        FOR EACH STATEMENT EXECUTE FUNCTION terminals_refuse_change()
    """,
]

NO_GUARDS = [
    "DROP TRIGGER uploaddecision_no_truncate ON terminals_uploaddecision",
    "DROP TRIGGER uploaddecision_append_only ON terminals_uploaddecision",
    "DROP TRIGGER uploaddecision_rules ON terminals_uploaddecision",
    "DROP FUNCTION terminals_upload_decision_rules()",
]


class Migration(migrations.Migration):
    dependencies = [("terminals", "0005_upload_decisions")]

    operations = [migrations.RunSQL(GRANTS, NO_GRANTS), migrations.RunSQL(GUARDS, NO_GUARDS)]
