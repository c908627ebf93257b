"""A terminal whose keys are in two machines, and a hole in a journal, as things that were noticed."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_levelled_seq"),
        ("terminals", "0007_advance"),
        ("transactions", "0005_plain_sale"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="securityevent",
            name="security_event_kind_known",
        ),
        migrations.AddField(
            model_name="terminal",
            name="cloned_epoch",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name="securityevent",
            name="kind",
            field=models.TextField(
                choices=[
                    ("bad_signatures", "连续签名错误"),
                    ("replay", "重复的请求"),
                    ("stale_start", "旧启动号仍在使用"),
                    ("cloned", "终端被复制"),
                    ("code_reused", "注册码被再次使用"),
                    ("code_expired", "注册码过期后被使用"),
                    ("revoked_call", "已注销终端仍在请求"),
                    ("fork", "流水分叉"),
                    ("broken_record", "流水记录无效"),
                    ("journal_lost", "终端流水丢失"),
                    ("journal_gap", "流水缺号超过一天"),
                    ("clock_wrong", "终端时钟不准"),
                    ("enrolled", "终端注册"),
                    ("revoked", "终端注销"),
                ]
            ),
        ),
        migrations.AddConstraint(
            model_name="securityevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "bad_signatures",
                            "replay",
                            "stale_start",
                            "cloned",
                            "code_reused",
                            "code_expired",
                            "revoked_call",
                            "fork",
                            "broken_record",
                            "journal_lost",
                            "journal_gap",
                            "clock_wrong",
                            "enrolled",
                            "revoked",
                        ],
                    )
                ),
                name="security_event_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="terminal",
            constraint=models.CheckConstraint(
                condition=models.Q(("cloned_epoch__gte", 0), ("cloned_epoch__lte", models.F("epoch"))),
                name="terminal_cloned_epoch_was_there",
            ),
        ),
    ]
