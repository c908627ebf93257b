"""What holders want to hear of, where to, and the outbox; a notice is told once per cause, and passed on once."""

from __future__ import annotations

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

GRANTS = [
    "GRANT SELECT, INSERT, UPDATE ON accounts_alertchoice, accounts_alertcontact, accounts_alertscan TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON accounts_alertdelivery TO ecard_app",
]
NO_GRANTS = [
    """
    REVOKE ALL ON accounts_alertchoice, accounts_alertcontact, accounts_alertscan, accounts_alertdelivery
        FROM ecard_app
    """,
]

# What was told before there were letters counts as passed on. A default fills it in without an UPDATE, which the rules
# of the table would refuse.
PASSED_ON = [
    "ALTER TABLE accounts_notice ADD COLUMN passed_on_at timestamptz DEFAULT now()",
    "ALTER TABLE accounts_notice ALTER COLUMN passed_on_at DROP DEFAULT",
]
NOT_PASSED_ON = ["ALTER TABLE accounts_notice DROP COLUMN passed_on_at"]


# A notice is read once and passed on once; nothing else of it changes.
def _limits(may_change: str, broken: str) -> str:
    return f"""
    CREATE OR REPLACE FUNCTION accounts_notice_limits() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'UPDATE' OR {broken} OR to_jsonb(NEW) {may_change} <> to_jsonb(OLD) {may_change} THEN
            RAISE EXCEPTION '% on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$
    """


