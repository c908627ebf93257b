"""Levelling, its refunds and the corrections that people make: two kinds more, who refunded what, what cards told.

A levelling stands in for records that are still out, so it may take a book below zero as they may: a holder who tore
a sale off and then spent the same money offline owes it (reliability.md 0.6, L10).
"""

from __future__ import annotations

from django.db import migrations, models

RULES = [
    """
    CREATE OR REPLACE FUNCTION transactions_entry_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        broken text := CASE
            WHEN NEW.seq < 1 OR NEW.id <> NEW.account_id * 4294967296 + NEW.seq THEN 'entry_id_names_account_and_seq'
            WHEN NEW.book_change_fen = 0 AND NEW.unclaimed_change_fen = 0 THEN 'entry_moves_something'
            WHEN greatest(abs(NEW.book_change_fen), abs(NEW.unclaimed_change_fen)) > 10000000
                THEN 'entry_amount_bounded'
            WHEN (NEW.contra = 'none') <> (NEW.book_change_fen + NEW.unclaimed_change_fen = 0)
                THEN 'entry_contra_balances'
            WHEN NEW.unclaimed_after_fen < 0 THEN 'entry_unclaimed_not_negative'
            WHEN NEW.book_after_fen < 0 AND NEW.book_change_fen < 0 AND NEW.kind NOT IN ('offline_sale', 'bank_load', 'levelling')
                THEN 'entry_book_below_zero_only_late'
            WHEN (NEW.purse_side IS NULL) <> (NEW.purse_seq IS NULL) THEN 'entry_purse_claim_whole'
            WHEN NEW.purse_side NOT IN ('spend', 'load') THEN 'entry_purse_side_known'
            WHEN NEW.day <> (NEW.posted_at AT TIME ZONE 'Asia/Shanghai')::date THEN 'entry_day_is_shanghai'
            WHEN NEW.mode NOT IN ('online', 'offline', 'server') THEN 'entry_mode_known'
            WHEN NEW.kind NOT IN (
                'purchase', 'offline_sale', 'void', 'top_up', 'bank_load', 'subsidy', 'claim', 'levelling', 'refund',
                'fee', 'opening', 'adjustment', 'reversal'
            ) THEN 'entry_kind_known'
            WHEN NEW.contra NOT IN (
                'none', 'merchant', 'drawer', 'bank', 'subsidy', 'levelling', 'fee', 'opening'
            ) THEN 'entry_contra_known'
        END;
    BEGIN
        IF broken IS NOT NULL THEN
            RAISE EXCEPTION 'entry % of account % breaks %', NEW.seq, NEW.account_id, broken
                USING ERRCODE = 'check_violation', CONSTRAINT = broken;
        END IF;
        PERFORM set_config('ecard.backed', concat_ws(' ', NEW.id,
            NEW.book_after_fen - NEW.book_change_fen, NEW.book_after_fen,
            NEW.unclaimed_after_fen - NEW.unclaimed_change_fen, NEW.unclaimed_after_fen), true);
        RETURN NEW;
    END $$
    """,
]

FORMER_RULES = [
    """
    CREATE OR REPLACE FUNCTION transactions_entry_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        broken text := CASE
            WHEN NEW.seq < 1 OR NEW.id <> NEW.account_id * 4294967296 + NEW.seq THEN 'entry_id_names_account_and_seq'
            WHEN NEW.book_change_fen = 0 AND NEW.unclaimed_change_fen = 0 THEN 'entry_moves_something'
            WHEN greatest(abs(NEW.book_change_fen), abs(NEW.unclaimed_change_fen)) > 10000000
                THEN 'entry_amount_bounded'
            WHEN (NEW.contra = 'none') <> (NEW.book_change_fen + NEW.unclaimed_change_fen = 0)
                THEN 'entry_contra_balances'
            WHEN NEW.unclaimed_after_fen < 0 THEN 'entry_unclaimed_not_negative'
            WHEN NEW.book_after_fen < 0 AND NEW.book_change_fen < 0 AND NEW.kind NOT IN ('offline_sale', 'bank_load')
                THEN 'entry_book_below_zero_only_late'
            WHEN (NEW.purse_side IS NULL) <> (NEW.purse_seq IS NULL) THEN 'entry_purse_claim_whole'
            WHEN NEW.purse_side NOT IN ('spend', 'load') THEN 'entry_purse_side_known'
            WHEN NEW.day <> (NEW.posted_at AT TIME ZONE 'Asia/Shanghai')::date THEN 'entry_day_is_shanghai'
            WHEN NEW.mode NOT IN ('online', 'offline', 'server') THEN 'entry_mode_known'
            WHEN NEW.kind NOT IN (
                'purchase', 'offline_sale', 'void', 'top_up', 'bank_load', 'subsidy', 'claim', 'levelling', 'refund',
                'fee', 'opening'
            ) THEN 'entry_kind_known'
            WHEN NEW.contra NOT IN (
                'none', 'merchant', 'drawer', 'bank', 'subsidy', 'levelling', 'fee', 'opening'
            ) THEN 'entry_contra_known'
        END;
    BEGIN
        IF broken IS NOT NULL THEN
            RAISE EXCEPTION 'entry % of account % breaks %', NEW.seq, NEW.account_id, broken
                USING ERRCODE = 'check_violation', CONSTRAINT = broken;
        END IF;
        PERFORM set_config('ecard.backed', concat_ws(' ', NEW.id,
            NEW.book_after_fen - NEW.book_change_fen, NEW.book_after_fen,
            NEW.unclaimed_after_fen - NEW.unclaimed_change_fen, NEW.unclaimed_after_fen), true);
        RETURN NEW;
    END $$
    """,
]

