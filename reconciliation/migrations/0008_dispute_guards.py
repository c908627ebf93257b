"""What the models cannot say about disputes: they move by events alone, and only along the steps that there are.

The application may add disputes and events and change neither. The columns of a dispute that say how far it is are
written by the trigger of its events, which runs as the owner of the tables.
"""

from __future__ import annotations

from django.db import migrations

GRANTS = [
    "GRANT SELECT, INSERT ON reconciliation_dispute TO ecard_app",
    "GRANT SELECT, INSERT ON reconciliation_disputeevent TO ecard_app",
]
NO_GRANTS = ["REVOKE ALL ON reconciliation_dispute, reconciliation_disputeevent FROM ecard_app"]

STEPS = [
    """
    CREATE FUNCTION reconciliation_dispute_step(state text, event text) RETURNS text IMMUTABLE LANGUAGE sql AS $$
        SELECT CASE event
            WHEN 'taken' THEN CASE state WHEN 'open' THEN 'taken' WHEN 'taken' THEN 'taken' WHEN 'asked' THEN 'asked' END
            WHEN 'asked' THEN CASE WHEN state IN ('open', 'taken', 'asked') THEN 'asked' END
            WHEN 'added' THEN CASE state WHEN 'open' THEN 'open' WHEN 'taken' THEN 'taken' WHEN 'asked' THEN 'taken'
                WHEN 'proposed' THEN 'proposed' END
            WHEN 'remarked' THEN state
            WHEN 'proposed' THEN CASE WHEN state IN ('open', 'taken', 'asked') THEN 'proposed' END
            WHEN 'returned' THEN CASE WHEN state = 'proposed' THEN 'taken' END
            WHEN 'refunded' THEN CASE WHEN state = 'proposed' THEN 'refunded' END
            WHEN 'settled' THEN CASE WHEN state IN ('open', 'taken', 'asked') THEN 'settled' END
            WHEN 'refused' THEN CASE WHEN state IN ('open', 'taken', 'asked') THEN 'refused' END
            WHEN 'withdrawn' THEN CASE WHEN state IN ('open', 'taken', 'asked') THEN 'withdrawn' END
        END
    $$
    """,
    """
    CREATE FUNCTION reconciliation_dispute_event() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE
        last record;
        decided record;
        following text;
        broken text;
    BEGIN
        -- A dispute without this lock would let two events read the same last one; both would then be the next.
        PERFORM FROM reconciliation_dispute WHERE id = NEW.dispute_id FOR UPDATE;
        SELECT seq, state, at INTO last FROM reconciliation_disputeevent
            WHERE dispute_id = NEW.dispute_id ORDER BY seq DESC LIMIT 1;
        following := CASE WHEN last IS NULL THEN CASE WHEN NEW.kind = 'opened' THEN 'open' END
            ELSE reconciliation_dispute_step(last.state, NEW.kind) END;
        broken := CASE
            WHEN following IS NULL THEN 'dispute_event_is_a_step'
            WHEN NEW.seq <> coalesce(last.seq, 0) + 1 THEN 'dispute_event_in_order'
        END;
        IF broken IS NULL AND NEW.decision_id IS NOT NULL THEN
            SELECT decision.account_id = dispute.account_id AS same,
                coalesce((SELECT done FROM reconciliation_decisionresult result
                    WHERE result.decision_id = decision.id), false) AS done
                INTO decided
                FROM reconciliation_decision decision, reconciliation_dispute dispute
                WHERE decision.id = NEW.decision_id AND dispute.id = NEW.dispute_id;
            broken := CASE
                WHEN NOT decided.same THEN 'dispute_decision_of_this_account'
                WHEN NEW.kind = 'refunded' AND NOT decided.done THEN 'dispute_refund_is_done'
                WHEN NEW.kind = 'returned' AND decided.done THEN 'dispute_return_is_not_done'
                WHEN NEW.kind IN ('refunded', 'returned') AND NOT EXISTS (
                    SELECT FROM reconciliation_disputeevent proposed WHERE proposed.dispute_id = NEW.dispute_id
                        AND proposed.kind = 'proposed' AND proposed.decision_id = NEW.decision_id)
                    THEN 'dispute_decision_was_proposed'
            END;
        END IF;
        IF broken IS NOT NULL THEN
            RAISE EXCEPTION 'event % of dispute % breaks %', NEW.kind, NEW.dispute_id, broken
                USING ERRCODE = 'check_violation', CONSTRAINT = broken;
        END IF;
        NEW.state := following;
        UPDATE reconciliation_dispute SET state = following, changed_at = NEW.at,
            assignee_id = CASE WHEN NEW.kind = 'taken' THEN NEW.officer_id ELSE coalesce(assignee_id, NEW.officer_id) END
            WHERE id = NEW.dispute_id;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER dispute_event_steps BEFORE INSERT ON reconciliation_disputeevent
        FOR EACH ROW EXECUTE FUNCTION reconciliation_dispute_event()
    """,
    """
    CREATE FUNCTION reconciliation_dispute_opening() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.state <> 'open' OR NEW.assignee_id IS NOT NULL THEN
            RAISE EXCEPTION 'a dispute starts open, and with nobody'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'dispute_starts_open';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER dispute_opening BEFORE INSERT ON reconciliation_dispute
        FOR EACH ROW EXECUTE FUNCTION reconciliation_dispute_opening()
    """,
    """
    CREATE FUNCTION reconciliation_dispute_by_events() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'UPDATE' OR pg_trigger_depth() < 2
            OR to_jsonb(NEW) - 'state' - 'assignee_id' - 'changed_at'
                <> to_jsonb(OLD) - 'state' - 'assignee_id' - 'changed_at' THEN
            RAISE EXCEPTION '% on % is refused: a dispute moves by its events', TG_OP, TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER dispute_by_events BEFORE UPDATE OR DELETE ON reconciliation_dispute
        FOR EACH ROW EXECUTE FUNCTION reconciliation_dispute_by_events()
    """,
    """
    CREATE TRIGGER dispute_no_truncate BEFORE TRUNCATE ON reconciliation_dispute
        FOR EACH STATEMENT EXECUTE FUNCTION reconciliation_refuse_change()
    """,
    """
    CREATE TRIGGER disputeevent_append_only BEFORE UPDATE OR DELETE ON reconciliation_disputeevent
        FOR EACH ROW EXECUTE FUNCTION reconciliation_refuse_change()
    """,
    """
    CREATE TRIGGER disputeevent_no_truncate BEFORE TRUNCATE ON reconciliation_disputeevent
        FOR EACH STATEMENT EXECUTE FUNCTION reconciliation_refuse_change()
    """,
]
NO_STEPS = [
    "DROP TRIGGER disputeevent_no_truncate ON reconciliation_disputeevent",
    "DROP TRIGGER disputeevent_append_only ON reconciliation_disputeevent",
    "DROP TRIGGER dispute_no_truncate ON reconciliation_dispute",
    "DROP TRIGGER dispute_by_events ON reconciliation_dispute",
    "DROP FUNCTION reconciliation_dispute_by_events()",
    "DROP TRIGGER dispute_opening ON reconciliation_dispute",
    "DROP FUNCTION reconciliation_dispute_opening()",
    "DROP TRIGGER dispute_event_steps ON reconciliation_disputeevent",
    "DROP FUNCTION reconciliation_dispute_event()",
    "DROP FUNCTION reconciliation_dispute_step(text, text)",
]


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0007_disputes")]

    operations = [
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(STEPS, NO_STEPS),
    ]
