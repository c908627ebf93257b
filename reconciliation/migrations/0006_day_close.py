"""The seals on closed days: rows only grow, and the application may only add them."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q

LOCKS = [
    "GRANT SELECT, INSERT ON reconciliation_dayclose TO ecard_app",
    (
        "CREATE TRIGGER dayclose_append_only BEFORE UPDATE OR DELETE ON reconciliation_dayclose "
        "FOR EACH ROW EXECUTE FUNCTION reconciliation_refuse_change()"
    ),
    (
        "CREATE TRIGGER dayclose_no_truncate BEFORE TRUNCATE ON reconciliation_dayclose "
        "FOR EACH STATEMENT EXECUTE FUNCTION reconciliation_refuse_change()"
    ),
    """
    ALTER TABLE reconciliation_dayclose ADD CONSTRAINT day_close_whole
        CHECK (length(digest) = 32 AND length(previous) = 32 AND length(tags) = 4 * entries)
    """,
]

NO_LOCKS = [
    "ALTER TABLE reconciliation_dayclose DROP CONSTRAINT day_close_whole",
    "DROP TRIGGER dayclose_no_truncate ON reconciliation_dayclose",
    "DROP TRIGGER dayclose_append_only ON reconciliation_dayclose",
]


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0005_dropped_decisions"), ("transactions", "0004_shut_days")]

    operations = [
        migrations.CreateModel(
            name="DayClose",
            fields=[
                ("day", models.DateField(primary_key=True, serialize=False)),
                ("closed_at", models.DateTimeField()),
                ("entries", models.IntegerField()),
                ("sums", models.JSONField(default=dict)),
                ("key_id", models.SmallIntegerField()),
                ("previous", models.BinaryField()),
                ("digest", models.BinaryField()),
                ("tags", models.BinaryField()),
            ],
            options={
                "verbose_name": "日结",
                "verbose_name_plural": "日结",
                "constraints": [models.CheckConstraint(name="day_close_counts", condition=Q(entries__gte=0))],
            },
        ),
        migrations.RunSQL(LOCKS, NO_LOCKS),
    ]