# At COMMIT, where the account is looked at anyway: a refund without its line in the register could be paid twice.
STANDS = [
    """
    CREATE OR REPLACE FUNCTION transactions_entry_stands() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM 1 FROM accounts_account WHERE id = NEW.account_id AND entry_seq >= NEW.seq;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'entry % of account % is not counted there', NEW.seq, NEW.account_id
                USING ERRCODE = 'foreign_key_violation';
        END IF;
        IF NEW.kind = 'refund' THEN
            PERFORM 1 FROM transactions_refund WHERE entry_id = NEW.corrects AND refunded_by = NEW.id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'refund % of account % is not registered for the entry it corrects',
                    NEW.seq, NEW.account_id USING ERRCODE = 'foreign_key_violation';
            END IF;
        END IF;
        RETURN NULL;
    END $$
    """,
]

FORMER_STANDS = [
    """
    CREATE OR REPLACE FUNCTION transactions_entry_stands() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM 1 FROM accounts_account WHERE id = NEW.account_id AND entry_seq >= NEW.seq;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'entry % of account % is not counted there', NEW.seq, NEW.account_id
                USING ERRCODE = 'foreign_key_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
]

GROWING = ("refund", "offlinetrace")

LOCKS = [
    *(
        statement
        for table in GROWING
        for statement in (
            (
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON transactions_{table} "
                "FOR EACH ROW EXECUTE FUNCTION transactions_refuse_change()"
            ),
            (
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON transactions_{table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION transactions_refuse_change()"
            ),
        )
    ),
    "GRANT SELECT, INSERT ON transactions_refund, transactions_offlinetrace TO ecard_app",
]

NO_LOCKS = [
    f"DROP TRIGGER {table}_{lock} ON transactions_{table}"
    for table in GROWING
    for lock in ("append_only", "no_truncate")
]


class Migration(migrations.Migration):
    dependencies = [("transactions", "0002_ledger"), ("accounts", "0004_levelled_seq")]

    operations = [
        migrations.CreateModel(
            name="Refund",
            fields=[
                ("entry_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("refunded_by", models.BigIntegerField(unique=True)),
            ],
            options={"verbose_name": "退还登记", "verbose_name_plural": "退还登记"},
        ),
        migrations.CreateModel(
            name="OfflineTrace",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("card_id", models.BigIntegerField()),
                ("card_seq", models.IntegerField()),
                ("terminal_id", models.BigIntegerField(null=True)),
                ("journal_seq", models.BigIntegerField(null=True)),
                ("fen", models.IntegerField(null=True)),
                ("seen_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "脱机痕迹",
                "verbose_name_plural": "脱机痕迹",
                "constraints": [
                    models.UniqueConstraint(fields=("card_id", "card_seq"), name="offline_trace_once")
                ],
            },
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    "entry",
                    "kind",
                    models.TextField(
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
                        ]
                    ),
                ),
            ]
        ),
        migrations.RunSQL(RULES, FORMER_RULES),
        migrations.RunSQL(STANDS, FORMER_STANDS),
        migrations.RunSQL(LOCKS, NO_LOCKS),
    ]
