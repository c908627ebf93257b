"""Who may look at the administration and who may change it. A supervisor of one campus sees that campus alone."""

from __future__ import annotations

from accounts.kinds import OperatorRole
from accounts.services.operators import Officer

ADMINS = (OperatorRole.ADMIN,)
LOOKS = (OperatorRole.ADMIN, OperatorRole.SUPERVISOR, OperatorRole.AUDITOR)
KEEPS = (OperatorRole.ADMIN, OperatorRole.SUPERVISOR)
"""Who takes a place out of service, revokes a stolen terminal, puts an alarm to rest."""


def own_campus(officer: Officer) -> int | None:
    """The one campus that this person looks at; None for all of them. Administrators keep all machines."""
    return None if officer.role is OperatorRole.ADMIN else officer.campus_id


def may_see(officer: Officer, campus_id: int) -> bool:
    """Whether things of this campus are shown to this person."""
    return own_campus(officer) in (None, campus_id)
