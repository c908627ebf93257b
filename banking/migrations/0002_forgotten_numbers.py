"""The number of a bank card can be forgotten, whole and for good, once its binding has ended."""

from __future__ import annotations

from django.db import migrations, models

GRANTS = ["GRANT UPDATE (number_index, first_four, last_four, erased_at) ON banking_binding TO ecard_app"]
NO_GRANTS = [
    "REVOKE UPDATE (number_index, first_four, last_four, erased_at) ON banking_binding FROM ecard_app"
]

GUARDS = [
    """
    CREATE FUNCTION banking_number_is_only_forgotten() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the bank card of binding % is forgotten as a whole or stays as it is', OLD.id
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER binding_number_is_only_forgotten
        BEFORE UPDATE OF number_index, first_four, last_four, erased_at ON banking_binding
        FOR EACH ROW WHEN (NEW.erased_at IS NULL OR OLD.erased_at IS NOT NULL)
        EXECUTE FUNCTION banking_number_is_only_forgotten()
    """,
]
NO_GUARDS = [
    "DROP TRIGGER binding_number_is_only_forgotten ON banking_binding",
    "DROP FUNCTION banking_number_is_only_forgotten()",
]


class Migration(migrations.Migration):
    dependencies = [("banking", "0001_bindings")]

    operations = [
        migrations.RemoveConstraint(model_name="binding", name="binding_digits"),
        migrations.AddField(model_name="binding", name="erased_at", field=models.DateTimeField(null=True)),
        migrations.AddConstraint(
            model_name="binding",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("erased_at__isnull", True),
                        ("first_four__regex", "^[0-9]{4}$"),
                        ("last_four__regex", "^[0-9]{4}$"),
                    ),
                    models.Q(
                        ("erased_at__isnull", False),
                        ("first_four", ""),
                        ("last_four", ""),
                        ("number_index", b""),
                        ("number_sealed", b""),
                        ("state", "ended"),
                    ),
                    _connector="OR",
                ),
                name="binding_digits",
            ),
        ),
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
