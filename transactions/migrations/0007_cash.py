"""Drawers, shifts, what customers were shown, and numbered receipts; a kind for deposits and one for paying out."""

from __future__ import annotations

import uuid

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_levelled_seq"),
        ("transactions", "0006_entry_counted"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="entry",
                    name="contra",
                    field=models.TextField(
                        choices=[
                            ("none", "无"),
                            ("merchant", "商户"),
                            ("drawer", "现金"),
                            ("bank", "银行"),
                            ("subsidy", "补助款"),
                            ("levelling", "平账过渡"),
                            ("fee", "费用"),
                            ("opening", "期初"),
                            ("deposit", "押金"),
                        ]
                    ),
                ),
                migrations.AlterField(
                    model_name="entry",
                    name="kind",
                    field=models.TextField(
                        choices=[
                            ("purchase", "消费"),
                            ("offline_sale", "脱机消费"),
                            ("void", "撤销"),
                            ("top_up", "现金充值"),
                            ("bank_load", "圈存"),
                            ("subsidy", "补助"),
                            ("claim", "领取"),
                            ("levelling", "平账"),
                            ("refund", "退还"),
                            ("fee", "工本费"),
                            ("opening", "期初"),
                            ("adjustment", "调账"),
                            ("reversal", "冲正"),
                            ("deposit", "押金"),
                            ("payout", "付现"),
                        ]
                    ),
                ),
            ]
        ),
        migrations.CreateModel(
            name="Drawer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.TextField(unique=True)),
                ("name_zh", models.TextField()),
                ("name_en", models.TextField(blank=True, db_default="", default="")),
                ("retired_at", models.DateTimeField(null=True)),
                (
                    "campus",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="drawers",
                        to="accounts.campus",
                    ),
                ),
            ],
            options={
                "verbose_name": "钱箱",
                "verbose_name_plural": "钱箱",
            },
        ),
        migrations.CreateModel(
            name="Receipt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("no", models.IntegerField()),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("top_up", "现金充值"),
                            ("void", "撤销充值"),
                            ("fee", "工本费"),
                            ("deposit", "押金"),
                            ("deposit_back", "退押金"),
                            ("payout", "付现"),
                        ]
                    ),
                ),
                ("operation", models.UUIDField()),
                ("account_number", models.IntegerField()),
                ("holder_masked", models.TextField()),
                ("fen", models.BigIntegerField()),
                ("book_before_fen", models.BigIntegerField()),
                ("book_after_fen", models.BigIntegerField()),
                ("card_before_fen", models.BigIntegerField(null=True)),
                ("card_after_fen", models.BigIntegerField(null=True)),
                ("entry_id", models.BigIntegerField()),
                ("officer_name", models.TextField()),
                ("place_zh", models.TextField()),
                ("place_en", models.TextField(blank=True, db_default="", default="")),
                ("reason", models.TextField(blank=True, db_default="", default="")),
                ("issued_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="receipts",
                        to="accounts.account",
                    ),
                ),
                (
                    "officer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="receipts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "voids",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="voided_by",
                        to="transactions.receipt",
                    ),
                ),
            ],
            options={
                "verbose_name": "票据",
                "verbose_name_plural": "票据",
            },
        ),
        migrations.CreateModel(
            name="ReceiptCopy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("no", models.IntegerField()),
                ("printed_at", models.DateTimeField()),
                (
                    "officer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "receipt",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="copies",
                        to="transactions.receipt",
                    ),
                ),
            ],
            options={
                "verbose_name": "票据打印",
                "verbose_name_plural": "票据打印",
            },
        ),
        migrations.CreateModel(
            name="ReceiptSeries",
            fields=[
                ("code", models.TextField(primary_key=True, serialize=False)),
                ("last_no", models.IntegerField(db_default=0, default=0)),
                (
                    "campus",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="receipt_series",
                        to="accounts.campus",
                    ),
                ),
                (
                    "drawer",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="series",
                        to="transactions.drawer",
                    ),
                ),
            ],
            options={
                "verbose_name": "票据号段",
                "verbose_name_plural": "票据号段",
            },
        ),
        migrations.AddField(
            model_name="receipt",
            name="series",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="receipts",
                to="transactions.receiptseries",
            ),
        ),
        migrations.CreateModel(
            name="Shift",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("no", models.IntegerField()),
                ("display_key", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("display_seen_at", models.DateTimeField(null=True)),
                ("opened_at", models.DateTimeField()),
                ("float_fen", models.BigIntegerField()),
                ("float_count", models.JSONField(default=dict)),
                ("closed_at", models.DateTimeField(null=True)),
                ("count", models.JSONField(null=True)),
                ("counted_fen", models.BigIntegerField(null=True)),
                ("expected_fen", models.BigIntegerField(null=True)),
                ("difference_fen", models.BigIntegerField(null=True)),
                ("reason", models.TextField(blank=True, db_default="", default="")),
                ("accepted_at", models.DateTimeField(null=True)),
                (
                    "accepted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="shifts_accepted",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "drawer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="shifts",
                        to="transactions.drawer",
                    ),
                ),
                (
                    "officer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="shifts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "班次",
                "verbose_name_plural": "班次",
            },
        ),
        migrations.AddField(
            model_name="receipt",
            name="shift",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="receipts",
                to="transactions.shift",
            ),
        ),
        migrations.CreateModel(
            name="TopUpSlip",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("fen", models.BigIntegerField()),
                ("announced_at", models.DateTimeField()),
                ("shown_at", models.DateTimeField(null=True)),
                ("shown_on", models.TextField(blank=True, db_default="", default="")),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("dropped_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cash_slips",
                        to="accounts.account",
                    ),
                ),
                (
                    "shift",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="slips",
                        to="transactions.shift",
                    ),
                ),
            ],
            options={
                "verbose_name": "充值单",
                "verbose_name_plural": "充值单",
            },
        ),
        migrations.AddConstraint(
            model_name="drawer",
            constraint=models.CheckConstraint(
                condition=models.Q(("code__regex", "^[A-Z]{1,3}[0-9]{2}$")), name="drawer_code_form"
            ),
        ),
        migrations.AddConstraint(
            model_name="receiptcopy",
            constraint=models.UniqueConstraint(fields=("receipt", "no"), name="receipt_copy_once"),
        ),
        migrations.AddConstraint(
            model_name="shift",
            constraint=models.UniqueConstraint(fields=("drawer", "no"), name="shift_no_once"),
        ),
        migrations.AddConstraint(
            model_name="shift",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at__isnull", True)),
                fields=("drawer",),
                name="shift_one_open_per_drawer",
            ),
        ),
        migrations.AddConstraint(
            model_name="shift",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at__isnull", True)),
                fields=("officer",),
                name="shift_one_open_per_officer",
            ),
        ),
        migrations.AddConstraint(
            model_name="shift",
            constraint=models.CheckConstraint(
                condition=models.Q(("float_fen__gte", 0), ("float_fen__lte", 10000000)),
                name="shift_float_bounded",
            ),
        ),
        migrations.AddConstraint(
            model_name="shift",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("closed_at__isnull", True),
                        ("count__isnull", True),
                        ("counted_fen__isnull", True),
                        ("difference_fen__isnull", True),
                        ("expected_fen__isnull", True),
                    ),
                    models.Q(
                        ("closed_at__isnull", False),
                        ("count__isnull", False),
                        ("counted_fen__gte", 0),
                        (
                            "difference_fen",
                            django.db.models.expressions.CombinedExpression(
                                models.F("counted_fen"), "-", models.F("expected_fen")
                            ),
                        ),
                        ("expected_fen__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="shift_closed_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="shift",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("difference_fen__isnull", True),
                    ("difference_fen", 0),
                    models.Q(("reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="shift_difference_has_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="shift",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("accepted_at__isnull", True), ("accepted_by__isnull", True)),
                    models.Q(
                        ("accepted_at__isnull", False),
                        ("accepted_by__isnull", False),
                        ("closed_at__isnull", False),
                        models.Q(("accepted_by", models.F("officer")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="shift_accepted_by_another",
            ),
        ),
        migrations.AddIndex(
            model_name="receipt",
            index=models.Index(fields=["account", "-issued_at"], name="receipt_of_account"),
        ),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.UniqueConstraint(fields=("series", "no"), name="receipt_no_once"),
        ),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.UniqueConstraint(fields=("operation", "kind"), name="receipt_operation_once"),
        ),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.CheckConstraint(condition=models.Q(("no__gte", 1)), name="receipt_no_positive"),
        ),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["top_up", "void", "fee", "deposit", "deposit_back", "payout"])
                ),
                name="receipt_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.CheckConstraint(
                condition=models.Q(("fen__gte", 1), ("fen__lte", 10000000)), name="receipt_amount_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.CheckConstraint(
                condition=models.Q(("account_number__gte", 0), ("account_number__lte", 99999)),
                name="receipt_account_is_five_digits",
            ),
        ),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "void"), ("voids__isnull", False)),
                    models.Q(models.Q(("kind", "void"), _negated=True), ("voids__isnull", True)),
                    _connector="OR",
                ),
                name="receipt_void_names_receipt",
            ),
        ),
        migrations.AddIndex(
            model_name="topupslip",
            index=models.Index(fields=["shift", "announced_at"], name="slip_of_shift"),
        ),
        migrations.AddConstraint(
            model_name="topupslip",
            constraint=models.CheckConstraint(
                condition=models.Q(("fen__gte", 1), ("fen__lte", 10000000)), name="slip_amount_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="topupslip",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("shown_at__isnull", True), ("shown_on", "")),
                    models.Q(
                        ("shown_at__gte", models.F("announced_at")), ("shown_on__in", ("display", "counter"))
                    ),
                    _connector="OR",
                ),
                name="slip_shown_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="topupslip",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("confirmed_at__isnull", True),
                    models.Q(
                        ("confirmed_at__gte", models.F("shown_at")),
                        ("dropped_at__isnull", True),
                        ("shown_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="slip_shown_before_confirmed",
            ),
        ),
    ]
