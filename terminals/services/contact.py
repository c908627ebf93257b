"""The last contact of a terminal, and with it the protection against replay: (boot, seq) only ever goes up.

It works with any number of worker processes, because the database decides: whoever does not raise the row was heard
before. Losing the row's last moments in a crash is harmless, because a repeated money message finds its answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from terminals.messages.signing import Stamp
from terminals.models import TerminalContact
from transactions.services.orders import Prelude

ADVANCED = """
    advanced AS (
        UPDATE terminals_terminalcontact
        SET boot = %(contact_boot)s, last_seq = %(contact_seq)s, last_contact_at = %(contact_at)s
        WHERE terminal_id = %(contact_terminal)s AND (boot, last_seq) < (%(contact_boot)s, %(contact_seq)s)
        RETURNING terminal_id
    )"""
"""A CTE for a statement that wants to note the contact on the way; no row in ``advanced`` means a replay."""

_CALL = "terminals_advance(%(contact_terminal)s, %(contact_boot)s, %(contact_seq)s, %(contact_at)s)"
# Nobody's money depends on this row, so its commit need not wait for the disk; the setting ends with the statement.
_RELAXED = "quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))"
_ADVANCE = f"WITH {_RELAXED}, {ADVANCED} SELECT (SELECT count(*) FROM advanced), (SELECT count(*) FROM quick)"  # noqa: S608 - fixed


@dataclass(frozen=True, slots=True)
class Contact:
    """One signed request as the contact row notes it."""

    terminal: int
    boot: int
    seq: int
    at: datetime

    @classmethod
    def of(cls, stamp: Stamp, *, now: datetime) -> Contact:
        """The contact that a verified stamp makes at server time ``now``."""
        return cls(stamp.terminal, stamp.boot, stamp.seq, now)

    def params(self) -> dict[str, Any]:
        """The parameters of ``ADVANCED``."""
        return {
            "contact_terminal": self.terminal,
            "contact_boot": self.boot,
            "contact_seq": self.seq,
            "contact_at": self.at,
        }


def prelude(contact: Contact) -> Prelude:
    """The same note as the beginning of a tap's first statement, so that it costs no round trip of its own."""
    return Prelude(ADVANCED, _RELAXED, _CALL, contact.params())


def advance(contact: Contact) -> bool:
    """Note the contact. False: this (boot, seq) or a later one was heard before, so the request is a replay."""
    with connection.cursor() as cursor:
        cursor.execute(_ADVANCE, contact.params())
        row = cursor.fetchone()
    return bool(row and row[0])


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard last of a terminal: its highest boot number, and when it spoke."""

    boot: int
    at: datetime | None


def last_heard(terminal: int) -> Heard:
    """The last contact of this terminal; its next boot number must be above the one of this."""
    return Heard(*TerminalContact.objects.values_list("boot", "last_contact_at").get(terminal_id=terminal))
