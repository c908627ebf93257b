"""Other systems that ask who may in: their keys, counts of the day, and the reasons of a week."""

from __future__ import annotations

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

GRANTS = [
    "GRANT SELECT, INSERT ON terminals_partner, terminals_partner_campuses TO ecard_app",
    # What a key may ask is never changed; it is turned and revoked.
    "GRANT UPDATE (epoch, kept_epoch, kept_until, turned_at, revoked_at) ON terminals_partner TO ecard_app",
    "GRANT SELECT, INSERT, UPDATE ON terminals_partnercontact, terminals_partnerday TO ecard_app",
    "GRANT SELECT, INSERT, DELETE ON terminals_partnernonce, terminals_doorrefusal TO ecard_app",
    # DELETE … USING a locked selection of the oldest rows needs it.
    "GRANT UPDATE (at) ON terminals_partnernonce TO ecard_app",
]
NO_GRANTS = [
    """
    REVOKE ALL ON terminals_partner, terminals_partner_campuses, terminals_partnercontact, terminals_partnerday,
        terminals_partnernonce, terminals_doorrefusal FROM ecard_app
    """,
]

GUARDS = [
    """
    CREATE FUNCTION terminals_partner_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.epoch < OLD.epoch OR NEW.epoch > OLD.epoch + 1 THEN
            RAISE EXCEPTION 'the key of partner % goes from % to %', OLD.id, OLD.epoch, NEW.epoch
                USING ERRCODE = 'check_violation', CONSTRAINT = 'partner_epoch_steps';
        END IF;
        IF OLD.revoked_at IS NOT NULL THEN
            RAISE EXCEPTION 'partner % stays revoked', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'partner_revoked_for_good';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER partner_rules BEFORE UPDATE ON terminals_partner
        FOR EACH ROW EXECUTE FUNCTION terminals_partner_rules()
    """,
    """
    CREATE TRIGGER partner_no_delete BEFORE DELETE ON terminals_partner
        FOR EACH ROW EXECUTE FUNCTION terminals_refuse_change()
    """,
    "ALTER TABLE terminals_partnercontact SET (fillfactor = 50)",
    "ALTER TABLE terminals_partnerday SET (fillfactor = 70)",
]
NO_GUARDS = [
    "ALTER TABLE terminals_partnerday RESET (fillfactor)",
    "ALTER TABLE terminals_partnercontact RESET (fillfactor)",
    "DROP TRIGGER partner_no_delete ON terminals_partner",
    "DROP TRIGGER partner_rules ON terminals_partner",
    "DROP FUNCTION terminals_partner_rules()",
]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0012_logins_of_staff"),
        ("terminals", "0011_extend_job"),
    ]

    operations = [
        migrations.CreateModel(
            name="Partner",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("name_zh", models.TextField()),
                ("name_en", models.TextField(blank=True, db_default="", default="")),
                ("contact", models.TextField()),
                (
                    "services",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(
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
                        size=None,
                    ),
                ),
                ("tells_name", models.BooleanField(db_default=False, default=False)),
                ("tells_school_no", models.BooleanField(db_default=False, default=False)),
                ("by_number", models.BooleanField(db_default=False, default=False)),
                (
                    "addresses",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(), db_default=[], default=list, size=None
                    ),
                ),
                ("per_minute", models.IntegerField(db_default=600, default=600)),
                ("expires_on", models.DateField()),
                ("epoch", models.IntegerField(db_default=1, default=1)),
                ("kept_epoch", models.IntegerField(db_default=0, default=0)),
                ("kept_until", models.DateTimeField(null=True)),
                ("made_at", models.DateTimeField()),
                ("turned_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(null=True)),
                ("campuses", models.ManyToManyField(related_name="partners", to="accounts.campus")),
            ],
            options={
                "verbose_name": "接入系统",
                "verbose_name_plural": "接入系统",
            },
        ),
        migrations.CreateModel(
            name="DoorRefusal",
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
                ("denial", models.TextField()),
                ("at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="door_refusals",
                        to="accounts.account",
                    ),
                ),
                (
                    "partner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refusals",
                        to="terminals.partner",
                    ),
                ),
            ],
            options={
                "verbose_name": "识别拒绝记录",
                "verbose_name_plural": "识别拒绝记录",
            },
        ),
        migrations.CreateModel(
            name="PartnerDay",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("on", models.DateField()),
                ("asked", models.IntegerField(db_default=0, default=0)),
                ("refused", models.IntegerField(db_default=0, default=0)),
                ("unknown", models.IntegerField(db_default=0, default=0)),
                ("rejected", models.IntegerField(db_default=0, default=0)),
                (
                    "partner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="days",
                        to="terminals.partner",
                    ),
                ),
            ],
            options={
                "verbose_name": "接入系统日计数",
                "verbose_name_plural": "接入系统日计数",
            },
        ),
        migrations.CreateModel(
            name="PartnerNonce",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("nonce", models.BinaryField()),
                ("at", models.DateTimeField()),
                (
                    "partner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="terminals.partner",
                    ),
                ),
            ],
            options={
                "verbose_name": "接入请求随机数",
                "verbose_name_plural": "接入请求随机数",
            },
        ),
        migrations.CreateModel(
            name="PartnerContact",
            fields=[
                (
                    "partner",
                    models.OneToOneField(
                        db_column="partner_id",
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="last_contact",
                        serialize=False,
                        to="terminals.partner",
                    ),
                ),
                ("used_at", models.DateTimeField(null=True)),
                ("used_epoch", models.IntegerField(db_default=0, default=0)),
                ("minute_at", models.DateTimeField(null=True)),
                ("in_minute", models.IntegerField(db_default=0, default=0)),
            ],
            options={
                "verbose_name": "接入系统联系",
                "verbose_name_plural": "接入系统联系",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("in_minute__gte", 0), ("used_epoch__gte", 0)),
                        name="partner_contact_counted",
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="partner",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "services__contained_by",
                        ["dorm_door", "library_gate", "lending", "pc_room", "bus", "bath", "identity"],
                    ),
                    ("services__len__gte", 1),
                ),
                name="partner_services_askable",
            ),
        ),
        migrations.AddConstraint(
            model_name="partner",
            constraint=models.CheckConstraint(
                condition=models.Q(("per_minute__range", (1, 6000))), name="partner_per_minute_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="partner",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("epoch__gte", 1),
                    ("kept_epoch__gte", 0),
                    ("kept_epoch__lt", models.F("epoch")),
                    models.Q(
                        models.Q(("kept_epoch", 0), ("kept_until__isnull", True)),
                        models.Q(("kept_epoch__gte", 1), ("kept_until__isnull", False)),
                        _connector="OR",
                    ),
                ),
                name="partner_epochs_in_order",
            ),
        ),
        migrations.AddConstraint(
            model_name="partner",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("name_zh", ""), _negated=True), models.Q(("contact", ""), _negated=True)
                ),
                name="partner_named",
            ),
        ),
        migrations.AddIndex(
            model_name="doorrefusal",
            index=models.Index(fields=["account", "at"], name="door_refusal_of_account"),
        ),
        migrations.AddIndex(
            model_name="doorrefusal",
            index=models.Index(fields=["partner", "at"], name="door_refusal_of_partner"),
        ),
        migrations.AddConstraint(
            model_name="doorrefusal",
            constraint=models.CheckConstraint(
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
                name="door_refusal_service_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="partnerday",
            constraint=models.UniqueConstraint(fields=("partner", "on"), name="partner_day_once"),
        ),
        migrations.AddConstraint(
            model_name="partnerday",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("asked__gte", models.F("refused")),
                    ("refused__gte", models.F("unknown")),
                    ("rejected__gte", 0),
                    ("unknown__gte", 0),
                ),
                name="partner_day_counted",
            ),
        ),
        migrations.AddIndex(
            model_name="partnernonce",
            index=models.Index(fields=["partner", "at"], name="partner_nonce_by_age"),
        ),
        migrations.AddConstraint(
            model_name="partnernonce",
            constraint=models.UniqueConstraint(fields=("partner", "nonce"), name="partner_nonce_once"),
        ),
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
