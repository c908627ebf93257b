"""What stands against closing an account, and what would be paid out (requirements 3.1, C12, H25)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from accounts.models import LIVE_CARD, Account, AccountLife, Card
from accounts.options import Options
from accounts.selectors import audit_of
from reconciliation import comparison
from reconciliation.models import Case, CaseState
from reconciliation.models_disputes import OPEN_STATES, Dispute
from terminals.models import OPEN_STATES as OPEN_JOBS
from terminals.models import CardJob, JobKind
from transactions.services.cash import deposit_fen
from transactions.services.holds import held_fen

REQUEST = "account.close"
"""The kind of the request that a second person agrees to."""


class Against(StrEnum):
    """Why an account cannot be closed, or not yet."""

    CLOSED = "closed"
    NOT_CLOSING = "not_closing"
    FROZEN = "frozen"
    OPEN_CASE = "open_case"
    OPEN_DISPUTE = "open_dispute"
    DEBT = "debt"
    """The book is below zero."""
    OFFLINE_GAP = "offline_gap"
    """The card was used offline and the records are not here."""
    LATE = "late"
    """Something was deducted twice: refund first."""
    HELD = "held"
    """Money is held back for records of an old card."""
    WAITING = "waiting"
    """The days for late records are not over."""
    CARD_JOB = "card_job"
    """A desk is writing money on its card just now."""


@dataclass(frozen=True, slots=True)
class Closing:
    """One account on its way out. Amounts in fen; ``due_at`` from when on it may be paid out."""

    account_id: int
    life: AccountLife
    book_fen: int
    unclaimed_fen: int
    deposit_fen: int
    entry_seq: int
    begun_at: datetime | None
    due_at: datetime | None
    card_id: int | None
    against: tuple[Against, ...]

    @property
    def total_fen(self) -> int:
        """What is paid out."""
        return self.book_fen + self.unclaimed_fen + self.deposit_fen

    @property
    def only_waits(self) -> bool:
        """Whether nothing but time stands against it."""
        return set(self.against) <= {Against.WAITING}

    def content(self, way: str) -> Mapping[str, Any]:
        """What a second person agrees to; whatever moves the book makes it another content."""
        return {
            "account": self.account_id,
            "book_fen": self.book_fen,
            "unclaimed_fen": self.unclaimed_fen,
            "deposit_fen": self.deposit_fen,
            "entry_seq": self.entry_seq,
            "way": way,
        }


def closing_of(account_id: int, *, now: datetime, options: Options) -> Closing:
    """The state of a closing, or of what would be one. Raises ``Account.DoesNotExist``."""
    account = Account.objects.get(pk=account_id)
    begun_at = _begun_at(account)
    due_at = begun_at + timedelta(days=options.closing_wait_days) if begun_at is not None else None
    return Closing(
        account_id=account.pk,
        life=AccountLife(account.life),
        book_fen=account.book_fen,
        unclaimed_fen=account.unclaimed_fen,
        deposit_fen=deposit_fen(account.pk),
        entry_seq=account.entry_seq,
        begun_at=begun_at,
        due_at=due_at,
        card_id=Card.objects.filter(account=account, life__in=LIVE_CARD).values_list("pk", flat=True).first(),
        against=tuple(_against(account, due_at, now)),
    )


def _against(account: Account, due_at: datetime | None, now: datetime) -> list[Against]:
    found = []
    if account.life == AccountLife.CLOSED:
        return [Against.CLOSED]
    if account.frozen:
        found.append(Against.FROZEN)
    if Case.objects.filter(account=account, state=CaseState.OPEN).exists():
        found.append(Against.OPEN_CASE)
    if Dispute.objects.filter(account=account, state__in=OPEN_STATES).exists():
        found.append(Against.OPEN_DISPUTE)
    if account.book_fen < 0:
        found.append(Against.DEBT)
    items = next(iter(comparison.read([account.pk]))).items
    if items.offline_fen:
        found.append(Against.OFFLINE_GAP)
    if Card.objects.filter(account=account, late_fen__gt=0).exists():
        found.append(Against.LATE)
    if held_fen(account):
        found.append(Against.HELD)
    if CardJob.objects.filter(account=account, state__in=OPEN_JOBS).exclude(kind=JobKind.READ).exists():
        found.append(Against.CARD_JOB)
    if account.life == AccountLife.CLOSING and due_at is not None and now < due_at:
        found.append(Against.WAITING)
    return found


def _begun_at(account: Account) -> datetime | None:
    """When the present closing began; the day counts from there, whatever was given up before."""
    if account.life != AccountLife.CLOSING:
        return None
    begun = audit_of("account", account.pk).filter(action="account.begin_closing")
    return begun.values_list("at", flat=True).first()
