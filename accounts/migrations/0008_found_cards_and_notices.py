"""Lost cards, found ones, and what holders are told; what of it may change, and how."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

GRANTS = [
    "GRANT SELECT, INSERT ON accounts_foundcard TO ecard_app",
    "GRANT SELECT, INSERT ON accounts_foundevent TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON accounts_lostpost TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON accounts_finderreport TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON accounts_notice TO ecard_app",
]
NO_GRANTS = [
    """
    REVOKE ALL ON accounts_foundcard, accounts_foundevent, accounts_lostpost, accounts_finderreport,
        accounts_notice FROM ecard_app
    """,
]

# Where a found card is follows from its events: this trigger runs as the owner of the tables, the application may not
# write those columns itself.
BY_EVENTS = [
    """
    CREATE FUNCTION accounts_found_event() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE
        card record;
        last int;
        broken text;
    BEGIN
        SELECT state, campus_id INTO card FROM accounts_foundcard WHERE id = NEW.found_id FOR UPDATE;
        SELECT max(seq) INTO last FROM accounts_foundevent WHERE found_id = NEW.found_id;
        broken := CASE
            WHEN NEW.seq <> coalesce(last, 0) + 1 THEN 'found_event_in_order'
            WHEN (NEW.kind = 'taken_in') <> (last IS NULL) OR card.state <> 'kept' THEN 'found_event_is_a_step'
            WHEN (NEW.kind = 'moved') <> (NEW.campus_id <> card.campus_id) THEN 'found_event_moves'
        END;
        IF broken IS NOT NULL THEN
            RAISE EXCEPTION 'event % of found card % breaks %', NEW.kind, NEW.found_id, broken
                USING ERRCODE = 'check_violation', CONSTRAINT = broken;
        END IF;
        UPDATE accounts_foundcard SET campus_id = NEW.campus_id, kept_at = NEW.kept_at, changed_at = NEW.at,
            state = CASE NEW.kind WHEN 'handed_over' THEN 'handed_over' WHEN 'gone' THEN 'gone' ELSE 'kept' END
            WHERE id = NEW.found_id;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER found_event_steps BEFORE INSERT ON accounts_foundevent
        FOR EACH ROW EXECUTE FUNCTION accounts_found_event()
    """,
    """
    CREATE FUNCTION accounts_found_by_events() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'UPDATE' OR pg_trigger_depth() < 2 THEN
            RAISE EXCEPTION '% on % is refused: a found card moves by its events', TG_OP, TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER found_by_events BEFORE UPDATE OR DELETE ON accounts_foundcard
        FOR EACH ROW EXECUTE FUNCTION accounts_found_by_events()
    """,
    """
    CREATE TRIGGER foundcard_no_truncate BEFORE TRUNCATE ON accounts_foundcard
        FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change()
    """,
    """
    CREATE TRIGGER foundevent_append_only BEFORE UPDATE OR DELETE ON accounts_foundevent
        FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change()
    """,
    """
    CREATE TRIGGER foundevent_no_truncate BEFORE TRUNCATE ON accounts_foundevent
        FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change()
    """,
]
NOT_BY_EVENTS = [
    "DROP TRIGGER foundevent_no_truncate ON accounts_foundevent",
    "DROP TRIGGER foundevent_append_only ON accounts_foundevent",
    "DROP TRIGGER foundcard_no_truncate ON accounts_foundcard",
    "DROP TRIGGER found_by_events ON accounts_foundcard",
    "DROP FUNCTION accounts_found_by_events()",
    "DROP TRIGGER found_event_steps ON accounts_foundevent",
    "DROP FUNCTION accounts_found_event()",
]

# What may change of the rest: a notice is read once; a post and a report are forgotten, a post is moderated besides.
_MAY_CHANGE = {
    "notice": ("- 'read_at'", "OLD.read_at IS NOT NULL"),
    "lostpost": (
        "- 'place' - 'text' - 'erased_at' - 'state' - 'expires_on' - 'renewed'",
        "OLD.erased_at IS NOT NULL OR (NEW.erased_at IS NULL AND (NEW.place, NEW.text) <> (OLD.place, OLD.text))",
    ),
    "finderreport": (
        "- 'place' - 'left_at' - 'erased_at'",
        "OLD.erased_at IS NOT NULL OR NEW.erased_at IS NULL",
    ),
}
LIMITED = [
    statement
    for table, (fields, broken) in _MAY_CHANGE.items()
    for statement in (
        f"""
        CREATE FUNCTION accounts_{table}_limits() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'UPDATE' OR {broken} OR to_jsonb(NEW) {fields} <> to_jsonb(OLD) {fields} THEN
                RAISE EXCEPTION '% on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        (
            f"CREATE TRIGGER {table}_limits BEFORE UPDATE OR DELETE ON accounts_{table} "
            f"FOR EACH ROW EXECUTE FUNCTION accounts_{table}_limits()"
        ),
        (
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON accounts_{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change()"
        ),
    )
]
UNLIMITED = [
    statement
    for table in _MAY_CHANGE
    for statement in (
        f"DROP TRIGGER {table}_no_truncate ON accounts_{table}",
        f"DROP TRIGGER {table}_limits ON accounts_{table}",
        f"DROP FUNCTION accounts_{table}_limits()",
    )
]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_deeds_and_grants"),
    ]

    operations = [
        migrations.CreateModel(
            name="FoundCard",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(unique=True)),
                (
                    "how",
                    models.TextField(
                        choices=[("reader", "读卡"), ("number", "卡面号码"), ("unknown", "无法识别")]
                    ),
                ),
                ("printed", models.TextField(blank=True, db_default="", default="")),
                ("place", models.TextField()),
                ("found_on", models.DateField()),
                ("public", models.BooleanField(db_default=True, default=True)),
                ("taken_in_at", models.DateTimeField()),
                ("keep_until", models.DateField()),
                ("kept_at", models.TextField()),
                (
                    "state",
                    models.TextField(
                        choices=[("kept", "保管中"), ("handed_over", "已领回"), ("gone", "过期已处理")],
                        db_default="kept",
                        default="kept",
                    ),
                ),
                ("changed_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="found_cards",
                        to="accounts.account",
                    ),
                ),
                (
                    "campus",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="found_cards",
                        to="accounts.campus",
                    ),
                ),
                (
                    "card",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="found",
                        to="accounts.card",
                    ),
                ),
            ],
            options={
                "verbose_name": "拾到的卡",
                "verbose_name_plural": "拾到的卡",
            },
        ),
        migrations.CreateModel(
            name="FoundEvent",
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
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("taken_in", "收到"),
                            ("reported_lost", "代为挂失"),
                            ("left_in_use", "不挂失"),
                            ("moved", "转到另一校区"),
                            ("handed_over", "交还本人"),
                            ("gone", "过期处理"),
                        ]
                    ),
                ),
                ("kept_at", models.TextField()),
                ("text", models.TextField(blank=True, db_default="", default="")),
                ("document", models.TextField(blank=True, db_default="", default="")),
                (
                    "campus",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.campus",
                    ),
                ),
                (
                    "found",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="accounts.foundcard",
                    ),
                ),
                (
                    "officer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "拾卡记录",
                "verbose_name_plural": "拾卡记录",
            },
        ),
        migrations.CreateModel(
            name="LostPost",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(unique=True)),
                ("place", models.TextField()),
                ("lost_on", models.DateField()),
                ("text", models.TextField(blank=True, db_default="", default="")),
                ("posted_at", models.DateTimeField()),
                ("expires_on", models.DateField()),
                ("renewed", models.BooleanField(db_default=False, default=False)),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("waiting", "等待审核"),
                            ("shown", "已公开"),
                            ("hidden", "不公开"),
                            ("closed", "已撤下"),
                        ]
                    ),
                ),
                ("erased_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lost_posts",
                        to="accounts.account",
                    ),
                ),
                (
                    "campus",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lost_posts",
                        to="accounts.campus",
                    ),
                ),
            ],
            options={
                "verbose_name": "寻卡信息",
                "verbose_name_plural": "寻卡信息",
            },
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.TextField(
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
                        ]
                    ),
                ),
                ("about", models.TextField()),
                ("facts", models.JSONField(default=dict)),
                ("at", models.DateTimeField()),
                ("read_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notices",
                        to="accounts.account",
                    ),
                ),
            ],
            options={
                "verbose_name": "通知",
                "verbose_name_plural": "通知",
            },
        ),
        migrations.CreateModel(
            name="FinderReport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(unique=True)),
                ("place", models.TextField(blank=True, db_default="", default="")),
                ("left_at", models.TextField(blank=True, db_default="", default="")),
                ("at", models.DateTimeField()),
                ("erased_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="finder_reports",
                        to="accounts.account",
                    ),
                ),
            ],
            options={
                "verbose_name": "拾卡线索",
                "verbose_name_plural": "拾卡线索",
                "indexes": [models.Index(fields=["account", "at"], name="finder_report_by_account")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("erased_at__isnull", True),
                            models.Q(("left_at", ""), ("place", "")),
                            _connector="OR",
                        ),
                        name="finder_report_erased_is_empty",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("erased_at__isnull", True), ("erased_at__gte", models.F("at")), _connector="OR"
                        ),
                        name="finder_report_in_order",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="foundcard",
            index=models.Index(
                condition=models.Q(("state", "kept")), fields=["campus", "-id"], name="found_kept"
            ),
        ),
        migrations.AddIndex(
            model_name="foundcard",
            index=models.Index(fields=["account", "-id"], name="found_by_account"),
        ),
        migrations.AddConstraint(
            model_name="foundcard",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "kept")), fields=("card",), name="found_card_kept_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="foundcard",
            constraint=models.CheckConstraint(
                condition=models.Q(("how__in", ["reader", "number", "unknown"])), name="found_how_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="foundcard",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["kept", "handed_over", "gone"])), name="found_state_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="foundcard",
            constraint=models.CheckConstraint(
                condition=models.Q(("card__isnull", True), ("account__isnull", False), _connector="OR"),
                name="found_card_has_account",
            ),
        ),
        migrations.AddConstraint(
            model_name="foundevent",
            constraint=models.UniqueConstraint(fields=("found", "seq"), name="found_event_in_order"),
        ),
        migrations.AddConstraint(
            model_name="foundevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["taken_in", "reported_lost", "left_in_use", "moved", "handed_over", "gone"])
                ),
                name="found_event_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="foundevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "handed_over"), _negated=True),
                    models.Q(("document", ""), _negated=True),
                    _connector="OR",
                ),
                name="found_handed_over_to_document",
            ),
        ),
        migrations.AddIndex(
            model_name="lostpost",
            index=models.Index(
                condition=models.Q(("state", "shown")), fields=["-id"], name="lost_post_board"
            ),
        ),
        migrations.AddIndex(
            model_name="lostpost",
            index=models.Index(fields=["account", "posted_at"], name="lost_post_by_account"),
        ),
        migrations.AddConstraint(
            model_name="lostpost",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["waiting", "shown", "hidden", "closed"])),
                name="lost_post_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="lostpost",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("erased_at__isnull", True), models.Q(("place", ""), ("text", "")), _connector="OR"
                ),
                name="lost_post_erased_is_empty",
            ),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(fields=["account", "-id"], name="notice_by_account"),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(
                condition=models.Q(("read_at__isnull", True)), fields=["account"], name="notice_unread"
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
                        ],
                    )
                ),
                name="notice_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("read_at__isnull", True), ("read_at__gte", models.F("at")), _connector="OR"
                ),
                name="notice_read_after_it_came",
            ),
        ),
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(BY_EVENTS, NOT_BY_EVENTS),
        migrations.RunSQL(LIMITED, UNLIMITED),
    ]
