"""Disputes of holders and their events; a class of case for the decisions that they end in."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_levelled_seq"),
        ("reconciliation", "0006_day_close"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Dispute",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(unique=True)),
                ("reference", models.TextField(unique=True)),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("wrong_amount", "金额打错"),
                            ("double", "重复扣款"),
                            ("not_mine", "未消费"),
                            ("top_up_missing", "充值未到账"),
                        ]
                    ),
                ),
                ("entry_seq", models.BigIntegerField(null=True)),
                ("twin_seq", models.BigIntegerField(null=True)),
                ("fen", models.BigIntegerField()),
                ("happened_on", models.DateField()),
                ("receipt_no", models.TextField(blank=True, db_default="", default="")),
                ("text", models.TextField()),
                ("opened_at", models.DateTimeField()),
                ("channel", models.TextField()),
                ("document", models.TextField(blank=True, db_default="", default="")),
                ("due_on", models.DateField()),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("open", "待受理"),
                            ("taken", "核查中"),
                            ("asked", "等您补充"),
                            ("proposed", "退款审批中"),
                            ("refunded", "已退款"),
                            ("settled", "已办结"),
                            ("refused", "不予退款"),
                            ("withdrawn", "已撤回"),
                        ],
                        db_default="open",
                        default="open",
                    ),
                ),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "争议",
                "verbose_name_plural": "争议",
            },
        ),
        migrations.CreateModel(
            name="DisputeEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("seq", models.IntegerField()),
                ("key", models.UUIDField(unique=True)),
                ("at", models.DateTimeField()),
                ("actor", models.TextField()),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("opened", "提出"),
                            ("taken", "受理"),
                            ("asked", "请持卡人补充"),
                            ("added", "持卡人补充"),
                            ("remarked", "内部备注"),
                            ("proposed", "提出退款"),
                            ("returned", "退款未获同意，继续核查"),
                            ("refunded", "已退款"),
                            ("settled", "办结答复"),
                            ("refused", "不予退款"),
                            ("withdrawn", "撤回"),
                        ]
                    ),
                ),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("open", "待受理"),
                            ("taken", "核查中"),
                            ("asked", "等您补充"),
                            ("proposed", "退款审批中"),
                            ("refunded", "已退款"),
                            ("settled", "已办结"),
                            ("refused", "不予退款"),
                            ("withdrawn", "已撤回"),
                        ]
                    ),
                ),
                ("text", models.TextField(blank=True, db_default="", default="")),
            ],
            options={
                "verbose_name": "争议记录",
                "verbose_name_plural": "争议记录",
            },
        ),
        migrations.RemoveConstraint(
            model_name="case",
            name="case_mismatch_known",
        ),
        migrations.RemoveConstraint(
            model_name="case",
            name="case_proposal_known",
        ),
        migrations.AlterField(
            model_name="case",
            name="mismatch",
            field=models.TextField(
                choices=[
                    ("TORN", "拿卡过快"),
                    ("OFFLINE_GAP", "脱机流水未到"),
                    ("DOUBLE", "重复扣款"),
                    ("TORN_LOAD", "款未写卡"),
                    ("EXCESS", "卡上多款"),
                    ("FORK", "同号异文"),
                    ("ROLLBACK", "旧数据还原"),
                    ("NEGATIVE", "库为负数"),
                    ("DISPUTE", "持卡人争议"),
                ]
            ),
        ),
        migrations.AlterField(
            model_name="case",
            name="proposal",
            field=models.TextField(
                choices=[
                    ("write_card", "持卡人下次刷卡时自动补写卡片；也可在柜台读卡器上按库修正。"),
                    ("await_upload", "等待终端上传流水；终端静默满五天后平账。"),
                    ("refund_late", "按流水退还重复扣除的金额。"),
                    ("write_credit", "在圈存机或柜台把款写入卡片。"),
                    ("keep_card", "收回卡片，由主管核查；不得平账。"),
                    ("void_card", "作废卡片并换发新卡，由主管核查。"),
                    ("collect", "先处理其余差额，余下部分向持卡人收取。"),
                    ("answer", "按争议核查的结果退款。"),
                ]
            ),
        ),
        migrations.AddConstraint(
            model_name="case",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "mismatch__in",
                        [
                            "TORN",
                            "OFFLINE_GAP",
                            "DOUBLE",
                            "TORN_LOAD",
                            "EXCESS",
                            "FORK",
                            "ROLLBACK",
                            "NEGATIVE",
                            "DISPUTE",
                        ],
                    )
                ),
                name="case_mismatch_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="case",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "proposal__in",
                        [
                            "write_card",
                            "await_upload",
                            "refund_late",
                            "write_credit",
                            "keep_card",
                            "void_card",
                            "collect",
                            "answer",
                        ],
                    )
                ),
                name="case_proposal_known",
            ),
        ),
        migrations.AddField(
            model_name="dispute",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="disputes",
                to="accounts.account",
            ),
        ),
        migrations.AddField(
            model_name="dispute",
            name="assignee",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="assigned_disputes",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="dispute",
            name="campus",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="disputes",
                to="accounts.campus",
            ),
        ),
        migrations.AddField(
            model_name="disputeevent",
            name="decision",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="dispute_events",
                to="reconciliation.decision",
            ),
        ),
        migrations.AddField(
            model_name="disputeevent",
            name="dispute",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="events",
                to="reconciliation.dispute",
            ),
        ),
        migrations.AddField(
            model_name="disputeevent",
            name="officer",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="dispute",
            index=models.Index(fields=["account", "-id"], name="dispute_by_account"),
        ),
        migrations.AddIndex(
            model_name="dispute",
            index=models.Index(
                condition=models.Q(("state__in", ("open", "taken", "asked", "proposed"))),
                fields=["due_on", "id"],
                name="dispute_open_by_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("entry_seq__isnull", False), models.Q(("state", "withdrawn"), _negated=True)
                ),
                fields=("account", "entry_seq"),
                name="dispute_one_per_movement",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("entry_seq__isnull", True), models.Q(("state", "withdrawn"), _negated=True)
                ),
                fields=("account", "happened_on", "fen"),
                name="dispute_one_per_missing_top_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["wrong_amount", "double", "not_mine", "top_up_missing"])),
                name="dispute_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        ["open", "taken", "asked", "proposed", "refunded", "settled", "refused", "withdrawn"],
                    )
                ),
                name="dispute_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(("fen__gt", 0), ("fen__lte", 10000000)), name="dispute_amount_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("entry_seq__gt", 0),
                    models.Q(("entry_seq__isnull", True), ("kind", "top_up_missing")),
                    _connector="OR",
                ),
                name="dispute_names_a_movement",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(("reference__regex", "^[0-9]{12}$")), name="dispute_reference_form"
            ),
        ),
        migrations.AddConstraint(
            model_name="disputeevent",
            constraint=models.UniqueConstraint(fields=("dispute", "seq"), name="dispute_event_in_order"),
        ),
        migrations.AddConstraint(
            model_name="disputeevent",
            constraint=models.UniqueConstraint(
                condition=models.Q(("decision__isnull", False)),
                fields=("decision", "kind"),
                name="dispute_decision_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="disputeevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "opened",
                            "taken",
                            "asked",
                            "added",
                            "remarked",
                            "proposed",
                            "returned",
                            "refunded",
                            "settled",
                            "refused",
                            "withdrawn",
                        ],
                    )
                ),
                name="dispute_event_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="disputeevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind__in", ("asked", "added", "remarked", "settled", "refused")), _negated=True
                    ),
                    models.Q(("text", ""), _negated=True),
                    _connector="OR",
                ),
                name="dispute_event_says_what",
            ),
        ),
        migrations.AddConstraint(
            model_name="disputeevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind__in", ("proposed", "returned", "refunded")), _negated=True),
                    ("decision__isnull", False),
                    _connector="OR",
                ),
                name="dispute_refund_has_decision",
            ),
        ),
    ]
