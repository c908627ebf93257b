"""Rows of the permission matrix for ``counter/people``, and the account that its addresses name."""

from __future__ import annotations

from tests.reconciliation.books import Book

ROWS = """
# a: anonymous holder | clerk elsewhere cashier | supervisor elsewhere of_all | auditor elsewhere | merchant admin
counter:accounts        GET   in - 200 200 403 200 200 200 200 200 403 403
counter:accounts        POST  in - 405 405 403 405 405 405 405 405 403 403
counter:account         GET   in - 200 200 403 200 200 200 200 200 403 403
counter:account         POST  in - 405 405 403 405 405 405 405 405 403 403
"""


def world() -> dict[str, object]:
    """An account at 崂山 whose card and book hold 50.00."""
    return {"account_id": Book.open(50_00).account.pk}
