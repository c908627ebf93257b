"""The holder's own pages."""

from __future__ import annotations

ROWS = """
# a: anonymous holder | clerk elsewhere cashier | supervisor elsewhere of_all | auditor elsewhere | merchant admin
portal:analysis         GET   in 200 in - - - - - - - - -
portal:analysis         POST  in 405 in - - - - - - - - -
portal:statement_csv    GET   in 200 in - - - - - - - - -
portal:statement_csv    POST  in 405 in - - - - - - - - -
"""


def world() -> dict[str, object]:
    """Nothing is named in these addresses."""
    return {}
