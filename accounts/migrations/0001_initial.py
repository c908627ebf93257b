import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="Campus",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.TextField(unique=True)),
                ("name_zh", models.TextField()),
                ("name_en", models.TextField()),
            ],
            options={
                "verbose_name": "校区",
                "verbose_name_plural": "校区",
            },
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("subject", models.TextField()),
                (
                    "budget",
                    models.TextField(
                        choices=[
                            ("remote", "网站与电话"),
                            ("physical", "查询机与圈存机"),
                            ("consumption", "消费密码"),
                            ("source", "来源"),
                        ]
                    ),
                ),
                ("failures", models.IntegerField()),
                ("since_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("blocked_until", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "密码尝试计数",
                "verbose_name_plural": "密码尝试计数",
                "constraints": [
                    models.UniqueConstraint(fields=("subject", "budget"), name="attempt_one_count"),
                    models.CheckConstraint(
                        condition=models.Q(("budget__in", ["remote", "physical", "consumption", "source"])),
                        name="attempt_budget_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("failures__gte", 0)), name="attempt_failures_not_negative"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("actor", models.TextField()),
                ("role", models.TextField()),
                ("channel", models.TextField()),
                ("place", models.TextField(blank=True, db_default="", default="")),
                ("action", models.TextField()),
                ("object_kind", models.TextField()),
                ("object_id", models.TextField()),
                ("before", models.JSONField(default=dict)),
                ("after", models.JSONField(default=dict)),
                ("reason", models.TextField(blank=True, db_default="", default="")),
            ],
            options={
                "verbose_name": "审计记录",
                "verbose_name_plural": "审计记录",
                "indexes": [
                    models.Index(fields=["object_kind", "object_id", "at"], name="audit_by_object"),
                    models.Index(fields=["actor", "at"], name="audit_by_actor"),
                    models.Index(fields=["at"], name="audit_by_time"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Account",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.IntegerField()),
                (
                    "kind",
                    models.TextField(choices=[("formal", "正式卡"), ("named", "记名卡")], default="formal"),
                ),
                (
                    "life",
                    models.TextField(
                        choices=[
                            ("pending", "待开户"),
                            ("open", "正常"),
                            ("closing", "销户中"),
                            ("closed", "已销户"),
                        ],
                        db_default="pending",
                        default="pending",
                    ),
                ),
                (
                    "frozen_reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(), db_default=[], default=list, size=None
                    ),
                ),
                ("frozen_at", models.DateTimeField(null=True)),
                ("daily_limit_fen", models.IntegerField(db_default=5000, default=5000)),
                ("book_fen", models.BigIntegerField(db_default=0, default=0)),
                ("unclaimed_fen", models.BigIntegerField(db_default=0, default=0)),
                ("entry_seq", models.BigIntegerField(db_default=0, default=0)),
                ("version", models.BigIntegerField(db_default=0, default=0)),
                ("spent_on", models.DateField(null=True)),
                ("spent_fen", models.IntegerField(db_default=0, default=0)),
                ("opened_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "campus",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="accounts",
                        to="accounts.campus",
                    ),
                ),
            ],
            options={
                "verbose_name": "账户",
                "verbose_name_plural": "账户",
            },
        ),
        migrations.CreateModel(
            name="Card",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.TextField()),
                ("issue_no", models.SmallIntegerField(default=1)),
                (
                    "kind",
                    models.TextField(choices=[("formal", "正式卡"), ("named", "记名卡")], default="formal"),
                ),
                (
                    "life",
                    models.TextField(
                        choices=[
                            ("blank", "空白"),
                            ("issued", "已发"),
                            ("active", "在用"),
                            ("replaced", "已换卡"),
                            ("returned", "已退卡"),
                            ("expired", "已过期"),
                            ("damaged", "已损坏"),
                            ("void", "作废"),
                        ],
                        db_default="blank",
                        default="blank",
                    ),
                ),
                ("lost", models.BooleanField(db_default=False, default=False)),
                ("lost_at", models.DateTimeField(null=True)),
                ("expires_on", models.DateField(null=True)),
                ("spend_seq", models.IntegerField(db_default=0, default=0)),
                ("spend_total_fen", models.BigIntegerField(db_default=0, default=0)),
                ("offline_spent_fen", models.IntegerField(db_default=0, default=0)),
                ("load_seq", models.IntegerField(db_default=0, default=0)),
                ("load_total_fen", models.BigIntegerField(db_default=0, default=0)),
                ("stop_marked", models.BooleanField(db_default=False, default=False)),
                ("late_fen", models.BigIntegerField(db_default=0, default=0)),
                ("legs", models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict)),
                ("images", models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict)),
                ("seen_at", models.DateTimeField(null=True)),
                ("seen_terminal", models.BigIntegerField(null=True)),
                ("seen_place", models.TextField(blank=True, db_default="", default="")),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cards",
                        to="accounts.account",
                    ),
                ),
            ],
            options={
                "verbose_name": "卡",
                "verbose_name_plural": "卡",
            },
        ),
        migrations.CreateModel(
            name="Holder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("school_no", models.TextField(unique=True)),
                ("name", models.TextField()),
                (
                    "kind",
                    models.TextField(
                        choices=[("staff", "教职工"), ("student", "学生"), ("other", "其他人员")]
                    ),
                ),
                ("unit", models.TextField(blank=True, db_default="", default="")),
                (
                    "document_kind",
                    models.TextField(
                        choices=[
                            ("resident", "居民身份证或居住证"),
                            ("permanent", "外国人永久居留证"),
                            ("permit", "通行证"),
                            ("passport", "护照"),
                            ("none", "无"),
                        ],
                        default="none",
                    ),
                ),
                ("id_number_sealed", models.BinaryField(null=True)),
                ("id_number_index", models.BinaryField(null=True, unique=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "campus",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="holders",
                        to="accounts.campus",
                    ),
                ),
            ],
            options={
                "verbose_name": "持卡人",
                "verbose_name_plural": "持卡人",
            },
        ),
        migrations.AddField(
            model_name="account",
            name="holder",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="accounts", to="accounts.holder"
            ),
        ),
        migrations.CreateModel(
            name="Operator",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                ("username", models.TextField(unique=True, verbose_name="用户名")),
                (
                    "display_name",
                    models.TextField(blank=True, db_default="", default="", verbose_name="姓名"),
                ),
                (
                    "role",
                    models.TextField(
                        choices=[
                            ("clerk", "卡务人员"),
                            ("cashier", "收银员"),
                            ("supervisor", "主管"),
                            ("auditor", "审计员"),
                            ("merchant", "商户"),
                            ("admin", "系统管理员"),
                        ],
                        verbose_name="角色",
                    ),
                ),
                ("is_active", models.BooleanField(db_default=True, default=True, verbose_name="有效")),
                (
                    "is_staff",
                    models.BooleanField(db_default=False, default=False, verbose_name="可进管理后台"),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
                (
                    "campus",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="operators",
                        to="accounts.campus",
                    ),
                ),
                (
                    "holder",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="operators",
                        to="accounts.holder",
                    ),
                ),
            ],
            options={
                "verbose_name": "操作员",
                "verbose_name_plural": "操作员",
            },
        ),
        migrations.CreateModel(
            name="LoginRecord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("subject", models.TextField()),
                (
                    "budget",
                    models.TextField(
                        choices=[
                            ("remote", "网站与电话"),
                            ("physical", "查询机与圈存机"),
                            ("consumption", "消费密码"),
                            ("source", "来源"),
                        ]
                    ),
                ),
                ("channel", models.TextField()),
                ("source", models.TextField()),
                ("succeeded", models.BooleanField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="login_records",
                        to="accounts.account",
                    ),
                ),
            ],
            options={
                "verbose_name": "登录记录",
                "verbose_name_plural": "登录记录",
            },
        ),
        migrations.CreateModel(
            name="LossReport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(unique=True)),
                ("reference", models.TextField(unique=True)),
                ("effect", models.TextField()),
                ("channel", models.TextField()),
                ("reported_at", models.DateTimeField()),
                ("already_since_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="loss_reports",
                        to="accounts.account",
                    ),
                ),
                (
                    "card",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="loss_reports",
                        to="accounts.card",
                    ),
                ),
            ],
            options={
                "verbose_name": "挂失记录",
                "verbose_name_plural": "挂失记录",
            },
        ),
        migrations.CreateModel(
            name="Secret",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.TextField(choices=[("query", "查询密码"), ("consumption", "消费密码")])),
                ("pin_hash", models.TextField(null=True)),
                ("is_default", models.BooleanField(default=False)),
                ("changed_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="secrets",
                        to="accounts.account",
                    ),
                ),
            ],
            options={
                "verbose_name": "密码",
                "verbose_name_plural": "密码",
            },
        ),
        migrations.AddIndex(
            model_name="card",
            index=models.Index(fields=["uid"], name="card_uid_all"),
        ),
        migrations.AddConstraint(
            model_name="card",
            constraint=models.UniqueConstraint(
                condition=models.Q(("life__in", ("issued", "active"))),
                fields=("account",),
                name="card_one_live_per_account",
            ),
        ),
        migrations.AddConstraint(
            model_name="card",
            constraint=models.UniqueConstraint(
                condition=models.Q(("life__in", ("issued", "active"))),
                fields=("uid",),
                name="card_uid_unique_live",
            ),
        ),
        migrations.AddConstraint(
            model_name="card",
            constraint=models.UniqueConstraint(fields=("account", "issue_no"), name="card_issue_no_once"),
        ),
        migrations.AddConstraint(
            model_name="holder",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["staff", "student", "other"])), name="holder_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="holder",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("document_kind__in", ["resident", "permanent", "permit", "passport", "none"])
                ),
                name="holder_document_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="holder",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("school_no__regex", "^[0-9A-Z]{4,20}$"),
                    models.Q(("school_no__regex", "^[0-9]{5}$"), _negated=True),
                ),
                name="holder_school_no_form",
            ),
        ),
        migrations.AddConstraint(
            model_name="holder",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("document_kind", "none"),
                        ("id_number_index__isnull", True),
                        ("id_number_sealed__isnull", True),
                    ),
                    models.Q(
                        models.Q(("document_kind", "none"), _negated=True),
                        ("id_number_index__isnull", False),
                        ("id_number_sealed__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="holder_id_number_whole",
            ),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(fields=["number"], name="account_number_all"),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(
                condition=models.Q(("life", "closed"), _negated=True),
                fields=("number",),
                name="account_number_unique_in_use",
            ),
        ),
        migrations.AddConstraint(
            model_name="operator",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("role__in", ["clerk", "cashier", "supervisor", "auditor", "merchant", "admin"])
                ),
                name="operator_role_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="operator",
            constraint=models.CheckConstraint(
                condition=models.Q(("username__regex", "^[A-Za-z0-9._-]{2,64}$")),
                name="operator_username_form",
            ),
        ),
        migrations.AddIndex(
            model_name="loginrecord",
            index=models.Index(
                condition=models.Q(("succeeded", False)),
                fields=["source", "at"],
                name="login_failed_by_source",
            ),
        ),
        migrations.AddIndex(
            model_name="loginrecord",
            index=models.Index(
                condition=models.Q(("succeeded", False)), fields=["at"], name="login_failed_by_time"
            ),
        ),
        migrations.AddIndex(
            model_name="loginrecord",
            index=models.Index(fields=["account", "at"], name="login_by_account"),
        ),
        migrations.AddConstraint(
            model_name="lossreport",
            constraint=models.CheckConstraint(
                condition=models.Q(("reference__regex", "^[0-9]{12}$")), name="loss_reference_form"
            ),
        ),
        migrations.AddConstraint(
            model_name="lossreport",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("already_since_at__isnull", True), ("effect", "card_lost")),
                    models.Q(("already_since_at__lte", models.F("reported_at")), ("effect", "already_lost")),
                    _connector="OR",
                ),
                name="loss_effect_consistent",
            ),
        ),
        migrations.AddConstraint(
            model_name="secret",
            constraint=models.UniqueConstraint(fields=("account", "kind"), name="secret_one_per_kind"),
        ),
        migrations.AddConstraint(
            model_name="secret",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["query", "consumption"])), name="secret_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="secret",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("pin_hash__startswith", "pin2$"),
                    models.Q(("is_default", True), ("pin_hash__isnull", True)),
                    _connector="OR",
                ),
                name="secret_hash_peppered_or_initial",
            ),
        ),
    ]
