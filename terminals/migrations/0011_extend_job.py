"""A kind of card job more: write a new last day on a card."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("terminals", "0010_unload_job")]

    operations = [
        migrations.RemoveConstraint(model_name="cardjob", name="card_job_kind_known"),
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
                    ("extend", "写入有效期"),
                ]
            ),
        ),
        migrations.AddConstraint(
            model_name="cardjob",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["read", "set", "load", "unload", "mark", "prepare", "extend"])
                ),
                name="card_job_kind_known",
            ),
        ),
    ]
