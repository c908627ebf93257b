"""The daily limit above which the consumption password is asked (guide L63, L157)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts.actors import AtCounter, AtLoadKiosk
from accounts.models import AccountLife, SecretKind
from accounts.models.standing import LIMIT_MAX_FEN
from accounts.services.errors import NotAllowed, Reason
from accounts.services.passwords import refuse_own
from accounts.services.rows import By, change_account, lock
from purse.policy import Policy

HIGHEST_FEN = LIMIT_MAX_FEN
"""600.00 yuan: what the database allows, and two people (reading A12)."""


@transaction.atomic(durable=True)
def change_limit(
    account_id: int, limit_fen: int, *, door: AtCounter | AtLoadKiosk, policy: Policy, now: datetime
) -> None:
    """Set the limit, 0 (always ask) to ``policy.max_limit_fen``: at the counter, or with the consumption
    password.

    The query password does not work here (R030). Raises ``NotAllowed`` and ``actors.WrongDoor``.
    """
    set_limit(account_id, limit_fen, door=door, most_fen=policy.max_limit_fen, now=now)


@transaction.atomic
def set_limit(
    account_id: int, limit_fen: int, *, door: AtCounter | AtLoadKiosk, most_fen: int, now: datetime
) -> None:
    """The same inside a larger transaction; above ``HIGHEST_FEN`` nobody can."""
    account = lock(account_id)
    if isinstance(door, AtCounter):
        refuse_own(account, door)
    else:
        door.require(account_id, SecretKind.CONSUMPTION, now=now)
    if account.life != AccountLife.OPEN:
        raise NotAllowed(Reason.ACCOUNT_ENDED)
    if account.frozen:
        raise NotAllowed(Reason.ACCOUNT_FROZEN)
    if not 0 <= limit_fen <= min(most_fen, HIGHEST_FEN):
        raise NotAllowed(Reason.LIMIT_RANGE)
    noted = door.noted if isinstance(door, AtCounter) else {}
    by = By(door.actor, now, noted=noted)
    change_account(account, "account.change_limit", {"daily_limit_fen": limit_fen}, by=by)
