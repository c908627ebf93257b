"""Finding the person who stands at a desk: by account, school number, name or card, a page at a time.

Names come in the order of a Chinese index. PostgreSQL with ICU knows the pinyin of all characters; without it the bytes
of GB 18030 order the 3,755 characters of everyday names by pinyin and put rare ones after them (docs/decisions/0023).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from django.db import connection

from accounts.checks.masks import mask_name, mask_school_no
from accounts.models import AccountLife, ServiceKind

SIZE = 20
LONGEST = 40
_ACCOUNT = re.compile(r"\A[0-9]{5}\Z")
_UID = re.compile(r"\A(?:[0-9A-F]{8}|[0-9A-F]{14})\Z")
_SCHOOL = re.compile(r"\A[0-9A-Z]{4,20}\Z")


class SearchKind(StrEnum):
    """What the typed text can be."""

    ACCOUNT = "account"
    NUMBER = "number"
    """A school number or its beginning, or the UID of a chip."""
    NAME = "name"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for: text without blanks at its ends, letters of numbers upper case."""

    kind: SearchKind
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """An account in a list: masked, without money."""

    account_id: int
    number: int
    name: str
    school_no: str
    unit: str
    kind: str
    life: str
    lost: bool
    frozen: bool
    cursor: str

    @property
    def kind_word(self) -> Any:
        """正式卡 or 记名卡."""
        return ServiceKind(self.kind).label

    @property
    def life_word(self) -> Any:
        """The life of the account, in a word."""
        return AccountLife(self.life).label


@dataclass(frozen=True, slots=True)
class FoundPage:
    """One page; ``after`` is the cursor of the next one, None at the end."""

    rows: Sequence[Found]
    after: str | None


def wanted(raw: str) -> Wanted:
    """Say what a text can be: five digits are an account; letters and digits a number or a chip; the rest a name."""
    text = raw.strip()
    upper = text.upper()
    if not text or len(text) > LONGEST:
        return Wanted(SearchKind.NOTHING, text)
    if _ACCOUNT.match(text):
        return Wanted(SearchKind.ACCOUNT, text)
    if upper.isascii() and (_SCHOOL.match(upper) or _UID.match(upper)) and re.search(r"[0-9]", upper):
        return Wanted(SearchKind.NUMBER, upper)
    return Wanted(SearchKind.NAME, text)


def find(what: Wanted, *, after: str = "", size: int = SIZE) -> FoundPage:
    """One page of accounts, ended ones last in no list: an account number finds also a closed account.

    One statement. ``after``: the cursor of the last row seen; an unknown one begins anew.
    """
    if what.kind is SearchKind.NOTHING:
        return FoundPage((), None)
    order = _order_of_names() if what.kind is SearchKind.NAME else "holder.school_no"
    condition, values = _condition(what)
    cursor_sql, cursor_values = _behind(after, order)
    sql = f"""
        SELECT account.id, account.number, holder.name, holder.school_no, holder.unit, account.kind, account.life,
            coalesce(card.lost, false), account.frozen_reasons <> '{{}}'
        FROM accounts_account account
        JOIN accounts_holder holder ON holder.id = account.holder_id
        LEFT JOIN accounts_card card ON card.account_id = account.id AND card.life IN ('issued', 'active')
        WHERE {condition} {cursor_sql}
        ORDER BY {order}, account.id
        LIMIT %s
    """  # noqa: S608 - made of the fixed pieces above
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, *cursor_values, size + 1])
        rows = cursor.fetchall()
    found = [_found(row) for row in rows[:size]]
    return FoundPage(found, found[-1].cursor if len(rows) > size else None)


def _condition(what: Wanted) -> tuple[str, list[Any]]:
    if what.kind is SearchKind.ACCOUNT:
        return "account.number = %s", [int(what.text)]
    if what.kind is SearchKind.NUMBER:
        by_number = "holder.school_no LIKE %s"
        values: list[Any] = [f"{what.text}%"]
        if _UID.match(what.text):
            by_card = "account.id IN (SELECT account_id FROM accounts_card WHERE uid = %s)"
            return f"(({by_number} AND account.life <> 'closed') OR {by_card})", [*values, what.text]
        return f"{by_number} AND account.life <> 'closed'", values
    part = re.sub(r"([\\%_])", r"\\\1", what.text)
    return "holder.name LIKE %s AND account.life <> 'closed'", [f"%{part}%"]


def _behind(after: str, order: str) -> tuple[str, list[Any]]:
    """Only what comes after the row with this id, by the values that the row has now."""
    if not re.match(r"\A[1-9][0-9]{0,17}\Z", after):
        return "", []
    row = f"""
        AND ({order}, account.id) > (
            SELECT {order}, account.id
            FROM accounts_account account JOIN accounts_holder holder ON holder.id = account.holder_id
            WHERE account.id = %s
        )
    """  # noqa: S608 - made of the fixed pieces above
    return row, [int(after)]


def _found(row: Sequence[Any]) -> Found:
    return Found(
        account_id=row[0],
        number=row[1],
        name=mask_name(row[2]),
        school_no=mask_school_no(row[3]),
        unit=row[4],
        kind=row[5],
        life=row[6],
        lost=row[7],
        frozen=row[8],
        cursor=str(row[0]),
    )


PINYIN = 'holder.name COLLATE "zh-x-icu"'
BY_BYTES = "convert_to(holder.name, 'GB18030')"


@cache
def _order_of_names() -> str:
    """By pinyin where this PostgreSQL has ICU, else by the bytes of GB 18030."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_collation WHERE collname = 'zh-x-icu')")
        known = cursor.fetchone()[0]
    return PINYIN if known else BY_BYTES
