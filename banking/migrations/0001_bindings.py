"""Which bank card belongs to which account, one to one among the active bindings."""

from __future__ import annotations

import uuid

import django.db.models.deletion
from django.db import migrations, models

GRANTS = [
    """
    GRANT SELECT, INSERT, UPDATE (state, confirmed_at, ended_at, number_sealed) ON banking_binding TO ecard_app
    """,
]
NO_GRANTS = ["REVOKE ALL ON banking_binding FROM ecard_app"]

ONE_WAY = [
    """
    CREATE FUNCTION banking_binding_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT (OLD.state || ' ' || NEW.state) = ANY (TG_ARGV) THEN
            RAISE EXCEPTION 'binding % cannot go from % to %', OLD.uid, OLD.state, NEW.state
                USING ERRCODE = 'check_violation', CONSTRAINT = 'binding_goes_one_way';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER binding_life BEFORE UPDATE OF state, confirmed_at, ended_at ON banking_binding
        FOR EACH ROW EXECUTE FUNCTION banking_binding_rules(
            'pending confirmed', 'pending ended', 'confirmed ended')
    """,
    """
    CREATE TRIGGER binding_kept BEFORE DELETE ON banking_binding
        FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change()
    """,
    """
    CREATE TRIGGER binding_no_truncate BEFORE TRUNCATE ON banking_binding
        FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change()
    """,
]
NO_ONE_WAY = [
    "DROP TRIGGER binding_no_truncate ON banking_binding",
    "DROP TRIGGER binding_kept ON banking_binding",
    "DROP TRIGGER binding_life ON banking_binding",
    "DROP FUNCTION banking_binding_rules()",
]


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0010_pinpad"),
    ]

    operations = [
        migrations.CreateModel(
            name="Binding",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("number_sealed", models.BinaryField()),
                ("number_index", models.BinaryField()),
                ("first_four", models.TextField()),
                ("last_four", models.TextField()),
                (
                    "state",
                    models.TextField(
                        choices=[("pending", "待确认"), ("confirmed", "已签约"), ("ended", "已解约")]
                    ),
                ),
                ("bound_at", models.DateTimeField()),
                ("bound_by", models.TextField()),
                ("bound_place_zh", models.TextField(blank=True, db_default="", default="")),
                ("bound_place_en", models.TextField(blank=True, db_default="", default="")),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bindings",
                        to="accounts.account",
                    ),
                ),
            ],
            options={
                "verbose_name": "银行卡签约",
                "verbose_name_plural": "银行卡签约",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["pending", "confirmed", "ended"])),
                        name="binding_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("first_four__regex", "^[0-9]{4}$"), ("last_four__regex", "^[0-9]{4}$")
                        ),
                        name="binding_digits",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("confirmed_at__isnull", True),
                                ("ended_at__isnull", True),
                                ("state", "pending"),
                            ),
                            models.Q(
                                ("confirmed_at__isnull", False),
                                ("ended_at__isnull", True),
                                ("state", "confirmed"),
                            ),
                            models.Q(("ended_at__isnull", False), ("state", "ended")),
                            _connector="OR",
                        ),
                        name="binding_times",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("pending", "confirmed"))),
                        fields=("account",),
                        name="binding_one_active_per_account",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("pending", "confirmed"))),
                        fields=("number_index",),
                        name="binding_one_active_per_bank_card",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(ONE_WAY, NO_ONE_WAY),
    ]
