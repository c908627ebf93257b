"""Deeds of a desk, which only grow, and grants of services, of which only the end may be added."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

GRANTS = [
    "GRANT SELECT, INSERT ON accounts_counterdeed TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE (ended_by, ended_at) ON accounts_servicegrant TO ecard_app",
]
NO_GRANTS = ["REVOKE ALL ON accounts_counterdeed, accounts_servicegrant FROM ecard_app"]

GUARDS = [
    """
    CREATE TRIGGER counterdeed_append_only BEFORE UPDATE OR DELETE ON accounts_counterdeed
        FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change()
    """,
    """
    CREATE TRIGGER counterdeed_no_truncate BEFORE TRUNCATE ON accounts_counterdeed
        FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change()
    """,
    """
    CREATE FUNCTION accounts_grant_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.id, NEW.account_id, NEW.service, NEW.until_on, NEW.granted_by, NEW.granted_at)
            IS DISTINCT FROM (OLD.id, OLD.account_id, OLD.service, OLD.until_on, OLD.granted_by, OLD.granted_at)
            OR OLD.ended_at IS NOT NULL THEN
            PERFORM accounts_break('grant_stays_as_granted', 'grant ' || OLD.id);
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER servicegrant_rules BEFORE UPDATE ON accounts_servicegrant
        FOR EACH ROW EXECUTE FUNCTION accounts_grant_rules()
    """,
    """
    CREATE TRIGGER servicegrant_kept BEFORE DELETE ON accounts_servicegrant
        FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change()
    """,
    """
    CREATE TRIGGER servicegrant_no_truncate BEFORE TRUNCATE ON accounts_servicegrant
        FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change()
    """,
]
NO_GUARDS = [
    "DROP TRIGGER servicegrant_no_truncate ON accounts_servicegrant",
    "DROP TRIGGER servicegrant_kept ON accounts_servicegrant",
    "DROP TRIGGER servicegrant_rules ON accounts_servicegrant",
    "DROP FUNCTION accounts_grant_rules()",
    "DROP TRIGGER counterdeed_no_truncate ON accounts_counterdeed",
    "DROP TRIGGER counterdeed_append_only ON accounts_counterdeed",
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_oversight")]

    operations = [
        migrations.CreateModel(
            name="CounterDeed",
            fields=[
                ("key", models.UUIDField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.TextField(
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
                        ]
                    ),
                ),
                ("content_hash", models.BinaryField()),
                ("facts", models.JSONField(default=dict)),
                ("document", models.TextField(blank=True, db_default="", default="")),
                ("document_check", models.TextField(blank=True, db_default="", default="")),
                ("reason", models.TextField(blank=True, db_default="", default="")),
                ("made_by", models.TextField()),
                ("made_role", models.TextField()),
                ("made_place", models.TextField(blank=True, db_default="", default="")),
                ("made_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deeds",
                        to="accounts.account",
                    ),
                ),
                (
                    "card",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deeds",
                        to="accounts.card",
                    ),
                ),
            ],
            options={
                "verbose_name": "柜台办理",
                "verbose_name_plural": "柜台办理",
                "indexes": [models.Index(fields=["account", "made_at"], name="deed_of_account")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                [
                                    "open",
                                    "issue",
                                    "void",
                                    "hand_over",
                                    "slips",
                                    "replace",
                                    "extend",
                                    "grant",
                                    "revoke",
                                    "begin_closing",
                                    "give_up_closing",
                                    "close",
                                    "release",
                                ],
                            )
                        ),
                        name="deed_kind_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ServiceGrant",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "service",
                    models.TextField(
                        choices=[
                            ("canteen", "食堂就餐"),
                            ("shop", "校内购物"),
                            ("bus", "班车购票"),
                            ("bath", "浴室"),
                            ("lending", "图书借阅"),
                            ("library_gate", "图书馆门禁"),
                            ("pc_room", "机房上机"),
                            ("dorm_door", "宿舍门禁"),
                            ("identity", "身份识别"),
                            ("bank_transfer", "银行转账"),
                        ]
                    ),
                ),
                ("until_on", models.DateField()),
                ("granted_by", models.TextField()),
                ("granted_at", models.DateTimeField()),
                ("ended_by", models.TextField(blank=True, db_default="", default="")),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="grants",
                        to="accounts.account",
                    ),
                ),
            ],
            options={
                "verbose_name": "服务权限",
                "verbose_name_plural": "服务权限",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("account", "service"),
                        name="grant_one_in_force",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "service__in",
                                [
                                    "canteen",
                                    "shop",
                                    "bus",
                                    "bath",
                                    "lending",
                                    "library_gate",
                                    "pc_room",
                                    "dorm_door",
                                    "identity",
                                    "bank_transfer",
                                ],
                            )
                        ),
                        name="grant_service_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at", None), ("ended_by", "")),
                            models.Q(("ended_at__isnull", False), models.Q(("ended_by", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="grant_end_whole",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
