"""Opening and ending accounts."""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import IntegrityError, connection, transaction

from accounts.keys import Secrets
from accounts.models import Account, AccountLife, Campus, Holder, HolderKind, SecretKind, ServiceKind
from accounts.services import audit, passwords
from accounts.services.errors import NotAllowed, Reason
from accounts.services.rows import By, change_account, lock
from purse.policy import Policy

NUMBERS = range(10_000, 100_000)
REST_AFTER_CLOSING = timedelta(days=5 * 365 + 2)
"""A number is not given to somebody else for five years (reading A17); two of them may be leap years."""
_QUICK_TRIES = 20


class NumbersExhausted(Exception):
    """Every number is in use or was within the last five years."""


@dataclass(frozen=True, slots=True)
class Order:
    """What account to open. ``pending`` for a batch whose cards are yet to be made."""

    holder_id: int
    kind: ServiceKind
    campus: Campus
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """The new account, and the initial passwords to print on sealed slips where none follows from a document."""

    account: Account
    slips: dict[SecretKind, str] = field(default_factory=dict, repr=False)


@transaction.atomic
def open_account(order: Order, *, by: By, policy: Policy, secrets: Secrets) -> Opened:
    """Open the one account of a holder, with a random unused number and both initial passwords (guide L151).

    Raises ``NotAllowed`` (has one, or not eligible for a formal card, L19) and ``NumbersExhausted``.
    """
    holder = Holder.objects.select_for_update().get(pk=order.holder_id)
    if order.kind is ServiceKind.FORMAL and holder.kind == HolderKind.OTHER:
        raise NotAllowed(Reason.NOT_ELIGIBLE)
    if holder.accounts.exclude(life=AccountLife.CLOSED).exists():
        raise NotAllowed(Reason.HAS_ACCOUNT)
    account = _create(holder, order, limit_fen=policy.default_limit_fen, now=by.now)
    after = {"number": account.number, "kind": account.kind, "life": account.life}
    audit.record(audit.Deed("account.open", "account", account.pk, after=after), actor=by.actor, now=by.now)
    slips = {}
    for kind in SecretKind:
        slip = passwords.give_initial(account, kind, now=by.now, secrets=secrets)
        if slip is not None:
            slips[kind] = slip
    return Opened(account, slips)


@transaction.atomic
def start(account_id: int, *, by: By) -> None:
    """Take a pending account into use. Raises ``NotAllowed``."""
    account = _in_life(account_id, AccountLife.PENDING)
    change_account(account, "account.start", {"life": AccountLife.OPEN}, by=by)


@transaction.atomic
def begin_closing(account_id: int, *, by: By) -> None:
    """Stop all use and wait for late journals.

    A frozen account must be put right first (requirements 3.3).
    """
    account = _in_life(account_id, AccountLife.OPEN)
    if account.frozen:
        raise NotAllowed(Reason.ACCOUNT_FROZEN)
    change_account(account, "account.begin_closing", {"life": AccountLife.CLOSING}, by=by)


@transaction.atomic
def give_up_closing(account_id: int, *, by: By) -> None:
    """Return a closing account to use. Raises ``NotAllowed``."""
    account = _in_life(account_id, AccountLife.CLOSING)
    change_account(account, "account.give_up_closing", {"life": AccountLife.OPEN}, by=by)


@transaction.atomic
def close(account_id: int, *, by: By) -> None:
    """End an account for good. Everything must have been paid out before. Raises ``NotAllowed``."""
    account = _in_life(account_id, AccountLife.CLOSING, AccountLife.PENDING)
    if account.frozen:
        raise NotAllowed(Reason.ACCOUNT_FROZEN)
    if account.book_fen or account.unclaimed_fen:
        raise NotAllowed(Reason.MONEY_LEFT)
    change_account(account, "account.close", {"life": AccountLife.CLOSED, "closed_at": by.now}, by=by)


def _in_life(account_id: int, *lives: AccountLife) -> Account:
    account = lock(account_id)
    if account.life not in lives:
        raise NotAllowed(Reason.WRONG_LIFE)
    return account


def _create(holder: Holder, order: Order, *, limit_fen: int, now: datetime) -> Account:
    """Insert with a free number; another process may take the same one, then the next is tried."""
    while True:
        number = _free_number(now)
        try:
            with transaction.atomic():
                return Account.objects.create(
                    number=number,
                    holder=holder,
                    campus=order.campus,
                    kind=order.kind,
                    life=AccountLife.PENDING if order.pending else AccountLife.OPEN,
                    daily_limit_fen=limit_fen,
                    opened_at=now,
                )
        except IntegrityError as error:
            if "account_number_unique_in_use" not in str(error):
                raise


def _free_number(now: datetime) -> int:
    for _ in range(_QUICK_TRIES):
        number = random.choice(NUMBERS)
        taken = Account.objects.filter(number=number)
        if not taken.exclude(life=AccountLife.CLOSED, closed_at__lte=now - REST_AFTER_CLOSING).exists():
            return number
    with connection.cursor() as cursor:  # nearly full: choose among what is left
        cursor.execute(
            """
            SELECT n FROM generate_series(%s, %s) AS n
            WHERE NOT EXISTS (
                SELECT FROM accounts_account
                WHERE number = n AND (life <> 'closed' OR closed_at > %s)
            )
            ORDER BY random() LIMIT 1
            """,
            [NUMBERS[0], NUMBERS[-1], now - REST_AFTER_CLOSING],
        )
        row = cursor.fetchone()
    if row is None:
        raise NumbersExhausted
    return int(row[0])
