"""Everything that is kept about one person, for that person (PIPL art. 45): every row that names an account of his.

The tables are found by their columns, so one that is added later is not forgotten. Left out is what protects him and
others and tells nothing: hashes, keys, signatures, images for card writes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from accounts.alerts import address_of
from accounts.csvfile import csv_lines
from accounts.keys import Secrets
from accounts.models import Account, AlertContact, Card, Holder, Photo
from accounts.services import holders
from banking.models import Binding
from banking.services import bindings
from ecard.ops import export
from ecard.ops.export import Errand, Writing

NEVER: Final = frozenset(
    {"pin_hash", "password", "session_key", "browser", "key", "source_key", "told", "asked", "images", "legs"}
)
"""Columns that are secrets, or the machinery of card writes. Columns of bytes are left out besides."""
_LINKS: Final = """
    SELECT c.table_name, c.column_name FROM information_schema.columns c
    JOIN pg_class t ON t.relname = c.table_name AND t.relnamespace = 'public'::regnamespace
    WHERE c.table_schema = 'public' AND c.column_name IN ('account_id', 'holder_id', 'card_id')
        AND t.relkind IN ('r', 'p') AND NOT t.relispartition
    ORDER BY c.table_name, c.column_name
"""
_COLUMNS: Final = """
    SELECT column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = %s AND data_type <> 'bytea' AND NOT column_name = ANY(%s)
    ORDER BY ordinal_position
"""
_ABOUT: Final = """
    actor = %s OR (object_kind, object_id) = ('holder', %s) OR (object_kind = 'account' AND object_id = ANY(%s))
"""
CHILDREN: Final = {
    "reconciliation_disputeevent": ("dispute_id", "reconciliation_dispute"),
    "reconciliation_casenote": ("case_id", "reconciliation_case"),
    "accounts_foundevent": ("found_id", "accounts_foundcard"),
}
"""Rows that name no account themselves, but something that does."""


class NobodyHere(Exception):
    """Nobody has or had an account of this number."""


@dataclass(frozen=True, slots=True)
class Table:
    """What one table says of the person, as values that JSON can tell."""

    name: str
    columns: list[str]
    rows: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Copy:
    """What was written."""

    path: Path
    tables: int
    rows: int


def copy_of(
    number: int, errand: Errand, folder: Path, *, secrets: Secrets, audit_key: bytes, now: datetime
) -> Copy:
    """Write everything about whoever has, or had last, this account. In the audit before the file stands there.

    Raises ``NobodyHere`` and ``OSError``.
    """
    account = Account.objects.filter(number=number).select_related("holder").order_by("-id").first()
    if account is None:
        raise NobodyHere(f"no account {number}")
    holder = account.holder
    path = folder / f"ecard-holder-{number}-{now:%Y%m%dT%H%M%S}.zip"
    with transaction.atomic(), export.writing(path) as file:
        tables = list(tables_of(holder))
        rows = {table.name: len(table.rows) for table in tables}
        made_at = now.isoformat(timespec="seconds")
        facts = {"what": "holder", "account": number, "made_at": made_at, "rows": rows}
        export.note(
            "holder.export",
            ("holder", holder.uid),
            errand,
            after={"account": account.pk, "rows": sum(rows.values())},
            now=now,
        )
        file.put("person.json", _json(_opened(holder, secrets)))
        for table in tables:
            _put(file, table)
        photo = Photo.objects.filter(holder=holder).first()
        if photo is not None:
            file.put("photo.jpg", bytes(photo.image))
        file.archive.writestr(export.MANIFEST, export.sign(facts, file.digests, key=audit_key))
    return Copy(path, len(tables), sum(rows.values()))


def tables_of(holder: Holder) -> Iterator[Table]:
    """Every table with a row about this person."""
    accounts = list(Account.objects.filter(holder=holder).values_list("pk", flat=True))
    ids = {
        "account_id": accounts,
        "holder_id": [holder.pk],
        "card_id": list(Card.objects.filter(account_id__in=accounts).values_list("pk", flat=True)),
    }
    with connection.cursor() as cursor:
        cursor.execute(_LINKS)
        links: dict[str, list[str]] = {}
        for table, column in cursor.fetchall():
            links.setdefault(table, []).append(column)
        yield from _rows(cursor, "accounts_holder", "id = %s", [holder.pk])
        for table, columns in links.items():
            where = " OR ".join(f"{column} = ANY(%s)" for column in columns)
            yield from _rows(cursor, table, where, [ids[column] for column in columns])
        for table, (column, parent) in CHILDREN.items():
            where = f"{column} IN (SELECT id FROM {parent} WHERE account_id = ANY(%s))"  # noqa: S608 - fixed names
            yield from _rows(cursor, table, where, [accounts])
        who = [f"holder:{holder.uid}", str(holder.uid), [str(account) for account in accounts]]
        yield from _rows(cursor, "accounts_auditevent", _ABOUT, who)


def _rows(cursor: CursorWrapper, table: str, where: str, values: list[Any]) -> Iterator[Table]:
    cursor.execute(_COLUMNS, [table, list(NEVER)])
    columns = [name for (name,) in cursor.fetchall()]
    chosen = ", ".join(f'"{name}"' for name in columns)
    cursor.execute(f'SELECT {chosen} FROM "{table}" WHERE {where} ORDER BY 1', values)  # noqa: S608 - names of tables
    rows = [list(row) for row in cursor.fetchall()]
    if rows:
        yield Table(table, columns, rows)


def _opened(holder: Holder, secrets: Secrets) -> dict[str, Any]:
    """What is sealed in the tables, open: it is the person's own."""
    bound = Binding.objects.filter(account__holder=holder, erased_at__isnull=True).order_by("pk")
    return {
        "name": holder.name,
        "school_no": holder.school_no,
        "document": holder.document_kind,
        "id_number": holders.id_number_of(holder, secrets),
        "bank_cards": [bindings.bank_card_of(row, secrets) for row in bound],
        "addresses": [
            address_of(row, "sealed", secrets)
            for row in AlertContact.objects.filter(account__holder=holder, sealed__isnull=False)
        ],
    }


def _put(file: Writing, table: Table) -> None:
    """Once for programs, once for people with a spreadsheet."""
    file.put(
        f"tables/{table.name}.json", _json([dict(zip(table.columns, row, strict=True)) for row in table.rows])
    )
    text = io.StringIO()
    text.writelines(csv_lines(table.columns, ([_cell(value) for value in row] for row in table.rows)))
    file.put(f"tables/{table.name}.csv", text.getvalue().encode())


def _cell(value: Any) -> object:
    if value is None:
        return ""
    return value if isinstance(value, int | str) else str(value)


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n").encode()
