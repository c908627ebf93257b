"""Two operators of one holder are one person, and what was approved is done while its approver may approve (L9, P5)."""

from __future__ import annotations

from importlib import import_module

from django.db import migrations

_CHECK_RULING = next(
    statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    for statement in import_module("reconciliation.migrations.0004_decision_guards").TWO_PEOPLE
    if "CREATE FUNCTION reconciliation_check_ruling()" in statement
)
_CHECK_RESULT = vars(import_module("reconciliation.migrations.0005_dropped_decisions"))["_RULE"].format(
    guard="NEW.done AND "
)
_BEFORE_RESULT = "            WHEN EXISTS (SELECT FROM reconciliation_decisionresult"
_END = "        RETURN NEW;\n"


def _before(line: str, text: str, added: str) -> str:
    """A function with some lines more before one of its own."""
    if text.count(line) != 1:
        raise ValueError(f"the function does not say once: {line}")
    return text.replace(line, added + line)


CHECK_RULING = _before(
    _BEFORE_RESULT,
    _CHECK_RULING,
    "            WHEN NEW.verdict <> 'withdrawn' AND accounts_same_person(NEW.checker_id, asked.maker_id)\n"
    "                THEN 'ruling_by_another_person'\n",
)
CHECK_RESULT = _before(
    _END,
    _CHECK_RESULT,
    """        IF NEW.done AND verdict = 'approved' AND NOT EXISTS (
            SELECT FROM reconciliation_ruling ruling
            JOIN reconciliation_decision decision ON decision.id = ruling.decision_id
            JOIN accounts_operator checker ON checker.id = ruling.checker_id
            WHERE ruling.decision_id = NEW.decision_id AND checker.is_active AND checker.role = 'supervisor'
                AND (checker.campus_id IS NULL OR checker.campus_id = decision.campus_id)
        ) THEN
            RAISE EXCEPTION 'decision % was approved by somebody who may not any more', NEW.decision_id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'decision_result_of_entitled';
        END IF;
""",
)


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0009_assigned_cases"),
        ("accounts", "0014_one_person_two_names"),
    ]

    operations = [migrations.RunSQL([CHECK_RULING, CHECK_RESULT], [_CHECK_RULING, _CHECK_RESULT])]
