"""What the models cannot say about decisions: they only grow, and two people are two people (reliability.md L9)."""

from __future__ import annotations

from django.db import migrations

GRANTS = [
    "GRANT SELECT, INSERT ON reconciliation_decision TO ecard_app",
    "GRANT SELECT, INSERT ON reconciliation_ruling TO ecard_app",
    "GRANT SELECT, INSERT ON reconciliation_decisionresult TO ecard_app",
]

NO_GRANTS = [
    "REVOKE ALL ON reconciliation_decision, reconciliation_ruling, reconciliation_decisionresult FROM ecard_app",
]

GROWING = ("decision", "ruling", "decisionresult")

APPEND_ONLY = [
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
]

CHANGEABLE = [
    f"DROP TRIGGER {table}_{lock} ON reconciliation_{table}"
    for table in GROWING
    for lock in ("no_truncate", "append_only")
]

TWO_PEOPLE = [
    """
    CREATE FUNCTION reconciliation_check_ruling() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        asked record;
        broken text;
    BEGIN
        SELECT maker_id, content_hash INTO asked FROM reconciliation_decision WHERE id = NEW.decision_id;
        broken := CASE
            WHEN NEW.content_hash <> asked.content_hash THEN 'ruling_of_this_content'
            WHEN (NEW.verdict = 'withdrawn') <> (NEW.checker_id = asked.maker_id) THEN 'ruling_by_another_person'
            WHEN EXISTS (SELECT FROM reconciliation_decisionresult WHERE decision_id = NEW.decision_id)
                THEN 'ruling_before_result'
        END;
        IF broken IS NOT NULL THEN
            RAISE EXCEPTION 'the ruling on decision % breaks %', NEW.decision_id, broken
                USING ERRCODE = 'check_violation', CONSTRAINT = broken;
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER ruling_rules BEFORE INSERT ON reconciliation_ruling
        FOR EACH ROW EXECUTE FUNCTION reconciliation_check_ruling()
    """,
    """
    CREATE FUNCTION reconciliation_check_result() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        verdict text := (SELECT ruling.verdict FROM reconciliation_ruling ruling
            WHERE ruling.decision_id = NEW.decision_id);
        needs text := (SELECT decision.needs FROM reconciliation_decision decision
            WHERE decision.id = NEW.decision_id);
    BEGIN
        IF verdict IS DISTINCT FROM 'approved' AND (verdict IS NOT NULL OR needs <> 'alone') THEN
            RAISE EXCEPTION 'decision % was not approved by a second person', NEW.decision_id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'decision_result_is_approved';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER decision_result_rules BEFORE INSERT ON reconciliation_decisionresult
        FOR EACH ROW EXECUTE FUNCTION reconciliation_check_result()
    """,
]

ONE_PERSON = [
    "DROP TRIGGER decision_result_rules ON reconciliation_decisionresult",
    "DROP FUNCTION reconciliation_check_result()",
    "DROP TRIGGER ruling_rules ON reconciliation_ruling",
    "DROP FUNCTION reconciliation_check_ruling()",
]


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0003_decisions")]

    operations = [
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
        migrations.RunSQL(TWO_PEOPLE, ONE_PERSON),
    ]
