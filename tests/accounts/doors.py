"""A door of an account's own campus, for tests of standing and grants."""

from __future__ import annotations

from datetime import date

from accounts.checks.identifiers import AccountNumber
from accounts.models import Account, Service
from accounts.rights import Denial, Door, bearer_of_number


def may_use(account_id: int, service: str, *, today: date) -> Denial | None:
    """Why this account's card does not open this service on this day, or None."""
    account = Account.objects.get(pk=account_id)
    door = Door(Service(service), account.campus_id, today)
    bearer = bearer_of_number(AccountNumber(account.number), door)
    return Denial.UNKNOWN if bearer is None else bearer.denial
