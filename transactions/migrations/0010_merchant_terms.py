"""On what terms the university settles with a merchant; terms only grow and never begin in the past."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

GRANTS = ["GRANT SELECT, INSERT ON transactions_merchantterms TO ecard_app"]
NO_GRANTS = ["REVOKE ALL ON transactions_merchantterms FROM ecard_app"]

GUARDS = [
    """
    ALTER TABLE transactions_merchantterms ADD CONSTRAINT merchant_terms_begin_not_before_set
        CHECK (effective_on >= (set_at AT TIME ZONE 'Asia/Shanghai')::date)
    """,
    """
    CREATE TRIGGER merchantterms_append_only BEFORE UPDATE OR DELETE ON transactions_merchantterms
        FOR EACH ROW EXECUTE FUNCTION transactions_refuse_change()
    """,
    """
    CREATE TRIGGER merchantterms_no_truncate BEFORE TRUNCATE ON transactions_merchantterms
        FOR EACH STATEMENT EXECUTE FUNCTION transactions_refuse_change()
    """,
]
NO_GUARDS = [
    "DROP TRIGGER merchantterms_no_truncate ON transactions_merchantterms",
    "DROP TRIGGER merchantterms_append_only ON transactions_merchantterms",
    "ALTER TABLE transactions_merchantterms DROP CONSTRAINT merchant_terms_begin_not_before_set",
]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0012_logins_of_staff"),
        ("transactions", "0009_card_holds"),
    ]

    operations = [
        migrations.CreateModel(
            name="MerchantTerms",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("effective_on", models.DateField()),
                ("fee_bp", models.IntegerField()),
                (
                    "settlement",
                    models.TextField(
                        choices=[
                            ("daily", "每日"),
                            ("weekly", "每周"),
                            ("half_monthly", "每半月"),
                            ("monthly", "每月"),
                        ]
                    ),
                ),
                ("set_at", models.DateTimeField()),
                ("set_by", models.TextField()),
                ("reason", models.TextField()),
                ("key", models.UUIDField(unique=True)),
            ],
            options={
                "verbose_name": "结算条件",
                "verbose_name_plural": "结算条件",
            },
        ),
        migrations.AddField(
            model_name="merchant",
            name="contract_no",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddConstraint(
            model_name="merchant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("contract_until__isnull", True),
                    ("contract_until__gte", models.F("contract_from")),
                    _connector="OR",
                ),
                name="merchant_contract_in_order",
            ),
        ),
        migrations.AddField(
            model_name="merchantterms",
            name="merchant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="terms",
                to="transactions.merchant",
            ),
        ),
        migrations.AddIndex(
            model_name="merchantterms",
            index=models.Index(fields=["merchant", "effective_on", "id"], name="merchant_terms_of"),
        ),
        migrations.AddConstraint(
            model_name="merchantterms",
            constraint=models.CheckConstraint(
                condition=models.Q(("fee_bp__gte", 0), ("fee_bp__lte", 1000)), name="merchant_terms_rate"
            ),
        ),
        migrations.AddConstraint(
            model_name="merchantterms",
            constraint=models.CheckConstraint(
                condition=models.Q(("settlement__in", ["daily", "weekly", "half_monthly", "monthly"])),
                name="merchant_terms_settlement_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="merchantterms",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="merchant_terms_say_why"
            ),
        ),
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
