"""Loss and freeze: two flags that never touch each other (reading A8).

Anybody who proves himself may report a loss at any door. Taking it back is offered at two doors only, and the
type of ``door`` says which (guide L145). Freezing follows rules; unfreezing is a person's act at the counter.
"""

from __future__ import annotations

import secrets as random
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.actors import Actor, AtCounter, AtLoadKiosk
from accounts.models import (
    LIVE_CARD,
    Account,
    AccountLife,
    Card,
    CardLife,
    LossReport,
    Secret,
    SecretKind,
)
from accounts.papers import IDENTITY
from accounts.services.errors import NotAllowed, Reason
from accounts.services.passwords import refuse_own
from accounts.services.rows import By, change_account, change_card, lock
from accounts.services.throttle import SHANGHAI
from purse.rules import FreezeReason

_REPORTABLE = (*LIVE_CARD, CardLife.EXPIRED, CardLife.DAMAGED)


class LossEffect(StrEnum):
    """What a loss report did."""

    CARD_LOST = "card_lost"
    ALREADY_LOST = "already_lost"


class KeyReused(Exception):
    """The same key was used for a loss report of another account."""


@transaction.atomic(durable=True)
def report_lost(account_id: int, *, key: UUID, actor: Actor, now: datetime) -> LossReport:
    """Mark the holder's card as lost and give a reference number. Online tills refuse it from now on.

    Safe to repeat: the same key returns the same report. A card already lost is reported as such, with the
    time. Raises ``NotAllowed`` (no card, account ended) and ``KeyReused``.
    """
    return take_report(account_id, key=key, actor=actor, now=now)


@transaction.atomic
def take_report(
    account_id: int, *, key: UUID, actor: Actor, now: datetime, door: AtCounter | None = None
) -> LossReport:
    """The same inside a larger transaction; ``door`` at a counter, where a document is seen (guide L141)."""
    account = lock(account_id)
    if door is not None:
        refuse_own(account, door)
    known = LossReport.objects.filter(key=key).first()
    if known is not None:
        if known.account_id != account_id:
            raise KeyReused(str(key))
        return known
    if account.life == AccountLife.CLOSED:
        raise NotAllowed(Reason.ACCOUNT_ENDED)
    card = Card.objects.filter(account=account, life__in=_REPORTABLE).order_by("-issue_no").first()
    if card is None:
        raise NotAllowed(Reason.NO_CARD)
    since = card.lost_at
    if since is None:
        by = By(actor, now, noted=door.noted if door else {})
        change_card(card, "card.report_lost", {"lost": True, "lost_at": now}, by=by)
    report = LossReport(
        key=key,
        reference=_reference(now),
        account=account,
        card=card,
        effect=LossEffect.CARD_LOST if since is None else LossEffect.ALREADY_LOST,
        channel=actor.channel,
        reported_at=now,
        already_since_at=since,
    )
    return _save(report)


@transaction.atomic(durable=True)
def lift_loss(account_id: int, *, door: AtCounter | AtLoadKiosk, now: datetime) -> Card:
    """Take back a loss report: at the counter with document and card, or at a load kiosk with the query
    password.

    Never touches a freeze. At the kiosk an initial password must be replaced first. Raises ``NotAllowed``.
    """
    return take_back(account_id, door=door, now=now)


@transaction.atomic
def take_back(account_id: int, *, door: AtCounter | AtLoadKiosk, now: datetime) -> Card:
    """The same inside a larger transaction."""
    account = lock(account_id)
    _refuse_door(account, door, now=now)
    if account.life != AccountLife.OPEN:
        raise NotAllowed(Reason.ACCOUNT_ENDED)
    card = Card.objects.filter(account=account).order_by("-issue_no").first()
    if card is None or not card.lost:
        raise NotAllowed(Reason.NOT_LOST)
    if card.life not in LIVE_CARD:
        raise NotAllowed(Reason.CARD_ENDED)
    noted = door.noted if isinstance(door, AtCounter) else {}
    by = By(door.actor, now, noted=noted)
    change_card(card, "card.lift_loss", {"lost": False, "lost_at": None}, by=by)
    return card


@transaction.atomic
def freeze(account_id: int, reasons: Iterable[FreezeReason], *, by: By) -> bool:
    """Freeze account and card, or add reasons; part of a larger transaction where a rule found them.

    Returns whether anything changed: one audit row per change, none for what was known (S2).
    """
    account = lock(account_id)
    wanted = sorted({*account.frozen_reasons, *(reason.value for reason in reasons)})
    if wanted == sorted(account.frozen_reasons):
        return False
    fields = {"frozen_reasons": wanted, "frozen_at": account.frozen_at or by.now}
    change_account(account, "account.freeze", fields, by=by)
    return True


@transaction.atomic
def unfreeze(account_id: int, *, door: AtCounter, open_items_fen: int, now: datetime, reason: str) -> None:
    """Take away every freeze reason after the account was put right at the counter (guide L95, L111).

    ``open_items_fen`` is what the posted open items explain of card minus book; everything else must be
    level. Raises ``NotAllowed``; the database refuses a negative book too. Never touches a loss report.
    """
    account = lock(account_id)
    refuse_own(account, door)
    if not account.frozen:
        raise NotAllowed(Reason.NOT_FROZEN)
    if account.book_fen < 0:
        raise NotAllowed(Reason.BOOK_NEGATIVE)
    card = Card.objects.filter(account=account, life__in=LIVE_CARD).first()
    if card is not None and card.seen_at is not None:
        if not door.card_on_reader:
            raise NotAllowed(Reason.CARD_NOT_HERE)
        if card.card_fen - account.book_fen != open_items_fen:
            raise NotAllowed(Reason.DIFFERENCE_OPEN)
    by = By(door.actor, now, reason)
    change_account(account, "account.unfreeze", {"frozen_reasons": [], "frozen_at": None}, by=by)


def _refuse_door(account: Account, door: AtCounter | AtLoadKiosk, *, now: datetime) -> None:
    if isinstance(door, AtCounter):
        refuse_own(account, door)
        if door.document not in IDENTITY:
            raise NotAllowed(Reason.DOCUMENT_NEEDED)
        if not door.card_on_reader:
            raise NotAllowed(Reason.CARD_NOT_HERE)
        return
    door.require(account.pk, SecretKind.QUERY, now=now)
    if Secret.objects.filter(account=account, kind=SecretKind.QUERY, is_default=True).exists():
        raise NotAllowed(Reason.CHANGE_PASSWORD_FIRST)


def _reference(now: datetime) -> str:
    """Twelve digits that can be read out on the telephone: the day in Shanghai and six random ones."""
    while True:
        reference = f"{now.astimezone(SHANGHAI):%y%m%d}{random.randbelow(1_000_000):06d}"
        if not LossReport.objects.filter(reference=reference).exists():
            return reference


def _save(report: LossReport) -> LossReport:
    try:
        with transaction.atomic():
            report.save(force_insert=True)
    except IntegrityError as error:
        if "lossreport_key" in str(error):
            raise KeyReused(str(report.key)) from None
        raise
    return report
