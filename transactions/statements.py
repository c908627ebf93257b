"""A statement on paper: its lines in sheets, its arithmetic, and a code by which paper is known for ours.

A statement is named by its reference, ``10086-20261001-20261031-57``: account, first day, last day, last movement. The
ledger never changes, so whoever types reference and code later gets the same statement, whatever was posted since.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from itertools import pairwise

from accounts.keys import Secrets
from accounts.models import Account
from transactions import selectors as money
from transactions.models import EntryKind
from transactions.selectors import LAST_SEQ, StatementLine, StatementRange, Totals

FIRST_SHEET = 14
PER_SHEET = 26
"""Lines that fit on the first sheet, below the sums, and on each other one."""
MOST = 5_000
"""Lines on one statement at most; what came before them stands in one line, so that the sums still hold."""
LONGEST_DAYS = 366
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALIKE = str.maketrans("OIL", "011")
"""What a reader of paper takes for each other; the code has none of the letters."""
_REFERENCE = re.compile(r"\A([0-9]{5})-([0-9]{8})-([0-9]{8})-(0|[1-9][0-9]{0,9})\Z")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page: lines, the oldest first, and what they move in the book. Amounts in fen, both ≥ 0."""

    number: int
    lines: Sequence[StatementLine]
    in_fen: int
    out_fen: int
    book_after_fen: int


@dataclass(frozen=True, slots=True)
class KindSum:
    """What the movements of one kind add up to. Amounts in fen, both ≥ 0."""

    kind: EntryKind
    in_fen: int
    out_fen: int
    count: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A whole statement: opening book + in − out = closing book, to the fen.

    ``code`` covers every line that is listed and every sum, so that a changed sheet does not fit it. ``earlier`` is
    what lies before the first line where there are more than ``MOST``, else None; ``carried_fen`` the book after it.
    """

    reference: str
    which: StatementRange
    sheets: Sequence[Sheet]
    kinds: Sequence[KindSum]
    totals: Totals
    opening_fen: int
    closing_fen: int
    earlier: Totals | None
    carried_fen: int
    code: str


def of(account_id: int, number: int, which: StatementRange, *, secrets: Secrets) -> Statement:
    """The statement of one account. Three statements of SQL and one for the places, whatever its length."""
    lines = money.statement_page(account_id, which, size=MOST).lines[::-1]
    last_seq = lines[-1].seq if lines else 0
    which = replace(which, until_seq=last_seq)  # what is posted meanwhile is in the sums no more than here
    kinds = [KindSum(*row) for row in money.statement_kinds(account_id, which)]
    totals = _total(kinds)
    closing_fen = lines[-1].book_after_fen if lines else money.book_before(account_id, which.from_on)
    opening_fen = closing_fen - totals.in_fen + totals.out_fen
    carried_fen = lines[0].book_after_fen - lines[0].book_change_fen if lines else opening_fen
    found = Statement(
        reference=f"{number}-{which.from_on:%Y%m%d}-{which.to_on:%Y%m%d}-{last_seq}",
        which=which,
        sheets=_sheets(lines),
        kinds=kinds,
        totals=totals,
        opening_fen=opening_fen,
        closing_fen=closing_fen,
        earlier=_earlier(totals, lines) if len(lines) < totals.count else None,
        carried_fen=carried_fen,
        code="",
    )
    return replace(found, code=_code(found, lines, secrets))


def fits(statement: Statement, typed: str) -> bool:
    """Whether a code read from paper is this statement's; case, hyphens and look-alikes do not matter."""
    return hmac.compare_digest(_plain(statement.code).encode(), _plain(typed).encode())


def checked(reference: str, code: str, *, secrets: Secrets) -> Statement | None:
    """The statement that paper of this reference and code shows, or None: for anybody who holds the paper.

    The first group of the code belongs to the reference alone, so that a guess is refused before anything is read, and
    an account that does not exist is answered like one that does. A number may have had several accounts, years apart.
    """
    typed, found = _plain(code), _REFERENCE.match(reference)
    if found is None or not hmac.compare_digest(
        _letters(_named(reference, secrets), 4).encode(), typed[:4].encode()
    ):
        return None
    which = _range(found)
    if which is None:
        return None
    for account_id in (
        Account.objects.filter(number=int(found[1])).order_by("-pk").values_list("pk", flat=True)
    ):
        again = of(account_id, int(found[1]), which, secrets=secrets)
        if again.reference == reference and fits(again, typed):
            return again
    return None


def _range(found: re.Match[str]) -> StatementRange | None:
    try:
        first, last = (date.fromisoformat(found[place]) for place in (2, 3))
    except ValueError:
        return None
    if not 0 <= (last - first).days <= LONGEST_DAYS or int(found[4]) > LAST_SEQ:
        return None
    return StatementRange(first, last, until_seq=int(found[4]))


def _total(kinds: Sequence[KindSum]) -> Totals:
    return Totals(
        in_fen=sum(row.in_fen for row in kinds),
        out_fen=sum(row.out_fen for row in kinds),
        count=sum(row.count for row in kinds),
    )


def _moved(lines: Sequence[StatementLine]) -> Totals:
    changes = [line.book_change_fen for line in lines]
    return Totals(
        in_fen=sum(change for change in changes if change > 0),
        out_fen=-sum(change for change in changes if change < 0),
        count=len(changes),
    )


def _earlier(totals: Totals, lines: Sequence[StatementLine]) -> Totals:
    shown = _moved(lines)
    return Totals(totals.in_fen - shown.in_fen, totals.out_fen - shown.out_fen, totals.count - shown.count)


def _sheets(lines: Sequence[StatementLine]) -> list[Sheet]:
    bounds = [0, *range(FIRST_SHEET, len(lines), PER_SHEET), len(lines)] if lines else []
    return [_sheet(number, lines[start:end]) for number, (start, end) in enumerate(pairwise(bounds), start=1)]


def _sheet(number: int, lines: Sequence[StatementLine]) -> Sheet:
    moved = _moved(lines)
    return Sheet(number, lines, moved.in_fen, moved.out_fen, lines[-1].book_after_fen)


def _code(statement: Statement, lines: Sequence[StatementLine], secrets: Secrets) -> str:
    """Twelve letters in three groups: the first of the reference, the others of everything that is said."""
    digest = sha256()
    for line in lines:
        said = (
            f"{line.seq}|{line.kind}|{line.mode}|{line.book_change_fen}|{line.unclaimed_change_fen}|{line.book_after_fen}"
            f"|{line.occurred_at.timestamp()}|{line.posted_at.timestamp()}|{line.merchant_id}|{line.terminal_id}\n"
        )
        digest.update(said.encode())
    sums = statement.totals
    told = (
        f"{statement.reference}|{sums.count}|{sums.in_fen}|{sums.out_fen}|{statement.opening_fen}"
        f"|{statement.closing_fen}|{digest.hexdigest()}"
    )
    rest = _letters(secrets.blind("statement", told), 8)
    return f"{_letters(_named(statement.reference, secrets), 4)}-{rest[:4]}-{rest[4:]}"


def _named(reference: str, secrets: Secrets) -> bytes:
    return secrets.blind("statement-reference", reference)


def _letters(digest: bytes, count: int) -> str:
    number = int.from_bytes(digest[:8], "big")
    return "".join(_LETTERS[number >> shift & 31] for shift in range(0, 5 * count, 5))


def _plain(typed: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", typed.upper().translate(_ALIKE))
