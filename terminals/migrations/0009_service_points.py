"""Where people are served, on which days not, and which alarms about journals were put to rest."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

GRANTS = [
    "GRANT SELECT, INSERT, UPDATE ON terminals_servicepoint TO ecard_app",
    "GRANT SELECT, INSERT, DELETE ON terminals_specialday TO ecard_app",
    "GRANT SELECT, INSERT ON terminals_gaprest TO ecard_app",
]
NO_GRANTS = ["REVOKE ALL ON terminals_servicepoint, terminals_specialday, terminals_gaprest FROM ecard_app"]

GUARDS = [
    """
    CREATE TRIGGER gaprest_append_only BEFORE UPDATE OR DELETE ON terminals_gaprest
        FOR EACH ROW EXECUTE FUNCTION terminals_refuse_change()
    """,
    """
    CREATE TRIGGER gaprest_no_truncate BEFORE TRUNCATE ON terminals_gaprest
        FOR EACH STATEMENT EXECUTE FUNCTION terminals_refuse_change()
    """,
    """
    CREATE FUNCTION terminals_service_point_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM FROM terminals_terminal WHERE id = NEW.terminal_id AND campus_id = NEW.campus_id
            AND kind = CASE NEW.kind WHEN 'load_kiosk' THEN 'kiosk' ELSE NEW.kind END;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'terminal % does not belong at %', NEW.terminal_id, NEW.code
                USING ERRCODE = 'check_violation', CONSTRAINT = 'place_machine_fits';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER servicepoint_rules BEFORE INSERT OR UPDATE OF terminal_id, campus_id, kind ON terminals_servicepoint
        FOR EACH ROW WHEN (NEW.terminal_id IS NOT NULL) EXECUTE FUNCTION terminals_service_point_rules()
    """,
]
NO_GUARDS = [
    "DROP TRIGGER servicepoint_rules ON terminals_servicepoint",
    "DROP FUNCTION terminals_service_point_rules()",
    "DROP TRIGGER gaprest_no_truncate ON terminals_gaprest",
    "DROP TRIGGER gaprest_append_only ON terminals_gaprest",
]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_policy_values"),
        ("terminals", "0008_cloned"),
    ]

    operations = [
        migrations.CreateModel(
            name="GapRest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("journal", models.TextField()),
                ("missing", models.BigIntegerField()),
                ("rested_at", models.DateTimeField()),
                ("rested_by", models.TextField()),
                ("reason", models.TextField()),
                (
                    "terminal",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="gap_rests",
                        to="terminals.terminal",
                    ),
                ),
            ],
            options={
                "verbose_name": "缺号确认",
                "verbose_name_plural": "缺号确认",
                "indexes": [models.Index(fields=["terminal", "journal", "id"], name="gap_rest_of_journal")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="gap_rest_says_why"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("missing__gte", 1)), name="gap_rest_of_something"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ServicePoint",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.TextField(unique=True)),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("center", "管理中心"),
                            ("load_kiosk", "圈存机"),
                            ("query_kiosk", "自助查询机"),
                            ("cash_point", "现金充值点"),
                        ]
                    ),
                ),
                ("name_zh", models.TextField()),
                ("name_en", models.TextField()),
                ("position", models.SmallIntegerField(db_default=0, default=0)),
                ("hours", models.JSONField(blank=True, default=dict)),
                ("out_since", models.DateTimeField(blank=True, null=True)),
                ("out_reason_zh", models.TextField(blank=True, db_default="", default="")),
                ("out_reason_en", models.TextField(blank=True, db_default="", default="")),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "campus",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="service_points",
                        to="accounts.campus",
                    ),
                ),
                (
                    "terminal",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="service_point",
                        to="terminals.terminal",
                    ),
                ),
            ],
            options={
                "verbose_name": "服务点",
                "verbose_name_plural": "服务点",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind__in", ["center", "load_kiosk", "query_kiosk", "cash_point"])
                        ),
                        name="place_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("name_zh", ""), _negated=True), models.Q(("name_en", ""), _negated=True)
                        ),
                        name="place_has_names",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("out_reason_en", ""), ("out_reason_zh", ""), ("out_since__isnull", True)
                            ),
                            models.Q(
                                ("out_since__isnull", False), models.Q(("out_reason_zh", ""), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="place_out_says_why",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("terminal__isnull", True),
                            models.Q(
                                ("closed_at__isnull", True), ("kind__in", ["load_kiosk", "query_kiosk"])
                            ),
                            _connector="OR",
                        ),
                        name="place_machine_of_kiosks",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SpecialDay",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("on", models.DateField()),
                ("kind", models.TextField(choices=[("closed", "放假"), ("as_workday", "调休上班")])),
                ("name_zh", models.TextField()),
                ("name_en", models.TextField(blank=True, db_default="", default="")),
                (
                    "campus",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="special_days",
                        to="accounts.campus",
                    ),
                ),
            ],
            options={
                "verbose_name": "特殊日期",
                "verbose_name_plural": "特殊日期",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["closed", "as_workday"])),
                        name="special_day_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("name_zh", ""), _negated=True), name="special_day_has_name"
                    ),
                    models.UniqueConstraint(
                        fields=("on", "campus"), name="special_day_once", nulls_distinct=False
                    ),
                ],
            },
        ),
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
