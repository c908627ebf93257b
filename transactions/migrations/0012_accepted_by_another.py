"""Nobody accepts his own shift under another name: two operators of one holder are one person (K07)."""

from __future__ import annotations

from importlib import import_module

from django.db import migrations

_RULES = next(
    statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    for statement in import_module("transactions.migrations.0008_cash_guards").SHIFT
    if "CREATE FUNCTION transactions_shift_rules()" in statement
)
_BEFORE = (
    "            WHEN OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL AND NEW.accepted_at IS NOT NULL\n"
)
if _RULES.count(_BEFORE) != 1:
    raise ValueError("the rules of a shift do not say once when it may be accepted")
RULES = _RULES.replace(
    _BEFORE,
    "            WHEN NEW.accepted_at IS NOT NULL AND OLD.accepted_at IS NULL\n"
    "                AND accounts_same_person(NEW.accepted_by_id, NEW.officer_id) THEN 'shift_accepted_by_another'\n"
    + _BEFORE,
)


class Migration(migrations.Migration):
    dependencies = [
        ("transactions", "0011_leaner_sale"),
        ("accounts", "0014_one_person_two_names"),
    ]

    operations = [migrations.RunSQL(RULES, _RULES)]
