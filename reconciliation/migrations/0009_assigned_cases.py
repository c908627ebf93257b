"""A supervisor gives a case to somebody: one more kind of note."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0008_dispute_guards"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="casenote",
            name="case_note_kind_known",
        ),
        migrations.AlterField(
            model_name="casenote",
            name="kind",
            field=models.TextField(
                choices=[
                    ("opened", "立案"),
                    ("changed", "金额变动"),
                    ("gone", "差额已消失，自动结案"),
                    ("remark", "备注"),
                    ("decided", "人工结案"),
                    ("taken", "接手"),
                    ("assigned", "分派"),
                    ("held", "挂账"),
                    ("escalated", "转上级"),
                    ("proposed", "提出处理"),
                    ("approved", "复核同意"),
                    ("refused", "复核退回"),
                    ("withdrawn", "撤回"),
                    ("carried_out", "已执行"),
                    ("not_carried_out", "未执行"),
                ]
            ),
        ),
        migrations.AddConstraint(
            model_name="casenote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "opened",
                            "changed",
                            "gone",
                            "remark",
                            "decided",
                            "taken",
                            "assigned",
                            "held",
                            "escalated",
                            "proposed",
                            "approved",
                            "refused",
                            "withdrawn",
                            "carried_out",
                            "not_carried_out",
                        ],
                    )
                ),
                name="case_note_kind_known",
            ),
        ),
    ]
