"""What must hold at every moment (reliability.md section 2), as one SQL query per promise that returns what breaks it.

A query yields rows (account number or null, entry seq or null, what is wrong). The bounds of the policy stand in the
session while it runs, as ``ecard.max_book_fen`` and the like.
"""

from __future__ import annotations

from reconciliation.invariants.card import CARD
from reconciliation.invariants.cash import CASH
from reconciliation.invariants.check import Check
from reconciliation.invariants.decisions import DECISIONS
from reconciliation.invariants.ledger import LEDGER
from reconciliation.invariants.levelling import LEVELLING
from reconciliation.invariants.locks import LOCKS
from reconciliation.invariants.standing import STANDING

ALL: tuple[Check, ...] = (*LEDGER, *CASH, *LEVELLING, *DECISIONS, *LOCKS, *CARD, *STANDING)

__all__ = ["ALL", "Check"]