ONCE = "OLD.{0} IS NOT NULL AND NEW.{0} IS DISTINCT FROM OLD.{0}"
LIMITS = _limits("- 'read_at' - 'passed_on_at'", f"{ONCE.format('read_at')} OR {ONCE.format('passed_on_at')}")
FORMER_LIMITS = _limits("- 'read_at'", "OLD.read_at IS NOT NULL")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0012_logins_of_staff"),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertChoice",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="alert_choice",
                        serialize=False,
                        to="accounts.account",
                    ),
                ),
                ("low_fen", models.IntegerField(null=True)),
                ("spend_fen", models.IntegerField(null=True)),
                ("waiting", models.BooleanField(default=False)),
                (
                    "mail",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(), default=list, size=None
                    ),
                ),
                (
                    "sms",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(), default=list, size=None
                    ),
                ),
                ("language", models.TextField(default="zh-hans")),
                ("amounts", models.BooleanField(default=False)),
                ("quiet", models.BooleanField(default=True)),
                ("seen_seq", models.BigIntegerField(default=0)),
                ("low_told", models.BooleanField(default=False)),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "提醒设置",
                "verbose_name_plural": "提醒设置",
            },
        ),
        migrations.CreateModel(
            name="AlertContact",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("way", models.TextField(choices=[("mail", "邮件"), ("sms", "短信")])),
                ("sealed", models.BinaryField(null=True)),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("pending", models.BinaryField(null=True)),
                ("asked_at", models.DateTimeField(null=True)),
                ("guesses", models.SmallIntegerField(default=0)),
            ],
            options={
                "verbose_name": "提醒地址",
                "verbose_name_plural": "提醒地址",
            },
        ),
        migrations.CreateModel(
            name="AlertDelivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("made_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("attempts", models.SmallIntegerField(default=0)),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("waiting", "待发送"),
                            ("sent", "已发送"),
                            ("failed", "未送达"),
                            ("dropped", "已取消"),
                        ],
                        default="waiting",
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True)),
                ("error", models.TextField(blank=True, db_default="", default="")),
            ],
            options={
                "verbose_name": "提醒发送",
                "verbose_name_plural": "提醒发送",
            },
        ),
        migrations.CreateModel(
            name="AlertScan",
            fields=[
                ("name", models.TextField(primary_key=True, serialize=False)),
                ("until", models.DateTimeField()),
            ],
            options={
                "verbose_name": "提醒进度",
                "verbose_name_plural": "提醒进度",
            },
        ),
        migrations.RemoveConstraint(
            model_name="notice",
            name="notice_kind_known",
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(PASSED_ON, NOT_PASSED_ON)],
            state_operations=[
                migrations.AddField(
                    model_name="notice", name="passed_on_at", field=models.DateTimeField(null=True)
                ),
            ],
        ),
        migrations.AlterField(
            model_name="notice",
            name="kind",
            field=models.TextField(
                choices=[
                    ("card_found", "有人拾到您的卡"),
                    ("card_kept", "您的卡在管理中心"),
                    ("card_moved", "您的卡转到另一校区"),
                    ("card_returned", "您的卡已领回"),
                    ("card_gone", "拾到的卡已过保管期"),
                    ("post_hidden", "您的寻卡信息没有公开"),
                    ("dispute_opened", "争议已受理登记"),
                    ("dispute_asked", "请补充争议材料"),
                    ("dispute_refunded", "争议已退款"),
                    ("dispute_settled", "争议已答复"),
                    ("dispute_refused", "争议不予退款"),
                    ("low_book", "余额低于提醒值"),
                    ("large_spend", "一笔大额消费"),
                    ("money_waiting", "有待领金额"),
                    ("card_lost", "卡已挂失"),
                    ("loss_lifted", "卡已解挂"),
                    ("frozen", "账户已冻结"),
                    ("unfrozen", "账户已解冻"),
                ]
            ),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(
                    (
                        "action__in",
                        ("card.report_lost", "card.lift_loss", "account.freeze", "account.unfreeze"),
                    )
                ),
                fields=["at"],
                name="audit_of_standing",
            ),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(
                condition=models.Q(("passed_on_at__isnull", True)), fields=["id"], name="notice_to_pass_on"
            ),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "card_found",
                            "card_kept",
                            "card_moved",
                            "card_returned",
                            "card_gone",
                            "post_hidden",
                            "dispute_opened",
                            "dispute_asked",
                            "dispute_refunded",
                            "dispute_settled",
                            "dispute_refused",
                            "low_book",
                            "large_spend",
                            "money_waiting",
                            "card_lost",
                            "loss_lifted",
                            "frozen",
                            "unfrozen",
                        ],
                    )
                ),
                name="notice_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        (
                            "low_book",
                            "large_spend",
                            "money_waiting",
                            "card_lost",
                            "loss_lifted",
                            "frozen",
                            "unfrozen",
                        ),
                    )
                ),
                fields=("account", "kind", "about"),
                name="notice_once_per_cause",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertchoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("low_fen__isnull", True),
                    models.Q(("low_fen__gte", 1), ("low_fen__lte", 10000000)),
                    _connector="OR",
                ),
                name="alert_choice_low_fen_bounded",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertchoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("spend_fen__isnull", True),
                    models.Q(("spend_fen__gte", 1), ("spend_fen__lte", 10000000)),
                    _connector="OR",
                ),
                name="alert_choice_spend_fen_bounded",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertchoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("mail__contained_by", ["low", "spend", "waiting", "standing", "care"])),
                name="alert_choice_mail_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertchoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("sms__contained_by", ["low", "spend", "waiting", "standing", "care"])),
                name="alert_choice_sms_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertchoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("language__in", ["zh-hans", "en"])), name="alert_choice_language_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="alertchoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("seen_seq__gte", 0)), name="alert_choice_seen_seq_counts"
            ),
        ),
        migrations.AddField(
            model_name="alertcontact",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="alert_contacts",
                to="accounts.account",
            ),
        ),
        migrations.AddField(
            model_name="alertdelivery",
            name="contact",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="accounts.alertcontact",
            ),
        ),
        migrations.AddField(
            model_name="alertdelivery",
            name="notice",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="accounts.notice",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertcontact",
            constraint=models.UniqueConstraint(fields=("account", "way"), name="alert_contact_once"),
        ),
        migrations.AddConstraint(
            model_name="alertcontact",
            constraint=models.CheckConstraint(
                condition=models.Q(("way__in", ["mail", "sms"])), name="alert_contact_way_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="alertcontact",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("confirmed_at__isnull", True), ("sealed__isnull", True)),
                    models.Q(("confirmed_at__isnull", False), ("sealed__isnull", False)),
                    _connector="OR",
                ),
                name="alert_contact_address_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertcontact",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("asked_at__isnull", True), ("pending__isnull", True)),
                    models.Q(("asked_at__isnull", False), ("pending__isnull", False)),
                    _connector="OR",
                ),
                name="alert_contact_pending_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertcontact",
            constraint=models.CheckConstraint(
                condition=models.Q(("guesses__gte", 0), ("guesses__lte", 5)),
                name="alert_contact_guesses_bounded",
            ),
        ),
        migrations.AddIndex(
            model_name="alertdelivery",
            index=models.Index(
                condition=models.Q(("state", "waiting")), fields=["due_at", "id"], name="alert_delivery_due"
            ),
        ),
        migrations.AddIndex(
            model_name="alertdelivery",
            index=models.Index(fields=["contact", "-id"], name="alert_delivery_by_contact"),
        ),
        migrations.AddIndex(
            model_name="alertdelivery",
            index=models.Index(
                condition=models.Q(("state", "waiting"), _negated=True),
                fields=["ended_at"],
                name="alert_delivery_ended",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertdelivery",
            constraint=models.UniqueConstraint(fields=("notice", "contact"), name="alert_delivery_once"),
        ),
        migrations.AddConstraint(
            model_name="alertdelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", True), ("state", "waiting")),
                    models.Q(("ended_at__isnull", False), ("state__in", ["sent", "failed", "dropped"])),
                    _connector="OR",
                ),
                name="alert_delivery_ends_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertdelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("attempts__gte", 0)), name="alert_delivery_attempts_count"
            ),
        ),
        migrations.RunSQL(LIMITS, FORMER_LIMITS),
        migrations.RunSQL(GRANTS, NO_GRANTS),
    ]
