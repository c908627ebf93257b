"""What takes two people, where the staff are signed in, and the seals of the audit; one administrator always stays."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

GRANTS = [
    "GRANT SELECT, INSERT ON accounts_request, accounts_requestruling, accounts_requestresult TO ecard_app",
    "GRANT SELECT, INSERT ON accounts_auditseal TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON accounts_staffsession TO ecard_app",
]
NO_GRANTS = [
    """
    REVOKE ALL ON accounts_request, accounts_requestruling, accounts_requestresult, accounts_auditseal,
        accounts_staffsession FROM ecard_app
    """,
]

GROWING = ("request", "requestruling", "requestresult", "auditseal")
LOCKS = (("append_only", "UPDATE OR DELETE", "ROW"), ("no_truncate", "TRUNCATE", "STATEMENT"))

APPEND_ONLY = [
    f"CREATE TRIGGER {table}_{name} BEFORE {events} ON accounts_{table} "
    f"FOR EACH {each} EXECUTE FUNCTION accounts_refuse_change()"
    for table in GROWING
    for name, events, each in LOCKS
]
CHANGEABLE = [f"DROP TRIGGER {table}_{name} ON accounts_{table}" for table in GROWING for name, _, _ in LOCKS]

TWO_PEOPLE = [
    """
    ALTER TABLE accounts_request ADD CONSTRAINT request_hash_of_content
        CHECK (content_hash = sha256(convert_to(canonical, 'UTF8')))
    """,
    """
    CREATE FUNCTION accounts_request_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.maker_id = NEW.operator_id OR EXISTS (
            SELECT FROM accounts_operator maker JOIN accounts_account account ON account.id = NEW.account_id
            WHERE maker.id = NEW.maker_id AND maker.holder_id = account.holder_id
        ) THEN
            PERFORM accounts_break('request_not_about_oneself', 'request of operator ' || NEW.maker_id);
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER request_rules BEFORE INSERT ON accounts_request
        FOR EACH ROW EXECUTE FUNCTION accounts_request_rules()
    """,
    """
    CREATE FUNCTION accounts_request_ruling_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        asked accounts_request%ROWTYPE;
        checker accounts_operator%ROWTYPE;
        broken text;
    BEGIN
        SELECT * INTO asked FROM accounts_request WHERE id = NEW.request_id;
        SELECT * INTO checker FROM accounts_operator WHERE id = NEW.checker_id;
        broken := CASE
            WHEN NEW.content_hash <> asked.content_hash THEN 'request_ruling_of_this_content'
            WHEN (NEW.verdict = 'withdrawn') <> (NEW.checker_id = asked.maker_id) THEN 'request_ruling_by_another'
            WHEN EXISTS (SELECT FROM accounts_requestresult WHERE request_id = NEW.request_id)
                THEN 'request_ruling_before_result'
            WHEN NEW.verdict = 'withdrawn' THEN NULL
            WHEN NEW.checker_id = asked.operator_id OR EXISTS (
                SELECT FROM accounts_account account
                WHERE account.id = asked.account_id AND account.holder_id = checker.holder_id
            ) THEN 'request_ruling_not_about_oneself'
            WHEN NOT checker.is_active
                OR checker.role <> CASE asked.needs WHEN 'admin' THEN 'admin' ELSE 'supervisor' END
                OR (asked.needs = 'chief' AND checker.campus_id IS NOT NULL)
                OR (asked.needs = 'second' AND checker.campus_id IS NOT NULL
                    AND checker.campus_id IS DISTINCT FROM asked.campus_id)
                THEN 'request_ruling_by_entitled'
            WHEN NEW.verdict = 'agreed' AND NEW.ruled_at >= asked.expires_at THEN 'request_ruling_in_time'
        END;
        IF broken IS NOT NULL THEN
            PERFORM accounts_break(broken, 'ruling on request ' || NEW.request_id);
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER request_ruling_rules BEFORE INSERT ON accounts_requestruling
        FOR EACH ROW EXECUTE FUNCTION accounts_request_ruling_rules()
    """,
    """
    CREATE FUNCTION accounts_request_result_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        asked accounts_request%ROWTYPE;
        verdict text := (SELECT ruling.verdict FROM accounts_requestruling ruling
            WHERE ruling.request_id = NEW.request_id);
        broken text;
    BEGIN
        SELECT * INTO asked FROM accounts_request WHERE id = NEW.request_id;
        broken := CASE
            WHEN NEW.content_hash <> asked.content_hash THEN 'request_result_of_this_content'
            WHEN verdict IS DISTINCT FROM 'agreed' THEN 'request_result_is_agreed'
            WHEN NEW.done AND NEW.at >= asked.expires_at THEN 'request_result_in_time'
        END;
        IF broken IS NOT NULL THEN
            PERFORM accounts_break(broken, 'result of request ' || NEW.request_id);
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER request_result_rules BEFORE INSERT ON accounts_requestresult
        FOR EACH ROW EXECUTE FUNCTION accounts_request_result_rules()
    """,
]
ONE_PERSON = [
    "DROP TRIGGER request_result_rules ON accounts_requestresult",
    "DROP FUNCTION accounts_request_result_rules()",
    "DROP TRIGGER request_ruling_rules ON accounts_requestruling",
    "DROP FUNCTION accounts_request_ruling_rules()",
    "DROP TRIGGER request_rules ON accounts_request",
    "DROP FUNCTION accounts_request_rules()",
    "ALTER TABLE accounts_request DROP CONSTRAINT request_hash_of_content",
]

# Two administrators who disable each other at the same moment wait for one another here; the second one sees it.
ONE_ADMIN_STAYS = [
    """
    CREATE FUNCTION accounts_keep_an_admin() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended('ecard last admin ' || current_schema(), 0));
        IF NOT EXISTS (
            SELECT FROM accounts_operator WHERE role = 'admin' AND is_active AND id <> NEW.id
        ) THEN
            PERFORM accounts_break('operator_one_admin_stays', 'operator ' || NEW.id);
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER operator_one_admin_stays BEFORE UPDATE OF role, is_active ON accounts_operator
        FOR EACH ROW WHEN (
            OLD.role = 'admin' AND OLD.is_active AND NOT (NEW.role = 'admin' AND NEW.is_active)
        ) EXECUTE FUNCTION accounts_keep_an_admin()
    """,
]
NO_ADMIN_STAYS = [
    "DROP TRIGGER operator_one_admin_stays ON accounts_operator",
    "DROP FUNCTION accounts_keep_an_admin()",
]

# The application may not lock the audit, so this runs as its owner: it waits for those who write at this moment, lets
# nobody begin meanwhile, and so knows that no row with a smaller number can still come.
AUDIT_HEAD = [
    """
    CREATE FUNCTION accounts_audit_head() RETURNS bigint
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        LOCK TABLE ONLY accounts_auditevent IN SHARE MODE;
        RETURN (SELECT max(id) FROM accounts_auditevent);
    END $$
    """,
    "REVOKE ALL ON FUNCTION accounts_audit_head() FROM public",
    "GRANT EXECUTE ON FUNCTION accounts_audit_head() TO ecard_app",
]
NO_AUDIT_HEAD = ["DROP FUNCTION accounts_audit_head()"]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_policy_values"),
    ]

    operations = [
        migrations.AddField(
            model_name="operator",
            name="must_change_password",
            field=models.BooleanField(db_default=False, default=False, verbose_name="须改密码"),
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                ("sealed_at", models.DateTimeField()),
                ("last_id", models.BigIntegerField(unique=True)),
                ("events", models.BigIntegerField()),
                ("key_mark", models.BinaryField()),
                ("previous", models.BinaryField()),
                ("digest", models.BinaryField()),
                ("tags", models.BinaryField()),
            ],
            options={
                "verbose_name": "审计封签",
                "verbose_name_plural": "审计封签",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("events__gt", 0)), name="audit_seal_has_rows")
                ],
            },
        ),
        migrations.CreateModel(
            name="Request",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(unique=True)),
                ("kind", models.TextField()),
                (
                    "needs",
                    models.TextField(
                        choices=[
                            ("second", "须一位主管复核"),
                            ("chief", "须全校主管复核"),
                            ("admin", "须另一位管理员同意"),
                        ]
                    ),
                ),
                ("amount_fen", models.BigIntegerField()),
                ("canonical", models.TextField()),
                ("content_hash", models.BinaryField()),
                ("reason", models.TextField()),
                ("made_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="requests",
                        to="accounts.account",
                    ),
                ),
                (
                    "campus",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="requests",
                        to="accounts.campus",
                    ),
                ),
                (
                    "maker",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="requests_made",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "operator",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="requests_about",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "复核申请",
                "verbose_name_plural": "复核申请",
            },
        ),
        migrations.CreateModel(
            name="StaffSession",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("session_key", models.TextField(unique=True)),
                ("began_at", models.DateTimeField()),
                ("place", models.TextField()),
                ("agent", models.TextField(blank=True, db_default="", default="")),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "operator",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="staff_sessions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "工作人员会话",
                "verbose_name_plural": "工作人员会话",
            },
        ),
        migrations.CreateModel(
            name="RequestResult",
            fields=[
                (
                    "request",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="result",
                        serialize=False,
                        to="accounts.request",
                    ),
                ),
                ("done", models.BooleanField()),
                ("content_hash", models.BinaryField()),
                ("why", models.TextField(blank=True, db_default="", default="")),
                ("at", models.DateTimeField()),
                (
                    "by",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "申请结果",
                "verbose_name_plural": "申请结果",
            },
        ),
        migrations.CreateModel(
            name="RequestRuling",
            fields=[
                (
                    "request",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="ruling",
                        serialize=False,
                        to="accounts.request",
                    ),
                ),
                (
                    "verdict",
                    models.TextField(
                        choices=[("agreed", "同意"), ("refused", "退回"), ("withdrawn", "撤回")]
                    ),
                ),
                ("content_hash", models.BinaryField()),
                ("reason", models.TextField(blank=True, db_default="", default="")),
                ("ruled_at", models.DateTimeField()),
                (
                    "checker",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="request_rulings",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "申请复核",
                "verbose_name_plural": "申请复核",
            },
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(fields=["campus", "made_at"], name="request_by_time"),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(fields=["account", "made_at"], name="request_by_account"),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                condition=models.Q(("needs__in", ["second", "chief", "admin"])), name="request_needs_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_fen__gte", 0)), name="request_amount_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="request_says_why"
            ),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("made_at"))), name="request_ends"
            ),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__regex", "^[a-z_]{2,30}\\.[a-z_]{2,30}$")), name="request_kind_form"
            ),
        ),
        migrations.AddConstraint(
            model_name="staffsession",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ended_at__isnull", True), ("ended_at__gte", models.F("began_at")), _connector="OR"
                ),
                name="staff_session_ends_after_it_began",
            ),
        ),
        migrations.AddConstraint(
            model_name="requestresult",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("done", True), ("why", "")),
                    models.Q(("done", False), models.Q(("why", ""), _negated=True)),
                    _connector="OR",
                ),
                name="request_result_says_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="requestruling",
            constraint=models.CheckConstraint(
                condition=models.Q(("verdict__in", ["agreed", "refused", "withdrawn"])),
                name="request_verdict_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="requestruling",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("verdict", "refused"), _negated=True),
                    models.Q(("reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="request_refusal_says_why",
            ),
        ),
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
        migrations.RunSQL(TWO_PEOPLE, ONE_PERSON),
        migrations.RunSQL(ONE_ADMIN_STAYS, NO_ADMIN_STAYS),
        migrations.RunSQL(AUDIT_HEAD, NO_AUDIT_HEAD),
    ]
