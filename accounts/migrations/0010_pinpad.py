"""Passwords that a holder is asked to key at a desk, and the words of the deeds about people."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

GRANTS = [
    "GRANT SELECT, INSERT, UPDATE (state, browser, refusals, ended_at) ON accounts_padrequest TO ecard_app"
]
NO_GRANTS = ["REVOKE ALL ON accounts_padrequest FROM ecard_app"]

ONE_WAY = [
    """
    CREATE FUNCTION accounts_pad_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.ended_at IS NOT NULL
            OR (OLD.browser <> '' AND NEW.browser <> OLD.browser)
            OR NEW.refusals < OLD.refusals
            OR (OLD.state = 'opened' AND NEW.state = 'waiting') THEN
            PERFORM accounts_break('pad_goes_one_way', 'pad request ' || OLD.key);
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER padrequest_rules BEFORE UPDATE ON accounts_padrequest
        FOR EACH ROW EXECUTE FUNCTION accounts_pad_rules()
    """,
    """
    CREATE TRIGGER padrequest_kept BEFORE DELETE ON accounts_padrequest
        FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change()
    """,
    """
    CREATE TRIGGER padrequest_no_truncate BEFORE TRUNCATE ON accounts_padrequest
        FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change()
    """,
]
NO_ONE_WAY = [
    "DROP TRIGGER padrequest_no_truncate ON accounts_padrequest",
    "DROP TRIGGER padrequest_kept ON accounts_padrequest",
    "DROP TRIGGER padrequest_rules ON accounts_padrequest",
    "DROP FUNCTION accounts_pad_rules()",
]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_many_at_once"),
    ]

    operations = [
        migrations.AlterField(
            model_name="counterdeed",
            name="kind",
            field=models.TextField(
                choices=[
                    ("open", "开户制卡"),
                    ("issue", "补制卡片"),
                    ("void", "作废重制"),
                    ("hand_over", "发卡"),
                    ("slips", "初始密码单"),
                    ("replace", "换卡"),
                    ("extend", "延期"),
                    ("grant", "授予服务权限"),
                    ("revoke", "收回服务权限"),
                    ("begin_closing", "开始销户"),
                    ("give_up_closing", "撤销销户"),
                    ("close", "销户退款"),
                    ("release", "解除预留"),
                    ("loss", "挂失"),
                    ("lift_loss", "解挂"),
                    ("freeze", "冻结"),
                    ("limit", "修改日限额"),
                    ("set_password", "设置密码"),
                    ("reset_password", "恢复初始密码"),
                    ("show_slip", "显示初始密码"),
                    ("unlock", "解除密码锁定"),
                    ("bind", "绑定银行卡"),
                    ("confirm_binding", "确认银行卡签约"),
                    ("unbind", "银行卡解约"),
                    ("statement", "打印流水"),
                ]
            ),
        ),
        migrations.CreateModel(
            name="PadRequest",
            fields=[
                ("key", models.UUIDField(primary_key=True, serialize=False)),
                (
                    "task",
                    models.TextField(choices=[("set", "持卡人设置新密码"), ("slip", "向持卡人显示初始密码")]),
                ),
                ("kind", models.TextField(choices=[("query", "查询密码"), ("consumption", "消费密码")])),
                ("desk_id", models.BigIntegerField(null=True)),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("waiting", "等待密码键盘打开"),
                            ("opened", "持卡人正在输入"),
                            ("done", "已完成"),
                            ("cancelled", "已取消"),
                            ("failed", "多次未成功，已结束"),
                        ],
                        default="waiting",
                    ),
                ),
                ("browser", models.TextField(blank=True, db_default="", default="")),
                ("refusals", models.SmallIntegerField(db_default=0, default=0)),
                ("document", models.TextField()),
                ("document_note", models.TextField()),
                ("asked_by", models.TextField()),
                ("asked_role", models.TextField()),
                ("asked_place", models.TextField(blank=True, db_default="", default="")),
                ("own_holder_id", models.BigIntegerField(null=True)),
                ("asked_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pad_requests",
                        to="accounts.account",
                    ),
                ),
            ],
            options={
                "verbose_name": "密码键盘请求",
                "verbose_name_plural": "密码键盘请求",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("waiting", "opened"))),
                        fields=["desk_id"],
                        name="pad_open_at_desk",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("task__in", ["set", "slip"])), name="pad_task_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["query", "consumption"])), name="pad_kind_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["waiting", "opened", "done", "cancelled", "failed"])
                        ),
                        name="pad_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at__isnull", True), ("state__in", ("waiting", "opened"))),
                            models.Q(
                                models.Q(("state__in", ("waiting", "opened")), _negated=True),
                                ("ended_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="pad_end_whole",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("waiting", "opened"))),
                        fields=("account",),
                        name="pad_one_open_per_account",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(ONE_WAY, NO_ONE_WAY),
    ]
