"""The note of a contact as a function, so that a purchase can make it with its own one statement."""

from __future__ import annotations

from django.db import migrations

ADVANCE = """
    CREATE FUNCTION terminals_advance(p_terminal bigint, p_boot bigint, p_seq bigint, p_at timestamptz)
        RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE terminals_terminalcontact SET boot = p_boot, last_seq = p_seq, last_contact_at = p_at
            WHERE terminal_id = p_terminal AND (boot, last_seq) < (p_boot, p_seq);
        RETURN FOUND;
    END $$
"""


class Migration(migrations.Migration):
    dependencies = [("terminals", "0006_upload_decisions_guards")]

    operations = [migrations.RunSQL(ADVANCE, "DROP FUNCTION terminals_advance")]
