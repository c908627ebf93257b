"""What cron did: begun once, ended once, forgotten after a month at the earliest."""

from __future__ import annotations

from django.db import migrations, models

GRANTS = [
    "GRANT SELECT, INSERT, DELETE ON accounts_jobrun TO ecard_app",
    "GRANT UPDATE (ended_at, result, counts, error) ON accounts_jobrun TO ecard_app",
    "GRANT USAGE ON SEQUENCE accounts_jobrun_id_seq TO ecard_app",
]
NO_GRANTS = ["REVOKE ALL ON accounts_jobrun FROM ecard_app"]

GUARDS = [
    """
    CREATE FUNCTION accounts_job_run_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' AND OLD.started_at > now() - interval '30 days' THEN
            PERFORM accounts_break('job_run_kept_a_month', 'run ' || OLD.id);
        END IF;
        IF TG_OP = 'UPDATE' AND OLD.ended_at IS NOT NULL THEN
            PERFORM accounts_break('job_run_ends_once', 'run ' || OLD.id);
        END IF;
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END $$
    """,
    """
    CREATE TRIGGER jobrun_rules BEFORE UPDATE OR DELETE ON accounts_jobrun
        FOR EACH ROW EXECUTE FUNCTION accounts_job_run_rules()
    """,
]
NO_GUARDS = [
    "DROP TRIGGER jobrun_rules ON accounts_jobrun",
    "DROP FUNCTION accounts_job_run_rules()",
]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_pinpad"),
    ]

    operations = [
        migrations.CreateModel(
            name="JobRun",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("job", models.TextField()),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "result",
                    models.TextField(
                        blank=True,
                        choices=[("ok", "完成"), ("failed", "失败"), ("refused", "未执行")],
                        db_default="",
                        default="",
                    ),
                ),
                ("counts", models.JSONField(default=dict)),
                ("error", models.TextField(blank=True, db_default="", default="")),
            ],
            options={
                "verbose_name": "任务运行",
                "verbose_name_plural": "任务运行",
                "indexes": [models.Index(fields=["job", "-started_at"], name="job_run_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("job__regex", "^[a-z][a-z_]{2,40}$")), name="job_run_name_form"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at__isnull", True), ("error", ""), ("result", "")),
                            models.Q(
                                ("ended_at__gte", models.F("started_at")),
                                ("result__in", ["ok", "failed", "refused"]),
                            ),
                            _connector="OR",
                        ),
                        name="job_run_ends_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("result__in", ["", "ok"]),
                            models.Q(("error", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="job_run_failure_says_why",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
