"""The locks on the books (L5): triggers on, partitions guarded, the application owning nothing."""

# ruff: noqa: S608 - fixed texts put together from fixed parts; nothing that anybody entered comes in

from __future__ import annotations

from reconciliation.invariants.check import Check

GROWING = (
    "transactions_answer",
    "transactions_reversal",
    "transactions_outcomenote",
    "transactions_cardfinding",
    "transactions_receipt",
    "transactions_receiptcopy",
    "accounts_auditevent",
    "accounts_lossreport",
    "terminals_uploadedrecord",
    "terminals_uploadverdict",
    "terminals_uploaddecision",
    "reconciliation_casenote",
    "reconciliation_casefinding",
    "reconciliation_decision",
    "reconciliation_ruling",
    "reconciliation_decisionresult",
)
"""Tables to which rows are only ever added, besides the ledger and its partitions."""
GUARDS = (
    ("accounts_account", "account_book_is_backed"),
    ("accounts_account", "account_life"),
    ("accounts_account", "account_unfreeze"),
    ("accounts_card", "card_life"),
    ("accounts_card", "card_unloss"),
    ("transactions_shift", "shift_rules"),
    ("transactions_topupslip", "slip_rules"),
    ("transactions_receiptseries", "series_rules"),
    ("transactions_receipt", "receipt_is_numbered"),
    ("terminals_uploaddecision", "uploaddecision_rules"),
    ("reconciliation_ruling", "ruling_rules"),
    ("reconciliation_decisionresult", "decision_result_rules"),
)
"""Triggers that refuse a change which the models cannot."""


def _name(table: str) -> str:
    return table.split("_", 1)[1]


_TRIGGERS = ", ".join(
    f"('{table}', '{trigger}')"
    for table, trigger in (
        *GUARDS,
        *((table, f"{_name(table)}_{lock}") for table in GROWING for lock in ("append_only", "no_truncate")),
    )
)
_WANTED = f"""
    SELECT to_regclass(wanted.name)::oid AS relid, wanted.name, wanted.trigger
    FROM (VALUES {_TRIGGERS}) AS wanted (name, trigger)
    UNION ALL
    SELECT ledger.oid, ledger.relname, lock.trigger
    FROM pg_class ledger CROSS JOIN (VALUES ('entry_append_only'), ('entry_no_truncate')) AS lock (trigger)
    WHERE ledger.oid = to_regclass('transactions_entry')
        OR ledger.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass('transactions_entry'))
"""
_CLOSED = ", ".join(f"('{table}')" for table in ("transactions_entry", *GROWING))
_GROWING = f"""
    SELECT to_regclass(growing.name)::oid AS relid, growing.name FROM (VALUES {_CLOSED}) AS growing (name)
    UNION ALL
    SELECT inhrelid, inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass('transactions_entry')
"""

LOCKS = (
    Check(
        "L5",
        f"SELECT count(*) FROM ({_WANTED}) AS wanted",
        f"""SELECT NULL, NULL, format('trigger %s on %s is missing or off', wanted.trigger, wanted.name)
        FROM ({_WANTED}) AS wanted
        LEFT JOIN pg_trigger t ON t.tgrelid = wanted.relid AND t.tgname = wanted.trigger AND t.tgenabled IN ('O', 'A')
        WHERE t.oid IS NULL""",
    ),
    Check(
        "L5",
        f"SELECT count(*) FROM ({_GROWING}) AS growing",
        f"""SELECT NULL, NULL, format('the application may %s %s', lower(r.privilege), growing.name)
        FROM ({_GROWING}) AS growing
        CROSS JOIN (VALUES ('UPDATE'), ('DELETE'), ('TRUNCATE')) AS r (privilege)
        WHERE has_table_privilege('ecard_app', growing.relid, r.privilege)
        UNION ALL
        SELECT NULL, NULL, format('the application may not %s %s', lower(r.privilege), growing.name)
        FROM (VALUES {_CLOSED}) AS growing (name)
        CROSS JOIN (VALUES ('SELECT'), ('INSERT')) AS r (privilege)
        WHERE NOT has_table_privilege('ecard_app', to_regclass(growing.name)::oid, r.privilege)
        UNION ALL
        SELECT NULL, NULL, format('the application owns %s', c.relname)
        FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
            AND pg_has_role('ecard_app', c.relowner, 'MEMBER')""",
    ),
)
