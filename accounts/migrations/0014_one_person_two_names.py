"""Two operators of one holder are one person; an agreement holds as long as whoever gave it may give it (L9, P5, E7)."""

from __future__ import annotations

from importlib import import_module

from django.db import migrations

_FORMER = [
    statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    for statement in import_module("accounts.migrations.0006_oversight").TWO_PEOPLE
    if "CREATE FUNCTION accounts_request_r" in statement and "_rules()" in statement
]
_RULING, _RESULT = _FORMER[-2:]
_ENTITLED = """NOT checker.is_active
                OR checker.role <> CASE asked.needs WHEN 'admin' THEN 'admin' ELSE 'supervisor' END
                OR (asked.needs = 'chief' AND checker.campus_id IS NOT NULL)
                OR (asked.needs = 'second' AND checker.campus_id IS NOT NULL
                    AND checker.campus_id IS DISTINCT FROM asked.campus_id)"""


def _changed(text: str, *pairs: tuple[str, str]) -> str:
    """A function with some of its lines changed; every other rule stays word for word."""
    for former, wanted in pairs:
        if text.count(former) != 1:
            raise ValueError(f"the function does not say once: {former}")
        text = text.replace(former, wanted)
    return text


ENTITLED = """
    CREATE FUNCTION accounts_request_checker_fits(asked accounts_request, checker accounts_operator)
    RETURNS boolean STABLE LANGUAGE sql AS $$
        SELECT checker.is_active
            AND checker.role = CASE asked.needs WHEN 'admin' THEN 'admin' ELSE 'supervisor' END
            AND (asked.needs <> 'chief' OR checker.campus_id IS NULL)
            AND (asked.needs <> 'second' OR checker.campus_id IS NULL
                OR checker.campus_id IS NOT DISTINCT FROM asked.campus_id)
    $$
"""
SAME_PERSON = """
    CREATE FUNCTION accounts_same_person(one bigint, other bigint) RETURNS boolean STABLE LANGUAGE sql AS $$
        SELECT one = other OR EXISTS (
            SELECT FROM accounts_operator a JOIN accounts_operator b ON b.holder_id = a.holder_id
            WHERE a.id = one AND b.id = other
        )
    $$
"""
_BEFORE_RESULT = "            WHEN EXISTS (SELECT FROM accounts_requestresult"
_IN_TIME = "            WHEN NEW.done AND NEW.at >="
_ANOTHER = """            WHEN NEW.verdict <> 'withdrawn' AND accounts_same_person(NEW.checker_id, asked.maker_id)
                THEN 'request_ruling_by_another'
"""
_STILL = """            WHEN NEW.done AND NOT accounts_request_checker_fits(asked, checker)
                THEN 'request_result_of_entitled'
"""
_CHECKER = """        SELECT person.* INTO checker FROM accounts_operator person
            JOIN accounts_requestruling ruling ON ruling.checker_id = person.id
            WHERE ruling.request_id = NEW.request_id;
"""
_ABOUT = "NEW.checker_id = asked.operator_id OR EXISTS"
RULING = _changed(
    _RULING,
    (_BEFORE_RESULT, _ANOTHER + _BEFORE_RESULT),
    (_ABOUT, "accounts_same_person(NEW.checker_id, asked.operator_id) OR EXISTS"),
    (_ENTITLED, "NOT accounts_request_checker_fits(asked, checker)"),
)
RESULT = _changed(
    _RESULT,
    ("        broken text;\n", "        checker accounts_operator%ROWTYPE;\n        broken text;\n"),
    ("        broken := CASE\n", _CHECKER + "        broken := CASE\n"),
    (_IN_TIME, _STILL + _IN_TIME),
)
NO_HELP = [
    "DROP FUNCTION accounts_same_person(bigint, bigint)",
    "DROP FUNCTION accounts_request_checker_fits(accounts_request, accounts_operator)",
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0013_alerts")]

    operations = [
        migrations.RunSQL([ENTITLED, SAME_PERSON], NO_HELP),
        migrations.RunSQL([RULING, RESULT], [_RULING, _RESULT]),
    ]
