"""A kind of card job more: take a top-up back, with its entry, as a supervisor agreed."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("terminals", "0009_service_points"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="cardjob",
            name="card_job_kind_known",
        ),
        migrations.RemoveConstraint(
            model_name="cardjob",
            name="card_job_only_loads_book",
        ),
        migrations.AlterField(
            model_name="cardjob",
            name="kind",
            field=models.TextField(
                choices=[
                    ("read", "读卡"),
                    ("set", "按库修正卡片"),
                    ("load", "充值"),
                    ("unload", "撤销充值"),
                    ("mark", "停用标记"),
                    ("prepare", "制卡"),
                ]
            ),
        ),
        migrations.AddConstraint(
            model_name="cardjob",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["read", "set", "load", "unload", "mark", "prepare"])),
                name="card_job_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="cardjob",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("entry_seq__isnull", True), ("kind__in", ("load", "unload")), _connector="OR"
                ),
                name="card_job_only_loads_book",
            ),
        ),
    ]
