"""Grants and guards of card jobs: an identity that stays, an end that is an end, steps that only grow."""

from __future__ import annotations

from django.db import migrations

GRANTS = [
    "GRANT SELECT, INSERT, UPDATE ON terminals_cardjob TO ecard_app",
    "GRANT SELECT, INSERT ON terminals_cardjobstep TO ecard_app",
]

NO_GRANTS = ["REVOKE ALL ON terminals_cardjob, terminals_cardjobstep FROM ecard_app"]

# What was ordered stays as ordered; an entry is posted once; after an end only a doubt may still be cleared up.
JOB_RULES = [
    """
    CREATE FUNCTION terminals_card_job_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        broken text := CASE
            WHEN (NEW.id, NEW.kind, NEW.desk_id, NEW.account_id, NEW.card_id, NEW.params, NEW.ordered_by,
                    NEW.ordered_at)
                IS DISTINCT FROM (OLD.id, OLD.kind, OLD.desk_id, OLD.account_id, OLD.card_id, OLD.params,
                    OLD.ordered_by, OLD.ordered_at)
                THEN 'card_job_stays_as_ordered'
            WHEN OLD.entry_seq IS NOT NULL AND NEW.entry_seq IS DISTINCT FROM OLD.entry_seq
                THEN 'card_job_posts_once'
            WHEN OLD.told AND NOT NEW.told THEN 'card_job_told_stays_told'
            WHEN OLD.ended_at IS NOT NULL AND NEW.state <> OLD.state
                AND NOT (OLD.state = 'state_unknown' AND NEW.state = 'done')
                THEN 'card_job_end_is_an_end'
            WHEN OLD.ended_at IS NOT NULL AND NEW.entry_seq IS DISTINCT FROM OLD.entry_seq
                THEN 'card_job_over_posts_nothing'
            WHEN NEW.told AND NEW.state IN ('cancelled', 'expired') THEN 'card_job_told_is_not_dropped'
        END;
    BEGIN
        IF broken IS NOT NULL THEN
            RAISE EXCEPTION '% is broken by job %', broken, OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = broken;
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER card_job_rules BEFORE UPDATE ON terminals_cardjob
        FOR EACH ROW EXECUTE FUNCTION terminals_card_job_rules()
    """,
    """
    CREATE TRIGGER cardjob_kept BEFORE DELETE ON terminals_cardjob
        FOR EACH ROW EXECUTE FUNCTION terminals_refuse_change()
    """,
    """
    CREATE TRIGGER cardjobstep_append_only BEFORE UPDATE OR DELETE ON terminals_cardjobstep
        FOR EACH ROW EXECUTE FUNCTION terminals_refuse_change()
    """,
    """
    CREATE TRIGGER cardjobstep_no_truncate BEFORE TRUNCATE ON terminals_cardjobstep
        FOR EACH STATEMENT EXECUTE FUNCTION terminals_refuse_change()
    """,
]

NO_JOB_RULES = [
    "DROP TRIGGER cardjobstep_no_truncate ON terminals_cardjobstep",
    "DROP TRIGGER cardjobstep_append_only ON terminals_cardjobstep",
    "DROP TRIGGER cardjob_kept ON terminals_cardjob",
    "DROP TRIGGER card_job_rules ON terminals_cardjob",
    "DROP FUNCTION terminals_card_job_rules()",
]


class Migration(migrations.Migration):
    dependencies = [("terminals", "0003_card_jobs")]

    operations = [
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(JOB_RULES, NO_JOB_RULES),
    ]
