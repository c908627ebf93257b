"""Money of a lost card that is held back: its kind and contra, and rows of which only the end may be added."""

from __future__ import annotations

from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models

FORMER_RULES = import_module("transactions.migrations.0008_cash_guards").RULES
_ENDS = (
    ("'deposit', 'payout'\n", "'deposit', 'payout', 'hold'\n"),
    ("'opening', 'deposit'\n", "'opening', 'deposit', 'hold'\n"),
)


def _widened(text: str) -> str:
    """The rules of an entry with a kind and a contra more; every other rule stays word for word."""
    for former, wider in _ENDS:
        if text.count(former) != 1:
            raise ValueError(f"the rules of an entry do not end their list with {former.strip()}")
        text = text.replace(former, wider)
    return text


RULES = [_widened(text) for text in FORMER_RULES]

GUARDS = [
    "GRANT SELECT, INSERT, UPDATE (released_entry_id, released_at) ON transactions_cardhold TO ecard_app",
    """
    CREATE FUNCTION transactions_hold_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        broken text;
        moved bigint;
    BEGIN
        IF TG_OP = 'UPDATE' AND ((NEW.id, NEW.account_id, NEW.card_id, NEW.fen, NEW.until_at, NEW.entry_id, NEW.made_at)
                IS DISTINCT FROM (OLD.id, OLD.account_id, OLD.card_id, OLD.fen, OLD.until_at, OLD.entry_id, OLD.made_at)
            OR OLD.released_at IS NOT NULL) THEN
            broken := 'hold_stays_as_made';
        ELSE
            SELECT book_change_fen + unclaimed_change_fen INTO moved FROM transactions_entry
                WHERE id = CASE TG_OP WHEN 'INSERT' THEN NEW.entry_id ELSE NEW.released_entry_id END
                    AND account_id = NEW.account_id AND kind = 'hold';
            IF moved IS DISTINCT FROM (CASE TG_OP WHEN 'INSERT' THEN -NEW.fen ELSE NEW.fen END) THEN
                broken := 'hold_is_what_its_entry_moved';
            END IF;
        END IF;
        IF broken IS NOT NULL THEN
            RAISE EXCEPTION '% is broken by hold %', broken, NEW.id
                USING ERRCODE = 'check_violation', CONSTRAINT = broken;
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER cardhold_rules BEFORE INSERT OR UPDATE ON transactions_cardhold
        FOR EACH ROW EXECUTE FUNCTION transactions_hold_rules()
    """,
    """
    CREATE TRIGGER cardhold_kept BEFORE DELETE ON transactions_cardhold
        FOR EACH ROW EXECUTE FUNCTION transactions_refuse_change()
    """,
    """
    CREATE TRIGGER cardhold_no_truncate BEFORE TRUNCATE ON transactions_cardhold
        FOR EACH STATEMENT EXECUTE FUNCTION transactions_refuse_change()
    """,
]
NO_GUARDS = [
    "DROP TRIGGER cardhold_no_truncate ON transactions_cardhold",
    "DROP TRIGGER cardhold_kept ON transactions_cardhold",
    "DROP TRIGGER cardhold_rules ON transactions_cardhold",
    "DROP FUNCTION transactions_hold_rules()",
]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_many_at_once"),
        ("transactions", "0008_cash_guards"),
    ]

    operations = [
        migrations.RunSQL(RULES, FORMER_RULES),
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
                    ("hold", "换卡预留"),
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
                    ("hold", "换卡预留"),
                ]
            ),
        ),
        migrations.CreateModel(
            name="CardHold",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("card_id", models.BigIntegerField()),
                ("fen", models.BigIntegerField()),
                ("until_at", models.DateTimeField()),
                ("entry_id", models.BigIntegerField(unique=True)),
                ("made_at", models.DateTimeField()),
                ("released_entry_id", models.BigIntegerField(null=True, unique=True)),
                ("released_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="holds",
                        to="accounts.account",
                    ),
                ),
            ],
            options={
                "verbose_name": "换卡预留",
                "verbose_name_plural": "换卡预留",
                "indexes": [
                    models.Index(fields=["account"], name="hold_of_account"),
                    models.Index(
                        condition=models.Q(("released_at", None)),
                        fields=["until_at"],
                        name="hold_open_by_day",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("fen__gte", 1), ("fen__lte", 10000000)),
                        name="hold_amount_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("until_at__gt", models.F("made_at"))), name="hold_ends_later"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("released_at", None), ("released_entry_id", None)),
                            models.Q(("released_at__isnull", False), ("released_entry_id__isnull", False)),
                            _connector="OR",
                        ),
                        name="hold_end_whole",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
