"""The university's numbers and words with their beginnings: only ever added to, called off only before they begin."""

from __future__ import annotations

import datetime as dt

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

GRANTS = ["GRANT SELECT, INSERT ON accounts_policychange, accounts_policywithdrawal TO ecard_app"]
NO_GRANTS = ["REVOKE ALL ON accounts_policychange, accounts_policywithdrawal FROM ecard_app"]

GUARDS = [
    *(
        f"""
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON accounts_{table}
            FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change()
        """
        for table in ("policychange", "policywithdrawal")
    ),
    *(
        f"""
        CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON accounts_{table}
            FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change()
        """
        for table in ("policychange", "policywithdrawal")
    ),
    """
    CREATE FUNCTION accounts_policy_withdrawal_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM FROM accounts_policychange
            WHERE id = NEW.change_id AND effective_at >= NEW.withdrawn_at + interval '10 seconds';
        IF NOT FOUND THEN
            RAISE EXCEPTION 'value % has begun', NEW.change_id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'policy_withdrawn_before_it_begins';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER policywithdrawal_rules BEFORE INSERT ON accounts_policywithdrawal
        FOR EACH ROW EXECUTE FUNCTION accounts_policy_withdrawal_rules()
    """,
]
NO_GUARDS = [
    "DROP TRIGGER policywithdrawal_rules ON accounts_policywithdrawal",
    "DROP FUNCTION accounts_policy_withdrawal_rules()",
    *(
        f"DROP TRIGGER {table}_no_truncate ON accounts_{table}"
        for table in ("policychange", "policywithdrawal")
    ),
    *(
        f"DROP TRIGGER {table}_append_only ON accounts_{table}"
        for table in ("policychange", "policywithdrawal")
    ),
]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_levelled_seq"),
    ]

    operations = [
        migrations.CreateModel(
            name="PolicyChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.TextField()),
                ("value", models.JSONField()),
                ("effective_at", models.DateTimeField()),
                ("set_at", models.DateTimeField()),
                ("set_by", models.TextField()),
                ("agreed_by", models.TextField(blank=True, db_default="", default="")),
                ("reason", models.TextField()),
                ("key", models.UUIDField(unique=True)),
            ],
            options={
                "verbose_name": "参数取值",
                "verbose_name_plural": "参数取值",
            },
        ),
        migrations.CreateModel(
            name="PolicyWithdrawal",
            fields=[
                (
                    "change",
                    models.OneToOneField(
                        db_column="change_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="withdrawal",
                        serialize=False,
                        to="accounts.policychange",
                    ),
                ),
                ("withdrawn_at", models.DateTimeField()),
                ("withdrawn_by", models.TextField()),
                ("reason", models.TextField()),
            ],
            options={
                "verbose_name": "参数撤销",
                "verbose_name_plural": "参数撤销",
            },
        ),
        migrations.AddIndex(
            model_name="policychange",
            index=models.Index(fields=["name", "effective_at", "id"], name="policy_of_name"),
        ),
        migrations.AddConstraint(
            model_name="policychange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "effective_at__gte",
                        django.db.models.expressions.CombinedExpression(
                            models.F("set_at"), "+", models.Value(dt.timedelta(seconds=10))
                        ),
                    )
                ),
                name="policy_begins_after_notice",
            ),
        ),
        migrations.AddConstraint(
            model_name="policychange",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="policy_says_why"
            ),
        ),
        migrations.AddConstraint(
            model_name="policychange",
            constraint=models.CheckConstraint(
                condition=models.Q(("agreed_by", models.F("set_by")), _negated=True),
                name="policy_second_is_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="policychange",
            constraint=models.CheckConstraint(
                condition=models.Q(("name__regex", "^[a-z][a-z0-9_]{2,60}$")), name="policy_name_form"
            ),
        ),
        migrations.AddConstraint(
            model_name="policywithdrawal",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="policy_withdrawal_says_why"
            ),
        ),
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
