"""Tables for many people at once: staged files of the roster, who stands on it, batches, photos of holders."""

from __future__ import annotations

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

TABLES = (
    "rosterfile",
    "rosterrow",
    "rostermember",
    "issuebatch",
    "issueitem",
    "closingbatch",
    "closingitem",
    "photo",
    "photoupload",
    "photoitem",
)
GRANTS = [
    *(f"GRANT SELECT, INSERT, UPDATE ON accounts_{table} TO ecard_app" for table in TABLES),
    # What only passes through, and what the law wants erased, is deleted; the rest stays.
    *(f"GRANT DELETE ON accounts_{table} TO ecard_app" for table in ("rosterrow", "photoitem", "photo")),
]
NO_GRANTS = [f"REVOKE ALL ON accounts_{table} FROM ecard_app" for table in TABLES]

GUARDS = [
    """
    CREATE FUNCTION accounts_roster_file_ended() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'roster file % is %', OLD.id, OLD.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'roster_file_ended';
    END $$
    """,
    """
    CREATE TRIGGER roster_file_ended BEFORE UPDATE ON accounts_rosterfile
        FOR EACH ROW WHEN (OLD.state IN ('applied', 'discarded'))
        EXECUTE FUNCTION accounts_roster_file_ended()
    """,
    """
    CREATE FUNCTION accounts_issue_handover() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.handed_at IS NOT NULL THEN
            RAISE EXCEPTION 'card of item % was handed over', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'issue_handed_once';
        END IF;
        PERFORM FROM accounts_card WHERE id = NEW.card_id AND life IN ('issued', 'active');
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the card of item % is not made', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'issue_handed_needs_card';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER issue_handover BEFORE UPDATE OF handed_at ON accounts_issueitem
        FOR EACH ROW WHEN (OLD.handed_at IS DISTINCT FROM NEW.handed_at)
        EXECUTE FUNCTION accounts_issue_handover()
    """,
]
NO_GUARDS = [
    "DROP TRIGGER issue_handover ON accounts_issueitem",
    "DROP FUNCTION accounts_issue_handover()",
    "DROP TRIGGER roster_file_ended ON accounts_rosterfile",
    "DROP FUNCTION accounts_roster_file_ended()",
]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_found_cards_and_notices"),
    ]

    operations = [
        migrations.CreateModel(
            name="ClosingBatch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(unique=True)),
                ("name", models.TextField()),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("ready", "待确认"),
                            ("running", "正在办理"),
                            ("done", "已办理"),
                            ("discarded", "已放弃"),
                        ],
                        default="ready",
                    ),
                ),
                ("made_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("unknown", models.JSONField(default=list)),
            ],
            options={
                "verbose_name": "批量销户",
                "verbose_name_plural": "批量销户",
            },
        ),
        migrations.CreateModel(
            name="ClosingItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("place", models.IntegerField()),
                (
                    "result",
                    models.TextField(
                        choices=[("waiting", "待办理"), ("started", "已开始销户"), ("refused", "未办理")],
                        db_default="waiting",
                        default="waiting",
                    ),
                ),
                ("reason", models.TextField(blank=True, db_default="", default="")),
                ("done_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "批量销户中的账户",
                "verbose_name_plural": "批量销户中的账户",
            },
        ),
        migrations.CreateModel(
            name="IssueBatch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(unique=True)),
                ("name", models.TextField()),
                ("made_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "制卡批次",
                "verbose_name_plural": "制卡批次",
            },
        ),
        migrations.CreateModel(
            name="IssueItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("place", models.IntegerField()),
                ("printed_at", models.DateTimeField(null=True)),
                ("handed_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "批次中的卡",
                "verbose_name_plural": "批次中的卡",
            },
        ),
        migrations.CreateModel(
            name="Photo",
            fields=[
                (
                    "holder",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="photo",
                        serialize=False,
                        to="accounts.holder",
                    ),
                ),
                ("image", models.BinaryField()),
                ("source_digest", models.BinaryField(max_length=32)),
                ("taken_in_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "照片",
                "verbose_name_plural": "照片",
            },
        ),
        migrations.CreateModel(
            name="PhotoItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("place", models.IntegerField()),
                ("name", models.TextField()),
                ("content", models.BinaryField(null=True)),
                (
                    "verdict",
                    models.TextField(
                        choices=[
                            ("waiting", "待处理"),
                            ("new", "新增"),
                            ("replaced", "更换"),
                            ("same", "无变化"),
                            ("rejected", "不能使用"),
                        ],
                        db_default="waiting",
                        default="waiting",
                    ),
                ),
                ("problems", models.JSONField(default=list)),
            ],
            options={
                "verbose_name": "照片包中的照片",
                "verbose_name_plural": "照片包中的照片",
            },
        ),
        migrations.CreateModel(
            name="PhotoUpload",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("name", models.TextField()),
                ("total", models.IntegerField(default=0)),
                ("position", models.IntegerField(default=0)),
                ("uploaded_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "照片包",
                "verbose_name_plural": "照片包",
            },
        ),
        migrations.CreateModel(
            name="RosterFile",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("name", models.TextField()),
                ("digest", models.BinaryField(max_length=32)),
                (
                    "scope",
                    models.TextField(
                        choices=[
                            ("additions", "新增名单"),
                            ("students", "全体学生名单"),
                            ("staff", "全体教职工名单"),
                        ]
                    ),
                ),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("asking", "待选编码"),
                            ("reading", "正在读取"),
                            ("comparing", "正在比对"),
                            ("ready", "待确认"),
                            ("applied", "已导入"),
                            ("discarded", "已放弃"),
                        ]
                    ),
                ),
                ("encoding", models.TextField(blank=True, db_default="", default="")),
                ("content", models.BinaryField(null=True)),
                ("total", models.IntegerField(default=0)),
                ("position", models.IntegerField(default=0)),
                ("revision", models.IntegerField(default=0)),
                ("notes", models.JSONField(default=list)),
                ("uploaded_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("counts", models.JSONField(default=dict)),
            ],
            options={
                "verbose_name": "名册文件",
                "verbose_name_plural": "名册文件",
            },
        ),
        migrations.CreateModel(
            name="RosterMember",
            fields=[
                (
                    "holder",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="member",
                        serialize=False,
                        to="accounts.holder",
                    ),
                ),
                ("group", models.TextField(blank=True, default="")),
                ("year", models.SmallIntegerField(null=True)),
                ("listed_at", models.DateTimeField()),
                ("left_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "在册人员",
                "verbose_name_plural": "在册人员",
            },
        ),
        migrations.CreateModel(
            name="RosterRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("line", models.IntegerField()),
                (
                    "verdict",
                    models.TextField(
                        choices=[
                            ("waiting", "待比对"),
                            ("new", "新增"),
                            ("changed", "变更"),
                            ("same", "无变化"),
                            ("rejected", "不能导入"),
                        ],
                        db_default="waiting",
                        default="waiting",
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4)),
                ("school_no", models.TextField(blank=True, default="")),
                ("name", models.TextField(blank=True, default="")),
                (
                    "kind",
                    models.TextField(
                        blank=True,
                        choices=[("staff", "教职工"), ("student", "学生"), ("other", "其他人员")],
                        default="",
                    ),
                ),
                ("unit", models.TextField(blank=True, default="")),
                ("group", models.TextField(blank=True, default="")),
                ("year", models.SmallIntegerField(null=True)),
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
                ("id_number_index", models.BinaryField(null=True)),
                ("changes", models.JSONField(default=dict)),
                ("problems", models.JSONField(default=list)),
                ("remarks", models.JSONField(default=list)),
            ],
            options={
                "verbose_name": "名册行",
                "verbose_name_plural": "名册行",
            },
        ),
        migrations.RemoveConstraint(
            model_name="counterdeed",
            name="deed_kind_known",
        ),
        migrations.AddConstraint(
            model_name="counterdeed",
            constraint=models.CheckConstraint(
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
                            "loss",
                            "lift_loss",
                            "freeze",
                            "limit",
                            "set_password",
                            "reset_password",
                            "show_slip",
                            "unlock",
                            "bind",
                            "confirm_binding",
                            "unbind",
                            "statement",
                        ],
                    )
                ),
                name="deed_kind_known",
            ),
        ),
        migrations.AddField(
            model_name="closingbatch",
            name="campus",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.campus"
            ),
        ),
        migrations.AddField(
            model_name="closingbatch",
            name="made_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="closingitem",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.account"
            ),
        ),
        migrations.AddField(
            model_name="closingitem",
            name="batch",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="items",
                to="accounts.closingbatch",
            ),
        ),
        migrations.AddField(
            model_name="issuebatch",
            name="campus",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.campus"
            ),
        ),
        migrations.AddField(
            model_name="issuebatch",
            name="made_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="issueitem",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.account"
            ),
        ),
        migrations.AddField(
            model_name="issueitem",
            name="batch",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="items",
                to="accounts.issuebatch",
            ),
        ),
        migrations.AddField(
            model_name="issueitem",
            name="card",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.card"
            ),
        ),
        migrations.AddField(
            model_name="issueitem",
            name="handed_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="photo",
            name="taken_in_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="photoitem",
            name="holder",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.holder"
            ),
        ),
        migrations.AddField(
            model_name="photoupload",
            name="campus",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.campus"
            ),
        ),
        migrations.AddField(
            model_name="photoupload",
            name="uploaded_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="photoitem",
            name="upload",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="items",
                to="accounts.photoupload",
            ),
        ),
        migrations.AddField(
            model_name="rosterfile",
            name="campus",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.campus"
            ),
        ),
        migrations.AddField(
            model_name="rosterfile",
            name="ended_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="rosterfile",
            name="uploaded_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="rostermember",
            name="file",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.rosterfile"
            ),
        ),
        migrations.AddField(
            model_name="rosterrow",
            name="campus",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.campus"
            ),
        ),
        migrations.AddField(
            model_name="rosterrow",
            name="file",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="rows",
                to="accounts.rosterfile",
            ),
        ),
        migrations.AddField(
            model_name="rosterrow",
            name="holder",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.holder"
            ),
        ),
        migrations.AddIndex(
            model_name="closingbatch",
            index=models.Index(fields=["-made_at"], name="closing_newest"),
        ),
        migrations.AddConstraint(
            model_name="closingbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["ready", "running", "done", "discarded"])),
                name="closing_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="closingitem",
            constraint=models.UniqueConstraint(fields=("batch", "place"), name="closing_place_once"),
        ),
        migrations.AddConstraint(
            model_name="closingitem",
            constraint=models.UniqueConstraint(fields=("batch", "account"), name="closing_account_once"),
        ),
        migrations.AddConstraint(
            model_name="closingitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("result__in", ["waiting", "started", "refused"])),
                name="closing_result_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="closingitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("result", "refused"), _negated=True),
                    models.Q(("reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="closing_refused_has_reason",
            ),
        ),
        migrations.AddIndex(
            model_name="issuebatch",
            index=models.Index(fields=["-made_at"], name="issue_batch_newest"),
        ),
        migrations.AddConstraint(
            model_name="issueitem",
            constraint=models.UniqueConstraint(fields=("batch", "place"), name="issue_place_once"),
        ),
        migrations.AddConstraint(
            model_name="issueitem",
            constraint=models.UniqueConstraint(fields=("batch", "account"), name="issue_account_once"),
        ),
        migrations.AddConstraint(
            model_name="issueitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("handed_at__isnull", True), ("handed_by__isnull", True)),
                    models.Q(("handed_at__isnull", False), ("handed_by__isnull", False)),
                    _connector="OR",
                ),
                name="issue_handed_by_somebody",
            ),
        ),
        migrations.AddIndex(
            model_name="photoupload",
            index=models.Index(fields=["-uploaded_at"], name="photo_upload_newest"),
        ),
        migrations.AddConstraint(
            model_name="photoupload",
            constraint=models.CheckConstraint(
                condition=models.Q(("position__gte", 0), ("position__lte", models.F("total"))),
                name="photos_position_in_range",
            ),
        ),
        migrations.AddConstraint(
            model_name="photoitem",
            constraint=models.UniqueConstraint(fields=("upload", "place"), name="photo_place_once"),
        ),
        migrations.AddConstraint(
            model_name="photoitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("verdict__in", ["waiting", "new", "replaced", "same", "rejected"])),
                name="photo_verdict_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="photoitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("content__isnull", False), ("verdict", "waiting")),
                    models.Q(models.Q(("verdict", "waiting"), _negated=True), ("content__isnull", True)),
                    _connector="OR",
                ),
                name="photo_content_while_waiting",
            ),
        ),
        migrations.AddIndex(
            model_name="rosterfile",
            index=models.Index(fields=["-uploaded_at"], name="roster_newest"),
        ),
        migrations.AddConstraint(
            model_name="rosterfile",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["asking", "reading", "comparing", "ready", "applied", "discarded"])
                ),
                name="roster_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="rosterfile",
            constraint=models.CheckConstraint(
                condition=models.Q(("scope__in", ["additions", "students", "staff"])),
                name="roster_scope_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="rosterfile",
            constraint=models.CheckConstraint(
                condition=models.Q(("position__gte", 0), ("position__lte", models.F("total"))),
                name="roster_position_in_range",
            ),
        ),
        migrations.AddConstraint(
            model_name="rosterfile",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("content__isnull", True),
                        ("ended_at__isnull", False),
                        ("state__in", ("applied", "discarded")),
                    ),
                    models.Q(
                        models.Q(("state__in", ("applied", "discarded")), _negated=True),
                        ("content__isnull", False),
                        ("ended_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="roster_content_until_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="rosterfile",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "discarded"), _negated=True),
                fields=("digest", "scope"),
                name="roster_same_file_once",
            ),
        ),
        migrations.AddIndex(
            model_name="rostermember",
            index=models.Index(fields=["year"], name="member_by_year"),
        ),
        migrations.AddIndex(
            model_name="rosterrow",
            index=models.Index(fields=["file", "school_no"], name="roster_row_by_number"),
        ),
        migrations.AddIndex(
            model_name="rosterrow",
            index=models.Index(fields=["file", "id_number_index"], name="roster_row_by_document"),
        ),
        migrations.AddIndex(
            model_name="rosterrow",
            index=models.Index(fields=["file", "verdict", "line"], name="roster_row_by_verdict"),
        ),
        migrations.AddConstraint(
            model_name="rosterrow",
            constraint=models.UniqueConstraint(fields=("file", "line"), name="roster_line_once"),
        ),
        migrations.AddConstraint(
            model_name="rosterrow",
            constraint=models.CheckConstraint(
                condition=models.Q(("verdict__in", ["waiting", "new", "changed", "same", "rejected"])),
                name="roster_verdict_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="rosterrow",
            constraint=models.CheckConstraint(
                condition=models.Q(("problems", []), ("verdict", "rejected"), _negated=True),
                name="roster_rejected_has_reason",
            ),
        ),
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
