"""Checking every promise about the books at one moment. Reads only; the tills go on working."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from purse.policy import Policy
from reconciliation import audit_chain
from reconciliation.digest import DayKeys
from reconciliation.invariants import ALL, days, decisions

LIST_MAX = 1000
"""So many broken promises of one kind are named; a thousand say as much as a million."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken promise: which, and at which account and entry, where it is about one."""

    id: str
    account: int | None
    """The five digits."""
    entry: int | None
    """Its number on the statement."""
    what: str


@dataclass(slots=True)
class Verdict:
    """What was looked at, by promise, and what does not hold."""

    checked: Counter[str] = field(default_factory=Counter)
    broken: list[Broken] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every promise holds."""
        return not self.broken

    def to_json(self) -> dict[str, Any]:
        """The shape that interfaces.md fixes."""
        return {
            "ok": self.ok,
            "checked": dict(self.checked),
            "broken": [
                {"id": each.id, "account": each.account, "entry": each.entry, "what": each.what}
                for each in self.broken
            ],
        }


def verify(*, policy: Policy, keys: DayKeys | None = None, audit_key: bytes | None = None) -> Verdict:
    """Check every invariant (reliability.md section 2) in one snapshot. Not to be called inside a transaction.

    Without ``keys`` the digests of closed days (L8) are not computed again, only their chain and sums are looked at;
    the same for the seals of the audit (S6) without ``audit_key``.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL statement_timeout = 0")
        return check_all(cursor, policy, keys, audit_key)


def check_all(
    cursor: CursorWrapper, policy: Policy, keys: DayKeys | None = None, audit_key: bytes | None = None
) -> Verdict:
    """Run every check in the transaction of ``cursor``, whose snapshot should be one."""
    bounds = {
        "max_book_fen": policy.max_book_fen,
        "max_limit_fen": policy.max_limit_fen,
        "load_min_fen": policy.load_min_fen,
        "load_max_fen": policy.load_max_fen,
        "levelling_silence_s": int(policy.levelling_silence.total_seconds()),
    }
    for name, number in bounds.items():
        cursor.execute("SELECT set_config(%s, %s, true)", [f"ecard.{name}", str(number)])
    verdict = Verdict()
    for check in ALL:
        verdict.checked[check.id] += _ask(cursor, check.counted)[0][0]
        verdict.broken += [Broken(check.id, *row) for row in _ask(cursor, f"{check.broken} LIMIT {LIST_MAX}")]
    verdict.checked[decisions.ID] += _ask(cursor, decisions.COUNTED)[0][0]
    verdict.broken += [Broken(decisions.ID, *row) for row in islice(decisions.broken(cursor), LIST_MAX)]
    verdict.checked[days.ID] += _ask(cursor, days.COUNTED)[0][0]
    verdict.broken += [Broken(days.ID, *row) for row in islice(days.broken(cursor, keys), LIST_MAX)]
    verdict.checked[audit_chain.ID] += _ask(cursor, audit_chain.COUNTED)[0][0]
    seals = islice(audit_chain.broken(cursor, audit_key), LIST_MAX)
    verdict.broken += [Broken(audit_chain.ID, *row) for row in seals]
    return verdict


def _ask(cursor: CursorWrapper, query: str) -> list[tuple[Any, ...]]:
    cursor.execute(query)
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
