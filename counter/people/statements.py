"""A statement on paper: its lines in pages with their sums, and a code by which a sheet is known for ours."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from accounts.keys import Secrets
from transactions import selectors as money
from transactions.selectors import StatementLine, StatementRange, Totals

PER_PAGE = 28
MOST = 2_000
"""Lines on one statement at most; who needs more asks for shorter ranges."""
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page: lines, the oldest first, and what they move in the book. Amounts in fen, both ≥ 0."""

    number: int
    lines: Sequence[StatementLine]
    in_fen: int
    out_fen: int
    book_after_fen: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A whole statement. ``code`` covers account, range, counts and sums, so that a changed sheet does not fit it."""

    sheets: Sequence[Sheet]
    totals: Totals
    opening_fen: int
    closing_fen: int
    last_seq: int
    cut: bool
    """Whether there are more lines than a statement takes."""
    code: str


def of(account_id: int, number: int, which: StatementRange, *, secrets: Secrets) -> Statement:
    """The statement of one account. Four statements of SQL, whatever its length."""
    page = money.statement_page(account_id, which, size=MOST)
    lines = page.lines[::-1]
    totals = money.statement_totals(account_id, which)
    closing = lines[-1].book_after_fen if lines else 0
    opening = lines[0].book_after_fen - lines[0].book_change_fen if lines else 0
    last_seq = lines[-1].seq if lines else 0
    told = (
        f"{number}|{which.from_on}|{which.to_on}|{last_seq}|{totals.count}|{totals.in_fen}|{totals.out_fen}"
        f"|{opening}|{closing}"
    )
    return Statement(
        sheets=[_sheet(place, lines[start : start + PER_PAGE]) for place, start in _starts(len(lines))],
        totals=totals,
        opening_fen=opening,
        closing_fen=closing,
        last_seq=last_seq,
        cut=page.older_than is not None,
        code=_code(secrets.blind("statement", told)),
    )


def fits(statement: Statement, typed: str) -> bool:
    """Whether a code read from paper is this statement's; case and hyphens do not matter."""
    plain = typed.upper().replace("-", "").replace(" ", "")
    return hmac.compare_digest(statement.code.replace("-", "").encode(), plain.encode())


def _starts(count: int) -> list[tuple[int, int]]:
    return [(place + 1, start) for place, start in enumerate(range(0, count, PER_PAGE))]


def _sheet(number: int, lines: Sequence[StatementLine]) -> Sheet:
    changes = [line.book_change_fen for line in lines]
    return Sheet(
        number=number,
        lines=lines,
        in_fen=sum(change for change in changes if change > 0),
        out_fen=-sum(change for change in changes if change < 0),
        book_after_fen=lines[-1].book_after_fen,
    )


def _code(digest: bytes) -> str:
    """Twelve letters in three groups, without those that are misread."""
    number = int.from_bytes(digest[:8], "big")
    letters = "".join(_LETTERS[number >> shift & 31] for shift in range(0, 60, 5))
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"
