"""A holder's alerts, and the link in a letter, which everybody who has it may open."""

from __future__ import annotations

import uuid

from portal.wiring import off_token

ROWS = """
# a: anonymous holder | clerk elsewhere cashier | supervisor elsewhere of_all | auditor elsewhere | merchant admin
portal:alerts           GET   in 200 in - - - - - - - - -
portal:alerts           POST  in 400 in - - - - - - - - -
portal:alerts_ask       GET   in 405 in - - - - - - - - -
portal:alerts_ask       POST  in 400 in - - - - - - - - -
portal:alerts_confirm   GET   in 405 in - - - - - - - - -
portal:alerts_confirm   POST  in 400 in - - - - - - - - -
portal:alerts_remove    GET   in 405 in - - - - - - - - -
portal:alerts_remove    POST  in go in - - - - - - - - -
portal:alerts_off       GET   200 - - - - - - - - - - -
portal:alerts_off       POST  200 - - - - - - - - - - -
"""


def world() -> dict[str, object]:
    """A way that is offered, and a link that was signed here."""
    return {"alert_way": "mail", "off_token": off_token(uuid.uuid4())}
