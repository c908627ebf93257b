"""One promise: its id, how many things it is about, and what breaks it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """``counted`` is a query of one number, ``broken`` one of rows (account number, entry seq, what is wrong)."""

    id: str
    counted: str
    broken: str


def bound(name: str) -> str:
    """A number of the policy, as SQL; ``verify`` puts it into the session."""
    return f"current_setting('ecard.{name}')::bigint"


ENTRIES = "SELECT count(*) FROM transactions_entry"
ACCOUNTS = "SELECT count(*) FROM accounts_account"
CARDS = "SELECT count(*) FROM accounts_card"
ANSWERS = "SELECT count(*) FROM transactions_answer"
