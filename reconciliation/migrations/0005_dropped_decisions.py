"""A decision whose facts have changed ends without anybody's approval: nothing is done, so nobody need agree."""

from __future__ import annotations

from django.db import migrations

_RULE = """
    CREATE OR REPLACE FUNCTION reconciliation_check_result() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        verdict text := (SELECT ruling.verdict FROM reconciliation_ruling ruling
            WHERE ruling.decision_id = NEW.decision_id);
        needs text := (SELECT decision.needs FROM reconciliation_decision decision
            WHERE decision.id = NEW.decision_id);
    BEGIN
        IF {guard}verdict IS DISTINCT FROM 'approved' AND (verdict IS NOT NULL OR needs <> 'alone') THEN
            RAISE EXCEPTION 'decision % was not approved by a second person', NEW.decision_id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'decision_result_is_approved';
        END IF;
        RETURN NEW;
    END $$
"""


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0004_decision_guards")]

    operations = [migrations.RunSQL([_RULE.format(guard="NEW.done AND ")], [_RULE.format(guard="")])]
